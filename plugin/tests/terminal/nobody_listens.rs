//! Where nobody reads what a command says, it ends as documented: 101 is the status of a bug.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::node::Node;

/// A pipe that nobody reads from any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The exit status with nobody at `stdout` and `stderr`.
fn status(command: &mut Command, streams: impl Fn() -> Stdio) -> Option<i32> {
    command
        .stdout(streams())
        .stderr(streams())
        .status()
        .unwrap()
        .code()
}

#[test]
fn every_command_that_fails_exits_1() {
    let node = Node::new();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let nowhere = node.path("nowhere");
    let root = nowhere.to_str().unwrap();
    for arguments in [
        &["status", "--state-dir", root][..],
        &["explain", "/nowhere.yaml"],
        &["ps", "--state-dir", root],
        &["log", "--state-dir", root],
        &["check", "/nowhere.json"],
        &["doctor", "--root", root],
        &[
            "run",
            "--log-to",
            "stderr",
            "--delivery",
            "direct",
            "--index",
            "x",
        ],
    ] {
        assert_eq!(
            status(&mut node.command(arguments), closed),
            Some(1),
            "{arguments:?}"
        );
        assert_eq!(
            status(&mut node.command(arguments), full),
            Some(1),
            "{arguments:?}"
        );
    }
    for name in ["enable", "disable"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nri-oci-hooks"));
        command.args(["runtime", name, "--root", root]);
        assert_eq!(status(&mut command, closed), Some(1), "{name}");
    }
}

#[test]
fn wrong_usage_exits_2() {
    let node = Node::new();
    for arguments in [&["ps", "--none"][..], &["nonsense"], &["log", "--format", "xml"]] {
        assert_eq!(
            status(&mut node.command(arguments), closed),
            Some(2),
            "{arguments:?}"
        );
    }
}
