//! Foreign files in the ledger hide nothing that belongs there, and make nobody wait.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;

use crate::node::{Node, said};

/// The output of a command, which may not wait for anybody.
fn output(mut command: Command) -> Output {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || send.send(command.output().unwrap()));
    receive
        .recv_timeout(Duration::from_secs(20))
        .expect("it waits for somebody")
}

#[test]
fn a_directory_that_is_no_containers_is_reported_and_passed_over() {
    let node = Node::new();
    let ledger = node.enter("c1", "web");
    node.enter("gone", "gone");
    fs::create_dir(node.state_dir().join("live/gone")).unwrap();
    fs::write(node.state_dir().join("live/gone/prestart"), "\n").unwrap();
    ledger.archive(&"gone".parse().unwrap()).unwrap();
    for directory in ["live", "past"] {
        let directory = node.state_dir().join(directory);
        let name = |name: &str| directory.join(format!("00000000000000000001-{name}"));
        fs::write(name("file"), "").unwrap();
        symlink("/", name("link")).unwrap();
        nix::unistd::mkfifo(&name("pipe"), Mode::from_bits_truncate(0o600)).unwrap();
        // A pipe where a file belongs.
        fs::create_dir(name("directory")).unwrap();
        for file in ["entry", "prestart"] {
            nix::unistd::mkfifo(&name("directory").join(file), Mode::from_bits_truncate(0o600)).unwrap();
        }
    }
    for (arguments, seen, messages) in [
        (&["ps"][..], "web", 4),
        (&["log"], "", 8),
        (&["log", "--timeline"], "default/web/app", 8),
    ] {
        let output = output(node.looking(arguments));
        let text = said(&output);
        assert!(output.status.success(), "{arguments:?}: {text}");
        assert!(text.contains(seen), "{arguments:?}: {text}");
        assert_eq!(
            text.matches("nri-oci-hooks: ledger: ").count(),
            messages,
            "{arguments:?}: {text}"
        );
    }
}
