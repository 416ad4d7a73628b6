//! The output of `status`.

use super::command::print;
use super::newer::newer;
use crate::daemon::ConfiguredBy;
use crate::model::Timestamp;
use crate::observe::{Status, request_status};
use crate::select::Digest;

const CONNECTED: &str = r#"{
  "version": "0.1.0", "pid": 7, "since": "2026-08-01T10:00:00.000000000Z", "not_ready": [],
  "connection": {"registered": "2026-08-01T10:00:01.500000000Z", "synchronized": true,
    "runtime": "containerd", "runtime_version": "2.1.9+unknown"},
  "configured_by": {"file": "/etc/nri-oci-hooks/config.toml"}, "delivery": "runner",
  "state_dir": "/var/lib/nri-oci-hooks",
  "active": [{"what": "default hook-spec", "file": "/etc/x.json", "digest": "sha256:00ff"}],
  "errors": []
}"#;

const LOST: &str = r#"{
  "version": "0.1.0", "pid": 7, "since": "2026-08-01T10:00:00.000000000Z",
  "not_ready": ["not registered with the runtime", "/etc/x.json:1:1: is empty; write {} [empty-file]"],
  "connection": {"synchronized": false,
    "lost": {"at": "2026-08-01T11:00:00.000000000Z", "text": "the runtime closed the connection"}},
  "configured_by": "defaults", "delivery": "direct", "state_dir": "/var/lib/nri-oci-hooks",
  "degraded": ["/etc/config.toml is invalid since now"], "no_ledger": "there is no ledger", "active": [], "errors": ["x"],
  "invalid_specs": ["/etc/nri-oci-hooks/specs/gpu.json:1:1: is empty"],
  "without_hooks": [{"namespace": "apps", "pod": "web", "container": "main", "id": "c1",
    "why": "created before this daemon started", "then": "delete its pod\u001b[31m"}],
  "last_error": {"at": "2026-08-01T11:00:00.000000000Z", "text": "disconnected"}
}"#;

fn printed(json: &str) -> String {
    printed_with(json, None)
}

fn printed_with(json: &str, is_required: Option<bool>) -> String {
    let status: Status = serde_json::from_str(json).unwrap();
    let mut out = Vec::new();
    print(&status, is_required, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_ready_daemon_shows_its_runtime_and_its_active_configuration() {
    insta::assert_snapshot!("ready", printed(CONNECTED));
}

#[test]
fn the_status_of_a_daemon_of_0_1_0_is_read() {
    let of_0_1_0 = LOST
        .replace("\"errors\"", "\"mistakes\"")
        .replace("\"active\"", "\"in_force\"");
    assert_ne!(of_0_1_0, LOST);
    assert_eq!(printed(&of_0_1_0), printed(LOST));
}

#[test]
fn a_daemon_that_is_not_ready_shows_why() {
    insta::assert_snapshot!("not_ready", printed(LOST));
}

#[test]
fn the_runtimes_reaction_to_no_answer_and_to_no_daemon_is_printed() {
    for (does, required, hangs, gone) in [
        (
            "refuse",
            true,
            "containers are refused",
            "refuses containers: the daemon is",
        ),
        (
            "ignore",
            false,
            "failure_policy is ignore",
            "creates containers without hooks",
        ),
        (
            "let-through",
            false,
            "NRI is older than 0.12.5",
            "creates containers without hooks",
        ),
    ] {
        let json = CONNECTED.replace(
            r#""synchronized": true"#,
            &format!(r#""synchronized": true, "on_silence": "{does}""#),
        );
        let text = printed_with(&json, Some(required));
        let line = |label: &str| text.lines().find(|line| line.starts_with(label)).unwrap();
        assert!(line("if it hangs    ").contains(hangs), "{text}");
        assert!(line("if it is gone  ").contains(gone), "{text}");
    }
}

#[test]
fn without_an_answer_the_error_names_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let error = request_status(directory.path()).unwrap_err().to_string();
    let socket = directory.path().join("status.sock");
    assert!(
        error.starts_with(&format!("no daemon answers at {}", socket.display())),
        "{error}"
    );

    // A process that listens and sends another answer.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // If the connection is closed before the request is read, it is reset.
        std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n{}").unwrap();
    });
    let error = request_status(directory.path()).unwrap_err().to_string();
    assert!(error.contains(": missing field"), "{error}");
    answering.join().unwrap();
}

#[test]
fn an_answer_that_arrives_byte_by_byte_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("status.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let dripping = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Until the other end is closed.
        while std::io::Write::write_all(&mut stream, b"x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let begin = std::time::Instant::now();
    let error = request_status(directory.path()).unwrap_err().to_string();
    assert!(error.ends_with("it takes too long"), "{error}");
    assert!(begin.elapsed().as_secs() < 8, "{:?}", begin.elapsed());
    dripping.join().unwrap();
}

#[test]
fn a_file_that_was_changed_since_the_daemon_read_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let mut status: Status = serde_json::from_str(CONNECTED).unwrap();
    for name in ["config.toml", "x.json"] {
        std::fs::write(path(name), "{}").unwrap();
    }
    status.configured_by = ConfiguredBy::File(path("config.toml").into());
    status.configured_at = Some(Timestamp::now());
    status.active[0].file = path("x.json");
    status.active[0].digest = Digest::of(b"{}").to_string();
    assert_eq!(newer(&status), [""; 0]);
    status.active[0].digest = Digest::of(b"").to_string();
    assert_eq!(newer(&status), [path("x.json")]);
    status.configured_at = Some(serde_json::from_str("\"2026-01-01T00:00:00Z\"").unwrap());
    assert_eq!(newer(&status), [path("config.toml"), path("x.json")]);
    status.degraded = vec![format!("{} is invalid", path("x.json"))];
    assert_eq!(newer(&status), [path("config.toml")]);
}
