//! `nri-oci-hooks`, connected to a private containerd.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::node::Process;
use crate::{Containerd, wait, workspace};

/// The annotation that selects hook-specs for a pod, without a scope.
pub const ANNOTATION: &str = "hook-spec.noderesource.dev";

/// The default name with which an `nri-oci-hooks` registers, its index first.
pub const NAME: &str = "10-oci-hooks";

/// The output of a command of `nri-oci-hooks` that reads the node's ledger.
///
/// # Errors
/// It fails; the message has what it said.
pub fn tool(containerd: &Containerd, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(workspace::nri_oci_hooks()?);
    command.args(arguments);
    command.arg("--state-dir").arg(containerd.ledger().directory());
    containerd.node().run(&command)
}

/// Puts another file of `nri-oci-hooks` at `path`, as a package does.
///
/// # Errors
/// It does not build, or the file system refuses.
pub fn put_program(path: &Path) -> Result<()> {
    let new = path.with_extension("new");
    fs::copy(workspace::nri_oci_hooks()?, &new)?;
    Ok(fs::rename(new, path)?)
}

/// Describes an `nri-oci-hooks run`.
#[derive(Debug)]
pub struct PluginBuilder<'a> {
    containerd: &'a Containerd,
    index: String,
    name: String,
    configuration: String,
    configuration_file: Option<PathBuf>,
    hook_spec: Option<PathBuf>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    program: Option<PathBuf>,
}

impl<'a> PluginBuilder<'a> {
    pub(crate) fn new(containerd: &'a Containerd) -> Self {
        let spec_directory = containerd.hooks().spec_directory();
        PluginBuilder {
            containerd,
            index: "10".into(),
            name: "oci-hooks".into(),
            configuration: format!("annotation.spec_dirs = [{spec_directory:?}]\n"),
            configuration_file: None,
            hook_spec: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            program: None,
        }
    }

    /// The default hook-spec, as `--hook-spec`.
    #[must_use]
    pub fn hook_spec(mut self, file: &Path) -> Self {
        self.hook_spec = Some(file.into());
        self
    }

    /// Index and name to register with; `10` and `oci-hooks` if not called.
    #[must_use]
    pub fn identity(mut self, index: &str, name: &str) -> Self {
        self.index = index.into();
        self.name = name.into();
        self
    }

    /// Adds lines (TOML without tables) to its configuration file, which otherwise names the node's directory of
    /// specs and nothing else.
    #[must_use]
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration += lines;
        self.configuration += "\n";
        self
    }

    /// How hooks are delivered, as `--delivery`.
    #[must_use]
    pub fn delivery(self, delivery: &str) -> Self {
        self.argument("--delivery").argument(delivery)
    }

    /// Adds an argument of `nri-oci-hooks run`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds a variable to its environment, which has none otherwise.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// Starts it, whether or not there is anything to connect to.
    ///
    /// # Errors
    /// It does not build or start.
    pub fn spawn(self) -> Result<Process> {
        let (name, command) = self.command()?;
        self.containerd.node().spawn(&name, &command)
    }

    /// Starts it and awaits that containerd calls it for events.
    ///
    /// # Errors
    /// It does not build, start or connect.
    pub async fn start(self) -> Result<Plugin> {
        let (name, command) = self.command()?;
        Plugin::start(self.containerd, &name, command).await
    }

    /// Runs this copy of the program.
    #[must_use]
    pub fn program(mut self, file: &Path) -> Self {
        self.program = Some(file.into());
        self
    }

    /// Goes by this configuration file, and writes none.
    #[must_use]
    pub fn configuration_file(mut self, file: &Path) -> Self {
        self.configuration_file = Some(file.into());
        self
    }

    /// The name that it registers with, index first, and the command that starts it inside the node.
    ///
    /// # Errors
    /// It does not build, or its configuration cannot be written.
    pub fn command(&self) -> Result<(String, Command)> {
        let name = format!("{}-{}", self.index, self.name);
        let file = match &self.configuration_file {
            Some(file) => file.clone(),
            None => {
                let file = configuration_file(self.containerd, &name);
                fs::write(&file, &self.configuration)?;
                file
            }
        };
        let mut command = match &self.program {
            Some(program) => Command::new(program),
            None => Command::new(workspace::nri_oci_hooks()?),
        };
        command.arg("run").arg("--config").arg(file);
        command.arg("--nri-socket").arg(self.containerd.nri_socket());
        command
            .arg("--state-dir")
            .arg(self.containerd.ledger().directory());
        command.args([
            "--index",
            &self.index,
            "--name",
            &self.name,
            "--log-format",
            "json",
        ]);
        if let Some(file) = &self.hook_spec {
            command.arg("--hook-spec").arg(file);
        }
        command.args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        Ok((name, command))
    }
}

fn configuration_file(containerd: &Containerd, name: &str) -> PathBuf {
    containerd.node().directory().join(format!("{name}.toml"))
}

/// A plugin in a process of its own, connected to a containerd's NRI socket.
#[derive(Debug)]
pub struct Plugin {
    name: String,
    command: Command,
    process: Process,
}

impl Plugin {
    /// Starts any plugin, ours or another, inside the node and awaits that containerd calls it for events. `name` is
    /// its index and name as it registers them, `10-oci-hooks`.
    ///
    /// # Errors
    /// It does not start or connect.
    pub async fn start(containerd: &Containerd, name: &str, command: Command) -> Result<Plugin> {
        let before = containerd.connections(name)?;
        let mut process = containerd.node().spawn(name, &command)?;
        wait::until(&format!("plugin {name} to connect"), async || {
            let connected = containerd.connections(name)? > before;
            ensure!(
                connected || process.is_running()?,
                "{name} has ended: {}",
                process.log().text()?
            );
            Ok(connected.then_some(()))
        })
        .await?;
        Ok(Plugin {
            name: name.into(),
            command,
            process,
        })
    }

    /// Its index and name, as it registers them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes its configuration file again, which otherwise has the content from its start.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn configure(&self, containerd: &Containerd, configuration: &str) -> Result<()> {
        Ok(fs::write(
            configuration_file(containerd, &self.name),
            configuration,
        )?)
    }

    /// The options that both `run` and `explain` have, as it was started with them.
    pub(crate) fn options(&self) -> Vec<OsString> {
        let mut options = Vec::new();
        let mut arguments = self.command.get_args();
        while let Some(argument) = arguments.next() {
            if ["--config", "--hook-spec", "--delivery"]
                .iter()
                .any(|option| argument == *option)
            {
                options.push(argument.to_owned());
                options.extend(arguments.next().map(ToOwned::to_owned));
            }
        }
        options
    }

    /// Its process and its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills it and awaits its end.
    ///
    /// # Errors
    /// It does not end.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again, as before, after it was killed.
    ///
    /// # Errors
    /// It does not start or connect.
    pub async fn start_again(self, containerd: &Containerd) -> Result<Plugin> {
        Plugin::start(containerd, &self.name, self.command).await
    }
}
