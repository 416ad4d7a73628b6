//! A node with the daemon's image, and the daemon in its pods.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use e2e::cri::{Access, ContainerBuilder};
use e2e::plugin::NAME;
use e2e::{Container, Containerd, Pod, Version};

/// Where the socket of NRI is in a pod and on the host.
const NRI: &str = "/var/run/nri";

/// A node whose containerd has just the drop-in, the image loaded, and what stands in the cluster's ConfigMaps.
pub(super) struct Cluster {
    pub(super) containerd: Containerd,
    pub(super) image: String,
    /// The directory that is mounted at /config.
    pub(super) config_map: PathBuf,
    /// The directory that is mounted at /config/specs.
    pub(super) specs: PathBuf,
    /// In place of /etc/nri-oci-hooks, which is the machine's.
    pub(super) etc: PathBuf,
}

impl Cluster {
    pub(super) async fn start(version: Version) -> Result<Cluster> {
        let (containerd, image) = Containerd::with_image_of_daemon(version).await?;
        let [config_map, specs, etc] =
            ["config-map", "specs-map", "etc"].map(|name| containerd.node().make_directory(name));
        let cluster = Cluster {
            containerd,
            image,
            config_map: config_map?,
            specs: specs?,
            etc: etc?,
        };
        // As kubelet makes them: for all to write, and with a place for the second in the first.
        fs::create_dir(cluster.config_map.join("specs"))?;
        for directory in [&cluster.config_map, &cluster.specs] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o777))?;
        }
        Ok(cluster)
    }

    /// Replaces the content of the ConfigMap.
    pub(super) fn publish(&self, version: u32, delivery: &str, spec: &Path) -> Result<()> {
        let [spec_file, specs] = [self.etc.join("default.json"), self.etc.join("specs")];
        let state = self.containerd.ledger().directory().to_owned();
        let config = format!(
            "hook_spec = {spec_file:?}\nexclude_namespaces = [\"nri-oci-hooks\"]\ndelivery = {delivery:?}\n\
             state_dir = {state:?}\nannotation.spec_dirs = [{specs:?}]\n"
        );
        let files = [
            ("config.toml", config),
            ("default.json", fs::read_to_string(spec)?),
        ];
        publish(&self.config_map, version, &files)
    }

    /// Replaces the content of the ConfigMap with the hook-specs that pods may select: one, named `picked`.
    pub(super) fn publish_selected(&self, version: u32, spec: &Path) -> Result<()> {
        let files = [("picked.json", fs::read_to_string(spec)?)];
        publish(&self.specs, version, &files)
    }

    /// The daemon's container, with what both shapes have.
    pub(super) fn daemon<'p>(&self, pod: &'p Pod, more: &[&str]) -> ContainerBuilder<'p> {
        let config = self.etc.join("config.toml").display().to_string();
        let common = [
            "run",
            "--log-format=json",
            "--files-from=/config",
            "--config",
            &config,
        ];
        pod.container("daemon")
            .image(&self.image, common.iter().chain(more).copied())
            .mount(Path::new(NRI), NRI, Access::Read)
            .mount(&self.config_map, "/config", Access::Read)
            .mount(&self.specs, "/config/specs", Access::Read)
    }

    /// Starts a pod of the full shape: privileged, on the host.
    pub(super) async fn full(&self, name: &str) -> Result<Pod> {
        self.full_with_container(name).await.map(|(pod, _)| pod)
    }

    pub(super) async fn full_with_container(&self, name: &str) -> Result<(Pod, Container)> {
        let pod = self.containerd.pod(name).namespace("nri-oci-hooks");
        let pod = pod.privileged().host_pid().without_network().run().await?;
        let before = self.containerd.connections(NAME)?;
        let daemon = self.full_daemon(&pod, &[]).start().await?;
        self.await_connection(&pod, before).await?;
        Ok((pod, daemon))
    }

    /// The daemon's container of the full shape.
    pub(super) fn full_daemon<'p>(&self, pod: &'p Pod, more: &[&str]) -> ContainerBuilder<'p> {
        let program = self.host_program().display().to_string();
        let arguments = ["--enter-host", "--host-program", &program];
        let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
        self.daemon(pod, &arguments).privileged()
    }

    /// In place of /usr/local/bin/nri-oci-hooks, which is the machine's.
    pub(super) fn host_program(&self) -> PathBuf {
        self.containerd.node().directory().join("host/nri-oci-hooks")
    }

    pub(super) async fn await_connection(&self, pod: &Pod, before: usize) -> Result<()> {
        let connected = self.containerd.await_connection(NAME, before + 1).await;
        connected.with_context(|| pod.log("daemon").unwrap_or_default())
    }

    pub(super) async fn life(&self, pod: &str) -> Result<Container> {
        let pod = self.containerd.pod(pod).run().await?;
        let container = pod.start("app").await?;
        container.stop(10).await?;
        Ok(container)
    }
}

/// Has a ConfigMap's mount show these files, at one stroke.
fn publish(mount: &Path, version: u32, files: &[(&str, String)]) -> Result<()> {
    let directory = mount.join(format!("..version-{version}"));
    fs::create_dir(&directory)?;
    for (name, text) in files {
        fs::write(directory.join(name), text)?;
    }
    let new = mount.join("..new");
    symlink(directory.file_name().context("it has a name")?, &new)?;
    fs::rename(new, mount.join("..data"))?;
    for (name, _) in files {
        let link = mount.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link)?;
        }
    }
    Ok(())
}
