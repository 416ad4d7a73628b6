//! Attacks, each with the rule that refuses it and the component at fault.

use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::tree::{NOBODY, Tree, outcome};
use crate::diagnostic::Rule;
use crate::trust::TrustedFile;

/// One attack: its name, the tree, the path, the rule that refuses it and the component at fault.
type Attack = (&'static str, fn(&Tree), &'static str, Rule, &'static str);

fn assert_refused(attacks: &[Attack]) {
    for (attack, make, requested, rule, component) in attacks {
        let tree = Tree::new();
        make(&tree);
        assert_eq!(
            tree.execute(requested),
            Err((*rule, tree.path(component))),
            "{attack}"
        );
    }
}

#[test]
fn a_file_that_others_own_or_may_write_is_refused() {
    assert_refused(&[
        (
            "another's file",
            |t| t.own("bin/hook", NOBODY),
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin/hook",
        ),
        (
            "user 1's file",
            |t| t.own("bin/hook", 1),
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin/hook",
        ),
        (
            "the largest uid's file",
            |t| t.own("bin/hook", u32::MAX - 1),
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin/hook",
        ),
        (
            "group may write",
            |t| t.mode("bin/hook", 0o775),
            "bin/hook",
            Rule::WritableByOthers,
            "bin/hook",
        ),
        (
            "others may write",
            |t| t.mode("bin/hook", 0o757),
            "bin/hook",
            Rule::WritableByOthers,
            "bin/hook",
        ),
        (
            "others may only write",
            |t| t.mode("bin/hook", 0o102),
            "bin/hook",
            Rule::WritableByOthers,
            "bin/hook",
        ),
        (
            "all may write",
            |t| t.mode("bin/hook", 0o777),
            "bin/hook",
            Rule::WritableByOthers,
            "bin/hook",
        ),
        (
            "a sticky file that all may write",
            |t| t.mode("bin/hook", 0o1777),
            "bin/hook",
            Rule::WritableByOthers,
            "bin/hook",
        ),
        (
            "not executable",
            |t| t.mode("bin/hook", 0o644),
            "bin/hook",
            Rule::NotExecutable,
            "bin/hook",
        ),
        (
            "no permission at all",
            |t| t.mode("bin/hook", 0),
            "bin/hook",
            Rule::NotExecutable,
            "bin/hook",
        ),
        (
            "setuid",
            |t| t.mode("bin/hook", 0o4755),
            "bin/hook",
            Rule::SetId,
            "bin/hook",
        ),
        (
            "setgid",
            |t| t.mode("bin/hook", 0o2755),
            "bin/hook",
            Rule::SetId,
            "bin/hook",
        ),
        (
            "setuid without execute",
            |t| t.mode("bin/hook", 0o4644),
            "bin/hook",
            Rule::SetId,
            "bin/hook",
        ),
    ]);
}

#[test]
fn a_directory_anywhere_on_the_way_that_others_own_or_may_write_is_refused() {
    assert_refused(&[
        (
            "another's directory",
            |t| t.own("bin", NOBODY),
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin",
        ),
        (
            "another's sticky directory",
            |t| {
                t.mode("bin", 0o1777);
                t.own("bin", NOBODY)
            },
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin",
        ),
        (
            "a directory for the group",
            |t| t.mode("bin", 0o775),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "a directory for all",
            |t| t.mode("bin", 0o777),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "a setgid directory for the group",
            |t| t.mode("bin", 0o2775),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "the topmost private directory",
            |t| t.mode("", 0o777),
            "bin/hook",
            Rule::WritableByOthers,
            "",
        ),
        (
            "another's topmost private directory",
            |t| t.own("", NOBODY),
            "bin/hook",
            Rule::OwnerNotRoot,
            "",
        ),
        (
            "a directory in the middle",
            |t| {
                t.dir("a/b/c", 0o755);
                t.file("a/b/c/x", 0o755);
                t.mode("a/b", 0o777)
            },
            "a/b/c/x",
            Rule::WritableByOthers,
            "a/b",
        ),
        (
            "a directory left again by ..",
            |t| t.dir("open", 0o777),
            "open/../bin/hook",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a directory come back to by ..",
            |t| {
                t.dir("a/b", 0o755);
                t.own("a", NOBODY)
            },
            "a/b/../../bin/hook",
            Rule::OwnerNotRoot,
            "a",
        ),
        (
            "a good directory in an open one",
            |t| {
                t.dir("open/good", 0o755);
                t.file("open/good/x", 0o755);
                t.mode("open", 0o777)
            },
            "open/good/x",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a missing file in an open directory",
            |t| t.dir("open", 0o777),
            "open/none",
            Rule::WritableByOthers,
            "open",
        ),
    ]);
}

#[test]
fn a_link_is_trusted_no_further_than_itself_and_its_target() {
    assert_refused(&[
        (
            "another's link to a good file",
            |t| {
                t.link("l", "bin/hook");
                t.own("l", NOBODY)
            },
            "l",
            Rule::OwnerNotRoot,
            "l",
        ),
        (
            "another's link to a good directory",
            |t| {
                t.link("l", "bin");
                t.own("l", NOBODY)
            },
            "l/hook",
            Rule::OwnerNotRoot,
            "l",
        ),
        (
            "another's link in a sticky directory",
            |t| {
                t.dir("tmp", 0o1777);
                t.link("tmp/l", "../bin/hook");
                t.own("tmp/l", NOBODY)
            },
            "tmp/l",
            Rule::OwnerNotRoot,
            "tmp/l",
        ),
        (
            "a second link of another's",
            |t| {
                t.link("a", "b");
                t.link("b", "bin/hook");
                t.own("b", 1)
            },
            "a",
            Rule::OwnerNotRoot,
            "b",
        ),
        (
            "a link to another's file",
            |t| {
                t.file("x", 0o755);
                t.own("x", 1);
                t.link("l", "x")
            },
            "l",
            Rule::OwnerNotRoot,
            "x",
        ),
        (
            "a link to a file that all may write",
            |t| {
                t.file("x", 0o777);
                t.link("l", "x")
            },
            "l",
            Rule::WritableByOthers,
            "x",
        ),
        (
            "a link into an open directory",
            |t| {
                t.dir("open", 0o777);
                t.file("open/x", 0o755);
                t.link("l", "open/x")
            },
            "l",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a link that lies in an open directory",
            |t| {
                t.dir("open", 0o777);
                t.link("open/l", t.path("bin/hook"))
            },
            "open/l",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a link through an open directory",
            |t| {
                t.dir("open", 0o777);
                t.link("l", "open/../bin/hook")
            },
            "l",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a link to nothing",
            |t| t.link("l", "none"),
            "l",
            Rule::NotFound,
            "none",
        ),
        (
            "a link to itself",
            |t| t.link("l", "l"),
            "l",
            Rule::TooManyLinks,
            "l",
        ),
        (
            "two links in a circle",
            |t| {
                t.link("a", "b");
                t.link("b", "a")
            },
            "a",
            Rule::TooManyLinks,
            "a",
        ),
        (
            "a link that grows",
            |t| t.link("l", "l/x"),
            "l",
            Rule::TooManyLinks,
            "l",
        ),
        (
            "a link to a directory",
            |t| t.link("l", "bin"),
            "l",
            Rule::NotRegular,
            "bin",
        ),
        (
            "a link to a setuid file",
            |t| {
                t.file("x", 0o4755);
                t.link("l", "x")
            },
            "l",
            Rule::SetId,
            "x",
        ),
        (
            "a link to a file, with a slash",
            |t| t.link("l", "bin/hook"),
            "l/",
            Rule::NotDirectory,
            "bin/hook",
        ),
    ]);
}

#[test]
fn anything_but_a_regular_file_is_refused_and_never_opened() {
    assert_refused(&[
        ("a directory", |_| (), "bin", Rule::NotRegular, "bin"),
        (
            "a directory with a slash",
            |_| (),
            "bin/",
            Rule::NotRegular,
            "bin",
        ),
        (
            "a directory by its own dot",
            |_| (),
            "bin/.",
            Rule::NotRegular,
            "bin",
        ),
        (
            "a pipe, which would block",
            |t| mkfifo(&t.path("x"), Mode::S_IRWXU).unwrap(),
            "x",
            Rule::NotRegular,
            "x",
        ),
        (
            "a socket",
            |t| drop(UnixListener::bind(t.path("x")).unwrap()),
            "x",
            Rule::NotRegular,
            "x",
        ),
        (
            "a file with a slash",
            |_| (),
            "bin/hook/",
            Rule::NotDirectory,
            "bin/hook",
        ),
        (
            "a file with a dot behind",
            |_| (),
            "bin/hook/.",
            Rule::NotDirectory,
            "bin/hook",
        ),
        (
            "a file with dots behind",
            |_| (),
            "bin/hook/..",
            Rule::NotDirectory,
            "bin/hook",
        ),
        (
            "a file in a file",
            |_| (),
            "bin/hook/x",
            Rule::NotDirectory,
            "bin/hook",
        ),
        (
            "a file in a pipe",
            |t| mkfifo(&t.path("p"), Mode::S_IRWXU).unwrap(),
            "p/x",
            Rule::NotDirectory,
            "p",
        ),
        ("a missing file", |_| (), "bin/none", Rule::NotFound, "bin/none"),
        (
            "a missing directory",
            |_| (),
            "none/deeper/hook",
            Rule::NotFound,
            "none",
        ),
    ]);
    for device in ["/dev/null", "/dev/zero", "/dev/full"] {
        assert_eq!(
            outcome(TrustedFile::to_read(Path::new(device))),
            Err((Rule::NotRegular, device.into())),
            "{device}"
        );
    }
    assert_eq!(
        outcome(TrustedFile::to_read(Path::new("/"))),
        Err((Rule::NotRegular, "/".into()))
    );
}
