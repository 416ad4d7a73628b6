//! Every link leads somewhere.

use std::fs;
use std::path::Path;

use crate::blocks::{documents, root};

/// The targets of the links in a text, outside of code.
fn targets(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut targets = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        if !in_code {
            let behind = line.split("](").skip(1);
            targets.extend(behind.filter_map(|link| link.split(')').next()));
        }
    }
    targets
}

/// The name of a heading in a link.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || " -_".contains(c);
    let text: String = heading.to_lowercase().chars().filter(|c| kept(*c)).collect();
    text.replace(' ', "-")
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter_map(|line| {
        line.trim_start_matches('#')
            .strip_prefix(' ')
            .filter(|_| line.starts_with('#'))
    });
    headings.map(anchor).any(|anchor| anchor == wanted)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut seen = 0;
    for (name, text) in documents() {
        let directory = Path::new(&name).parent().unwrap().to_owned();
        for target in targets(&text) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() {
                name.clone().into()
            } else {
                directory.join(file)
            };
            let path = root().join(path);
            assert!(path.exists(), "{name}: {target}");
            if !heading.is_empty() {
                let there = fs::read_to_string(&path).unwrap();
                assert!(has_anchor(&there, heading), "{name}: {target}");
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} links: are they still found?");
}
