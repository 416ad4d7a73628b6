//! Every command of ours in a document is executed, as it stands there or as near to it as a test can be. `console`
//! compares the output of `console` blocks.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::blocks::blocks;
use crate::commands::{NAME, commands};
use crate::console::run;

/// How a command is executed, by how it begins; the first that fits counts.
enum How {
    /// As it stands, with the exit status that it has on a node without a runtime and with the examples in place.
    AsItStands(u8),
    /// With more arguments, for what would touch the node itself or ask.
    With(&'static str, u8),
    /// Ended after a second: it goes on forever.
    Ended,
    /// Not at all.
    Not(&'static str),
}

const TABLE: [(&str, How); 13] = [
    (
        "nri-oci-hooks run",
        How::Not("it needs a runtime; the tests of crate e2e start it with one"),
    ),
    ("nri-oci-hooks check", How::AsItStands(0)),
    ("nri-oci-hooks explain", How::AsItStands(0)),
    ("nri-oci-hooks ps", How::AsItStands(0)),
    ("nri-oci-hooks log --follow", How::Ended),
    // Of a container that this node does not have.
    ("nri-oci-hooks log default/web", How::AsItStands(1)),
    ("nri-oci-hooks log batch/worker", How::AsItStands(1)),
    ("nri-oci-hooks log --timeline", How::AsItStands(1)),
    ("nri-oci-hooks log", How::AsItStands(0)),
    // No daemon answers; with one it is asked in crate e2e.
    ("nri-oci-hooks status", How::AsItStands(1)),
    ("nri-oci-hooks doctor", How::With("--root $ROOT", 0)),
    ("nri-oci-hooks runtime", How::With("--root $IMAGE", 0)),
    // Of the examples.
    ("install -D", How::AsItStands(0)),
];

/// Two images of nodes with a containerd, of which $ROOT has NRI switched on; and a ledger, as a daemon makes it.
const NODE: &str = "\
    ROOT=$PWD/../root IMAGE=$PWD/../image; mkdir -p $ROOT/etc/containerd; \
    printf 'version = 2\\n' >$ROOT/etc/containerd/config.toml; cp -r $ROOT $IMAGE; \
    install -d -m 0700 /var/lib/nri-oci-hooks /var/lib/nri-oci-hooks/live /var/lib/nri-oci-hooks/past; \
    nri-oci-hooks runtime enable --root $ROOT >/dev/null; echo exit $?";

/// The command as the test types it, and its exit status; `None` if it is not executed.
fn typed(command: &str) -> Option<(String, u8)> {
    let (_, how) = TABLE.iter().find(|(begin, _)| command.starts_with(begin))?;
    let (command, status) = match how {
        How::AsItStands(status) => (command.to_owned(), *status),
        How::With(arguments, status) => (format!("{command} {arguments}"), *status),
        How::Ended => (format!("timeout 1 {command}"), 124),
        How::Not(_) => return None,
    };
    Some((format!("{command}; echo exit $?"), status))
}

#[test]
fn every_command_of_ours_is_executed_or_it_is_said_why_not() {
    for (begin, how) in &TABLE {
        if let How::Not(why) = how {
            println!("not executed: {begin}: {why}");
        }
    }
    let mut listed: Vec<(String, String)> = Vec::new();
    for block in blocks("sh") {
        for line in commands(&block.kind, &block.text) {
            let line = line.trim_end();
            let is_executed = TABLE.iter().any(|(begin, _)| line.starts_with(begin));
            let mut parts = line.split(['|', ';']).map(str::split_whitespace);
            let is_ours = parts.any(|mut words| words.next() == Some(NAME));
            assert!(
                is_executed || !is_ours,
                "{}: how is it executed? {line}",
                block.place
            );
            if is_executed {
                listed.push((block.place.clone(), line.to_owned()));
            }
        }
    }
    // Not below /tmp, which is mounted over.
    let directory = tempfile::tempdir_in("/run").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut executed = 0;
    let document = |place: &str| place.split(':').next().unwrap().to_owned();
    for (number, listed) in listed
        .chunk_by(|a, b| document(&a.0) == document(&b.0))
        .enumerate()
    {
        let typed: Vec<(&str, &str, String, u8)> = listed
            .iter()
            .filter_map(|(place, command)| {
                typed(command).map(|(line, status)| (&**place, &**command, line, status))
            })
            .collect();
        let node = directory.path().join(number.to_string());
        fs::create_dir(&node).unwrap();
        let lines: Vec<String> = [NODE.to_owned()]
            .into_iter()
            .chain(typed.iter().map(|it| it.2.clone()))
            .collect();
        let mut outputs = run(&node, &lines).into_iter();
        assert_eq!(outputs.next().unwrap(), "exit 0\n");
        for ((place, command, _, status), output) in typed.iter().zip(outputs) {
            assert!(
                output.ends_with(&format!("exit {status}\n")),
                "{place}: {command}\n{output}"
            );
            executed += 1;
        }
    }
    assert!(executed > 25, "{executed} commands: are they still found?");
}
