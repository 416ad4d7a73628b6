//! The ways to a file that are trusted.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use super::tree::{Tree, outcome};
use crate::diagnostic::Rule;
use crate::trust::TrustedFile;

#[test]
fn roots_own_file_in_roots_own_directories_is_trusted() {
    let tree = Tree::new();
    for mode in [0o755, 0o700, 0o711, 0o555, 0o100, 0o001, 0o1755] {
        tree.mode("bin/hook", mode);
        assert_eq!(tree.execute("bin/hook"), Ok(tree.path("bin/hook")), "{mode:o}");
    }
}

#[test]
fn the_group_that_owns_a_file_does_not_matter_unless_it_may_write() {
    let tree = Tree::new();
    chown(tree.path("bin/hook"), Some(0), Some(1234)).unwrap();
    chown(tree.path("bin"), Some(0), Some(1234)).unwrap();
    assert!(tree.execute("bin/hook").is_ok());
}

#[test]
fn isulads_script_in_a_sticky_world_writable_directory_of_root_is_trusted() {
    let tree = Tree::new();
    tree.dir("tmp", 0o1777);
    tree.file("tmp/cleanup.sh", 0o755);
    assert!(tree.execute("tmp/cleanup.sh").is_ok());
    tree.mode("tmp", 0o1775);
    assert!(tree.execute("tmp/cleanup.sh").is_ok());
}

#[test]
fn a_spec_needs_no_execute_bit_and_may_be_setuid() {
    let tree = Tree::new();
    for mode in [0o644, 0o600, 0o400, 0o4644] {
        tree.mode("bin/hook", mode);
        assert!(tree.read("bin/hook").is_ok(), "{mode:o}");
    }
}

#[test]
fn links_dots_and_slashes_lead_to_the_real_file() {
    let tree = Tree::new();
    tree.dir("a/b", 0o755);
    tree.link("to-hook", "bin/hook");
    tree.link("to-bin", tree.path("bin"));
    tree.link("a/b/up", "../../bin/../bin/./hook");
    tree.link("twice", "to-hook");
    tree.link("a/dir", "b");
    for requested in [
        "bin/hook",
        "bin//hook",
        "./bin/./hook",
        "a/../bin/hook",
        "to-hook",
        "to-bin/hook",
        "twice",
        "a/b/up",
        "a/dir/up",
        // The parent of the target of the link, not of the link.
        "a/dir/../b/up",
    ] {
        assert_eq!(tree.execute(requested), Ok(tree.path("bin/hook")), "{requested}");
    }
    let above_root = Path::new("/../../..").join(tree.path("bin/hook").strip_prefix("/").unwrap());
    assert_eq!(
        outcome(TrustedFile::to_execute(&above_root)),
        Ok(tree.path("bin/hook"))
    );
}

#[test]
fn a_hard_link_that_anybody_could_have_created_is_refused() {
    let tree = Tree::new();
    tree.dir("tmp", 0o1777);
    fs::hard_link(tree.path("bin/hook"), tree.path("tmp/hook")).unwrap();
    assert_eq!(
        tree.execute("tmp/hook"),
        Err((Rule::HardLinked, tree.path("tmp/hook")))
    );
    assert!(
        tree.execute("bin/hook").is_ok(),
        "where root alone makes names, two of them are root's wish"
    );
    tree.link("l", "bin/hook");
    fs::hard_link(tree.path("l"), tree.path("tmp/l")).unwrap();
    assert_eq!(tree.execute("tmp/l"), Err((Rule::HardLinked, tree.path("tmp/l"))));
}

#[test]
fn a_link_of_procfs_is_refused() {
    for path in [
        "/proc/self/exe",
        "/proc/self/root/bin/sh",
        "/proc/thread-self/cwd/x",
        "/proc/1/root/bin/sh",
    ] {
        let error = TrustedFile::to_execute(Path::new(path)).unwrap_err();
        assert_eq!(error.rule(), Rule::ProcLink, "{path}: {error}");
    }
}

#[test]
fn an_invalid_path_is_refused() {
    let long_name = format!("/{}", "x".repeat(256));
    let long_path = format!("/{}", "x/".repeat(3000));
    for (path, rule) in [
        ("", Rule::PathNotAbsolute),
        ("bin/sh", Rule::PathNotAbsolute),
        ("./bin/sh", Rule::PathNotAbsolute),
        ("../bin/sh", Rule::PathNotAbsolute),
        ("/bin/sh\0.txt", Rule::NulCharacter),
        (&long_name, Rule::NameTooLong),
        (&long_path, Rule::NameTooLong),
    ] {
        assert_eq!(
            TrustedFile::to_read(Path::new(path)).unwrap_err().rule(),
            rule,
            "{path:?}"
        );
    }
}

#[test]
fn as_many_links_as_the_kernel_follows_are_followed_and_not_one_more() {
    let tree = Tree::new();
    tree.link("l0", "bin/hook");
    for link in 1..=40 {
        tree.link(&format!("l{link}"), format!("l{}", link - 1));
    }
    assert_eq!(tree.execute("l39"), Ok(tree.path("bin/hook")));
    assert_eq!(tree.execute("l40"), Err((Rule::TooManyLinks, tree.path("l0"))));
    assert!(fs::metadata(tree.path("l39")).is_ok() && fs::metadata(tree.path("l40")).is_err());
}

#[test]
fn a_path_of_the_longest_length_is_walked_and_one_byte_more_is_refused() {
    let tree = Tree::new();
    let (head, tail) = (tree.root.path().to_str().unwrap(), "/bin/hook");
    let path = |length: usize| format!("{head}{}{tail}", "/".repeat(length - head.len() - tail.len()));
    assert_eq!(
        outcome(TrustedFile::to_execute(Path::new(&path(4095)))),
        Ok(tree.path("bin/hook"))
    );
    let refused = TrustedFile::to_execute(Path::new(&path(4096))).unwrap_err();
    assert_eq!(refused.rule(), Rule::NameTooLong);
    assert!(
        fs::metadata(path(4095)).is_ok() && fs::metadata(path(4096)).is_err(),
        "as the kernel has it"
    );
}
