//! A copy is used only as it was written, for its own file, and while that file exists.

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Fixture {
    root: tempfile::TempDir,
    copies: Copies,
    file: Arc<str>,
}

impl Fixture {
    fn new() -> Fixture {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let file = root.path().join("x.json");
        fs::write(&file, "").unwrap();
        Fixture {
            copies: Copies::in_state_dir(root.path().to_str().unwrap(), true),
            file: file.to_str().unwrap().into(),
            root,
        }
    }

    fn store(&self, text: &str) {
        self.copies.store(&self.file, text.as_bytes());
        self.copies.await_written();
    }

    fn found(&self) -> Option<String> {
        let found = self.copies.find(&self.file)?;
        String::from_utf8(found.text).ok()
    }

    fn path(&self) -> PathBuf {
        self.copies.0.as_ref().unwrap().paths().remove(0)
    }
}

#[test]
fn the_last_stored_version_is_found_until_the_file_is_gone() {
    let node = Fixture::new();
    assert_eq!(node.found(), None);
    node.store("a\nb");
    node.store("c\n\nd");
    assert_eq!(node.found().as_deref(), Some("c\n\nd"));
    let taken = node.copies.find(&node.file).unwrap().taken;
    node.store("c\n\nd");
    assert_eq!(
        node.copies.find(&node.file).unwrap().taken,
        taken,
        "it is the same one"
    );
    node.copies.prune();
    node.copies.await_written();
    assert!(node.found().is_some());
    fs::remove_file(&*node.file).unwrap();
    node.copies.prune();
    node.copies.await_written();
    assert_eq!(node.found(), None);
}

#[test]
fn a_copy_that_was_changed_or_that_others_can_change_is_not_used() {
    let node = Fixture::new();
    node.store("{}");
    let good = fs::read(node.path()).unwrap();
    for bad in [
        &b""[..],
        b"{}",
        &good[..good.len() - 1],
        &[&good, &b" "[..]].concat(),
    ] {
        fs::write(node.path(), bad).unwrap();
        assert_eq!(node.found(), None, "{bad:?}");
    }
    fs::write(node.path(), &good).unwrap();
    assert!(node.found().is_some());
    fs::set_permissions(node.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(node.found(), None);
    fs::set_permissions(node.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let directory = node.root.path().join(DIRECTORY);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(node.found(), None);
    // The permissions of another copy do not matter for this one.
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let other: Arc<str> = format!("{}2", node.file).into();
    let other_path = node.copies.0.as_ref().unwrap().path(&other);
    fs::copy(node.path(), other_path).unwrap();
    assert!(node.copies.find(&other).is_none());
}

#[test]
fn nothing_is_stored_without_a_state_directory() {
    let node = Fixture::new();
    let absent = node.root.path().join("absent");
    let copies = Copies::in_state_dir(absent.to_str().unwrap(), false);
    copies.store(&node.file, b"{}");
    copies.await_written();
    assert!(!absent.exists());
    Copies::default().store(&node.file, b"{}");
    assert!(Copies::default().find(&node.file).is_none());
}
