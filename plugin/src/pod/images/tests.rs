//! Programs of images on the host.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use tempfile::TempDir;

use super::{HookImages, Needs, hand_over_files, hand_over_program};

/// A pod with images, and a host.
struct Pod {
    root: TempDir,
}

impl Pod {
    fn new() -> Pod {
        // Only root may write to any directory on the way to the host's directories.
        let root = tempfile::tempdir_in("/run").unwrap();
        fs::create_dir(root.path().join("handover")).unwrap();
        Pod { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Fills the image `name` with these files: path, content, mode.
    fn image(&self, name: &str, files: &[(&str, &str, u32)]) -> PathBuf {
        let image = self.path(&format!("image-{name}"));
        let _ = fs::remove_dir_all(&image);
        fs::create_dir(&image).unwrap();
        for (file, text, mode) in files {
            let path = image.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        image
    }

    /// Does the work of the image's init container. Returns the error that it reports.
    fn hand_over(&self, name: &str, reference: &str) -> Option<String> {
        let from = self.path(&format!("image-{name}"));
        let handed_over = hand_over_files(&from, &self.path("handover"), name, reference).unwrap();
        handed_over.err().map(|error| error.to_string())
    }

    fn images(&self) -> HookImages {
        HookImages::open(Some(&self.path("handover")), &self.path("host")).unwrap()
    }

    /// Starts a pod with these images, which installs them on the host.
    fn comes_up(&self) -> HookImages {
        let mut images = self.images();
        images.put(|| Needs::All);
        images
    }

    /// The target of an image's link.
    fn version(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.path(&format!("host/{name}/current"))).unwrap()
    }

    fn versions(&self, name: &str) -> usize {
        let all = fs::read_dir(self.path(&format!("host/{name}")))
            .into_iter()
            .flatten();
        all.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir())
            .count()
    }
}

fn needs(versions: &[&Path], links: bool) -> Needs {
    let versions: BTreeSet<PathBuf> = versions.iter().map(|path| path.to_path_buf()).collect();
    Needs::Versions { versions, links }
}

fn age(version: &Path) {
    let then = SystemTime::now() - Duration::from_secs(3600);
    fs::File::open(version).unwrap().set_modified(then).unwrap();
}

const HOOK: &[(&str, &str, u32)] = &[("hook", "1", 0o755)];
const NEXT: &[(&str, &str, u32)] = &[("hook", "2", 0o755)];

#[test]
fn programs_are_roots_whatever_their_owner_in_the_image_and_a_link_leads_to_them() {
    let pod = Pod::new();
    let image = pod.image(
        "gpu",
        &[
            ("hook", "a", 0o6777),
            ("lib/data", "b", 0o622),
            ("x.json", "{}", 0o600),
        ],
    );
    chown(image.join("hook"), Some(1000), Some(1000)).unwrap();
    fs::set_permissions(image.join("hook"), fs::Permissions::from_mode(0o6777)).unwrap();
    assert_eq!(pod.hand_over("gpu", "registry/gpu:1"), None);
    let images = pod.comes_up();
    assert_eq!(images.errors(), [""; 0]);
    let link = pod.path("host/gpu/current");
    for (file, text, mode) in [
        ("hook", "a", 0o755),
        ("lib/data", "b", 0o644),
        ("x.json", "{}", 0o644),
        (".image", "registry/gpu:1\n", 0o644),
    ] {
        let path = link.join(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let found = path.metadata().unwrap();
        assert_eq!(
            (found.uid(), found.gid(), found.mode() & 0o7777),
            (0, 0, mode),
            "{file}"
        );
    }
    for directory in ["", "lib"] {
        let found = link.join(directory).metadata().unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o755), "{directory}");
    }
    let name = pod
        .version("gpu")
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(crate::select::is_version(&name), "{name}");
}

