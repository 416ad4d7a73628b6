//! A repeated start: the same container is created again, with a new init.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nri_oci_hooks::model::Stage;

use crate::fixture::{Fixture, feed, number_from};

/// The init of a container; it ends with its test.
struct Init(Child);

impl Init {
    fn new() -> Init {
        Init(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    /// The state that the OCI runtime gives to hooks of `stage` for this init.
    fn state(&self, fixture: &Fixture, stage: Stage) -> String {
        let status = match stage {
            Stage::Prestart => "creating",
            _ => "running",
        };
        fixture.state_of(status, self.0.id())
    }

    /// Runs a stage for this init as an OCI runtime would.
    fn run(&self, fixture: &Fixture, stage: Stage) {
        let runner = feed(fixture.command(stage), &self.state(fixture, stage));
        assert!(runner.wait_with_output().unwrap().status.success());
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        // Fails if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A container that notes each of its stages.
fn noting(stages: &[Stage]) -> Fixture {
    let fixture = stages
        .iter()
        .fold(Fixture::new(), |fixture, stage| fixture.note(*stage, stage.key()));
    fixture.registered()
}

fn archived(fixture: &Fixture) -> usize {
    fixture.ledger().archived().unwrap().len()
}

#[test]
fn a_new_init_gets_its_own_stages_after_the_poststop_of_the_earlier_one() {
    let fixture = noting(&[Stage::Prestart, Stage::Poststart, Stage::Poststop]);
    let earlier = Init::new();
    earlier.run(&fixture, Stage::Prestart);
    drop(earlier);

    let init = Init::new();
    for stage in [Stage::Prestart, Stage::Prestart, Stage::Poststart] {
        init.run(&fixture, stage);
    }
    fixture.run(Stage::Poststop);
    let expected = ["prestart", "poststop", "prestart", "poststart", "poststop"];
    assert_eq!(fixture.log(), expected);
    assert_eq!(archived(&fixture), 1, "the records of the earlier init are kept");
}

#[test]
fn an_init_that_ends_with_its_oci_runtime_in_prestart_gets_its_poststop_from_that_runner() {
    let fixture = Fixture::new();
    let (begun, go) = (fixture.fifo("begun"), fixture.fifo("go"));
    let fixture = fixture
        .hook(
            Stage::Prestart,
            "#!/bin/sh\necho $PPID >$D/begun; read go <$D/go; echo prestart >>$D/log\n",
        )
        .note(Stage::Poststop, "poststop")
        .registered();
    let init = Init::new();
    let state = init.state(&fixture, Stage::Prestart);
    // The OCI runtime waits for its hook.
    let runner = fixture.command(Stage::Prestart);
    let mut runtime = Command::new("/bin/sh");
    runtime.args(["-c", "\"$@\"; exit $?", "runtime"]);
    runtime.arg(runner.get_program()).args(runner.get_args());
    runtime
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut runtime = feed(runtime, &state);
    number_from(&begun);
    runtime.kill().unwrap();
    runtime.wait().unwrap();
    drop(init);
    fs::write(go, "\n").unwrap();
    let give_up = Instant::now() + Duration::from_secs(60);
    while fixture.log() != ["prestart", "poststop"] {
        assert!(Instant::now() < give_up, "{:?}", fixture.log());
        sleep(Duration::from_millis(5));
    }
    fixture.run(Stage::Poststop);
    assert_eq!(fixture.log(), ["prestart", "poststop"]);
}

#[test]
fn an_earlier_init_that_has_had_its_poststop_gets_no_second_one() {
    let fixture = noting(&[Stage::Prestart, Stage::Poststop]);
    let earlier = Init::new();
    earlier.run(&fixture, Stage::Prestart);
    drop(earlier);
    fixture.run(Stage::Poststop);
    Init::new().run(&fixture, Stage::Prestart);
    assert_eq!(fixture.log(), ["prestart", "poststop", "prestart"]);
}

#[test]
fn a_container_with_poststop_hooks_alone_gets_them_once_per_init() {
    let fixture = noting(&[Stage::Poststop]);
    for _ in 0..2 {
        fixture.run(Stage::Poststop);
    }
    assert_eq!(fixture.log(), ["poststop", "poststop"]);
    assert_eq!(archived(&fixture), 1);
}

#[test]
fn of_two_runners_for_a_new_init_one_runs_the_stage() {
    let fixture = noting(&[Stage::Prestart, Stage::Poststop]);
    let earlier = Init::new();
    earlier.run(&fixture, Stage::Prestart);
    drop(earlier);
    let init = Init::new();
    let state = init.state(&fixture, Stage::Prestart);
    let runners = [(); 2].map(|()| feed(fixture.command(Stage::Prestart), &state));
    for runner in runners {
        assert!(runner.wait_with_output().unwrap().status.success());
    }
    assert_eq!(fixture.log(), ["prestart", "poststop", "prestart"]);
    assert_eq!(archived(&fixture), 1);
}

#[test]
fn the_same_init_is_not_taken_for_a_new_one() {
    let fixture = noting(&[Stage::Prestart, Stage::Poststop]);
    let init = Init::new();
    for _ in 0..3 {
        init.run(&fixture, Stage::Prestart);
    }
    assert_eq!(fixture.log(), ["prestart"]);
    assert_eq!(archived(&fixture), 0);
}
