//! Follows the links of an image inside the image: absolute links, too, lead to its own files.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The maximum number of links on the way: the kernel's own limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A path at which no file exists or can be created.
const NOWHERE: &str = "/proc/more-links-than-40";

/// The file with the path `path` where `root` is `/`, with every link followed, also the last one. A missing
/// name is used as it is. `root` itself has no links in it.
pub(crate) fn in_root(root: &Path, path: &Path) -> PathBuf {
    let mut real = PathBuf::new();
    let mut rest: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            // The root's parent is the root.
            real.pop();
            continue;
        }
        real.push(&name);
        let Ok(target) = fs::read_link(root.join(&real)) else {
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            // Not the path so far: the kernel would follow its link, out of the root.
            return PathBuf::from(NOWHERE);
        }
        if target.has_root() {
            real.clear();
        } else {
            real.pop();
        }
        for (at, name) in names(&target).enumerate() {
            rest.insert(at, name);
        }
    }
    if real.as_os_str().is_empty() {
        return root.to_owned();
    }
    root.join(real)
}

/// The components of a path, without `/` and `.`.
fn names(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_only_into_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        for (target, link) in [
            ("/tmp/outside", "usr/local"),
            ("../../../../etc", "etc2"),
            ("lib/../share", "usr/relative"),
            ("/usr/local/there", "twice"),
            ("usr", "u"),
            ("loop", "loop"),
            ("longer/x", "longer"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        for (path, expected) in [
            ("/", ""),
            ("/usr/lib/a", "usr/lib/a"),
            ("relative/to/root", "relative/to/root"),
            ("/usr/local/bin/x", "tmp/outside/bin/x"),
            ("/etc2/passwd", "etc/passwd"),
            ("/../../etc", "etc"),
            ("/usr/relative/b", "usr/share/b"),
            ("/twice", "tmp/outside/there"),
            ("/u/local/../x", "tmp/x"),
        ] {
            assert_eq!(in_root(&root, Path::new(path)), root.join(expected), "{path}");
        }
        for path in ["/loop", "/loop/x", "/longer"] {
            let nowhere = in_root(&root, Path::new(path));
            assert!(
                !nowhere.exists() && fs::create_dir_all(nowhere).is_err(),
                "{path}"
            );
        }
    }
}
