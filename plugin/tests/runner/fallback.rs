//! prestart at the event of the runtime, where no OCI runtime has started the runner.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::SIGKILL;
use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, feed, number_from};

/// An init that was created; a line on its stdin starts it.
fn created() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exec sleep 1000"]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

/// Starts prestart as the daemon does at StartContainer.
fn start(fixture: &Fixture, init: &Child) -> Child {
    let mut command = fixture.command(Stage::Prestart);
    command.args(["--trigger", "start-container"]);
    feed(command, &fixture.state_of("created", init.id()))
}

fn run(fixture: &Fixture, init: &Child) -> Output {
    start(fixture, init).wait_with_output().unwrap()
}

/// Not every runtime obeys the answer to the event.
#[test]
fn a_prestart_that_fails_kills_init() {
    let fixture = Fixture::new()
        .hook(Stage::Prestart, "#!/bin/sh\nexit 1\n")
        .registered();
    let mut init = created();
    assert_eq!(run(&fixture, &init).status.code(), Some(1));
    assert_eq!(init.wait().unwrap().signal(), Some(SIGKILL as i32));
}

#[test]
fn a_prestart_that_succeeds_leaves_init_alone() {
    let fixture = Fixture::new().note(Stage::Prestart, "prestart").registered();
    let mut init = created();
    assert!(run(&fixture, &init).status.success());
    assert_eq!(fixture.log(), ["prestart"]);
    assert!(init.try_wait().unwrap().is_none());
    init.kill().unwrap();
    init.wait().unwrap();
}

/// The daemon died, and the runtime went on without it.
#[test]
fn a_container_that_was_started_before_its_prestart_ended_is_ended() {
    let fixture = Fixture::new();
    let (runs, go_on) = (fixture.fifo("runs"), fixture.fifo("go-on"));
    let script = "#!/bin/sh\necho $$ >$D/runs\nread line <$D/go-on\n";
    let fixture = fixture.hook(Stage::Prestart, script).registered();
    let mut init = created();
    let runner = start(&fixture, &init);
    number_from(&runs);
    init.stdin.take().unwrap().write_all(b"\n").unwrap();
    let executed = || {
        std::fs::read_link(format!("/proc/{}/exe", init.id()))
            .unwrap()
            .ends_with("sleep")
    };
    while !executed() {
        std::thread::yield_now();
    }
    std::fs::write(go_on, "\n").unwrap();
    let output = runner.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(init.wait().unwrap().signal(), Some(SIGKILL as i32));
}
