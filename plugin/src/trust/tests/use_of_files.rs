//! The uses of a trusted file, and the messages about a refused one.

use std::fs;
use std::io::Read;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::tree::{NOBODY, Tree};
use crate::diagnostic::Rule;
use crate::trust::{TrustedDir, TrustedFile};

#[test]
fn a_message_names_the_component_its_owner_and_mode_and_the_command_that_helps() {
    let tree = Tree::new();
    let refused = |requested: &str| {
        let error = TrustedFile::to_execute(&tree.path(requested)).unwrap_err();
        let text = format!("{error}; {}", error.help());
        text.replace(tree.root.path().to_str().unwrap(), "")
    };
    tree.own("bin", 1000);
    assert_eq!(
        refused("bin/hook"),
        "/bin (directory, mode 0755) must be owned by root, but is owned by uid 1000; run: chown root /bin"
    );
    tree.own("bin", 0);
    tree.mode("bin", 0o777);
    assert_eq!(
        refused("bin/hook"),
        "/bin (directory, owner root) must be writable by root alone unless it is sticky, \
         but has mode 0777; run: chmod go-w /bin (or chmod +t /bin if others must write there)"
    );
    tree.mode("bin", 0o755);
    tree.mode("bin/hook", 0o664);
    assert_eq!(
        refused("bin/hook"),
        "/bin/hook (regular file, owner root) must be writable by root alone, but has mode 0664; \
         run: chmod go-w /bin/hook"
    );
    tree.mode("bin/hook", 0o644);
    assert_eq!(
        refused("bin/hook"),
        "/bin/hook must be executable, but has mode 0644; run: chmod +x /bin/hook"
    );
    assert_eq!(
        refused("none/hook"),
        "/none does not exist; create it on this node, or correct the path"
    );
    assert_eq!(
        refused("bin"),
        "/bin must be a regular file, but is a directory; name a regular file"
    );
}

#[test]
fn a_hostile_name_reaches_a_message_escaped() {
    let tree = Tree::new();
    let error = TrustedFile::to_read(&tree.path("a\x1b[2J\nb")).unwrap_err();
    assert!(error.to_string().contains(r"a\u{1b}[2J\nb"), "{error}");
}

#[test]
fn a_file_that_was_replaced_after_the_check_is_not_opened() {
    let tree = Tree::new();
    let file = TrustedFile::to_read(&tree.path("bin/hook")).unwrap();
    fs::rename(tree.path("bin/hook"), tree.path("bin/old")).unwrap();
    tree.file("bin/hook", 0o755);
    assert_eq!(file.open().unwrap_err().rule(), Rule::Changed);
    fs::remove_file(tree.path("bin/hook")).unwrap();
    tree.link("bin/hook", "old");
    assert_eq!(file.open().unwrap_err().rule(), Rule::Changed);
    fs::remove_file(tree.path("bin/hook")).unwrap();
    assert_eq!(file.open().unwrap_err().rule(), Rule::NotFound);
    mkfifo(&tree.path("bin/hook"), Mode::S_IRWXU).unwrap();
    assert_eq!(
        file.open().unwrap_err().rule(),
        Rule::Changed,
        "and a pipe does not block"
    );
}

#[test]
fn a_file_that_was_written_after_the_check_is_not_opened() {
    let tree = Tree::new();
    let file = TrustedFile::to_read(&tree.path("bin/hook")).unwrap();
    let mut text = String::new();
    file.open().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "#!/bin/sh\n");
    fs::write(tree.path("bin/hook"), "another length").unwrap();
    assert_eq!(file.open().unwrap_err().rule(), Rule::Changed);
}

#[test]
fn the_same_file_has_the_same_identity_until_anything_about_it_changes() {
    let tree = Tree::new();
    let identity = || TrustedFile::to_read(&tree.path("bin/hook")).unwrap().identity();
    let first = identity();
    assert_eq!(identity(), first);
    fs::write(tree.path("bin/hook"), "longer than it was").unwrap();
    let second = identity();
    assert_ne!(second, first);
    fs::rename(tree.path("bin/hook"), tree.path("bin/old")).unwrap();
    tree.file("bin/hook", 0o755);
    assert_ne!(identity(), second);
}

#[test]
fn a_directory_is_held_to_the_same_rules() {
    let tree = Tree::new();
    let at = |name: &str| {
        TrustedDir::at(&tree.path(name))
            .map(|dir| dir.real_path().to_owned())
            .map_err(|error| (error.rule(), error.component))
    };
    tree.link("l", "bin");
    tree.dir("tmp", 0o1777);
    tree.dir("open", 0o777);
    tree.dir("theirs", 0o755);
    tree.own("theirs", NOBODY);
    assert_eq!(at("bin"), Ok(tree.path("bin")));
    assert_eq!(at("l/"), Ok(tree.path("bin")));
    assert_eq!(at("tmp"), Ok(tree.path("tmp")));
    assert_eq!(at("open"), Err((Rule::WritableByOthers, tree.path("open"))));
    assert_eq!(at("theirs"), Err((Rule::OwnerNotRoot, tree.path("theirs"))));
    assert_eq!(at("bin/hook"), Err((Rule::NotDirectory, tree.path("bin/hook"))));
    assert_eq!(at("none"), Err((Rule::NotFound, tree.path("none"))));
    assert_eq!(
        TrustedDir::at(Path::new("/")).unwrap().real_path(),
        Path::new("/")
    );
}
