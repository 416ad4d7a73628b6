//! Faults that only a running node can have.

use std::fs;
use std::io::{Error, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use crate::doctor::daemon::{full_disk, no_answer, of_status, several};
use crate::doctor::files::noexec;
use crate::doctor::nri::socket;
use crate::doctor::plugins::other_process;
use crate::doctor::restart::needed;
use crate::node::{Finding, Kind, Settings, unreadable};
use crate::observe::{OnSilence, Status, StatusError, request_status};

/// `level check: remedy`.
fn summary(finding: &Finding) -> String {
    let remedy = finding.remedy.as_deref().unwrap_or_default();
    format!("{} {}: {remedy}", finding.level, finding.check)
}

/// Copies a program that will be started, by another process: a file that is open for writing here could stay
/// open in a child of another test.
fn copy(program: &str, to: &Path) {
    let copied = Command::new("cp").arg(program).arg(to).status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_socket_that_does_not_exist_or_that_others_can_reach_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join("nri.sock");
    assert!(summary(&socket(&path)).starts_with("problem nri-socket: start the runtime"));
    fs::write(&path, "").unwrap();
    assert_eq!(summary(&socket(&path)), "good nri-socket: ");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(summary(&socket(&path)).starts_with("warning nri-socket: run: chown root"));
}

#[test]
fn a_daemon_that_does_not_answer_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let found = no_answer(&request_status(directory.path()).unwrap_err(), false);
    assert!(summary(&found).starts_with("problem daemon: start it: systemctl start nri-oci-hooks"));
    let found = no_answer(&request_status(directory.path()).unwrap_err(), true);
    assert!(summary(&found).starts_with("problem daemon: see why it ended: kubectl logs"));
}

#[test]
fn several_daemons_of_one_state_directory_are_named() {
    assert_eq!(several(&[7]), None);
    let found = several(&[7, 8]).unwrap();
    assert!(found.what.ends_with("processes 7, 8"), "{found:?}");
}

#[test]
fn missing_permission_is_not_reported_as_another_fault() {
    let denied = || Error::from(ErrorKind::PermissionDenied);
    let found = no_answer(
        &StatusError::NoDaemon {
            socket: "/s".into(),
            source: denied(),
        },
        false,
    );
    assert_eq!(summary(&found), "problem daemon: run this as root");
    let found = unreadable(Path::new("/etc/containerd/config.toml"), &denied());
    assert_eq!(summary(&found), "problem runtime-config: run this as root");
}

fn status(version: &str, pid: u32, not_ready: &[&str]) -> Status {
    let status = json!({
        "version": version,
        "pid": pid,
        "since": "2026-01-01T00:00:00.000Z",
        "not_ready": not_ready,
        "connection": {"synchronized": true},
        "configured_by": {"file": "/etc/nri-oci-hooks/config.toml"},
        "delivery": "runner",
        "state_dir": "/var/lib/nri-oci-hooks",
        "active": [],
        "errors": [],
    });
    serde_json::from_value(status).unwrap()
}

#[test]
fn a_daemon_that_the_runtime_does_not_synchronize_is_not_to_be_restarted() {
    let reason = "registered since 2026-01-01T00:00:00.000Z and not synchronized: the runtime waits";
    let mut status = status(env!("CARGO_PKG_VERSION"), std::process::id(), &[reason]);
    status.connection.synchronized = false;
    status.connection.registered = Some(status.since);
    let found = &of_status(&status, None)[0];
    assert!(found.what.contains("registered since"), "{found:?}");
    assert!(summary(found).contains("Do not restart the daemon"), "{found:?}");
}

