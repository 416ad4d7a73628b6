//! Who gets past the trust rules, and who does not. Made to run as root: only root can make files
//! that belong to others.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tempfile::TempDir;

use super::*;
use crate::diagnostic::Rule;

const NOBODY: u32 = 65534;

/// A private folder to build hostile trees in: `/bin` with a good hook, `/hook`, in it.
struct Tree {
    root: TempDir,
}

impl Tree {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let owner = fs::metadata(root.path()).unwrap().uid();
        assert_eq!(
            owner, 0,
            "these tests make files of other users: run them as root"
        );
        let tree = Tree { root };
        tree.dir("bin", 0o755);
        tree.file("bin/hook", 0o755);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn own(&self, name: &str, uid: u32) {
        lchown(self.path(name), Some(uid), None).unwrap();
    }

    fn dir(&self, name: &str, mode: u32) {
        fs::create_dir_all(self.path(name)).unwrap();
        self.mode(name, mode);
    }

    fn file(&self, name: &str, mode: u32) {
        fs::write(self.path(name), "#!/bin/sh\n").unwrap();
        self.mode(name, mode);
    }

    fn link(&self, name: &str, target: impl AsRef<Path>) {
        symlink(target, self.path(name)).unwrap();
    }

    fn execute(&self, name: &str) -> Result<PathBuf, (Rule, PathBuf)> {
        outcome(TrustedFile::to_execute(&self.path(name)))
    }

    fn read(&self, name: &str) -> Result<PathBuf, (Rule, PathBuf)> {
        outcome(TrustedFile::to_read(&self.path(name)))
    }
}

fn outcome(result: Result<TrustedFile, TrustError>) -> Result<PathBuf, (Rule, PathBuf)> {
    result
        .map(|file| file.real_path().to_owned())
        .map_err(|error| (error.rule(), error.component))
}

/// One attack: what it is, how the tree is made, the path asked for, the rule that refuses it and
/// the component to blame.
type Attack = (&'static str, fn(&Tree), &'static str, Rule, &'static str);

fn assert_refused(attacks: &[Attack]) {
    for (attack, make, asked, rule, component) in attacks {
        let tree = Tree::new();
        make(&tree);
        assert_eq!(
            tree.execute(asked),
            Err((*rule, tree.path(component))),
            "{attack}"
        );
    }
}

#[test]
fn roots_own_file_in_roots_own_folders_is_trusted() {
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
fn the_seeds_script_in_a_sticky_world_writable_folder_of_root_is_trusted() {
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
    for asked in [
        "bin/hook",
        "bin//hook",
        "./bin/./hook",
        "a/../bin/hook",
        "to-hook",
        "to-bin/hook",
        "twice",
        "a/b/up",
        "a/dir/up",
        // The parent of what the link leads to, not of the link.
        "a/dir/../b/up",
    ] {
        assert_eq!(tree.execute(asked), Ok(tree.path("bin/hook")), "{asked}");
    }
    let above_root = Path::new("/../../..").join(tree.path("bin/hook").strip_prefix("/").unwrap());
    assert_eq!(
        outcome(TrustedFile::to_execute(&above_root)),
        Ok(tree.path("bin/hook"))
    );
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
fn a_folder_anywhere_on_the_way_that_others_own_or_may_write_is_refused() {
    assert_refused(&[
        (
            "another's folder",
            |t| t.own("bin", NOBODY),
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin",
        ),
        (
            "another's sticky folder",
            |t| {
                t.mode("bin", 0o1777);
                t.own("bin", NOBODY)
            },
            "bin/hook",
            Rule::OwnerNotRoot,
            "bin",
        ),
        (
            "a folder for the group",
            |t| t.mode("bin", 0o775),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "a folder for all",
            |t| t.mode("bin", 0o777),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "a setgid folder for the group",
            |t| t.mode("bin", 0o2775),
            "bin/hook",
            Rule::WritableByOthers,
            "bin",
        ),
        (
            "the topmost private folder",
            |t| t.mode("", 0o777),
            "bin/hook",
            Rule::WritableByOthers,
            "",
        ),
        (
            "another's topmost private folder",
            |t| t.own("", NOBODY),
            "bin/hook",
            Rule::OwnerNotRoot,
            "",
        ),
        (
            "a folder in the middle",
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
            "a folder left again by ..",
            |t| t.dir("open", 0o777),
            "open/../bin/hook",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a folder come back to by ..",
            |t| {
                t.dir("a/b", 0o755);
                t.own("a", NOBODY)
            },
            "a/b/../../bin/hook",
            Rule::OwnerNotRoot,
            "a",
        ),
        (
            "a good folder in an open one",
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
            "a missing file in an open folder",
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
            "another's link to a good folder",
            |t| {
                t.link("l", "bin");
                t.own("l", NOBODY)
            },
            "l/hook",
            Rule::OwnerNotRoot,
            "l",
        ),
        (
            "another's link in a sticky folder",
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
            "a link into an open folder",
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
            "a link that lies in an open folder",
            |t| {
                t.dir("open", 0o777);
                t.link("open/l", t.path("bin/hook"))
            },
            "open/l",
            Rule::WritableByOthers,
            "open",
        ),
        (
            "a link through an open folder",
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
            "a link to a folder",
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
fn what_is_no_regular_file_is_refused_and_never_opened() {
    assert_refused(&[
        ("a folder", |_| (), "bin", Rule::NotRegular, "bin"),
        ("a folder with a slash", |_| (), "bin/", Rule::NotRegular, "bin"),
        (
            "a folder by its own dot",
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
            "a missing folder",
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

#[test]
fn a_hard_link_that_anybody_could_have_made_is_refused() {
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
fn a_path_that_cannot_be_one_is_refused() {
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
fn a_path_of_the_longest_length_is_walked() {
    let tree = Tree::new();
    let tail = "/bin/hook";
    let mut path = tree.root.path().to_str().unwrap().to_owned();
    path.push_str(&"/.".repeat((4095 - path.len() - tail.len()) / 2));
    path.push_str(tail);
    assert!((4094..=4095).contains(&path.len()));
    assert_eq!(
        outcome(TrustedFile::to_execute(Path::new(&path))),
        Ok(tree.path("bin/hook"))
    );
}

#[test]
fn a_message_names_the_component_its_owner_and_mode_and_the_command_that_helps() {
    let tree = Tree::new();
    let refused = |asked: &str| {
        let error = TrustedFile::to_execute(&tree.path(asked)).unwrap_err();
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
fn a_folder_is_held_to_the_same_rules() {
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
