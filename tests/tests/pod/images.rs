//! Hook programs that reach the node in images of the daemon's pod, made by `hack/hook-image`.
//!
//! As the kubelet does, the init containers are run here one after the other, with a directory that they share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::cri::{Access, State};
use e2e::ledger::Stage;
use e2e::node::Host;
use e2e::plugin::NAME;
use e2e::{Container, HookSpec, Pod, Version, on_each_containerd, wait, workspace};

use super::cluster::Cluster;

const HANDOVER: &str = "/handover";

/// A node whose pods bring images, and a hook of one that records who runs it.
struct Node {
    cluster: Cluster,
    images: PathBuf,
    /// The file to which the hook appends: its version, its stage.
    log: PathBuf,
}

impl Node {
    async fn start(version: Version) -> Result<Node> {
        let cluster = Cluster::start(version).await?;
        let directory = cluster.containerd.node().directory().to_owned();
        let node = Node {
            images: directory.join("hook-images"),
            log: directory.join("hook.log"),
            cluster,
        };
        let program = node.images.join("example/current/bin/hook");
        let hook = |stage: &str| e2e::Hook::new(program.clone()).args(["hook", stage]);
        let spec = HookSpec::new()
            .prestart(hook("prestart"))
            .poststop(hook("poststop"));
        let spec = node.cluster.containerd.hooks().spec("default", &spec)?;
        node.cluster.publish(1, "runner", &spec)?;
        Ok(node)
    }

    /// Makes version `number` of the image, and has containerd know it. Returns its name.
    async fn make(&self, number: u32) -> Result<String> {
        let directory = self
            .cluster
            .containerd
            .node()
            .make_directory(&format!("hooks-{number}"))?;
        let script = format!("#!/bin/sh\necho \"{number} $1\" >>{}\n", self.log.display());
        fs::create_dir(directory.join("bin"))?;
        fs::write(directory.join("bin/hook"), script)?;
        let mode = Command::new("chmod")
            .arg("755")
            .arg(directory.join("bin/hook"))
            .status()?;
        ensure!(mode.success());
        let (name, archive) = (
            format!("localhost/example-hooks:{number}"),
            directory.with_extension("tar"),
        );
        let made = Command::new(workspace::file("hack/hook-image"))
            .arg(&directory)
            .arg(&name)
            .arg(&archive)
            .output()?;
        ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.cluster.containerd.load(&archive, &[&name]).await?;
        Ok(name)
    }

    /// Starts the daemon's pod with this image.
    async fn daemon(&self, name: &str, image: &str) -> Result<(Pod, Container)> {
        let containerd = &self.cluster.containerd;
        let pod = containerd.pod(name).namespace("nri-oci-hooks");
        let pod = pod.privileged().host_pid().without_network().run().await?;
        let handover = containerd.node().make_directory(&format!("handover-{name}"))?;
        let program = pod
            .container("hand-over")
            .image(&self.cluster.image, ["hand-over", "--to=/handover"]);
        let hand_over = ["hand-over", "--to=/handover", "--name=example", "--image", image];
        let files = pod.container("hook-image-example").image(image, hand_over);
        let files = files.program("/handover/nri-oci-hooks");
        for container in [program, files] {
            let container = container.mount(&handover, HANDOVER, Access::Write);
            let container = container.least_privilege(Host::detect()?).start().await?;
            let status = container.await_state(State::Exited).await?;
            ensure!(
                status.exit_code == 0,
                "{status:?}: {:?}",
                pod.log("hook-image-example")
            );
        }
        let before = containerd.connections(NAME)?;
        let images = self.images.display().to_string();
        let arguments = ["--hook-images-from=/handover", "--hook-images-dir", &images];
        let daemon = self.cluster.full_daemon(&pod, &arguments);
        let daemon = daemon.mount(&handover, HANDOVER, Access::Read).start().await?;
        self.cluster.await_connection(&pod, before).await?;
        Ok((pod, daemon))
    }

