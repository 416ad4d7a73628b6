//! Every console block of a document was run, and printed exactly that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::blocks::{Block, blocks, root};

/// The line before the output of each command.
const MARK: &str = "\u{1e}";

/// Runs the commands of one document on a node of its own: in a mount namespace, in which the
/// examples are in place and nothing reaches this machine.
pub(crate) fn run(directory: &Path, commands: &[String]) -> Vec<String> {
    let example = root().join("examples");
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).unwrap();
    // By a process of its own: what is open for writing here, a child of another test might keep open.
    let program = env!("CARGO_BIN_EXE_nri-oci-hooks");
    let copied = Command::new("cp")
        .arg(program)
        .arg(bin.join("nri-oci-hooks"))
        .status();
    assert!(copied.unwrap().success());
    let mut script = format!(
        "set -eu
        cd {directory}
        for path in etc usr/local usr/share var/lib; do
            mkdir -p over/$path work/$path
            mount -t overlay overlay -o lowerdir=/$path,upperdir=$PWD/over/$path,workdir=$PWD/work/$path /$path
        done
        cp -r {example} examples
        mkdir -p /usr/share/doc/nri-oci-hooks
        cp -r {example} /usr/share/doc/nri-oci-hooks/examples
        mount -t tmpfs -o mode=1777 tmpfs /tmp
        cd examples
        install -D -m 0644 -t /etc/nri-oci-hooks config.toml default.json
        install -D -m 0644 -t /etc/nri-oci-hooks/specs specs/*.json
        install -D -m 0755 -t /usr/local/lib/nri-oci-hooks hooks/*
        PATH={bin}:$PATH
        set +e
        ",
        directory = directory.display(),
        example = example.display(),
        bin = bin.display(),
    );
    for command in commands {
        script.push_str(&format!("printf '{MARK}'\n{command}\n"));
    }
    fs::write(directory.join("script"), script).unwrap();
    let output = Command::new("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            "exec sh \"$0\" 2>&1",
        ])
        .arg(directory.join("script"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut parts: Vec<String> = text.split(MARK).map(str::to_owned).collect();
    assert_eq!(parts.len(), commands.len() + 1, "{text}");
    assert_eq!(parts.remove(0), "", "the node is in place");
    parts
}

/// The commands of a block, and what the document says that each prints.
fn shown(block: &Block) -> Vec<(String, Vec<String>)> {
    let mut shown: Vec<(String, Vec<String>)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => shown.push((command.to_owned(), Vec::new())),
            (None, Some((_, output))) => output.push(line.to_owned()),
            (None, None) => panic!("{}: output without a command", block.place),
        }
    }
    shown
}

/// Whether `output` is what `expected` says, in which a line `...` stands for any number of lines.
fn is_as(expected: &[String], output: &[&str]) -> bool {
    match expected.split_first() {
        None => output.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=output.len()).any(|skipped| is_as(rest, &output[skipped..]))
        }
        Some((first, rest)) => output
            .split_first()
            .is_some_and(|(line, more)| line == first && is_as(rest, more)),
    }
}

#[test]
fn what_is_shown_behind_a_dollar_was_run_and_printed_just_that() {
    // Not below /tmp, which is mounted over.
    let directory = tempfile::tempdir_in("/run").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut documents: Vec<(String, Vec<Block>)> = Vec::new();
    for block in blocks("console") {
        let name = block.place.split(':').next().unwrap().to_owned();
        match documents.last_mut() {
            Some((last, blocks)) if *last == name => blocks.push(block),
            _ => documents.push((name, vec![block])),
        }
    }
    for (number, (_, blocks)) in documents.iter().enumerate() {
        let shown: Vec<(String, Vec<String>)> = blocks.iter().flat_map(shown).collect();
        let commands: Vec<String> = shown.iter().map(|(command, _)| command.clone()).collect();
        let node = directory.path().join(number.to_string());
        fs::create_dir(&node).unwrap();
        for ((command, expected), output) in shown.iter().zip(run(&node, &commands)) {
            let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
            assert!(
                is_as(expected, &lines),
                "{}: $ {command}\n{output}",
                blocks[0].place
            );
        }
    }
    assert!(documents.len() >= 3, "are they still found?");
}
