//! Any bytes as files of the ledger: each is read, or refused with a line that can be shown.
//!
//! The first byte says what the others are: the entry of a container, a record (with checksums or without), or
//! the place of a bit that is flipped in a record: that is then damaged.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use nri_oci_hooks::ledger::{Claimed, Identity, Ledger, Trigger};
use nri_oci_hooks::model::{ContainerId, ResolvedHooks, Stage};
use tempfile::TempDir;

mod messages;

struct Node {
    _directory: TempDir,
    ledger: Ledger,
    id: ContainerId,
    entry: PathBuf,
    record: PathBuf,
    /// The entry without hooks, in format 2 and in format 1.
    entries: [String; 2],
    /// A record of format 2.
    claimed: Vec<u8>,
}

/// A ledger of one container.
static NODE: LazyLock<Node> = LazyLock::new(|| {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let ledger = Ledger::create(directory.path()).unwrap();
    let id: ContainerId = "fuzzed".parse().unwrap();
    let identity = Identity {
        id: id.clone(),
        container: "app".into(),
        pod: "web".into(),
        namespace: "default".into(),
        uid: "u".into(),
    };
    ledger.add(identity, &ResolvedHooks::default(), true).unwrap();
    let entry = directory.path().join("entries/fuzzed");
    let record = directory.path().join("live/fuzzed/prestart");
    let container = ledger.find(&id).unwrap().unwrap();
    for _ in 0..2 {
        let claimed = container.claim(Stage::Prestart, Trigger::Oci).unwrap();
        assert!(matches!(claimed, Claimed::Ours(_)));
    }
    let sealed = fs::read_to_string(&entry).unwrap();
    let plain = sealed.replacen("\"format\":2", "\"format\":1", 1);
    Node {
        _directory: directory,
        ledger,
        id,
        entry,
        claimed: fs::read(&record).unwrap(),
        record,
        entries: [sealed, plain],
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else {
        return;
    };
    let node = &*NODE;
    let _ = fs::remove_file(&node.record);
    match which % 4 {
        0 => fs::write(&node.entry, bytes).unwrap(),
        3 => {
            fs::write(&node.entry, &node.entries[0]).unwrap();
            return flip(node, bytes);
        }
        format => {
            fs::write(&node.entry, &node.entries[usize::from(format - 1)]).unwrap();
            fs::write(&node.record, bytes).unwrap();
        }
    }
    let directory = node.ledger.find(&node.id).unwrap().unwrap();
    let errors = [
        directory.header().err(),
        directory.hooks(Stage::Prestart).err(),
        directory.created().err(),
        directory.record(Stage::Prestart).err(),
    ];
    errors
        .iter()
        .flatten()
        .for_each(|error| messages::assert_line(&error.to_string()));
    if let Ok(Some(record)) = directory.record(Stage::Prestart) {
        let _ = (
            record.finished(),
            record.runs(),
            record.last_run(),
            record.open(),
            record.next(),
        );
        record.event_timeouts().count();
    }
});

/// Flips one bit of a record, and reads that.
fn flip(node: &Node, bytes: &[u8]) {
    let [low, high, ..] = *bytes else { return };
    let mut record = node.claimed.clone();
    let bit = usize::from(u16::from_le_bytes([low, high])) % (8 * record.len());
    record[bit / 8] ^= 1 << (bit % 8);
    fs::write(&node.record, record).unwrap();
    let directory = node.ledger.find(&node.id).unwrap().unwrap();
    let error = directory.record(Stage::Prestart).unwrap_err();
    assert!(error.is_damaged());
    messages::assert_line(&error.to_string());
}
