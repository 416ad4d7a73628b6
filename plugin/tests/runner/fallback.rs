//! prestart at the event of the runtime, where no OCI runtime has started the runner.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output};

use nix::sys::signal::{SIGKILL, SIGSTOP, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use nri_oci_hooks::spec::Stage;

use crate::fixture::{Fixture, feed};

/// A process 1 that has been created, not started; and how it is held where prestart takes longer than the
/// event may.
fn held() -> (Child, Pid) {
    let init = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = Pid::from_raw(init.id().try_into().unwrap());
    kill(pid, SIGSTOP).unwrap();
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid, SIGSTOP));
    (init, pid)
}

/// Runs prestart as the daemon does at StartContainer.
fn run(fixture: &Fixture, init: Pid) -> Output {
    let mut command = fixture.command(Stage::Prestart);
    command.args(["--trigger", "start-container"]);
    let state = fixture.state_of("created", init.as_raw().try_into().unwrap());
    feed(command, &state).wait_with_output().unwrap()
}

/// Not every runtime heeds the answer to the event.
#[test]
fn a_prestart_that_fails_kills_process_1() {
    let fixture = Fixture::new()
        .hook(Stage::Prestart, "#!/bin/sh\nexit 1\n")
        .entered();
    let (mut init, pid) = held();
    assert_eq!(run(&fixture, pid).status.code(), Some(1));
    assert_eq!(init.wait().unwrap().signal(), Some(SIGKILL as i32));
}

#[test]
fn a_prestart_that_succeeds_lets_a_held_process_1_go_on() {
    let fixture = Fixture::new().note(Stage::Prestart, "prestart").entered();
    let (mut init, pid) = held();
    assert!(run(&fixture, pid).status.success());
    let went_on = waitpid(pid, Some(WaitPidFlag::WCONTINUED)).unwrap();
    assert_eq!(went_on, WaitStatus::Continued(pid));
    init.kill().unwrap();
    init.wait().unwrap();
}
