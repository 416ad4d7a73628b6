//! A ledger on disk: its claims, files and records, also damaged ones.

mod claims;
mod directories;
mod entries;
mod flips;
mod notification;
mod records;
mod without;

use super::{Created, EntryDirectory, Identity, Ledger};
use crate::model::{ContainerId, ProcessId, ResolvedHook, ResolvedHooks, Stage};

/// A private ledger, and one container in it with two prestart hooks and a poststop hook.
pub(super) struct Fixture {
    _directory: tempfile::TempDir,
    pub(super) ledger: Ledger,
}

impl Fixture {
    pub(super) fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&directory.path().join("state")).unwrap();
        ledger.add(identity("c1"), &resolved(), true).unwrap();
        Fixture {
            _directory: directory,
            ledger,
        }
    }

    /// Registers a container, has `change` change its files, and archives it.
    pub(super) fn had(&self, id: &str, change: impl FnOnce(&EntryDirectory)) {
        self.had_of(id, "web", change);
    }

    /// The same, for a container of this pod.
    pub(super) fn had_of(&self, id: &str, pod: &str, change: impl FnOnce(&EntryDirectory)) {
        self.ledger
            .add(Identity::for_test(id, pod), &resolved(), true)
            .unwrap();
        let id: ContainerId = id.parse().unwrap();
        let container = self.ledger.find(&id).unwrap().unwrap();
        container.note_created(Stage::Poststop, &created(1)).unwrap();
        change(&container);
        self.ledger.archive(&id).unwrap();
    }

    pub(super) fn container(&self) -> EntryDirectory {
        self.ledger.find(&"c1".parse().unwrap()).unwrap().unwrap()
    }
}

pub(super) fn identity(id: &str) -> Identity {
    Identity::for_test(id, "web")
}

pub(super) fn created(pid: i32) -> Created {
    Created {
        process: Some(ProcessId { pid, started: 5 }),
        bundle: Some("/b".into()),
        ..Created::default()
    }
}

/// `text` in format 1, without checksums.
pub(super) fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let (object, _) = line.rsplit_once(",\"sum\"").unwrap();
        let object = object.replacen("{\"format\":2", "{\"format\":1", 1);
        format!("{object}}}\n")
    });
    lines.collect()
}

pub(super) fn resolved() -> ResolvedHooks {
    ResolvedHooks {
        stages: [
            (
                Stage::Prestart,
                vec![ResolvedHook::for_test("/bin/a"), ResolvedHook::for_test("/bin/b")],
            ),
            (Stage::Poststart, vec![]),
            (Stage::Poststop, vec![ResolvedHook::for_test("/bin/c")]),
        ]
        .into(),
    }
}
