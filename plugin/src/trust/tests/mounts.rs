//! A mount over a path is checked, not the directory or file below it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::thread;

use nix::libc::S_IFDIR;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::tree::{NOBODY, Tree};
use crate::diagnostic::Rule;

/// Runs `check` with private mounts, which end with it.
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
fn a_directory_mounted_over_a_trusted_one_is_checked_in_its_place() {
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
fn a_file_mounted_over_a_trusted_one_is_checked_in_its_place() {
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
fn a_directory_mounted_where_every_way_is_untrusted_is_not_trusted() {
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

/// A FUSE file system mounted over `name` by the user `uid`, which reports everything as root's. It answers
/// until it is unmounted.
fn mount_fuse(tree: &Tree, name: &str, uid: u32) {
    let mut device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
    let fd = device.as_raw_fd();
    let options = format!("fd={fd},rootmode=40755,user_id={uid},group_id=0,allow_other");
    let (path, options) = (tree.path(name), Some(options.as_str()));
    mount(Some("a user's"), &path, Some("fuse"), MsFlags::empty(), options).unwrap();
    thread::spawn(move || {
        let mut request = [0; 1 << 17];
        while device.read(&mut request).is_ok() {
            let number = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
            // The numbers of the kernel's requests, and the answers to them, are from linux/fuse.h.
            let body: Vec<u32> = match number(4) {
                // FUSE_INIT: version 7.12 has this short answer.
                26 => vec![7, 12, 0, 0, 0, 4096],
                // FUSE_GETATTR: the validity, then inode 1, a directory of mode 0755, one link, root's.
                3 => {
                    let mut attributes = vec![0; 26];
                    (attributes[4], attributes[19], attributes[20]) = (1, S_IFDIR | 0o755, 1);
                    attributes
                }
                // FUSE_STATFS: all empty.
                17 => vec![0; 20],
                _ => Vec::new(),
            };
            let error: i32 = if body.is_empty() { -2 } else { 0 };
            let size = u32::try_from(16 + 4 * body.len()).unwrap();
            let mut answer = size.to_ne_bytes().to_vec();
            answer.extend(error.to_ne_bytes());
            answer.extend(&request[8..16]);
            answer.extend(body.iter().flat_map(|word| word.to_ne_bytes()));
            // The kernel accepts no answer to some requests.
            let _ = device.write_all(&answer);
        }
    });
}

#[test]
fn a_file_system_that_a_user_serves_is_not_trusted_whatever_it_reports() {
    let tree = Tree::new();
    tree.dir("tmp/theirs", 0o755);
    tree.mode("tmp", 0o1777);
    tree.dir("home", 0o755);
    with_own_mounts(|| {
        for name in ["tmp/theirs", "home"] {
            mount_fuse(&tree, name, NOBODY);
            let refused = Err((Rule::MountedByUser, tree.path(name)));
            assert_eq!(tree.execute(&format!("{name}/hook")), refused);
        }
        mount_fuse(&tree, "bin", 0);
        assert_eq!(
            tree.execute("bin/hook"),
            Err((Rule::NotFound, tree.path("bin/hook"))),
            "root's own is asked"
        );
    });
}
