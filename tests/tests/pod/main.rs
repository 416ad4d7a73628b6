//! The daemon in a pod, from the image that `hack/image` makes, on the containerd that it serves.
//!
//! The work of a kubelet is done here over the CRI: the mounts of ConfigMaps and directories of the host, the
//! privileges.

mod cluster;
mod images;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cluster::Cluster;
use e2e::cri::{Access, State};
use e2e::frozen::FreezingDirectory;
use e2e::ledger::Stage;
use e2e::node::Host;
use e2e::plugin::ANNOTATION;
use e2e::{Container, Containerd, HookSpec, Pod, Version, on_each_containerd, wait, workspace};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

async fn in_a_privileged_pod_it_gives_hooks_as_on_the_host(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    let spec = containerd.hooks().recording_spec("default")?;
    for (number, delivery) in [(1, "runner"), (2, "events")] {
        cluster.publish(number, delivery, &spec)?;
        let daemon = cluster.full(&format!("daemon-{delivery}")).await?;
        let container = cluster.life(delivery).await?;
        assert_eq!(containerd.hooks().ran(container.id())?, ALL, "{delivery}");
        assert!(
            containerd
                .node()
                .run(Command::new(cluster.host_program()).arg("--version"))
                .is_ok()
        );
        daemon.stop().await?;
    }
    Ok(())
}

/// All but the daemon's own network, where its health is asked for.
async fn what_it_starts_is_in_the_hosts_namespaces_and_outlives_the_pod(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    let directory = containerd.node().directory();
    let [written, go_on] = ["written", "go-on"].map(|name| directory.join(name));
    let script = format!(
        "for kind in mnt net ipc uts cgroup pid; do readlink /proc/$$/ns/$kind; done >{written}.new\n\
         cat /proc/$$/cgroup >{written}.groups\nmv {written}.new {written}\n\
         until [ -e {go_on} ]; do sleep 0.02; done",
        written = written.display(),
        go_on = go_on.display(),
    );
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststop(hooks.script("slow", &script)?)
        .poststop(hooks.recorder("after")?);
    cluster.publish(1, "events", &hooks.spec("default", &spec)?)?;
    let daemon = cluster.full("daemon").await?;
    let container = cluster.life("web").await?;
    let namespaces = wait::until("the hook to run", async || Ok(fs::read_to_string(&written).ok())).await?;
    let of_host = "for kind in mnt net ipc uts cgroup pid; do readlink /proc/1/ns/$kind; done";
    let of_host = containerd.node().run(Command::new("sh").args(["-c", of_host]))?;
    assert_eq!(namespaces, of_host);
    let groups = fs::read_to_string(written.with_extension("groups"))?;
    let parent = containerd.node().cgroup_parent()?;
    assert!(
        !groups.contains(&parent),
        "it is in a pod's control group: {groups}"
    );

    daemon.stop().await?;
    daemon.remove().await?;
    fs::write(&go_on, "")?;
    containerd
        .ledger()
        .await_end(container.id(), Stage::Poststop)
        .await?;
    assert_eq!(hooks.ran(container.id())?, ["after"]);
    leave_no_group(containerd)
}

/// As `kubectl exec` has it: what is executed in a container is where its init has gone, on the host.
async fn the_tools_print_the_same_in_the_pod_and_on_the_host(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    let spec = containerd.hooks().recording_spec("default")?;
    cluster.publish(1, "runner", &spec)?;
    let (_pod, daemon) = cluster.full_with_container("daemon").await?;
    let container = containerd.pod("web").run().await?.start("app").await?;
    let config = cluster.etc.join("config.toml").display().to_string();
    let program = cluster.host_program().display().to_string();
    let ask = async |what: &str| daemon.exec(&[&program, what, "--config", &config]).await;
    let status = ask("status").await?;
    assert!(
        status.contains("containerd") && status.contains("default.json"),
        "{status}"
    );
    let ps = ask("ps").await?;
    assert!(ps.contains("default    web  app"), "{ps}");
    let log = ask("log").await?;
    assert!(log.contains("default-poststart"), "{log}");
    container.stop(10).await?;
    Ok(())
}

/// As a rolling update with surge does it.
async fn a_new_pod_takes_over_from_the_old_one_without_a_gap_and_without_doubling(
    version: Version,
) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    let spec = containerd.hooks().recording_spec("default")?;
    for (number, delivery) in [(1, "runner"), (2, "events")] {
        cluster.publish(number, delivery, &spec)?;
        let old = cluster.full(&format!("old-{delivery}")).await?;
        let pod = containerd.pod(delivery).run().await?;
        let before = pod.start("before").await?;
        let new = cluster.full(&format!("new-{delivery}")).await?;
        let both = pod.start("both").await?;
        old.stop().await?;
        let after = pod.start("after").await?;
        for container in [before, both, after] {
            container.stop(10).await?;
            containerd
                .ledger()
                .await_end(container.id(), Stage::Poststop)
                .await?;
            assert_eq!(containerd.hooks().ran(container.id())?, ALL, "{delivery}");
        }
        new.stop().await?;
    }
    Ok(())
}

