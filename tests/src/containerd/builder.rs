//! The choices before a private containerd starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use containerd_nri::DEFAULT_SOCKET;

use super::config::{self, Layout, Nri};
use super::{Containerd, OciRuntime, Version, network};
use crate::node::{Host, Node};
use crate::{cache, image};

/// Chooses how a [`Containerd`] runs; see the methods.
#[derive(Debug)]
pub struct Builder {
    version: Version,
    oci_runtime: OciRuntime,
    request_timeout: Duration,
    drop_in: Option<PathBuf>,
    install: Option<Install>,
}

/// Changes the files of a node below the root that it is given.
type Install = fn(&Path) -> Result<()>;

/// The directory, in that of the node, with the files that were changed.
pub(super) const INSTALLED: &str = "installed";

/// Where a node has containerd's configuration.
const MAIN: &str = "etc/containerd/config.toml";

/// The directory from which `install` has the configuration import drop-ins.
const DROP_INS: &str = "/etc/containerd/conf.d";

impl Builder {
    pub(super) fn new(version: Version) -> Builder {
        Builder {
            version,
            oci_runtime: version.runc(),
            request_timeout: Duration::from_secs(2),
            drop_in: None,
            install: None,
        }
    }

    /// Has containers run by this program; the version's own [`runc`](Version::runc) if not called.
    #[must_use]
    pub fn oci_runtime(mut self, oci_runtime: OciRuntime) -> Self {
        self.oci_runtime = oci_runtime;
        self
    }

    /// How long a plugin may take for an event (containerd's `plugin_request_timeout`); its default of 2 s if not
    /// called. containerd 1.7 does not announce it to plugins.
    #[must_use]
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// Leaves NRI to this drop-in: the configuration imports the file and has nothing about NRI of its own, so that
    /// sockets and directories are those of a machine. Nevertheless nothing of this machine is there.
    #[must_use]
    pub fn drop_in(mut self, file: &Path) -> Self {
        self.drop_in = Some(file.into());
        self
    }

    /// Has `install` change the files of a node before containerd starts with its main file as it is then. Before, that
    /// file has nothing about NRI. Sockets and directories of NRI are those of a machine, as with
    /// [`drop_in`](Builder::drop_in).
    #[must_use]
    pub fn installed(mut self, install: Install) -> Self {
        self.install = Some(install);
        self
    }

    /// Starts it, loads the images, and awaits that it serves the CRI.
    ///
    /// # Errors
    /// The runtimes have not been fetched, this machine refuses, or it does not come up.
    pub async fn start(self) -> Result<Containerd> {
        let programs = self.version.programs()?;
        let oci_runtime = self.oci_runtime.program()?;
        let node = Node::create(self.oci_runtime.is_crun())?;
        let mut layout = Layout::below(node.directory());
        let nri = match &self.drop_in {
            Some(file) => Nri::DropIn(file),
            None if self.install.is_some() => Nri::Nothing,
            None => Nri::Private(self.request_timeout),
        };
        if !matches!(nri, Nri::Private(_)) {
            hide_directories_of_the_machine(&node)?;
            layout.nri_socket = DEFAULT_SOCKET.into();
        }
        for directory in [&layout.plugins, &layout.plugin_configuration, &layout.nothing] {
            fs::create_dir(directory).with_context(|| format!("make {}", directory.display()))?;
        }
        network::write(&layout.network)?;
        let file = node.directory().join("config.toml");
        let host = Host::detect()?;
        let mut text = config::render(self.version, &layout, host, &nri, &oci_runtime);
        if let Some(install) = self.install {
            text = installed(&node.directory().join(INSTALLED), text, install)?;
        }
        fs::write(&file, text)?;

        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
        let mut command = Command::new(programs.join("containerd"));
        command.arg("--config").arg(file).env("PATH", path);
        command.env(cache::VARIABLE, cache::root()?);
        let archive = image::build(&node)?;
        let containerd = Containerd::new(node, layout, command, programs.join("ctr")).await?;
        containerd
            .load(&archive, &[image::PAUSE, image::WORKLOAD])
            .await?;
        Ok(containerd)
    }
}

/// The main configuration after `install`, with the drop-ins of that root imported in place of the machine's.
fn installed(root: &Path, text: String, install: Install) -> Result<String> {
    let main = root.join(MAIN);
    fs::create_dir_all(main.parent().context("it is in a directory")?)?;
    fs::write(&main, text)?;
    install(root)?;
    let text = fs::read_to_string(&main)?;
    ensure!(text.contains(DROP_INS), "no drop-ins are imported: {text}");
    let drop_ins = format!("{}{DROP_INS}", root.display());
    Ok(text.replace(DROP_INS, &drop_ins))
}

/// Keeps what the machine has for plugins, in the directories that every containerd looks into, from this one. /run is
/// the node's own anyway.
fn hide_directories_of_the_machine(node: &Node) -> Result<()> {
    for directory in ["/opt/nri", "/etc/nri"] {
        if Path::new(directory).exists() {
            node.run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", directory]))?;
        }
    }
    Ok(())
}