#[test]
fn a_file_that_is_not_regular_is_refused_and_the_version_before_stays() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "r");
    drop(pod.comes_up());
    let before = pod.version("gpu");
    type Plant<'p> = &'p dyn Fn(&Path);
    let plant: [(&str, Plant); 6] = [
        ("a link", &|path| symlink("/bin/sh", path).unwrap()),
        ("a link", &|path| symlink(".", path).unwrap()),
        ("a pipe", &|path| {
            nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap()
        }),
        ("a socket", &|path| drop(UnixListener::bind(path).unwrap())),
        ("a device", &|path| {
            mknod(path, SFlag::S_IFCHR, Mode::S_IRWXU, makedev(1, 3)).unwrap()
        }),
        ("is not a valid file name", &|path| {
            fs::write(path.with_file_name("a b"), "").unwrap()
        }),
    ];
    for (kind, plant) in plant {
        for directory in ["", "lib"] {
            let image = pod.image("gpu", &[("hook", "2", 0o755), ("lib/x", "", 0o644)]);
            plant(&image.join(directory).join("odd"));
            let line = pod.hand_over("gpu", "r").unwrap();
            assert!(line.contains(kind), "{line}");
            let images = pod.comes_up();
            assert!(images.errors()[0].contains(kind), "{:?}", images.errors());
            assert_eq!(pod.version("gpu"), before);
        }
    }
}

/// The daemon trusts the init containers no more than their images.
#[test]
fn handed_over_files_are_checked_again() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "r");
    let files = pod.path("handover/images/gpu/files");
    symlink("/etc", files.join("etc")).unwrap();
    assert!(pod.comes_up().errors()[0].contains("is a link"));
    fs::remove_file(files.join("etc")).unwrap();
    fs::remove_dir_all(&files).unwrap();
    symlink("/bin", &files).unwrap();
    assert_eq!(pod.comes_up().errors().len(), 1);
    fs::create_dir_all(pod.path("handover/images/..x")).unwrap();
    let images = pod.comes_up();
    assert!(
        images
            .errors()
            .iter()
            .any(|error| error.contains("not a valid name of an image"))
    );
    assert_eq!(
        fs::read_dir(pod.path("host")).unwrap().count(),
        2,
        "the lock, and gpu"
    );
}

#[test]
fn count_depth_and_size_are_bounded_and_an_image_has_at_least_a_file() {
    let pod = Pod::new();
    let image = pod.image("gpu", &[]);
    assert!(pod.hand_over("gpu", "r").unwrap().starts_with("has no file in"));
    for number in 0..=1000 {
        fs::write(image.join(number.to_string()), "").unwrap();
    }
    assert!(
        pod.hand_over("gpu", "r")
            .unwrap()
            .starts_with("has more than 1000 files")
    );
    pod.image("gpu", &[("1/2/3/4/5/6/7/8/9/hook", "", 0o755)]);
    assert!(
        pod.hand_over("gpu", "r")
            .unwrap()
            .contains("more than 8 nested directories")
    );
    let image = pod.image("gpu", HOOK);
    fs::File::create(image.join("large"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    assert_eq!(pod.hand_over("gpu", "r").unwrap(), "is larger than 512 MiB");
}

#[test]
fn the_same_content_is_the_same_version_and_other_content_is_another() {
    let pod = Pod::new();
    let versions: Vec<PathBuf> = [
        &[("hook", "1", 0o755)][..],
        &[("hook", "1", 0o511)],
        &[("hook", "1", 0o644)],
        &[("hook", "2", 0o755)],
        &[("hooks", "1", 0o755)],
        &[("hook", "1", 0o755), ("more", "", 0o644)],
    ]
    .map(|files| {
        pod.image("gpu", files);
        pod.hand_over("gpu", "r");
        drop(pod.comes_up());
        pod.version("gpu")
    })
    .into();
    assert_eq!(versions[0], versions[1]);
    assert_eq!(versions.iter().collect::<BTreeSet<_>>().len(), 5);
}

#[test]
fn a_version_that_a_container_needs_stays_and_an_unneeded_one_is_removed_after_a_while() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "r");
    drop(pod.comes_up());
    let old = pod.version("gpu");
    age(&old);
    pod.image("gpu", NEXT);
    pod.hand_over("gpu", "r");
    let mut images = pod.images();
    assert!(images.put(|| needs(&[], false)), "the link leads elsewhere");
    assert!(old.exists(), "a container that is being created may have it");
    age(&old);
    images.put(|| needs(&[&old], false));
    images.put(|| Needs::All);
    assert!(old.exists(), "a container needs it, or that is unknown");
    assert!(!images.put(|| needs(&[], false)));
    assert!(!old.exists());
    assert_eq!(
        fs::read_to_string(pod.path("host/gpu/current/hook")).unwrap(),
        "2"
    );
    // The needs are determined only if a version may be removed, because that reads the ledger.
    images.put(|| unreachable!());
}

