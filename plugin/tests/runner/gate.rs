//! A poststart that is asked for before init runs its program: by runc up to 1.5 inside of `create`.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nri_oci_hooks::ledger::{Claimed, Line, StageResult, Trigger};
use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, feed, number_from};

/// The init of a container; it ends with its test.
struct Init(Child);

impl Drop for Init {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How long something may take that waits for nobody.
const AT_ONCE: Duration = Duration::from_secs(30);

/// Creates a container as runc does: its init keeps an O_PATH descriptor of the exec FIFO, opens that for writing,
/// closes it, and executes the container's program.
fn created(fixture: &Fixture, program: &[&str]) -> Init {
    let fifo = fixture.fifo("exec.fifo");
    let script = r#"use Fcntl;
        sysopen(F, shift, 010000000) or die;
        syswrite(STDOUT, ".");
        open(W, ">", "/proc/self/fd/" . fileno(F)) or die;
        syswrite(W, "0");
        close(W);
        select(undef, undef, undef, 0.01);
        exec {$ARGV[0]} @ARGV or die;"#;
    let mut command = Command::new("perl");
    command.args(["-e", script]).arg(fifo).args(program);
    let mut init = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    init.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    Init(init)
}

/// A container of an OCI runtime without exec FIFO; a line on its stdin starts it.
fn created_without_fifo() -> Init {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exec sleep 1000"]);
    Init(command.stdin(Stdio::piped()).spawn().unwrap())
}

/// Starts the container as `runc start` does. The result reports its return.
fn start(fixture: &Fixture) -> Receiver<Vec<u8>> {
    let fifo = fixture.path("exec.fifo");
    let (sender, returned) = mpsc::channel();
    thread::spawn(move || {
        let mut read = Vec::new();
        File::open(fifo).unwrap().read_to_end(&mut read).unwrap();
        sender.send(read)
    });
    returned
}

/// Runs poststart as runc does inside of create. Returns when nobody holds the runner's output any more.
fn start_early(fixture: &Fixture, init: &Init) -> Output {
    let state = fixture.state_of("created", init.0.id());
    let runner = feed(fixture.command(Stage::Poststart), &state);
    runner.wait_with_output().unwrap()
}

/// Awaits the end of the stage, as a runner that finds the claim taken does.
fn await_end(fixture: &Fixture, stage: Stage) -> StageResult {
    match fixture.container().claim(stage, Trigger::Synchronize).unwrap() {
        Claimed::Over(result) => result,
        Claimed::Ours(claim) => panic!("nobody had it: {claim:?}"),
    }
}

/// The process that holds the gate.
fn holder(fixture: &Fixture) -> Pid {
    let record = fixture.record(Stage::Poststart);
    let runner = record.lines.iter().find_map(|line| match line {
        Line::Claimed { runner, .. } => Some(*runner),
        _ => None,
    });
    Pid::from_raw(runner.unwrap().try_into().unwrap())
}

/// Awaits the end of a process, reaped or not.
fn await_end_of(pid: Pid) {
    let path = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z ")) {
        thread::yield_now();
    }
}

const SLOW: &str = "#!/bin/sh\necho $$ >$D/runs\nread line <$D/go-on\necho once >>$D/log\n";

/// A start that is held by a poststart hook, until the hook may go on.
fn held() -> (Fixture, Init, Receiver<Vec<u8>>) {
    let fixture = Fixture::new();
    let (runs, _) = (fixture.fifo("runs"), fixture.fifo("go-on"));
    let fixture = fixture.hook(Stage::Poststart, SLOW).registered();
    let init = created(&fixture, &["sleep", "1000"]);
    assert!(start_early(&fixture, &init).status.success());
    let returned = start(&fixture);
    number_from(&runs);
    (fixture, init, returned)
}

#[test]
fn the_start_returns_when_poststart_is_over_and_that_runs_when_init_runs_its_program() {
    let fixture = Fixture::new();
    let (runs, go_on) = (fixture.fifo("runs"), fixture.fifo("go-on"));
    let program = "readlink /proc/$2/exe >$D/program; ".replace("$2", "$INIT");
    let hook = SLOW.replace(
        "echo $$",
        &format!("INIT=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); {program}echo $$"),
    );
    let fixture = fixture.hook(Stage::Poststart, &hook).registered();
    let init = created(&fixture, &["sleep", "1000"]);
    assert!(start_early(&fixture, &init).status.success());
    assert!(fixture.record(Stage::Poststart).runs().is_empty(), "too early");

    let returned = start(&fixture);
    number_from(&runs);
    assert!(returned.try_recv().is_err(), "it did not wait");
    let program = std::fs::read_to_string(fixture.path("program")).unwrap();
    assert!(program.trim().ends_with("/sleep"), "{program}");
    std::fs::write(go_on, "\n").unwrap();
    assert_eq!(returned.recv_timeout(AT_ONCE).unwrap(), b"0");
    assert_eq!(await_end(&fixture, Stage::Poststart), StageResult::Done);
    assert_eq!(fixture.log(), ["once"]);
    let lines = fixture.record(Stage::Poststart).lines;
    assert!(!lines.iter().any(|line| matches!(line, Line::NotHeld { .. })));
    drop(init);
}

