//! Hooks are there whenever runtime and plugin come and go.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use e2e::plugin::{ANNOTATION, NAME};
use e2e::{Containerd, Delivery, Pod, Version, on_each_containerd, workspace};
use nri_oci_hooks::daemon::ConfiguredBy;
use nri_oci_hooks::observe::request_status;

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];
const NONE: [&str; 0] = [];

async fn a_plugin_that_connects_after_the_start_serves_the_containers_made_from_then_on(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let pod = containerd.pod("web").run().await?;
    let early = pod.start("early").await?;

    let _plugin = containerd.deliver(Delivery::Direct, &spec).await?;
    assert_eq!(life(&containerd, &pod, "late").await?, ALL);
    early.stop(10).await?;
    assert_eq!(containerd.hooks().ran(early.id())?, NONE);
    Ok(())
}

async fn a_plugin_survives_restarts_of_the_runtime(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let mut plugin = containerd.deliver(Delivery::Direct, &spec).await?;
    let mut pod = containerd.pod("web").run().await?;
    let old = pod.start("old").await?;

    containerd.restart().await?;
    containerd.await_connection(NAME, 2).await?;
    pod = pod.reconnected(&containerd);
    assert_eq!(life(&containerd, &pod, "after-a-restart").await?, ALL);

    containerd.kill().await?;
    containerd.restart().await?;
    containerd.await_connection(NAME, 3).await?;
    pod = pod.reconnected(&containerd);
    assert_eq!(life(&containerd, &pod, "after-a-crash").await?, ALL);

    old.reconnected(&containerd).stop(10).await?;
    assert!(plugin.process().is_running()?);
    Ok(())
}

async fn a_container_made_before_a_restart_of_the_runtime_keeps_its_poststop(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let _plugin = containerd.deliver(Delivery::Direct, &spec).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;

    containerd.restart().await?;
    let container = container.reconnected(&containerd);
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    Ok(())
}

async fn a_plugin_that_was_killed_serves_again_when_it_is_back(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let mut plugin = containerd.deliver(Delivery::Direct, &spec).await?;
    let pod = containerd.pod("web").run().await?;
    let old = pod.start("old").await?;

    plugin.kill().await?;
    assert_eq!(life(&containerd, &pod, "meanwhile").await?, NONE);
    let _plugin = plugin.start_again(&containerd).await?;
    assert_eq!(life(&containerd, &pod, "after").await?, ALL);
    old.stop(10).await?;
    assert_eq!(containerd.hooks().ran(old.id())?, ALL);
    Ok(())
}

async fn the_runtime_launches_it_with_the_configuration_from_its_directory(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    containerd.hooks().recording_spec("gpu")?;
    let state = containerd.node().make_directory("state")?;
    let configuration = format!(
        "hook_spec = {spec:?}\ndelivery = \"direct\"\nstate_dir = {state:?}\n\n[annotation]\nspec_dirs = [{:?}]\n",
        containerd.hooks().spec_directory(),
    );
    let machine = Machine::watch(&containerd)?;
    // It is not asked for: the runtime hands over another.
    let invalid = "install -d /etc/nri-oci-hooks && echo 'hook_spec = ' >/etc/nri-oci-hooks/config.toml";
    containerd.node().run(Command::new("sh").args(["-c", invalid]))?;
    containerd.install_plugin(NAME, &workspace::nri_oci_hooks()?, &configuration)?;
    containerd.restart().await?;

    let pod = containerd.pod("web").run().await?;
    assert_eq!(life(&containerd, &pod, "app").await?, ALL);
    let pod = containerd.pod("gpu").annotation(ANNOTATION, "gpu").run().await?;
    let both = [
        "default-prestart",
        "gpu-prestart",
        "default-poststart",
        "gpu-poststart",
        "default-poststop",
        "gpu-poststop",
    ];
    assert_eq!(life(&containerd, &pod, "app").await?, both);
    containerd.restart().await?;
    let pod = pod.reconnected(&containerd);
    assert_eq!(life(&containerd, &pod, "after").await?, both);
    assert_eq!(request_status(&state)?.configured_by, ConfiguredBy::Runtime);
    assert_eq!(machine.changes()?, ["/etc/nri-oci-hooks/config.toml"]);
    Ok(())
}

/// The files of another daemon in the places that ours has without a configuration, and whether they stay unchanged.
struct Machine {
    /// Where the node has what it changes in them, each beside its place.
    over: Vec<(PathBuf, &'static str)>,
}

impl Machine {
    const PLACES: [&str; 2] = ["/etc", "/var/lib"];

    fn watch(containerd: &Containerd) -> Result<Machine> {
        let node = containerd.node();
        let mut over = Vec::new();
        for (number, place) in Machine::PLACES.into_iter().enumerate() {
            let [upper, work] = ["over", "work"].map(|name| node.make_directory(&format!("{name}-{number}")));
            let (upper, work) = (upper?, work?);
            let mut mount = Command::new("mount");
            mount.args(["-t", "overlay", "overlay", "-o"]).arg(format!(
                "lowerdir={place},upperdir={},workdir={}",
                upper.display(),
                work.display()
            ));
            node.run(mount.arg(place))?;
            over.push((upper, place));
        }
        // Its directory is there, so that a socket could be put into it.
        let mut directory = Command::new("install");
        node.run(directory.args(["-d", "-m", "0700", "/var/lib/nri-oci-hooks"]))?;
        Ok(Machine { over })
    }

    /// All that is called as we are and was made, changed or removed.
    fn changes(&self) -> Result<Vec<String>> {
        let mut changes = Vec::new();
        for (upper, place) in &self.over {
            let ours = upper.join("nri-oci-hooks");
            for entry in fs::read_dir(ours).into_iter().flatten() {
                changes.push(format!("{place}/nri-oci-hooks/{}", entry?.file_name().display()));
            }
        }
        Ok(changes)
    }
}

/// Which recorders ran in the life of a new container.
async fn life(containerd: &Containerd, pod: &Pod, name: &str) -> Result<Vec<String>> {
    let container = pod.start(name).await?;
    container.stop(10).await?;
    let ran = containerd.hooks().ran(container.id());
    container.remove().await?;
    ran
}

on_each_containerd!(
    a_plugin_that_connects_after_the_start_serves_the_containers_made_from_then_on,
    a_plugin_survives_restarts_of_the_runtime,
    a_container_made_before_a_restart_of_the_runtime_keeps_its_poststop,
    a_plugin_that_was_killed_serves_again_when_it_is_back,
    the_runtime_launches_it_with_the_configuration_from_its_directory,
);
