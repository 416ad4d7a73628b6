//! What is taken away, and what stays.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::image::Image;
use crate::install::{Plan, Target, Way, install, uninstall};
use crate::ledger::{Identity, Ledger};
use crate::model::ResolvedHooks;

#[test]
fn uninstalling_leaves_what_is_the_administrators_and_the_rest_as_it_was() {
    let image = Image::new("version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
    let before = image.files();
    image.install(Way::Systemd).unwrap();
    uninstall(&image.target(Way::Systemd)).execute().unwrap();
    let mut after = image.files();
    assert!(after.remove("etc/nri-oci-hooks/config.toml").is_some());
    assert_eq!(after, before);
    let plan = uninstall(&image.target(Way::Systemd));
    assert_eq!(plan.open().len(), 0, "done again it changes nothing");
}

/// An image with the daemon, and a container in the ledger that its configuration names.
fn in_use() -> (Image, Ledger) {
    let image = Image::new("version = 3\n");
    image.install(Way::Systemd).unwrap();
    image.write("etc/nri-oci-hooks/config.toml", "state_dir = \"/srv/state\"\n");
    let ledger = Ledger::create(&image.path("srv/state")).unwrap();
    let identity = Identity {
        id: "c1".parse().unwrap(),
        container: "app".into(),
        pod: "web".into(),
        namespace: "default".into(),
        uid: "u".into(),
    };
    ledger.add(identity, &ResolvedHooks::default(), true).unwrap();
    (image, ledger)
}

/// That the program stays, with this reason.
fn assert_kept(image: &Image, target: &Target, reason: &str) {
    let plan = uninstall(target);
    let left = plan
        .left
        .iter()
        .find(|left| left.starts_with("/usr/local/bin/nri-oci-hooks: "));
    assert!(
        left.is_some_and(|left| left.contains(reason)),
        "{reason}: {:?}",
        plan.left
    );
    plan.execute().unwrap();
    assert!(image.path("usr/local/bin/nri-oci-hooks").exists(), "{reason}");
}

#[test]
fn the_program_stays_when_it_cannot_be_told_who_needs_it() {
    let mode = |image: &Image, name: &str, mode| {
        fs::set_permissions(image.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let (image, _) = in_use();
    image.write(
        "etc/nri-oci-hooks/config.toml",
        "state_dir = \"/srv/state\"\nhook_spek = 1\n",
    );
    assert_kept(&image, &image.target(Way::Systemd), "hook_spek");

    let (image, _) = in_use();
    mode(&image, "etc/nri-oci-hooks/config.toml", 0o666);
    assert_kept(&image, &image.target(Way::Systemd), "writable by root alone");

    let (image, _) = in_use();
    mode(&image, "srv/state/live", 0o777);
    assert_kept(&image, &image.target(Way::Systemd), "0777");

    let (image, _) = in_use();
    fs::remove_dir_all(image.path("srv/state")).unwrap();
    image.write("srv/state", "a file");
    assert_kept(&image, &image.target(Way::Systemd), "must be a directory");

    // What was named is not there.
    let (image, _) = in_use();
    let target = Target {
        config: Some("/etc/none.toml".into()),
        ..image.target(Way::Systemd)
    };
    assert_kept(&image, &target, "does not exist");
}

#[test]
fn the_ledger_is_found_wherever_it_was_said_to_be() {
    let needed = "it has yet to run hooks of 1 containers";
    let (image, _) = in_use();
    assert_kept(&image, &image.target(Way::Systemd), needed);

    // By options; then the configuration does not matter.
    let (image, _) = in_use();
    image.write("etc/nri-oci-hooks/config.toml", "[");
    let target = Target {
        state_dir: Some("/srv/state".into()),
        ..image.target(Way::Systemd)
    };
    assert_kept(&image, &target, needed);
    let (image, _) = in_use();
    fs::rename(
        image.path("etc/nri-oci-hooks/config.toml"),
        image.path("etc/mine.toml"),
    )
    .unwrap();
    let target = Target {
        config: Some("/etc/mine.toml".into()),
        ..image.target(Way::Systemd)
    };
    assert_kept(&image, &target, needed);

    // By the unit.
    let (image, _) = in_use();
    image.write("etc/nri-oci-hooks/config.toml", "");
    let named = Target {
        state_dir: Some("/srv/state".into()),
        ..image.target(Way::Systemd)
    };
    install(&named, &image.path("program"))
        .unwrap()
        .execute()
        .unwrap();
    assert_kept(&image, &image.target(Way::Systemd), needed);

    // By what systemctl edit made of it.
    let (image, _) = in_use();
    image.write("etc/nri-oci-hooks/config.toml", "");
    image.write(
        "etc/systemd/system/nri-oci-hooks.service.d/override.conf",
        "[Service]\nExecStart=\nExecStart=/usr/local/bin/nri-oci-hooks run --state-dir=/srv/state\n",
    );
    assert_kept(&image, &image.target(Way::Systemd), needed);

    // By what the runtime hands to a plugin that it launches.
    let (image, _) = in_use();
    image.write("etc/nri-oci-hooks/config.toml", "");
    image.write("etc/nri/conf.d/10-oci-hooks.conf", "state_dir = \"/srv/state\"\n");
    assert_kept(&image, &image.target(Way::Systemd), needed);

    // Behind a link of the image.
    let (image, _) = in_use();
    fs::rename(image.path("srv"), image.path("data")).unwrap();
    symlink("/data", image.path("srv")).unwrap();
    assert_kept(&image, &image.target(Way::Systemd), needed);
}

#[test]
fn what_is_not_ours_is_not_removed() {
    let image = Image::new("version = 3\n");
    let foreign = [
        ("etc/systemd/system/nri-oci-hooks.service", "[Unit]\n"),
        ("opt/nri/plugins/10-oci-hooks", "of somebody else"),
        ("etc/containerd/conf.d/nri-oci-hooks.toml", "version = 3\n"),
        ("etc/crio/crio.conf.d/50-nri-oci-hooks.conf", ""),
        ("usr/local/bin/nri-oci-hooks", "#!/bin/sh\n"),
    ];
    for (name, text) in foreign {
        image.write(name, text);
    }
    let wanted = "etc/systemd/system/multi-user.target.wants";
    fs::create_dir_all(image.path(wanted)).unwrap();
    symlink(
        "../nri-oci-hooks.service",
        image.path(wanted).join("nri-oci-hooks.service"),
    )
    .unwrap();
    let before = image.files();
    let plan = uninstall(&image.target(Way::Systemd));
    plan.execute().unwrap();
    assert_eq!(image.files(), before);
    for (name, _) in foreign {
        let told = format!("{}: it was not put there", image.path(name).display());
        assert!(
            plan.left.iter().any(|left| left.starts_with(&told)),
            "{:?}",
            plan.left
        );
    }
}

#[test]
fn what_of_ours_was_changed_is_kept_and_what_is_kept_is_told() {
    let image = Image::new("version = 3\n");
    image.install(Way::Systemd).unwrap();
    let unit = "etc/systemd/system/nri-oci-hooks.service";
    let changed = format!("{}# changed\n", image.read(unit));
    image.write(unit, &changed);
    let plan = uninstall(&image.target(Way::Systemd));
    plan.execute().unwrap();
    assert!(!image.path(unit).exists());
    assert_eq!(image.read(&format!("{unit}.before-nri-oci-hooks")), changed);
    let told = |plan: &Plan, name: &str| {
        let backup = image.path(&format!("{name}.before-nri-oci-hooks"));
        plan.left
            .iter()
            .any(|left| left.starts_with(backup.to_str().unwrap()))
    };
    assert!(told(&plan, "etc/containerd/config.toml"), "{:?}", plan.left);
    assert!(told(&uninstall(&image.target(Way::Systemd)), unit));
}

#[test]
fn the_program_stays_as_long_as_containers_need_it() {
    let (image, ledger) = in_use();
    let target = image.target(Way::Systemd);
    assert_kept(&image, &target, "it has yet to run hooks of 1 containers");
    assert!(!image.path("etc/systemd/system/nri-oci-hooks.service").exists());

    ledger.archive(&"c1".parse().unwrap()).unwrap();
    uninstall(&target).execute().unwrap();
    assert!(!image.path("usr/local/bin/nri-oci-hooks").exists());
}