#[test]
fn a_start_that_is_asked_for_at_once_waits_too() {
    for _ in 0..20 {
        let fixture = Fixture::new();
        let (runs, go_on) = (fixture.fifo("runs"), fixture.fifo("go-on"));
        let fixture = fixture.hook(Stage::Poststart, SLOW).registered();
        let init = created(&fixture, &["sleep", "1000"]);
        let state = fixture.state_of("created", init.0.id());
        let mut runner = feed(fixture.command(Stage::Poststart), &state);
        assert!(runner.wait().unwrap().success());
        let returned = start(&fixture);
        number_from(&runs);
        assert!(returned.try_recv().is_err(), "it did not wait");
        std::fs::write(go_on, "\n").unwrap();
        returned.recv_timeout(AT_ONCE).unwrap();
        drop(init);
    }
}

#[test]
fn a_program_that_ends_at_once_has_its_poststart_before_its_poststop() {
    for _ in 0..20 {
        let fixture = Fixture::new().note(Stage::Poststart, "poststart");
        let fixture = fixture.note(Stage::Poststop, "poststop").registered();
        let mut init = created(&fixture, &["true"]);
        assert!(start_early(&fixture, &init).status.success());
        let returned = start(&fixture);
        init.0.wait().unwrap();
        assert!(fixture.run(Stage::Poststop).status.success());
        returned.recv_timeout(AT_ONCE).unwrap();
        assert_eq!(fixture.log(), ["poststart", "poststop"]);
    }
}

#[test]
fn a_container_that_is_never_started_has_no_poststart_and_leaves_no_process() {
    let fixture = Fixture::new().note(Stage::Poststart, "never");
    let fixture = fixture.note(Stage::Poststop, "poststop").registered();
    let init = created(&fixture, &["sleep", "1000"]);
    assert!(start_early(&fixture, &init).status.success());
    let holder = holder(&fixture);
    drop(init);
    fixture.run(Stage::Poststop);
    assert_eq!(fixture.log(), ["poststop"]);
    assert!(matches!(
        await_end(&fixture, Stage::Poststart),
        StageResult::Skipped { .. }
    ));
    await_end_of(holder);
}

#[test]
fn a_start_after_init_has_ended_is_not_held() {
    let fixture = Fixture::new().note(Stage::Poststart, "never").registered();
    let init = created(&fixture, &["sleep", "1000"]);
    assert!(start_early(&fixture, &init).status.success());
    drop(init);
    await_end(&fixture, Stage::Poststart);
    // Without a writer an open for reading would wait.
    let fifo = fixture.path("exec.fifo");
    let writer = thread::spawn(move || File::options().write(true).open(fifo).map(drop));
    let returned = start(&fixture);
    assert_eq!(returned.recv_timeout(AT_ONCE).unwrap(), b"");
    writer.join().unwrap().unwrap();
}

#[test]
fn a_program_that_cannot_be_executed_has_no_poststart() {
    let fixture = Fixture::new().note(Stage::Poststart, "never").registered();
    let mut init = created(&fixture, &["/no/such/program"]);
    assert!(start_early(&fixture, &init).status.success());
    let returned = start(&fixture);
    // Not reaped before the holder has looked at it.
    let result = await_end(&fixture, Stage::Poststart);
    init.0.wait().unwrap();
    returned.recv_timeout(AT_ONCE).unwrap();
    assert!(matches!(result, StageResult::Skipped { .. }), "{result:?}");
}

#[test]
fn a_killed_holder_lets_the_start_return_though_its_hook_goes_on() {
    let (fixture, init, returned) = held();
    kill(holder(&fixture), Signal::SIGKILL).unwrap();
    returned.recv_timeout(AT_ONCE).unwrap();
    std::fs::write(fixture.path("go-on"), "\n").unwrap();
    drop(init);
}

#[test]
fn the_hooks_do_not_wait_for_the_end_of_the_watch_of_the_fifo() {
    let (fixture, init, returned) = held();
    // To close it takes the kernel some ticks, so this comes after the hooks.
    let open = std::fs::read_dir(format!("/proc/{}/fd", holder(&fixture))).unwrap();
    let mut files = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    assert!(files.any(|file| file.as_os_str() == "anon_inode:inotify"));
    std::fs::write(fixture.path("go-on"), "\n").unwrap();
    returned.recv_timeout(AT_ONCE).unwrap();
    drop(init);
}

#[test]
fn without_an_exec_fifo_poststart_runs_when_init_runs_its_program_and_the_record_says_that_nothing_waited() {
    let fixture = Fixture::new().note(Stage::Poststart, "once").registered();
    let mut init = created_without_fifo();
    assert!(start_early(&fixture, &init).status.success());
    assert!(fixture.record(Stage::Poststart).runs().is_empty());
    init.0.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert_eq!(await_end(&fixture, Stage::Poststart), StageResult::Done);
    assert_eq!(fixture.log(), ["once"]);
    let lines = fixture.record(Stage::Poststart).lines;
    assert!(lines.iter().any(|line| matches!(line, Line::NotHeld { .. })));
    drop(init);
}
