//! Text of pods, hooks, files and of the process that answers at the socket reaches a terminal as text, and as nothing
//! else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

use nri_oci_hooks::ledger::Ledger;
use serde_json::json;

use crate::node::{Node, said};

/// Clears the screen, in two spellings; reads backwards from here on; begins a new line, in two spellings.
const HOSTILE: &str = "x\x1b[2J\u{9b}2J\u{202e}\u{2028}\n";

/// The text that a command writes, in which nothing is obeyed.
fn harmless(command: &mut Command) -> String {
    let text = said(&command.output().unwrap());
    let obeyed = |c: &char| {
        c.is_control() && !"\n\t".contains(*c)
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(obeyed), None, "{text}");
    text
}

/// How often the text is there, escaped.
fn times(text: &str) -> usize {
    text.matches(r"x\u{1b}[2J\u{9b}2J\u{202e}\u{2028}").count()
}

#[test]
fn of_status() {
    let node = Node::new();
    Ledger::create(&node.state_dir()).unwrap();
    let error = json!({"at": "2026-08-01T11:00:00Z", "text": HOSTILE});
    for registered in [json!(null), json!("2026-08-01T11:00:00Z")] {
        let status = json!({
            "version": HOSTILE, "pid": 7, "since": "2026-08-01T10:00:00Z", "not_ready": [HOSTILE],
            "connection": {
                "registered": registered, "synchronized": false, "lost": error,
                "runtime": HOSTILE, "runtime_version": HOSTILE, "nri_version": HOSTILE,
            },
            "configured_by": {"file": HOSTILE}, "delivery": HOSTILE, "state_dir": HOSTILE, "no_ledger": HOSTILE,
            "active": [{"what": HOSTILE, "file": HOSTILE, "digest": HOSTILE}],
            "errors": [HOSTILE], "last_error": error,
        });
        let answering = answer(&node, format!("HTTP/1.1 200 OK\r\n\r\n{status}"));
        let text = harmless(&mut node.looking(&["status"]));
        answering.join().unwrap();
        assert!(times(&text) >= 10, "{text}");
    }

    let answering = answer(&node, format!("HTTP/1.1 200 OK\r\n\r\n{{\"{HOSTILE}\":1}}"));
    harmless(&mut node.looking(&["status"]));
    answering.join().unwrap();

    let nowhere = node.path(HOSTILE);
    let text = harmless(node.command(&["status"]).arg("--state-dir").arg(&nowhere));
    assert_eq!(times(&text), 1, "{text}");
}

/// Answers once at the socket of the node's daemon.
fn answer(node: &Node, answer: String) -> thread::JoinHandle<()> {
    let socket = node.state_dir().join("status.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Closed before that is read, the connection would be reset.
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    })
}

#[test]
fn of_ps() {
    let node = Node::new();
    node.enter("c1", HOSTILE);
    let text = harmless(&mut node.looking(&["ps"]));
    assert_eq!(times(&text), 1, "{text}");
    let nowhere = node.path(HOSTILE);
    let text = harmless(node.command(&["ps"]).arg("--state-dir").arg(&nowhere));
    assert_eq!(times(&text), 1, "{text}");
    // A damaged entry is reported with its path.
    let ledger = Ledger::create(&nowhere).unwrap();
    fs::create_dir(ledger.root().join("live/c2")).unwrap();
    let text = harmless(node.command(&["ps"]).arg("--state-dir").arg(&nowhere));
    assert_eq!(times(&text), 1, "{text}");
}

#[test]
fn of_log() {
    let node = Node::new();
    node.enter("c1", HOSTILE);
    let at = "2026-01-02T03:04:05Z";
    let written = json!({"head": HOSTILE.repeat(3), "omitted": 1, "tail": HOSTILE});
    let lines = [
        json!({"claimed": {"by": "oci", "runner": 7, "at": at}}),
        json!({"began": {"hook": 0, "path": HOSTILE, "file": HOSTILE, "line": 1, "at": at}}),
        json!({"ended": {
            "hook": 0, "outcome": "not-executed", "reason": HOSTILE, "stdout": written, "stderr": written, "at": at,
        }}),
        json!({"finished": {"result": "failed", "message": HOSTILE, "at": at}}),
    ];
    let lines = lines.map(|line| format!("{line}\n")).concat();
    // Format 1 has no checksums.
    let entry = node.state_dir().join("entries/c1");
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, text.replacen("\"format\":2", "\"format\":1", 1)).unwrap();
    fs::create_dir(node.state_dir().join("live/c1")).unwrap();
    fs::write(node.state_dir().join("live/c1/prestart"), lines).unwrap();
    let text = harmless(&mut node.looking(&["log"]));
    assert!(times(&text) >= 12, "{text}");
    let text = harmless(&mut node.looking(&["log", "--timeline"]));
    assert!(times(&text) >= 2, "{text}");
}

#[test]
fn of_explain() {
    let node = Node::new();
    let manifest = json!({
        "kind": "Pod",
        "metadata": {
            "name": HOSTILE,
            "namespace": HOSTILE,
            "annotations": {
                "hook-spec.noderesource.dev": HOSTILE,
                format!("hook-spec.noderesource.dev/container.{HOSTILE}"): HOSTILE,
            },
        },
        "spec": {"containers": [{"name": HOSTILE}, {"name": "other"}]},
    });
    let mut explain = node.command(&["explain", "-"]);
    explain
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut explaining = explain.spawn().unwrap();
    let mut stdin = explaining.stdin.take().unwrap();
    stdin.write_all(manifest.to_string().as_bytes()).unwrap();
    drop(stdin);
    let text = said(&explaining.wait_with_output().unwrap());
    assert!(
        text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)),
        "{text}"
    );
    assert!(times(&text) >= 3, "{text}");

    let text = harmless(node.command(&["explain"]).arg(node.path(HOSTILE)));
    assert_eq!(times(&text), 1, "{text}");
}
