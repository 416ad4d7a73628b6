//! Any component on the way that is owned by another user or writable by others is the one at fault, in every
//! position.

use super::tree::{NOBODY, Tree};
use crate::diagnostic::Rule;

/// The components on the way to `start/link/deep/again/file`. The links lead to other directories, so that
/// the way goes through all of these.
const POSITIONS: [(&str, Kind); 9] = [
    ("", Kind::Directory),
    ("start", Kind::Directory),
    ("start/link", Kind::Link),
    ("other", Kind::Directory),
    ("other/deep", Kind::Directory),
    ("other/deep/again", Kind::Link),
    ("last", Kind::Directory),
    ("last/file", Kind::Link),
    ("last/real", Kind::File),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Link,
    File,
}

fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir("start", 0o755);
    tree.dir("other/deep", 0o755);
    tree.dir("last", 0o755);
    tree.link("start/link", "../other");
    tree.link("other/deep/again", tree.path("last"));
    tree.file("last/real", 0o755);
    tree.link("last/file", "real");
    tree
}

#[test]
fn in_every_position_an_owner_and_a_mode_that_let_others_in_are_refused_there() {
    let requested = "start/link/deep/again/file";
    let good = tree();
    assert_eq!(good.execute(requested), Ok(good.path("last/real")));
    let mut attacks = 0;
    for (position, kind) in POSITIONS {
        let mut refused = |rule, what: &str, make: &dyn Fn(&Tree)| {
            let tree = tree();
            make(&tree);
            let expected = Err((rule, tree.path(position)));
            assert_eq!(tree.execute(requested), expected, "{what} at {position:?}");
            assert_eq!(
                tree.read(requested),
                expected,
                "{what} at {position:?}, as a hook-spec"
            );
            attacks += 1;
        };
        for uid in [1, NOBODY] {
            refused(Rule::OwnerNotRoot, "another owner", &|tree| {
                tree.own(position, uid)
            });
        }
        // The mode of a link has no meaning.
        let modes: &[u32] = match kind {
            Kind::Directory => &[0o775, 0o757, 0o777, 0o2775],
            Kind::File => &[0o775, 0o757, 0o777, 0o1777],
            Kind::Link => &[],
        };
        for mode in modes {
            let what = format!("mode {mode:o}");
            refused(Rule::WritableByOthers, &what, &|tree| tree.mode(position, *mode));
        }
    }
    assert_eq!(attacks, 42);
}
