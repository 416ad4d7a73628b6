//! What is put in place, and what is kept of what was there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::image::Image;
use crate::doctor::{InstalledRuntime, Node};
use crate::install::{InstallError, Target, Way, install, ours, uninstall};

#[test]
fn a_node_is_sound_after_installing_and_nothing_changes_the_second_time() {
    for (containerd, way) in [
        ("version = 2\n[plugins]\n", Way::Systemd),
        ("version = 3\n", Way::Systemd),
        (
            "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n",
            Way::Launched,
        ),
    ] {
        let image = Image::new(containerd);
        assert!(image.install(way).unwrap() > 4, "{containerd}");
        assert_eq!(image.problems(), [""; 0], "{containerd}");
        let files = image.files();
        assert_eq!(image.install(way).unwrap(), 0, "{containerd}");
        assert_eq!(image.files(), files);
    }
}

#[test]
fn a_newer_program_replaces_the_older_one_and_the_configuration_is_kept() {
    let image = Image::new("version = 3\n");
    image.install(Way::Systemd).unwrap();
    image.write("etc/nri-oci-hooks/config.toml", "delivery = \"direct\"\n");
    image.write("program", &ours::program("newer"));
    assert_eq!(image.install(Way::Systemd).unwrap(), 1);
    assert_eq!(image.read("usr/local/bin/nri-oci-hooks"), ours::program("newer"));
    assert_eq!(
        image.read("etc/nri-oci-hooks/config.toml"),
        "delivery = \"direct\"\n"
    );
}

#[test]
fn what_was_there_is_kept_beside_it_and_comments_stay() {
    let own = "# ours\nversion = 3 # three\n[grpc]\n";
    let image = Image::new(own);
    image.install(Way::Systemd).unwrap();
    let edited = image.read("etc/containerd/config.toml");
    assert!(
        edited.ends_with(own) && edited.starts_with("imports = "),
        "{edited}"
    );
    assert_eq!(image.read("etc/containerd/config.toml.before-nri-oci-hooks"), own);
}

#[test]
fn what_is_not_ours_is_kept_under_a_fresh_name_whenever_it_is_replaced() {
    let image = Image::new("version = 3\n");
    let names = [
        "etc/containerd/conf.d/nri-oci-hooks.toml",
        "etc/systemd/system/nri-oci-hooks.service",
        "usr/local/bin/nri-oci-hooks",
    ];
    for (number, end) in [(1, ""), (2, ".2"), (3, ".3")] {
        // By hand, or ours and changed since: either is somebody's work.
        let theirs = |name| match number {
            3 => format!("{}# changed\n", image.read(name)),
            _ => format!("# by hand, {number}\n"),
        };
        let before = names.map(theirs);
        for (name, text) in names.iter().zip(&before) {
            image.write(name, text);
        }
        let plan = install(&image.target(Way::Systemd), &image.path("program")).unwrap();
        plan.execute().unwrap();
        for (name, text) in names.iter().zip(before) {
            if number == 3 && *name == names[2] {
                // The program, changed or not, answers as ours.
                continue;
            }
            let kept = format!("{name}.before-nri-oci-hooks{end}");
            assert_eq!(image.read(&kept), text);
            let mode = image.path(&kept).metadata().unwrap().mode() & 0o777;
            assert_eq!(mode, 0o600, "{kept}");
            let told = format!("what is there now is kept as {}", image.path(&kept).display());
            assert!(
                plan.steps.iter().any(|step| step.to_string().ends_with(&told)),
                "{plan:?}"
            );
        }
    }
}

#[test]
fn the_same_thing_is_kept_once() {
    let image = Image::new("version = 3\n");
    for _ in 0..3 {
        image.write("etc/containerd/config.toml", "version = 3\n");
        image.install(Way::Systemd).unwrap();
    }
    let files = image.files();
    let kept = files.keys().filter(|name| name.contains(".before-")).count();
    assert_eq!(kept, 1, "{files:?}");
}