#[test]
fn a_daemon_of_another_version_or_program_or_configuration_is_named() {
    let (ours, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    let summary = |status: &Status, file| -> Vec<String> {
        let findings = of_status(status, file);
        findings
            .iter()
            .map(|found| format!("{} {}", found.level, found.check))
            .collect()
    };
    let good = status(ours, pid, &[]);
    assert_eq!(summary(&good, None), ["good daemon"]);
    assert_eq!(
        summary(&good, Some("/etc/nri-oci-hooks/config.toml")),
        ["good daemon"]
    );
    assert_eq!(
        summary(&good, Some("/etc/other.toml")),
        ["good daemon", "warning config"]
    );
    for (does, level) in [
        (OnSilence::Refuse, "good"),
        (OnSilence::Ignore, "note"),
        (OnSilence::LetThrough, "note"),
    ] {
        let mut status = good.clone();
        status.connection.on_silence = Some(does);
        assert_eq!(
            summary(&status, None),
            ["good daemon".to_owned(), format!("{level} silence")]
        );
    }
    let mut status_without = good.clone();
    for number in 0..7 {
        let it = json!({"namespace": "apps", "pod": format!("web-{number}"), "container": "main", "id": "c",
            "why": "created before this daemon started", "then": ""});
        status_without
            .without_hooks
            .push(serde_json::from_value(it).unwrap());
    }
    assert_eq!(
        summary(&status_without, None),
        ["good daemon", "problem without-hooks"]
    );
    let what = &of_status(&status_without, None)[1].what;
    assert!(
        what.starts_with("7 containers run without") && what.ends_with(", and 2 more"),
        "{what}"
    );
    let older = status("0.0.1", pid, &[]);
    assert_eq!(summary(&older, None), ["good daemon", "warning daemon-version"]);
    let waits = status(ours, pid, &["not registered \u{1b}[31m"]);
    assert_eq!(summary(&waits, None), ["problem daemon"]);
    assert!(!of_status(&waits, None)[0].what.contains(char::is_control));

    // Its program was replaced since its start.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    copy("/bin/sleep", &program);
    let mut daemon = Command::new(&program).arg("600").spawn().unwrap();
    fs::remove_file(&program).unwrap();
    let replaced = summary(&status(ours, daemon.id(), &[]), None);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert_eq!(replaced, ["good daemon", "warning daemon-version"]);
}

#[test]
fn a_full_disk_is_named_and_one_without_a_number_of_files_is_not() {
    const MIB: u64 = 1024 * 1024;
    for (space, files, is_full) in [
        (MIB, Some(100_000), true),
        (1024 * MIB, Some(3), true),
        (1024 * MIB, None, false),
        (1024 * MIB, Some(100_000), false),
    ] {
        let found = full_disk("/state", space, files);
        assert_eq!(found.is_some_and(|found| found.check == "disk"), is_full);
    }
}

#[test]
fn a_program_that_the_kernel_will_not_execute_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("hook");
    fs::write(&program, "").unwrap();
    let path = program.to_str().unwrap();
    assert_eq!(noexec(path), None);
    // A mount that is invisible to other threads.
    let found = std::thread::scope(|scope| {
        let mounted = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            let none = None::<&str>;
            mount(none, "/", none, private, none).unwrap();
            mount(
                Some("none"),
                directory.path(),
                Some("tmpfs"),
                MsFlags::MS_NOEXEC,
                none,
            )
            .unwrap();
            fs::write(&program, "").unwrap();
            noexec(path)
        });
        mounted.join().unwrap()
    });
    assert!(summary(&found.unwrap()).starts_with("problem noexec: "));
}

#[test]
fn another_injector_that_runs_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("hook-injector");
    copy("/bin/cat", &program);
    let mut other = Command::new(&program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The process gets the name of the program a moment after its start.
    other.stdin.as_mut().unwrap().write_all(b"x").unwrap();
    other.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    let found = other_process();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(summary(&found.unwrap()).starts_with("warning other-injector: "));
}

#[test]
fn a_runtime_that_has_not_read_its_changed_file_is_named() {
    let settings = Settings::default_of(Kind::Containerd, None);
    let file = Path::new("/etc/containerd/config.toml");
    assert_eq!(needed(&settings, 7, file, 7), None);
    let found = needed(&settings, 7, file, 8).unwrap();
    assert_eq!(found.check, "runtime-restart");
    assert!(found.remedy.unwrap().contains("systemctl restart containerd"));
}
