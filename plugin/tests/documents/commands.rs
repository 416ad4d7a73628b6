//! Every command line in a document is one that the program takes.

use clap::Parser;
use nri_oci_hooks::cli::CommandLine;

use crate::blocks::blocks;

pub(crate) const NAME: &str = "nri-oci-hooks";

/// Programs that are only named: they need a cluster, an init system or more time than a test has.
const OTHERS: &[&str] = &[
    "apt",
    "cargo",
    "ctr",
    "curl",
    "dnf",
    "hack/demo",
    "hack/hook-image",
    "hack/image",
    "hack/manifests",
    "hack/test",
    "helm",
    "install",
    "journalctl",
    "kubectl",
    "rm",
    "skopeo",
    "systemctl",
    "hack/soak",
];

#[test]
fn every_command_line_is_one_that_the_program_takes() {
    let mut seen = 0;
    for block in blocks("sh").into_iter().chain(blocks("console")) {
        for line in commands(&block.kind, &block.text) {
            for command in line.split(['|', ';']) {
                let words: Vec<&str> = command.split_whitespace().collect();
                match words.first() {
                    Some(&NAME) => {
                        let words = words.iter().map(|word| word.trim_matches('\''));
                        let parsed = CommandLine::try_parse_from(words);
                        assert!(
                            parsed.is_ok(),
                            "{}: {command}: {}",
                            block.place,
                            parsed.unwrap_err()
                        );
                        seen += 1;
                    }
                    Some(other) if block.kind == "sh" => {
                        assert!(OTHERS.contains(other), "{}: what is {other}?", block.place);
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(seen > 20, "{seen} command lines: are they still found?");
}

/// The command lines of a block, without comments.
pub(crate) fn commands<'b>(kind: &str, text: &'b str) -> Vec<&'b str> {
    let lines = text.lines().filter_map(|line| match kind {
        "console" => line.strip_prefix("$ "),
        _ => Some(line),
    });
    lines
        .map(|line| line.split(" #").next().unwrap_or_default())
        .collect()
}
