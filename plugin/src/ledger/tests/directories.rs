//! The life of a container in the ledger: registered, archived, and removed from the archive.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::Duration;

use super::{Fixture, created, identity, resolved};
use crate::ledger::{Claimed, Ledger, LedgerError, Retention, StageResult, Trigger};
use crate::model::{ContainerId, Stage};

#[test]
fn the_earliest_note_of_the_creation_holds() {
    let fixture = Fixture::new();
    let container = fixture.container();
    assert_eq!(container.created().unwrap(), None);
    container.note_created(Stage::Poststop, &created(3)).unwrap();
    assert_eq!(container.created().unwrap(), Some(created(3)));
    container.note_created(Stage::Prestart, &created(1)).unwrap();
    container.note_created(Stage::Prestart, &created(2)).unwrap();
    assert_eq!(container.created().unwrap(), Some(created(1)));
}

#[test]
fn only_root_can_look_into_the_ledger() {
    let fixture = Fixture::new();
    let container = fixture.container();
    container.note_created(Stage::Poststop, &created(1)).unwrap();
    let _claim = container.claim(Stage::Prestart, Trigger::Oci).unwrap();
    for file in ["entries/c1", "live/c1/poststop", "live/c1/prestart"] {
        let mode = fs::metadata(fixture.ledger.root().join(file)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    for directory in [fixture.ledger.root(), container.path()] {
        assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_ledger_that_others_could_write_to_is_refused() {
    let fixture = Fixture::new();
    let root = fixture.ledger.root();
    fs::set_permissions(root, Permissions::from_mode(0o777)).unwrap();
    let error = Ledger::open(root).unwrap_err().to_string();
    assert!(error.starts_with("ledger: ") && error.contains("0777"), "{error}");
    fs::set_permissions(root, Permissions::from_mode(0o700)).unwrap();
    chown(root.join("live"), Some(1), None).unwrap();
    assert!(Ledger::open(root).is_err());
}

#[test]
fn a_directory_of_the_ledger_that_another_user_has_created_is_refused() {
    for directory in ["entries", "live", "past"] {
        let sticky = tempfile::tempdir().unwrap();
        let path = sticky.path().join(directory);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(1), Some(1)).unwrap();
        let error = Ledger::create(sticky.path()).unwrap_err();
        assert!(matches!(error, LedgerError::Untrusted { .. }), "{error}");
        assert!(Ledger::open(sticky.path()).is_err());
    }
}

#[test]
fn a_sticky_ledger_in_which_others_can_create_files_is_refused_and_not_written_to() {
    for directory in ["", "entries", "live", "past"] {
        let directory_of_all = tempfile::tempdir().unwrap();
        let root = directory_of_all.path().join("state");
        if directory.is_empty() {
            fs::create_dir(&root).unwrap();
        } else {
            Ledger::create(&root).unwrap();
        }
        fs::set_permissions(root.join(directory), Permissions::from_mode(0o1777)).unwrap();
        for error in [
            Ledger::create(&root).unwrap_err(),
            Ledger::open(&root).unwrap_err(),
        ] {
            assert!(
                matches!(error, LedgerError::Untrusted { .. }),
                "{directory}: {error}"
            );
        }
        let is_made = root.join("entries").exists();
        assert_eq!(is_made, !directory.is_empty(), "{directory}");
    }
    // Above it, a sticky directory does no harm: root's files stay root's.
    let sticky = tempfile::tempdir().unwrap();
    fs::set_permissions(sticky.path(), Permissions::from_mode(0o1777)).unwrap();
    Ledger::create(&sticky.path().join("state")).unwrap();
}

#[test]
fn a_file_or_directory_of_a_container_that_others_could_write_to_is_not_used() {
    for (file, mode, uid) in [
        ("entries/c1", 0o666, 0),
        ("entries/c1", 0o600, 1),
        ("live/c1/prestart", 0o620, 0),
        ("live/c1/prestart", 0o600, 1),
        ("live/c1", 0o1777, 0),
        ("live/c1", 0o700, 1),
    ] {
        let fixture = Fixture::new();
        fixture
            .container()
            .note_created(Stage::Prestart, &created(1))
            .unwrap();
        let path = fixture.ledger.root().join(file);
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(uid), None).unwrap();
        let claimed = fixture.ledger.find(&"c1".parse().unwrap());
        let claimed = claimed.and_then(|found| found.unwrap().claim(Stage::Prestart, Trigger::Oci));
        let error = claimed.unwrap_err();
        assert!(
            error.to_string().contains("users other than root"),
            "{file}: {error}"
        );
    }
}

#[test]
fn a_removed_container_is_archived_and_a_runner_at_work_can_continue() {
    let fixture = Fixture::new();
    let container = fixture.container();
    let Claimed::Ours(claim) = container.claim(Stage::Poststop, Trigger::Oci).unwrap() else {
        panic!("it is over");
    };
    let id: ContainerId = "c1".parse().unwrap();
    fixture.ledger.archive(&id).unwrap();
    assert!(fixture.ledger.find(&id).unwrap().is_none());
    assert!(fixture.ledger.tracked().unwrap().is_empty());

    container.note_created(Stage::Poststop, &created(1)).unwrap();
    claim.finish(StageResult::Done).unwrap();
    let all = fixture.ledger.archived().unwrap();
    let [archived] = all.as_slice() else {
        panic!("{all:?}")
    };
    assert_eq!(archived.id, id);
    assert!(fixture.ledger.open_archived(archived).unwrap().is_some());
    let header = container.header().unwrap();
    for name in [&header.identity.pod, &header.identity.container] {
        assert!(archived.may_be_called(name), "{name}");
    }
    let others = ["another", "a", "b", "c"];
    assert!(others.iter().any(|name| !archived.may_be_called(name)));
    let directory = fixture.ledger.find_archived(&id).unwrap().unwrap();
    assert_eq!(directory.created().unwrap(), Some(created(1)));
    assert!(directory.is_complete(Stage::Poststop, 1).unwrap());
    fixture.ledger.archive(&id).unwrap();
}

#[test]
fn a_container_to_which_nothing_happened_is_not_archived() {
    let fixture = Fixture::new();
    fixture.ledger.archive(&"c1".parse().unwrap()).unwrap();
    assert!(fixture.ledger.archived().unwrap().is_empty());
    assert!(fixture.ledger.tracked().unwrap().is_empty());
}

/// The archived containers, the one that was removed first at the start.
fn archived(fixture: &Fixture) -> Vec<String> {
    let all = fixture.ledger.archived().unwrap().into_iter();
    all.map(|archived| archived.id.to_string()).collect()
}

#[test]
fn the_archive_is_bounded_by_number_and_by_age() {
    let fixture = Fixture::new();
    for id in ["c1", "c2", "c3"] {
        fixture.had(id, |_| {});
    }
    let mut retention = Retention {
        containers: 2,
        age: Duration::from_secs(60),
        ..Retention::default()
    };
    fixture.ledger.pruner(retention).prune().unwrap();
    assert_eq!(archived(&fixture), ["c2", "c3"]);
    retention.age = Duration::ZERO;
    fixture.ledger.pruner(retention).prune().unwrap();
    assert!(archived(&fixture).is_empty());
}

#[test]
fn the_archive_is_bounded_by_size_and_the_newest_stay() {
    let fixture = Fixture::new();
    for (id, size) in [("c1", 1_000), ("c2", 10_000), ("c3", 1_000)] {
        fixture.had(id, |container| {
            fs::write(container.path().join("prestart"), vec![b'\n'; size]).unwrap();
        });
    }
    let retention = Retention {
        bytes: 9_000,
        ..Retention::default()
    };
    fixture.ledger.pruner(retention).prune().unwrap();
    assert_eq!(
        archived(&fixture),
        ["c3"],
        "an older one does not stay in place of a newer one"
    );
}

#[test]
fn the_newest_of_a_crashing_container_and_all_others_stay_in_the_archive() {
    let fixture = Fixture::new();
    fixture.ledger.archive(&"c1".parse().unwrap()).unwrap();
    let retention = Retention {
        containers: 6,
        ..Retention::default()
    };
    let mut pruner = fixture.ledger.pruner(retention);
    fixture.had_of("other", "db", |_| {});
    for crash in 0..20 {
        fixture.had(&format!("c{crash:02}"), |_| {});
        pruner.prune().unwrap();
    }
    let expected = ["other", "c15", "c16", "c17", "c18", "c19"];
    assert_eq!(archived(&fixture), expected);
    fixture.ledger.pruner(retention).prune().unwrap();
    assert_eq!(
        archived(&fixture),
        expected,
        "a new daemon prunes in the same way"
    );
}

#[test]
fn later_changes_of_the_archive_count_also_those_of_another_daemon() {
    let fixture = Fixture::new();
    let retention = Retention {
        containers: 3,
        bytes: 9_000,
        ..Retention::default()
    };
    let (mut ours, mut other) = (fixture.ledger.pruner(retention), fixture.ledger.pruner(retention));
    let removed = |id: &str, size| {
        fixture.had(id, |container| {
            fs::write(container.path().join("prestart"), vec![b'\n'; size]).unwrap();
        });
    };
    for id in ["c1", "c2", "c3", "c4"] {
        removed(id, 1_000);
        ours.prune().unwrap();
    }
    assert_eq!(archived(&fixture), ["c2", "c3", "c4"]);
    removed("c5", 1_000);
    other.prune().unwrap();
    removed("c6", 1_000);
    ours.prune().unwrap();
    assert_eq!(archived(&fixture), ["c4", "c5", "c6"]);
    removed("c7", 6_000);
    ours.prune().unwrap();
    assert_eq!(
        archived(&fixture),
        ["c6", "c7"],
        "the sizes of earlier ones are known"
    );
}

#[test]
fn a_daemon_is_alive_until_it_drops_its_lock() {
    let fixture = Fixture::new();
    assert!(fixture.ledger.daemons().is_empty());
    let (old, new) = (fixture.ledger.alive().unwrap(), fixture.ledger.alive().unwrap());
    drop(old);
    let this = i32::try_from(std::process::id()).unwrap();
    assert_eq!(fixture.ledger.daemons(), [this]);
    drop(new);
    assert!(fixture.ledger.daemons().is_empty());
}

#[test]
fn a_container_whose_archiving_was_interrupted_is_still_there_and_can_be_archived() {
    let fixture = Fixture::new();
    let container = fixture.container();
    container.note_created(Stage::Poststop, &created(1)).unwrap();
    let root = fixture.ledger.root();
    fs::rename(root.join("entries/c1"), root.join("live/c1/entry")).unwrap();
    let id: ContainerId = "c1".parse().unwrap();
    assert_eq!(fixture.ledger.tracked().unwrap(), std::slice::from_ref(&id));
    for container in [&container, &fixture.container()] {
        assert_eq!(container.hooks(Stage::Prestart).unwrap().len(), 2);
    }
    fixture.ledger.archive(&id).unwrap();
    assert!(fixture.ledger.tracked().unwrap().is_empty());
    assert_eq!(container.hooks(Stage::Prestart).unwrap().len(), 2, "moved");
    let all = fixture.ledger.archived().unwrap();
    let [archived] = all.as_slice() else {
        panic!("{all:?}")
    };
    let directory = fixture.ledger.open_archived(archived).unwrap().unwrap();
    assert!(directory.header().is_ok());
}

#[test]
fn a_container_whose_start_is_over_is_found_as_before_with_its_hooks() {
    let fixture = Fixture::new();
    let (id, container): (ContainerId, _) = ("c1".parse().unwrap(), fixture.container());
    assert_eq!(fixture.ledger.starting().unwrap(), std::slice::from_ref(&id));
    container.note_created(Stage::Prestart, &created(1)).unwrap();
    for _ in 0..2 {
        container.note_start_is_over().unwrap();
        assert!(fixture.ledger.starting().unwrap().is_empty());
        assert_eq!(fixture.ledger.tracked().unwrap(), std::slice::from_ref(&id));
    }
    for container in [&container, &fixture.container()] {
        assert_eq!(container.hooks(Stage::Prestart).unwrap().len(), 2);
    }
    // It is registered once, even if it is registered again.
    fixture.ledger.add(identity("c1"), &resolved(), false).unwrap();
    assert!(fixture.ledger.starting().unwrap().is_empty());
    assert!(fixture.container().header().unwrap().injected);
    drop(fixture.ledger.lock(&id).unwrap());
    fixture.ledger.archive_init(&id).unwrap();
    assert_eq!(fixture.ledger.starting().unwrap(), [id], "a new init starts");
    assert!(fixture.container().created().unwrap().is_none());
}

#[test]
fn nothing_can_happen_to_a_container_that_was_removed_untouched() {
    let fixture = Fixture::new();
    let container = fixture.container();
    fixture.ledger.archive(&"c1".parse().unwrap()).unwrap();
    assert!(container.note_created(Stage::Poststop, &created(1)).is_err());
    assert!(container.claim(Stage::Poststop, Trigger::Oci).is_err());
    assert!(fixture.ledger.tracked().unwrap().is_empty(), "nothing is left");
}

#[test]
fn no_id_leads_out_of_the_ledger() {
    let long = "a".repeat(129);
    for id in [
        "", ".", "..", ".a", "a/b", "/a", "a\0", "a b", "-a", "\u{430}", &long,
    ] {
        assert!(id.parse::<ContainerId>().is_err(), "{id:?}");
    }
    for id in ["a", "0", "a.b_c-d", &long[1..]] {
        assert!(id.parse::<ContainerId>().is_ok(), "{id:?}");
    }
}
