//! The documents and the blocks of code in them.

use std::fs;
use std::path::{Path, PathBuf};

use nri_oci_hooks::config::{Config, Overrides};
use nri_oci_hooks::spec::parse;

/// A block of code.
pub(crate) struct Block {
    /// The document and the line of the block's first line: `docs/x.md:12`.
    pub(crate) place: String,
    /// Its kind, as the document names it.
    pub(crate) kind: String,
    pub(crate) text: String,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every document: its name and its text.
pub(crate) fn documents() -> Vec<(String, String)> {
    let mut documents = Vec::new();
    for directory in ["", "docs", "docs/decisions", "examples"] {
        for entry in fs::read_dir(root().join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                documents.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    documents.sort();
    documents
}

/// Every block of the kinds that are asked for.
pub(crate) fn blocks(kind: &str) -> Vec<Block> {
    all_blocks()
        .into_iter()
        .filter(|block| block.kind == kind)
        .collect()
}

fn all_blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (name, text) in documents() {
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(kind)) => {
                    open = Some(Block {
                        place: format!("{name}:{}", number + 2),
                        kind: kind.to_owned(),
                        text: String::new(),
                    });
                }
                (Some(_), Some("")) => blocks.extend(open.take()),
                (Some(block), _) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{name}: a block is not closed");
    }
    blocks
}

#[test]
fn every_block_is_of_a_kind_that_is_tested_or_cannot_be() {
    let known = ["console", "json", "json-state", "sh", "text", "toml", "yaml"];
    for block in all_blocks() {
        assert!(
            known.contains(&block.kind.as_str()),
            "{}: {:?}",
            block.place,
            block.kind
        );
    }
}

#[test]
fn every_configuration_is_one_that_the_daemon_accepts() {
    for block in blocks("toml") {
        let read = Config::from_text(&block.place, &block.text, &Overrides::default());
        assert!(read.is_ok(), "{}: {:?}", block.place, read.unwrap_err());
    }
}

#[test]
fn every_hook_spec_is_one_that_the_daemon_accepts() {
    for block in blocks("json") {
        let errors = parse(&block.place.as_str().into(), block.text.as_bytes()).errors;
        assert_eq!(errors, [], "{}", block.place);
    }
}