async fn a_change_of_the_configmap_is_active_without_a_restart(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let hooks = cluster.containerd.hooks();
    cluster.publish(1, "runner", &hooks.spec("none", &HookSpec::new())?)?;
    let _daemon = cluster.full("daemon").await?;
    let without = cluster.life("without").await?;
    assert!(hooks.ran(without.id())?.is_empty());

    let spec = hooks.recording_spec("default")?;
    cluster.publish(2, "runner", &spec)?;
    let text = fs::read(&spec)?;
    wait::until("the file to be on the host", async || {
        Ok((fs::read(cluster.etc.join("default.json"))? == text).then_some(()))
    })
    .await?;
    let with = cluster.life("with").await?;
    assert_eq!(hooks.ran(with.id())?, ALL);
    Ok(())
}

/// They are mounted below the other ConfigMap, in a mount namespace that the daemon has left.
async fn pods_select_hook_specs_of_the_second_configmap_as_it_is_now(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let (containerd, hooks) = (&cluster.containerd, cluster.containerd.hooks());
    cluster.publish(1, "runner", &hooks.spec("none", &HookSpec::new())?)?;
    let file = cluster.etc.join("specs/picked.json");
    let mut daemon = None;
    for number in [1, 2] {
        let word = format!("picked-{number}");
        let spec = hooks.spec(&word, &HookSpec::new().prestart(hooks.recorder(&word)?))?;
        cluster.publish_selected(number, &spec)?;
        if daemon.is_none() {
            daemon = Some(cluster.full("daemon").await?);
        }
        let text = fs::read(&spec)?;
        wait::until("the file to be on the host", async || {
            Ok(fs::read(&file).is_ok_and(|there| there == text).then_some(()))
        })
        .await?;
        let pod = containerd
            .pod(&word)
            .annotation(ANNOTATION, "picked")
            .run()
            .await?;
        let container = pod.start("app").await?;
        assert_eq!(hooks.ran(container.id())?, [word]);
    }
    Ok(())
}

/// An old pod that is started once more beside a new one must not take its program from that.
async fn a_later_release_on_the_host_is_not_replaced_by_an_earlier_one(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    cluster.publish(1, "events", &containerd.hooks().recording_spec("default")?)?;
    let program = cluster.host_program();
    fs::create_dir(program.parent().context("it is in a directory")?)?;
    let later = format!(
        "#!/bin/sh\n[ \"$1\" != --version ] || exec echo nri-oci-hooks 999.0.0\nexec {} \"$@\"\n",
        workspace::nri_oci_hooks()?.display()
    );
    fs::write(&program, &later)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let daemon = cluster.full("daemon").await?;
    assert_eq!(fs::read_to_string(&program)?, later);
    let container = cluster.life("web").await?;
    containerd
        .ledger()
        .await_end(container.id(), Stage::Poststop)
        .await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    daemon.stop().await?;

    fs::write(&program, later.replace("999.0.0", "0.0.1"))?;
    cluster.full("next").await?;
    assert!(
        fs::read(&program)?.starts_with(b"\x7fELF"),
        "an earlier one has stayed"
    );
    Ok(())
}

async fn a_host_that_executes_nothing_there_is_reported_at_once(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    cluster.publish(
        1,
        "runner",
        &cluster.containerd.hooks().recording_spec("default")?,
    )?;
    let program = cluster.host_program();
    let directory = program.parent().context("it is in a directory")?;
    fs::create_dir(directory)?;
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", "noexec,mode=755", "tmpfs"])
        .arg(directory);
    cluster.containerd.node().run(&mount)?;
    let pod = cluster.containerd.pod("daemon").namespace("nri-oci-hooks");
    let pod = pod.privileged().host_pid().run().await?;
    let program = program.display().to_string();
    let daemon = cluster.daemon(&pod, &["--enter-host", "--host-program", &program]);
    let daemon = daemon.privileged().start().await?;
    says(&pod, &daemon, "Name another place with --host-program").await
}

/// Its disk hangs when the pod's files are to be put there: the configuration is among them.
async fn a_host_that_takes_no_files_has_its_containers_refused_until_it_does(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    cluster.publish(1, "runner", &containerd.hooks().recording_spec("default")?)?;
    let etc = FreezingDirectory::mount_in(containerd.node(), &cluster.etc)?;
    etc.freeze()?;
    let _daemon = cluster.full("daemon").await?;
    let pod = containerd.pod("web").run().await?;
    for name in ["first", "second"] {
        let Err(refused) = pod.start(name).await else {
            bail!("{name} was created");
        };
        ensure!(refused.to_string().contains("NRI"), "{name}: {refused}");
    }
    etc.thaw()?;
    let taken = wait::until("the host to take them", async || {
        Ok(pod.start("third").await.ok())
    });
    let container = taken.await?;
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    Ok(())
}

