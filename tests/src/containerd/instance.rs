//! A containerd that runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::config::Layout;
use super::{Builder, Version};
use crate::cri::{Client, PodBuilder};
use crate::ledger::NodeLedger;
use crate::node::{Log, Node, Process};
use crate::plugin::{Plugin, PluginBuilder};
use crate::{Delivery, Hooks, wait, workspace};

/// A private containerd. Dropping it ends it and all that runs on it, and removes what it left.
#[derive(Debug)]
pub struct Containerd {
    // Before the node: its clients end before the sockets do.
    client: Client,
    process: Process,
    command: Command,
    ctr: PathBuf,
    layout: Layout,
    hooks: Hooks,
    node: Node,
}

impl Containerd {
    /// Chooses the version; [`Builder::start`] starts it.
    pub fn builder(version: Version) -> Builder {
        Builder::new(version)
    }

    /// A containerd of this version with nothing else chosen.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub async fn start(version: Version) -> Result<Containerd> {
        Builder::new(version).start().await
    }

    /// A containerd that has just the drop-in, as on a node of a cluster, and the image of the daemon: also returns
    /// its name.
    ///
    /// # Errors
    /// As [`Builder::start`], or the image cannot be made or loaded.
    pub async fn with_image_of_daemon(version: Version) -> Result<(Containerd, String)> {
        let builder = Containerd::builder(version).drop_in(&workspace::drop_in(version));
        let containerd = builder.start().await?;
        let (archive, image) = workspace::image()?;
        containerd.load(&archive, &[&image]).await?;
        Ok((containerd, image))
    }

    pub(super) async fn new(
        node: Node,
        layout: Layout,
        command: Command,
        ctr: PathBuf,
    ) -> Result<Containerd> {
        let hooks = Hooks::new(&node)?;
        let mut process = node.spawn("containerd", &command)?;
        let client = await_service(&layout.socket, &mut process).await?;
        Ok(Containerd {
            client,
            process,
            command,
            ctr,
            layout,
            hooks,
            node,
        })
    }

    /// Loads images from an archive, as nothing can be pulled, and awaits that the CRI knows these `names`.
    ///
    /// # Errors
    /// It is no archive of images, or they do not become known.
    pub async fn load(&self, archive: &Path, names: &[&str]) -> Result<()> {
        let mut import = Command::new(&self.ctr);
        import
            .arg("--address")
            .arg(&self.layout.socket)
            .args(["--namespace", "k8s.io", "images", "import"]);
        self.node.run(import.arg(archive)).context("import the images")?;
        for name in names {
            let what = format!("image {name} to be known to the CRI");
            wait::until(&what, async || {
                Ok(self.client.has_image(name).await?.then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// The hook programs and specs of this node.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Describes a pod on it; [`PodBuilder::run`] makes it.
    pub fn pod(&self, name: &str) -> PodBuilder<'_> {
        PodBuilder::new(self, name)
    }

    /// Describes an `nri-oci-hooks` that connects to it; [`PluginBuilder::start`] starts it.
    pub fn plugin(&self) -> PluginBuilder<'_> {
        PluginBuilder::new(self)
    }

    /// Starts an `nri-oci-hooks` that delivers the default hook-spec in the file `spec` so.
    ///
    /// # Errors
    /// As [`PluginBuilder::start`].
    pub async fn deliver(&self, delivery: Delivery, spec: &Path) -> Result<Plugin> {
        let plugin = self.plugin().delivery(delivery.word());
        plugin.hook_spec(spec).start().await
    }

    /// The CRI.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The node it lives on.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The socket that plugins connect to.
    pub fn nri_socket(&self) -> &Path {
        &self.layout.nri_socket
    }

    /// The whole active configuration, as containerd prints it; with `"` for every quote.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn configuration(&self) -> Result<String> {
        let mut dump = Command::new(self.command.get_program());
        dump.args(self.command.get_args()).args(["config", "dump"]);
        let output = dump.output()?;
        // 2.x quotes otherwise.
        Ok(String::from_utf8(output.stdout)?.replace('\'', "\""))
    }

    /// The ledger of the `nri-oci-hooks` on it.
    pub fn ledger(&self) -> NodeLedger {
        NodeLedger::new(self.node.directory().join("ledger"))
    }

    /// Puts `program` into the directory from which containerd launches plugins, under `name` (`10-oci-hooks`). Puts
    /// `configuration` into the directory beside it. From the next start on containerd launches it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn install_plugin(&self, name: &str, program: &Path, configuration: &str) -> Result<()> {
        symlink(program, self.layout.plugins.join(name))?;
        fs::write(
            self.layout.plugin_configuration.join(format!("{name}.conf")),
            configuration,
        )?;
        Ok(())
    }

    /// Its output over all its restarts.
    pub fn log(&self) -> &Log {
        self.process.log()
    }

    /// How often a plugin has connected and was synchronized; `name` as `10-oci-hooks`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn connections(&self, name: &str) -> Result<usize> {
        self.log().count(&connected(name))
    }

    /// Awaits that a plugin has connected and was synchronized at least `times` times since this containerd was
    /// first started.
    ///
    /// # Errors
    /// It does not.
    pub async fn await_connection(&self, name: &str, times: usize) -> Result<()> {
        self.log().wait_for(&connected(name), times).await
    }

    /// Ends it and all that runs on it without printing its log.
    pub fn remove_silently(self) {
        self.node.remove_silently();
    }

    /// Ends it as a service manager does; pods go on.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait().await.map(drop)
    }

    /// Kills it; pods go on.
    ///
    /// # Errors
    /// It does not end.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Does what a reset of the machine does: nothing that ran runs any more and the boot has another id; then
    /// starts it again and awaits that it serves the CRI.
    ///
    /// # Errors
    /// Something survives, or it does not come up.
    pub async fn reset(&mut self) -> Result<()> {
        self.node.reset(&self.layout.state).await?;
        self.restart().await
    }

    /// Ends it if it runs, starts it again and awaits that it serves the CRI.
    ///
    /// # Errors
    /// It does not end or does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        self.process = self.node.spawn("containerd", &self.command)?;
        self.client = await_service(&self.layout.socket, &mut self.process).await?;
        Ok(())
    }
}

/// The line of containerd's log about a plugin that is now called for events.
fn connected(name: &str) -> String {
    format!(r#"plugin \"{name}\" connected"#)
}

/// Awaits that the CRI answers for its state, which it refuses until NRI is up.
async fn await_service(socket: &Path, process: &mut Process) -> Result<Client> {
    wait::until("containerd to serve the CRI", async || {
        anyhow::ensure!(
            process.is_running()?,
            "containerd has ended: {}",
            process.log().text()?
        );
        let Ok(client) = Client::connect(socket).await else {
            return Ok(None);
        };
        Ok(client.is_ready().await.then_some(client))
    })
    .await
}
