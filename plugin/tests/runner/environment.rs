//! The environment in which a hook begins.

use std::fs;

use nri_oci_hooks::ledger::EntryDirectory;
use nri_oci_hooks::model::Stage;
use serde_json::{Value, json};

use crate::fixture::{Fixture, PATH, SUCCESS};

#[test]
fn a_hook_gets_exactly_its_args_and_its_env_in_their_order() {
    let script = "#!/bin/sh\ncat /proc/self/environ >$D/env\ncat /proc/$$/cmdline >$D/args\n";
    let fixture = Fixture::new().hook_with(Stage::Prestart, script, |hook| {
        hook.args = ["zero", "", "two words", "\u{e9}"].map(Into::into).into();
        hook.env.extend(["Z=1", "A=2", "Z=3", "EMPTY="].map(Into::into));
    });
    let fixture = fixture.registered();
    assert!(fixture.run(Stage::Prestart).status.success());
    // The kernel puts interpreter and path in the place of argv[0] of a script.
    let args = fs::read_to_string(fixture.path("args")).unwrap();
    let script = fixture.path("prestart-0");
    let expected = ["/bin/sh", script.to_str().unwrap(), "", "two words", "\u{e9}"];
    assert_eq!(args.split_terminator('\0').collect::<Vec<_>>(), expected);
    let env = fs::read_to_string(fixture.path("env")).unwrap();
    for expected in [PATH, "A=2", "EMPTY="] {
        assert!(env.split('\0').any(|pair| pair == expected), "{env}");
    }
}

#[test]
fn argv_and_environment_of_a_program_are_passed_on_unchanged() {
    let fixture = Fixture::new().hook_with(Stage::Prestart, "", |hook| {
        hook.path = "/bin/cat".into();
        hook.args = ["argv0", "/proc/self/cmdline", "/proc/self/environ"]
            .map(Into::into)
            .into();
        hook.env = ["Z=1", "A=2", "Z=3"].map(Into::into).into();
    });
    let fixture = fixture.registered();
    assert!(fixture.run(Stage::Prestart).status.success());
    let record = fixture.record(Stage::Prestart);
    let wrote = &record.runs()[0].ended.unwrap().stdout.head;
    let expected = "argv0\0/proc/self/cmdline\0/proc/self/environ\0Z=1\0A=2\0Z=3\0";
    assert_eq!(wrote, expected);
}

#[test]
fn a_hook_reads_the_state_with_the_status_of_its_stage() {
    let script = "#!/bin/sh\ncat >$D/state-$0\n".replace("$0", "$(basename $0)");
    let mut fixture = Fixture::new();
    for stage in [Stage::Prestart, Stage::Poststart, Stage::Poststop] {
        fixture = fixture.hook(stage, &script).hook(stage, &script);
    }
    let fixture = fixture.registered();
    let own = std::process::id();
    for (stage, status, pid) in [
        (Stage::Prestart, "creating", json!(own)),
        (Stage::Poststart, "running", json!(own)),
        (Stage::Poststop, "stopped", Value::Null),
    ] {
        assert!(fixture.run(stage).status.success());
        for index in 0..2 {
            let text = fs::read_to_string(fixture.path(&format!("state-{stage}-{index}"))).unwrap();
            let state: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(state["status"], status, "{text}");
            assert_eq!(state["pid"], pid, "{text}");
            assert_eq!(state["id"], "c1");
            assert_eq!(state["ociVersion"], "1.1.0");
            assert_eq!(state["bundle"], json!(fixture.bundle()));
            let key = |key: &str| format!("nri-oci-hooks.noderesource.dev/{key}");
            let expected = json!({
                "a": "b",
                "tap.example/dir": "/srv/tap",
                key("pod-name"): "web",
                key("pod-namespace"): "default",
                key("pod-uid"): "u",
                key("container-name"): "app",
            });
            assert_eq!(state["annotations"], expected);
        }
    }
}

#[test]
fn a_hook_runs_in_the_bundle_or_if_that_is_gone_in_the_root() {
    let fixture = Fixture::new();
    let fixture = fixture.hook(Stage::Prestart, "#!/bin/sh\npwd\n");
    let fixture = fixture.hook(Stage::Poststop, "#!/bin/sh\npwd\n").registered();
    fixture.run(Stage::Prestart);
    fs::remove_dir(fixture.bundle()).unwrap();
    fixture.run(Stage::Poststop);
    for (stage, directory) in [(Stage::Prestart, fixture.bundle()), (Stage::Poststop, "/".into())] {
        let record = fixture.record(stage);
        let wrote = record.runs()[0].ended.unwrap().stdout.head.clone();
        assert_eq!(wrote.trim(), directory.to_str().unwrap());
    }
}

