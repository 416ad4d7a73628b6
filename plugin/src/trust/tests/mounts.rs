//! What is mounted over a path: it is judged, not what it hides.

use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::tree::{NOBODY, Tree};
use crate::diagnostic::Rule;

/// Runs `check` with mounts of its own, which end with it.
fn with_own_mounts(check: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            check();
        });
        thread.join().unwrap();
    });
}

fn bind(tree: &Tree, from: &str, to: &str) {
    let (from, to) = (tree.path(from), tree.path(to));
    mount(Some(&from), &to, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

#[test]
fn a_folder_mounted_over_a_good_one_is_judged_in_its_place() {
    let tree = Tree::new();
    tree.dir("theirs", 0o755);
    tree.file("theirs/hook", 0o755);
    tree.own("theirs", NOBODY);
    tree.dir("open", 0o777);
    tree.file("open/hook", 0o755);
    with_own_mounts(|| {
        bind(&tree, "theirs", "bin");
        assert_eq!(
            tree.execute("bin/hook"),
            Err((Rule::OwnerNotRoot, tree.path("bin")))
        );
        bind(&tree, "open", "bin");
        assert_eq!(
            tree.execute("bin/hook"),
            Err((Rule::WritableByOthers, tree.path("bin")))
        );
    });
    assert!(tree.execute("bin/hook").is_ok(), "nobody else has that mount");
}

#[test]
fn a_file_mounted_over_a_good_one_is_judged_in_its_place() {
    let tree = Tree::new();
    tree.file("theirs", 0o755);
    tree.own("theirs", NOBODY);
    tree.file("plain", 0o644);
    with_own_mounts(|| {
        bind(&tree, "theirs", "bin/hook");
        let refused = Err((Rule::OwnerNotRoot, tree.path("bin/hook")));
        assert_eq!(tree.execute("bin/hook"), refused);
        bind(&tree, "plain", "bin/hook");
        let refused = Err((Rule::NotExecutable, tree.path("bin/hook")));
        assert_eq!(tree.execute("bin/hook"), refused);
    });
}

#[test]
fn a_good_folder_mounted_where_only_bad_ways_lead_is_not_trusted() {
    let tree = Tree::new();
    tree.dir("open/inner", 0o755);
    tree.mode("open", 0o777);
    with_own_mounts(|| {
        bind(&tree, "bin", "open/inner");
        assert_eq!(
            tree.execute("open/inner/hook"),
            Err((Rule::WritableByOthers, tree.path("open")))
        );
    });
}