/// The DaemonSet is deleted: what it has put into containers works without it.
async fn containers_of_before_keep_their_hooks_when_the_pod_is_gone(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    cluster.publish(1, "runner", &containerd.hooks().recording_spec("default")?)?;
    let daemon = cluster.full("daemon").await?;
    let pod = containerd.pod("web").run().await?;
    let before = pod.start("before").await?;
    daemon.stop().await?;
    daemon.remove().await?;
    before.stop(10).await?;
    assert_eq!(containerd.hooks().ran(before.id())?, ALL);
    let after = pod.start("after").await?;
    after.stop(10).await?;
    assert!(containerd.hooks().ran(after.id())?.is_empty());
    Ok(())
}

/// It starts nothing on the host, so it needs nothing of it but the socket and to see the files.
async fn with_least_privilege_it_gives_hooks_that_the_oci_runtime_runs(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let containerd = &cluster.containerd;
    let spec = containerd.hooks().recording_spec("default")?;
    cluster.publish(1, "direct", &spec)?;
    let state = containerd.node().make_directory("daemon-state")?;
    let programs = containerd.hooks().program("");
    let pod = containerd.pod("daemon").namespace("nri-oci-hooks");
    let pod = pod.without_network().run().await?;
    let directory = cluster.etc.display().to_string();
    let ledger = containerd.ledger().directory().display().to_string();
    let daemon = cluster
        .daemon(&pod, &[])
        .mount(&cluster.etc, &directory, Access::Write)
        .mount(&state, &ledger, Access::Write)
        .mount(&programs, &programs.display().to_string(), Access::Read);
    daemon.least_privilege(Host::detect()?).start().await?;
    cluster.await_connection(&pod, 0).await?;

    let container = cluster.life("web").await?;
    let mut ran = containerd.hooks().ran(container.id())?;
    // runc up to 1.5 runs poststart inside of create.
    ran.sort();
    assert_eq!(ran, ["default-poststart", "default-poststop", "default-prestart"]);
    assert!(containerd.ledger().tracked()?.is_empty(), "it has made a ledger");
    Ok(())
}

async fn a_pod_that_cannot_enter_the_host_says_what_it_lacks(version: Version) -> Result<()> {
    let cluster = Cluster::start(version).await?;
    let spec = cluster.containerd.hooks().recording_spec("default")?;
    cluster.publish(1, "runner", &spec)?;
    let program = cluster.host_program().display().to_string();
    let arguments = ["--enter-host", "--host-program", &program];
    let pod = |name| {
        cluster
            .containerd
            .pod(name)
            .namespace("nri-oci-hooks")
            .privileged()
    };

    let alone = pod("alone").run().await?;
    let daemon = cluster.daemon(&alone, &arguments).privileged().start().await?;
    says(&alone, &daemon, "give its pod `hostPID: true`").await?;
    let ordinary = pod("ordinary").host_pid().run().await?;
    let daemon = cluster.daemon(&ordinary, &arguments).start().await?;
    says(&ordinary, &daemon, "it takes a privileged container").await?;
    assert!(!cluster.host_program().exists());
    Ok(())
}

/// Awaits that the daemon gives up, with `text` in its log.
async fn says(pod: &Pod, daemon: &Container, text: &str) -> Result<()> {
    let status = daemon.await_state(State::Exited).await?;
    let log = pod.log("daemon")?;
    ensure!(status.exit_code == 1 && log.contains(text), "{status:?}: {log}");
    Ok(())
}

/// Runners have a group of their own in the unified hierarchy, which stays: this machine is to be left as it was.
fn leave_no_group(containerd: &Containerd) -> Result<()> {
    let script = "awk '$3 == \"cgroup2\" { print $2 }' /proc/self/mounts | while read -r hierarchy; do \
         [ ! -d \"$hierarchy/nri-oci-hooks\" ] || rmdir \"$hierarchy/nri-oci-hooks/runner\" \
         \"$hierarchy/nri-oci-hooks\" || true; done";
    containerd
        .node()
        .run(Command::new("sh").args(["-c", script]))
        .map(drop)
}

on_each_containerd!(
    in_a_privileged_pod_it_gives_hooks_as_on_the_host,
    what_it_starts_is_in_the_hosts_namespaces_and_outlives_the_pod,
    the_tools_print_the_same_in_the_pod_and_on_the_host,
    a_new_pod_takes_over_from_the_old_one_without_a_gap_and_without_doubling,
    a_change_of_the_configmap_is_active_without_a_restart,
    pods_select_hook_specs_of_the_second_configmap_as_it_is_now,
    a_later_release_on_the_host_is_not_replaced_by_an_earlier_one,
    a_host_that_executes_nothing_there_is_reported_at_once,
    a_host_that_takes_no_files_has_its_containers_refused_until_it_does,
    containers_of_before_keep_their_hooks_when_the_pod_is_gone,
    with_least_privilege_it_gives_hooks_that_the_oci_runtime_runs,
    a_pod_that_cannot_enter_the_host_says_what_it_lacks,
);