#[test]
fn a_hook_leads_a_session_and_has_default_signals_and_no_descriptor_but_the_standard_three() {
    let fixture = Fixture::new().hook_with(Stage::Prestart, "", |hook| {
        hook.path = "/bin/cat".into();
        hook.args = ["cat", "/proc/self/stat", "/proc/self/status"]
            .map(Into::into)
            .into();
    });
    let fixture = fixture.hook_with(Stage::Prestart, "", |hook| {
        hook.path = "/bin/ls".into();
        hook.args = ["ls", "/proc/self/fd"].map(Into::into).into();
    });
    let fixture = fixture.registered();
    // A careless caller: descriptors without close-on-exec, and signals that it ignores.
    let mut shell = std::process::Command::new("/bin/sh");
    let runner = format!(
        "trap '' HUP PIPE USR1 CHLD; exec 7</dev/null 9</dev/null; exec {} stage prestart --state-dir {}",
        env!("CARGO_BIN_EXE_nri-oci-hooks"),
        fixture.ledger().root().display(),
    );
    shell.args(["-c", &runner]).stdin(std::process::Stdio::piped());
    let output = crate::fixture::feed(shell, &fixture.state("creating")).wait_with_output();
    assert!(output.unwrap().status.success());

    let record = fixture.record(Stage::Prestart);
    let status = record.runs()[0].ended.unwrap().stdout.head.clone();
    for mask in ["SigBlk", "SigIgn"] {
        let line = status.lines().find(|line| line.starts_with(mask)).unwrap();
        let mask = u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap();
        // Signals 32 and 33 are the C library's own, which it lets nobody change.
        assert_eq!(mask & !(0b11 << 31), 0, "{line}");
    }
    let stat = status.lines().next().unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let pid = stat.split(' ').next().unwrap();
    assert_eq!((fields[2], fields[3]), (pid, pid), "group and session: {stat}");
    // The fourth is the directory that it lists.
    assert_eq!(record.runs()[1].ended.unwrap().stdout.head, "0\n1\n2\n3\n");
}

#[test]
fn what_a_hook_writes_is_on_record_with_the_time_it_took() {
    let fixture = Fixture::new();
    let fixture = fixture.hook(Stage::Prestart, "#!/bin/sh\necho out; echo err >&2\n");
    let fixture = fixture.registered();
    fixture.run(Stage::Prestart);
    let record = fixture.record(Stage::Prestart);
    let run = record.runs()[0];
    let end = run.ended.unwrap();
    assert_eq!(*end.outcome, SUCCESS);
    assert_eq!(
        (end.stdout.head.as_str(), end.stderr.head.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!((run.file, run.line), ("/etc/spec.json", 10));
    assert!(run.began < end.at && end.at <= record.finished_at().unwrap());
}

#[test]
fn poststop_gets_the_exit_code_that_a_daemon_has_seen_and_nobody_elses_word_for_it() {
    type Note<'n> = &'n dyn Fn(&EntryDirectory);
    let notes: [(Note, Option<&str>); 4] = [
        (&|_| {}, None),
        (&|files| files.note_init_watched().unwrap(), None),
        (&|files| files.note_init_exited(7).unwrap(), Some("7")),
        (
            &|files| {
                files.note_init_watched().unwrap();
                files.note_init_exited(137).unwrap();
            },
            Some("137"),
        ),
    ];
    for (note, expected) in notes {
        let script = "#!/bin/sh\ncat >$D/state-$(basename $0)\n";
        let fixture = Fixture::new()
            .hook(Stage::Prestart, script)
            .hook(Stage::Poststop, script);
        let fixture = fixture.registered();
        assert!(fixture.run(Stage::Prestart).status.success());
        note(&fixture.container());
        assert!(fixture.run(Stage::Poststop).status.success());
        let code = |stage: &str| {
            let state = fs::read_to_string(fixture.path(&format!("state-{stage}-0"))).unwrap();
            let state: Value = serde_json::from_str(&state).unwrap();
            let code = &state["annotations"]["nri-oci-hooks.noderesource.dev/exit-code"];
            code.as_str().map(str::to_owned)
        };
        assert_eq!(code("poststop").as_deref(), expected);
        assert_eq!(code("prestart"), None, "it runs, whatever its pod says");
    }
}
