//! The harness itself: pods live and end, a runtime restarts under them, and nothing remains.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Result, ensure};
use e2e::cri::State;
use e2e::node::{Host, Node};
use e2e::{Containerd, OciRuntime, Plugin, Version, on_each_containerd, wait, workspace};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};

async fn a_container_lives_from_create_to_remove(version: Version) -> Result<()> {
    lifecycle(Containerd::start(version).await?).await
}

async fn crun_runs_containers_too(version: Version) -> Result<()> {
    lifecycle(
        Containerd::builder(version)
            .oci_runtime(OciRuntime::Crun)
            .start()
            .await?,
    )
    .await
}

async fn lifecycle(containerd: Containerd) -> Result<()> {
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    assert_eq!(container.status().await?.state, State::Created);

    container.start().await?;
    let status = container.status().await?;
    assert_eq!(status.state, State::Running);
    // The start may return in the very moment of the exec.
    wait::until("init to be its program", async || {
        let program = fs::read_link(containerd.node().proc(status.pid(), "exe"))?;
        Ok((program == Path::new("/bin/busybox")).then_some(()))
    })
    .await?;

    container.stop(10).await?;
    assert_eq!(container.await_state(State::Exited).await?.exit_code, 0);
    container.remove().await?;
    pod.stop().await?;
    pod.remove().await?;
    assert!(containerd.client().containers().await?.is_empty());
    Ok(())
}

async fn what_a_container_writes_is_its_log(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod
        .container("app")
        .command(["/bin/sh", "-c", "echo $WORD"])
        .env("WORD", "hello");
    container.start().await?.await_state(State::Exited).await?;
    assert!(pod.log("app")?.trim_end().ends_with(" hello"));
    Ok(())
}

async fn containers_outlive_a_restart_of_the_runtime(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    let pid = container.status().await?.pid();

    containerd.restart().await?;
    let container = container.reconnected(&containerd);
    assert_eq!(container.status().await?.pid(), pid);
    containerd.kill().await?;
    containerd.restart().await?;
    let container = container.reconnected(&containerd);
    assert_eq!(container.status().await?.pid(), pid);
    container.stop(10).await?;
    Ok(())
}

async fn a_reset_ends_what_runs_and_changes_the_boot(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    let boot = |containerd: &Containerd| {
        let mut cat = Command::new("cat");
        containerd.node().run(cat.arg("/proc/sys/kernel/random/boot_id"))
    };
    let before = boot(&containerd)?;

    for _ in 0..2 {
        containerd.reset().await?;
        assert_eq!(container.status().await?.state, State::Exited);
    }
    assert_ne!(boot(&containerd)?, before);
    let pod = containerd.pod("new").run().await?;
    let new = pod.start("app").await?;
    assert_eq!(new.status().await?.state, State::Running);
    container.reconnected(&containerd).remove().await?;
    Ok(())
}

/// The smallest plugin there is, to distinguish a fault of the harness from one of ours.
async fn any_plugin_adjusts_containers(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let mut command = Command::new(workspace::example("inject_env")?);
    command.arg(containerd.nri_socket());
    let _plugin = Plugin::start(&containerd, "20-inject-env", command).await?;

    let pod = containerd
        .pod("web")
        .annotation("env.example.com/WORD", "hello")
        .run()
        .await?;
    let container = pod.container("app").command(["/bin/sh", "-c", "echo $WORD"]);
    container.start().await?.await_state(State::Exited).await?;
    assert!(pod.log("app")?.trim_end().ends_with(" hello"));
    Ok(())
}

async fn no_process_or_file_remains(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let _pod = containerd.pod("web").run().await?;
    let directory = containerd.node().directory().to_owned();
    let name = directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let pid = containerd.node().init();
    let groups = cgroups(&name)?;
    ensure!(!groups.is_empty(), "the pod has no control group");

    drop(containerd);
    assert!(!directory.exists());
    assert!(!fs::exists(format!("/proc/{pid}"))?);
    assert!(!fs::read_to_string("/proc/self/mountinfo")?.contains(&name));
    assert_eq!(cgroups(&name)?, Vec::<PathBuf>::new());
    Ok(())
}

/// Mounts of a machine as other runtimes make them: network namespaces, which come and go.
#[test]
fn a_node_sees_no_mounts_of_other_runtimes_and_no_reset_meets_them() -> Result<()> {
    on_a_machine_of_its_own(|| {
        let [before, meanwhile] = ["before", "meanwhile"].map(|name| Path::new("/run/netns").join(name));
        mount_namespace_at(&before)?;
        let mut node = Node::create(false)?;
        mount_namespace_at(&meanwhile)?;
        let mounts = node.run(Command::new("cat").arg("/proc/self/mountinfo"))?;
        ensure!(!mounts.contains("netns"), "{mounts}");

        umount(&before)?;
        let volatile = node.make_directory("volatile")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        for _ in 0..2 {
            node.run(Command::new("sh").args(["-c", "mkdir /run/own && mount -t tmpfs own /run/own"]))?;
            runtime.block_on(node.reset(&volatile))?;
            let run = node.run(Command::new("ls").arg("/run"))?;
            ensure!(!run.contains("own"), "{run}");
        }
        Ok(())
    })
}

/// Calls `case` in a thread whose mounts are the machine's at first, and whose changes to them nobody else sees. Like
/// those of a machine, they are shared with namespaces that are made of them.
fn on_a_machine_of_its_own(case: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    let machine = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        for propagation in [MsFlags::MS_PRIVATE, MsFlags::MS_SHARED] {
            mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | propagation, NOTHING)?;
        }
        mount(NOTHING, "/run", Some("tmpfs"), MsFlags::empty(), NOTHING)?;
        fs::create_dir("/run/netns")?;
        case()
    });
    machine.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// No source, type or data of a mount.
const NOTHING: Option<&str> = None;

fn mount_namespace_at(path: &Path) -> Result<()> {
    fs::write(path, "")?;
    let network = Some("/proc/thread-self/ns/net");
    Ok(mount(network, path, NOTHING, MsFlags::MS_BIND, NOTHING)?)
}

/// The control groups of this name at the root of each hierarchy.
fn cgroups(name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let roots: Vec<PathBuf> = if Host::detect()?.unified_cgroups {
        vec!["/sys/fs/cgroup".into()]
    } else {
        fs::read_dir("/sys/fs/cgroup")?
            .flatten()
            .map(|entry| entry.path())
            .collect()
    };
    for root in roots {
        let group = root.join(name);
        if group.exists() {
            found.push(group);
        }
    }
    Ok(found)
}

on_each_containerd!(
    a_container_lives_from_create_to_remove,
    crun_runs_containers_too,
    what_a_container_writes_is_its_log,
    containers_outlive_a_restart_of_the_runtime,
    a_reset_ends_what_runs_and_changes_the_boot,
    any_plugin_adjusts_containers,
    no_process_or_file_remains,
);