    fn version(&self) -> Result<PathBuf> {
        Ok(fs::canonicalize(self.images.join("example/current"))?)
    }

    fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }
}

async fn programs_of_an_image_are_on_the_host_and_a_container_keeps_its_version(
    version: Version,
) -> Result<()> {
    let node = Node::start(version).await?;
    let containerd = &node.cluster.containerd;
    let (first, second) = (node.make(1).await?, node.make(2).await?);
    let (pod, daemon) = node.daemon("first", &first).await?;
    let web = containerd.pod("web").run().await?;
    let old = web.start("old").await?;
    assert_eq!(node.log()?, "1 prestart\n");
    let first_version = node.version()?;
    let name = first_version
        .file_name()
        .context("it has a name")?
        .to_string_lossy();
    let config = node.cluster.etc.join("config.toml").display().to_string();
    let program = node.cluster.host_program().display().to_string();
    let digest = name.replacen('-', ":", 1);
    let status = daemon.exec(&[&program, "status", "--config", &config]).await?;
    assert!(
        status.contains(&format!("of image example, {first}, {digest}")),
        "{status}"
    );
    let manifest = node.cluster.etc.join("pod.json");
    fs::write(&manifest, web.container("app").manifest("containers").to_string())?;
    let manifest = manifest.display().to_string();
    let explained = daemon
        .exec(&[&program, "explain", "--config", &config, &manifest])
        .await?;
    assert!(
        explained.contains(&format!("image example, {first}, {digest}")),
        "{explained}"
    );

    pod.stop().await?;
    pod.remove().await?;
    node.daemon("second", &second).await?;
    assert_ne!(node.version()?, first_version);
    let new = web.start("new").await?;
    for container in [&old, &new] {
        container.stop(10).await?;
        containerd
            .ledger()
            .await_end(container.id(), Stage::Poststop)
            .await?;
    }
    let log = node.log()?;
    assert_eq!(log, "1 prestart\n2 prestart\n1 poststop\n2 poststop\n");

    // As if it had long gone out of use.
    age(&first_version)?;
    assert!(first_version.exists(), "a container needs it");
    old.remove().await?;
    wait::until("the version that nobody needs to go", async || {
        Ok((!first_version.exists()).then_some(()))
    })
    .await?;
    new.remove().await?;
    Ok(())
}

async fn an_image_that_cannot_be_used_is_reported_and_keeps_nothing_back(version: Version) -> Result<()> {
    let node = Node::start(version).await?;
    let first = node.make(1).await?;
    let (pod, _) = node.daemon("first", &first).await?;
    pod.stop().await?;
    let before = node.version()?;
    // An image without a shell, and without hooks.
    let empty = node.cluster.image.clone();
    let (_pod, daemon) = node.daemon("second", &empty).await?;
    let config = node.cluster.etc.join("config.toml").display().to_string();
    let program = node.cluster.host_program().display().to_string();
    let status = format!("{program} status --config {config} || true");
    let status = wait::until("the daemon to report the image", async || {
        let status = daemon.exec(&["/bin/sh", "-c", &status]).await?;
        Ok(status.contains("hook image example: ").then_some(status))
    })
    .await?;
    assert!(
        status.contains("yes, but degraded") && status.contains("/hooks"),
        "{status}"
    );
    assert_eq!(node.version()?, before);
    let container = node.cluster.life("web").await?;
    assert_eq!(node.log()?, "1 prestart\n1 poststop\n");
    container.remove().await?;
    Ok(())
}

fn age(version: &Path) -> Result<()> {
    let aged = Command::new("touch")
        .args(["--date", "1 hour ago"])
        .arg(version)
        .status()?;
    ensure!(aged.success());
    Ok(())
}

on_each_containerd!(
    programs_of_an_image_are_on_the_host_and_a_container_keeps_its_version,
    an_image_that_cannot_be_used_is_reported_and_keeps_nothing_back,
);
