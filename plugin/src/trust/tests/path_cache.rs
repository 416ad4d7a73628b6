//! The changes that one path cache sees, and the next.

use super::tree::{Tree, outcome};
use crate::diagnostic::Rule;
use crate::trust::PathCache;
use crate::trust::path_cache::MAX_REMEMBERED;

#[test]
fn what_changed_between_two_path_caches_is_seen_by_the_second() {
    let tree = Tree::new();
    tree.link("l", "bin");
    for (requested, good, bad, rule, blamed) in [
        ("bin/hook", 0o755, 0o777, Rule::WritableByOthers, "bin"),
        ("l/hook", 0o755, 0o777, Rule::WritableByOthers, "bin"),
        ("bin/hook", 0o755, 0o644, Rule::NotExecutable, "bin/hook"),
    ] {
        let mut path_cache = PathCache::new();
        let mut execute = || outcome(path_cache.file_to_execute(&tree.path(requested)));
        assert_eq!(execute(), Ok(tree.path("bin/hook")));
        tree.mode(blamed, bad);
        assert_eq!(
            execute(),
            Ok(tree.path("bin/hook")),
            "one path cache sees no change"
        );
        let next = outcome(PathCache::new().file_to_execute(&tree.path(requested)));
        assert_eq!(next, Err((rule, tree.path(blamed))));
        tree.mode(blamed, good);
    }
    tree.link("to", "bin/hook");
    let mut path_cache = PathCache::new();
    assert!(path_cache.file_to_read(&tree.path("to")).is_ok());
    std::fs::remove_file(tree.path("to")).unwrap();
    tree.link("to", "none");
    assert!(path_cache.file_to_read(&tree.path("to")).is_ok());
    let next = outcome(PathCache::new().file_to_read(&tree.path("to")));
    assert_eq!(next, Err((Rule::NotFound, tree.path("none"))));
}

#[test]
fn a_file_that_was_checked_for_reading_is_checked_again_before_it_is_executed() {
    let tree = Tree::new();
    tree.mode("bin/hook", 0o644);
    let mut path_cache = PathCache::new();
    assert!(path_cache.file_to_read(&tree.path("bin/hook")).is_ok());
    assert_eq!(
        outcome(path_cache.file_to_execute(&tree.path("bin/hook"))),
        Err((Rule::NotExecutable, tree.path("bin/hook")))
    );
}

#[test]
fn a_full_path_cache_checks_every_further_path_each_time() {
    let tree = Tree::new();
    let mut path_cache = PathCache::new();
    for directory in 0..MAX_REMEMBERED {
        tree.dir(&format!("{directory}/inner"), 0o755);
        tree.file(&format!("{directory}/hook"), 0o755);
        for requested in [format!("{directory}/hook"), format!("{directory}/inner/../hook")] {
            let found = outcome(path_cache.file_to_execute(&tree.path(&requested)));
            assert_eq!(found, Ok(tree.path(&format!("{directory}/hook"))), "{requested}");
        }
        assert!(path_cache.remembered() <= MAX_REMEMBERED);
    }
    let last = format!("{}", MAX_REMEMBERED - 1);
    tree.mode(&last, 0o777);
    assert_eq!(
        outcome(path_cache.file_to_execute(&tree.path(&format!("{last}/hook")))),
        Err((Rule::WritableByOthers, tree.path(&last)))
    );
}
