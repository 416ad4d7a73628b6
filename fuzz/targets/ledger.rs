//! Any bytes as files of the ledger: each is read, or refused with a line that can be shown.
//!
//! The first byte says which file the others are: the entry of a container if it is even, else a record.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::ledger::{ContainerId, Ledger};
use nri_oci_hooks::spec::Stage;
use tempfile::TempDir;

mod told;

struct Node {
    _folder: TempDir,
    ledger: Ledger,
    id: ContainerId,
    files: [PathBuf; 2],
}

/// A ledger of one container.
static NODE: LazyLock<Node> = LazyLock::new(|| {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let ledger = Ledger::create(folder.path()).unwrap();
    let records = folder.path().join("live/fuzzed");
    fs::create_dir_all(&records).unwrap();
    let files = [folder.path().join("entries/fuzzed"), records.join("prestart")];
    Node {
        _folder: folder,
        ledger,
        id: "fuzzed".parse().unwrap(),
        files,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let node = &*NODE;
    for file in &node.files {
        let _ = fs::remove_file(file);
    }
    fs::write(&node.files[usize::from(which % 2)], bytes).unwrap();
    let folder = node.ledger.find(&node.id).unwrap().unwrap();
    let errors = [
        folder.header().err(),
        folder.hooks(Stage::Prestart).err(),
        folder.created().err(),
        folder.record(Stage::Prestart).err(),
    ];
    errors
        .iter()
        .flatten()
        .for_each(|error| told::assert_line(&error.to_string()));
    if let Ok(Some(record)) = folder.record(Stage::Prestart) {
        let _ = (
            record.finished(),
            record.runs(),
            record.last_run(),
            record.open(),
            record.next(),
        );
        record.late().count();
    }
});