#[test]
fn an_upgrade_leaves_nothing_of_ours_behind() {
    let image = Image::new("version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
    for way in [Way::Systemd, Way::Launched] {
        image.install(way).unwrap();
    }
    let files: Vec<String> = image.files().into_keys().collect();
    // As an earlier release wrote them.
    for name in [
        "etc/containerd/conf.d/nri-oci-hooks.toml",
        "etc/systemd/system/nri-oci-hooks.service",
    ] {
        image.write(name, &ours::sealed("# of an earlier release\n"));
    }
    fs::remove_file(image.path("opt/nri/plugins/10-oci-hooks")).unwrap();
    image.write("opt/nri/plugins/10-oci-hooks", &ours::program("a copy"));
    image.write("program", &ours::program("newer"));
    for way in [Way::Systemd, Way::Launched] {
        image.install(way).unwrap();
    }
    assert_eq!(image.files().into_keys().collect::<Vec<_>>(), files);
    assert!(
        !image
            .read("etc/systemd/system/nri-oci-hooks.service")
            .contains("earlier")
    );
}

#[test]
fn links_of_an_image_lead_into_the_image() {
    let image = Image::new("version = 3\n");
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(image.path("usr")).unwrap();
    fs::create_dir_all(image.path("etc/systemd")).unwrap();
    for name in ["usr/local", "etc/systemd/system", "etc/containerd/conf.d", "opt"] {
        symlink(outside.path(), image.path(name)).unwrap();
    }
    for way in [Way::Systemd, Way::Launched] {
        image.install(way).unwrap();
        assert_eq!(image.install(way).unwrap(), 0);
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let inside = outside
        .path()
        .strip_prefix("/")
        .unwrap()
        .join("bin/nri-oci-hooks");
    assert!(image.path(inside.to_str().unwrap()).exists());
    assert_eq!(image.problems(), [""; 0]);
    let plan = uninstall(&image.target(Way::Systemd));
    plan.execute().unwrap();
    assert!(!image.path(inside.to_str().unwrap()).exists());
}

#[test]
fn a_root_may_be_named_from_the_current_directory() {
    let image = Image::new("version = 3\n");
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count() - 1);
    let relative = format!("{up}{}", image.path("").strip_prefix("/").unwrap().display());
    let target = Target {
        node: Node::new(&relative),
        ..image.target(Way::Systemd)
    };
    let plan = install(&target, &image.path("program")).unwrap();
    plan.execute().unwrap();
    assert_eq!(image.install(Way::Systemd).unwrap(), 0);
    assert!(!Node::new(&relative).is_live() && Node::new(&up).is_live());
}

#[test]
fn the_runtimes_own_file_keeps_its_owner_its_mode_and_its_place() {
    let image = Image::new("");
    fs::remove_file(image.path("etc/containerd/config.toml")).unwrap();
    image.write("srv/containerd.toml", "version = 3\n");
    fs::set_permissions(
        image.path("srv/containerd.toml"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    std::os::unix::fs::chown(image.path("srv/containerd.toml"), Some(12), Some(34)).unwrap();
    symlink("/srv/containerd.toml", image.path("etc/containerd/config.toml")).unwrap();
    image.install(Way::Systemd).unwrap();
    let target = fs::read_link(image.path("etc/containerd/config.toml")).unwrap();
    assert_eq!(target, Path::new("/srv/containerd.toml"));
    assert!(image.read("srv/containerd.toml").starts_with("imports = "));
    let file = image.path("srv/containerd.toml").metadata().unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.gid()), (0o600, 12, 34));
    assert_eq!(image.install(Way::Systemd).unwrap(), 0);
}

#[test]
fn which_containerd_an_image_has_is_not_guessed() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", &ours::program(""));
    // It is not executed: it would leave a trace.
    let trace = image.path("trace");
    image.write(
        "usr/bin/containerd",
        &format!("#!/bin/sh\ntouch {}\necho containerd v2.1.0\n", trace.display()),
    );
    fs::set_permissions(
        image.path("usr/bin/containerd"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let error = image.install(Way::Systemd).unwrap_err();
    assert!(matches!(error, InstallError::WhichContainerd(_)), "{error}");
    assert!(error.to_string().contains("--runtime") && !trace.exists());
    image.write("etc/containerd/config.toml", "");
    let error = image.install(Way::Systemd).unwrap_err();
    assert!(matches!(error, InstallError::WhichContainerd(_)), "{error}");
}

#[test]
fn the_unit_gives_the_daemon_the_configuration_and_the_ledger_that_were_named() {
    let image = Image::new("version = 3\n");
    let target = Target {
        config: Some("/etc/other/hooks.toml".into()),
        state_dir: Some("/srv/state".into()),
        ..image.target(Way::Systemd)
    };
    install(&target, &image.path("program"))
        .unwrap()
        .execute()
        .unwrap();
    let unit = image.read("etc/systemd/system/nri-oci-hooks.service");
    let command =
        "ExecStart=/usr/local/bin/nri-oci-hooks run --config /etc/other/hooks.toml --state-dir /srv/state\n";
    assert!(unit.contains(command), "{unit}");
    assert!(image.path("etc/other/hooks.toml").exists());
    assert!(!image.path("etc/nri-oci-hooks/config.toml").exists());
    // An upgrade needs not be told again.
    assert_eq!(image.install(Way::Systemd).unwrap(), 0);
    let launched = Target {
        way: Way::Launched,
        ..target
    };
    let error = install(&launched, &image.path("program")).unwrap_err();
    assert!(matches!(error, InstallError::NoOptions), "{error}");
}

#[test]
fn no_terminal_escape_of_a_path_or_a_file_is_told() {
    let image = Image::new("version = 2\n[plugins.\"io.containerd.nri.v1.nri\"]\n\"\\u001b[31m\" = 1\n");
    let hostile = image.path("\u{1b}[31m");
    fs::rename(image.path("etc"), image.path("etc2")).unwrap();
    fs::create_dir(&hostile).unwrap();
    fs::rename(image.path("etc2"), hostile.join("etc")).unwrap();
    let target = Target {
        node: Node::new(&hostile),
        ..image.target(Way::Systemd)
    };
    let plan = install(&target, &image.path("program")).unwrap();
    plan.execute().unwrap();
    let uninstalled = uninstall(&target);
    let lines: Vec<String> = [&plan, &uninstalled]
        .iter()
        .flat_map(|plan| {
            plan.steps
                .iter()
                .map(ToString::to_string)
                .chain(plan.left.clone())
        })
        .collect();
    assert!(lines.len() > 10);
    for line in lines {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn what_the_kernel_says_is_told_once() {
    let image = Image::new("version = 3\n");
    image.write("usr/local/bin", "a file");
    let error = image.install(Way::Systemd).unwrap_err();
    let text = format!("{:#}", anyhow::Error::new(error));
    assert_eq!(text.matches("os error").count(), 1, "{text}");
}

#[test]
fn nothing_but_the_plugin_itself_is_ever_in_a_directory_where_every_file_counts() {
    let image = Image::new("version = 3\n");
    image.write("opt/nri/plugins/10-oci-hooks", "of somebody else");
    let path = image.path("opt/nri/plugins/10-oci-hooks");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    image.install(Way::Launched).unwrap();
    let names: Vec<_> = fs::read_dir(image.path("opt/nri/plugins")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let target = fs::read_link(&path).unwrap();
    assert_eq!(target, Path::new("/usr/local/bin/nri-oci-hooks"));
    let kept = "opt/nri/10-oci-hooks.before-nri-oci-hooks";
    assert_eq!(image.read(kept), "of somebody else");
    assert_eq!(image.path(kept).metadata().unwrap().mode() & 0o111, 0);

    // A link leads where it led before.
    fs::remove_file(&path).unwrap();
    symlink("../other", &path).unwrap();
    image.write("opt/nri/other", "other");
    image.install(Way::Launched).unwrap();
    assert_eq!(image.read(&format!("{kept}.2")), "other");

    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", &ours::program(""));
    image.write("etc/crio/crio.conf.d/50-nri-oci-hooks.conf", "# by hand\n");
    image.install(Way::Systemd).unwrap();
    let names: Vec<_> = fs::read_dir(image.path("etc/crio/crio.conf.d"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(
        image.read("etc/crio/50-nri-oci-hooks.conf.before-nri-oci-hooks"),
        "# by hand\n"
    );
}

#[test]
fn crio_gets_its_drop_in_and_no_file_of_containerd() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("etc/crio/crio.conf", "");
    image.write("program", "x");
    image.install(Way::Systemd).unwrap();
    assert!(image.path("etc/crio/crio.conf.d/50-nri-oci-hooks.conf").exists());
    assert!(!image.path("etc/containerd").exists());
    assert_eq!(image.problems(), [""; 0]);
}

#[test]
fn a_runtime_that_is_not_there_or_a_file_that_cannot_be_changed_is_an_error_that_changes_nothing() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", "x");
    let error = image.install(Way::Systemd).unwrap_err();
    assert!(matches!(error, InstallError::NoRuntime(_)), "{error}");
    let image = Image::new("version = 1\n");
    let files = image.files();
    let error = image.install(Way::Systemd).unwrap_err().to_string();
    assert!(error.contains("its format is version 1"), "{error}");
    assert_eq!(image.files(), files);
}

#[test]
fn what_is_named_is_installed_for() {
    let image = Image(tempfile::tempdir().unwrap());
    image.write("program", "x");
    let target = Target {
        runtime: Some(InstalledRuntime::Containerd17),
        ..image.target(Way::Systemd)
    };
    install(&target, &image.path("program"))
        .unwrap()
        .execute()
        .unwrap();
    assert!(
        image
            .read("etc/containerd/config.toml")
            .starts_with("version = 2\nimports = ")
    );
}