#[test]
fn an_image_that_the_pod_no_longer_has_is_removed_when_no_container_needs_it() {
    let pod = Pod::new();
    for name in ["gpu", "net"] {
        pod.image(name, HOOK);
        pod.hand_over(name, "r");
    }
    drop(pod.comes_up());
    let version = pod.version("net");
    fs::remove_dir_all(pod.path("handover/images/net")).unwrap();
    let mut images = pod.images();
    images.put(|| needs(&[], true));
    assert!(
        pod.path("host/net/current/hook").exists(),
        "direct delivery goes by the link"
    );
    images.put(|| needs(&[&version], false));
    assert!(!pod.path("host/net/current").exists(), "no new container gets it");
    age(&version);
    images.put(|| needs(&[&version], false));
    assert!(version.exists());
    images.put(|| needs(&[], false));
    assert!(!pod.path("host/net").exists());
    drop(images);
    // A pod without images removes those of earlier pods.
    let mut none = HookImages::open(None, &pod.path("host")).unwrap();
    none.put(|| needs(&[], false));
    assert!(!pod.path("host/gpu/current").exists());
    // It touches no other directory.
    fs::create_dir_all(pod.path("other/net")).unwrap();
    symlink("x", pod.path("other/net/current")).unwrap();
    let mut none = HookImages::open(None, &pod.path("other")).unwrap();
    none.put(|| needs(&[], false));
    assert!(pod.path("other/net/current").is_symlink());
}

#[test]
fn the_first_of_two_pods_keeps_the_images_until_it_ends() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "r");
    let old = pod.comes_up();
    let before = pod.version("gpu");
    pod.image("gpu", NEXT);
    pod.hand_over("gpu", "r");
    let mut new = pod.comes_up();
    assert_eq!(pod.version("gpu"), before);
    drop(old);
    assert!(new.put(|| Needs::All));
    assert_ne!(pod.version("gpu"), before);
}

#[test]
fn changes_on_the_host_are_undone_when_a_pod_comes_up() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "registry/gpu:1");
    drop(pod.comes_up());
    let (link, hook) = (pod.path("host/gpu/current"), pod.path("host/gpu/current/hook"));
    let damage: [&dyn Fn(); 5] = [
        &|| fs::write(&hook, "changed").unwrap(),
        &|| chown(&hook, Some(1000), None).unwrap(),
        &|| fs::set_permissions(&hook, fs::Permissions::from_mode(0o757)).unwrap(),
        &|| fs::remove_dir_all(pod.version("gpu")).unwrap(),
        &|| {
            fs::remove_file(&link).unwrap();
            symlink("/bin", &link).unwrap();
        },
    ];
    for damage in damage {
        damage();
        let images = pod.comes_up();
        assert_eq!(images.errors(), [""; 0]);
        assert_eq!(fs::read_to_string(&hook).unwrap(), "1");
        let found = hook.metadata().unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (0, 0o755));
    }
    // The link is restored at once.
    let mut images = pod.comes_up();
    fs::remove_file(&link).unwrap();
    assert!(images.put(|| Needs::All));
    assert!(hook.exists());
    // The same content under another reference.
    drop(images);
    pod.hand_over("gpu", "registry/gpu:2");
    drop(pod.comes_up());
    assert_eq!(
        fs::read_to_string(link.join(".image")).unwrap(),
        "registry/gpu:2\n"
    );
    assert_eq!(pod.versions("gpu"), 1);
}

#[test]
fn a_directory_that_others_can_change_gets_no_programs() {
    let pod = Pod::new();
    pod.image("gpu", HOOK);
    pod.hand_over("gpu", "r");
    fs::create_dir(pod.path("host")).unwrap();
    fs::set_permissions(pod.path("host"), fs::Permissions::from_mode(0o777)).unwrap();
    let images = pod.comes_up();
    assert!(
        images.errors()[0].contains("--hook-images-dir"),
        "{:?}",
        images.errors()
    );
    assert!(!pod.path("host/gpu").exists());
}

#[test]
fn the_program_is_handed_over_again_while_it_runs() {
    let pod = Pod::new();
    for _ in 0..2 {
        hand_over_program(&pod.path("handover")).unwrap();
        let found = pod.path("handover/nri-oci-hooks").metadata().unwrap();
        assert_eq!(found.len(), fs::metadata("/proc/self/exe").unwrap().len());
        assert_eq!(found.mode() & 0o111, 0o111);
    }
}
