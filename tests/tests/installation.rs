//! Installing, running, upgrading and uninstalling, on a throw-away root and a real containerd that loads what was
//! installed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::plugin::NAME;
use e2e::{Containerd, Plugin, Version, on_each_containerd, workspace};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// What the administrator has for NRI in containerd's own file: it is off, and patient.
const OWN: &str =
    "# mine\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true\nplugin_request_timeout = \"4s\"\n";

/// A root that has nothing but containerd's own file and what is installed.
struct Root(PathBuf);

impl Root {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn program(&self) -> PathBuf {
        self.path("usr/local/bin/nri-oci-hooks")
    }

    /// What a command of `program` on this root prints; it must succeed.
    fn run(&self, program: &Path, command: &str, more: &[&str]) -> Result<String> {
        let mut run = Command::new(program);
        let output = run.arg(command).arg("--root").arg(&self.0).args(more).output()?;
        let told = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(told)
    }

    /// The same, of the program that the workspace builds.
    fn done(&self, command: &str, more: &[&str]) -> Result<String> {
        self.run(&workspace::nri_oci_hooks()?, command, more)
    }

    /// What was there before and is kept.
    fn kept(&self) -> Result<Vec<String>> {
        let found = Command::new("find")
            .arg(&self.0)
            .args(["-name", "*.before-*"])
            .output()?;
        let found = String::from_utf8(found.stdout)?;
        let names = found.lines().filter_map(|path| path.rsplit('/').next());
        Ok(names.map(str::to_owned).collect())
    }
}

/// Another program than the one that the workspace builds, of the same release.
fn older(directory: &Path) -> Result<PathBuf> {
    let older = directory.join("older");
    // By a process of its own: what is open for writing here, a child of another test might keep open.
    let mut make = Command::new("sh");
    make.args(["-euc", "cp \"$1\" \"$2\"; printf older >>\"$2\"", "make"]);
    let made = make.arg(workspace::nri_oci_hooks()?).arg(&older).status()?;
    ensure!(made.success(), "{made}");
    Ok(older)
}

/// Installs the older program, for the containerd whose own file is there.
fn install_older(root: &Path) -> Result<()> {
    let root = Root(root.to_owned());
    let main = root.path("etc/containerd/config.toml");
    let text = fs::read_to_string(&main)? + OWN;
    fs::write(&main, &text)?;
    fs::set_permissions(&main, Permissions::from_mode(0o600))?;

    let older = older(&root.0)?;
    let told = root.run(&older, "install", &["--yes"])?;
    assert!(
        told.contains("plugin_request_timeout of /etc/containerd/config.toml: it stays"),
        "{told}"
    );
    let again = root.run(&older, "install", &["--yes"])?;
    assert!(again.starts_with("Nothing is to be changed.\n"), "{again}");
    root.done("doctor", &[])?;
    assert_eq!(fs::metadata(&main)?.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(&main)?.ends_with(&text),
        "all that was in it is"
    );
    Ok(())
}

async fn what_is_installed_is_loaded_runs_and_stays_as_long_as_a_container_needs_it(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::builder(version)
        .installed(install_older)
        .start()
        .await?;
    let root = Root(containerd.installed());
    let configuration = containerd.configuration()?;
    for line in [
        "disable = false",
        "plugin_request_timeout = \"4s\"",
        "plugin_registration_timeout = \"10s\"",
        "socket_path = \"/var/run/nri/nri.sock\"",
    ] {
        assert!(configuration.contains(line), "{line}: {configuration}");
    }
    let spec = containerd.hooks().recording_spec("default")?;
    let mut plugin = start(&containerd, &root, &spec).await?;
    let container = containerd.pod("web").run().await?.start("app").await?;

    // The newer one takes its place while a container has hooks of the older one.
    let upgraded = root.done("install", &["--yes"])?;
    assert!(upgraded.contains("nri-oci-hooks, the program\n"), "{upgraded}");
    assert!(fs::read(root.program())? == fs::read(workspace::nri_oci_hooks()?)?);
    assert_eq!(root.kept()?, ["config.toml.before-nri-oci-hooks"]);
    plugin.kill().await?;
    let mut plugin = start(&containerd, &root, &spec).await?;

    // The container has the program in its OCI spec.
    let left = root.done("uninstall", &["--yes"])?;
    assert!(left.contains("it has yet to run hooks of 1 containers"), "{left}");
    assert!(root.program().exists());
    assert!(!root.path("etc/containerd/conf.d/nri-oci-hooks.toml").exists());
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    container.remove().await?;
    plugin.kill().await?;
    root.done("uninstall", &["--yes"])?;
    assert!(!root.program().exists());
    Ok(())
}

/// The daemon as it is installed, with the ledger of the root.
async fn start(containerd: &Containerd, root: &Root, spec: &Path) -> Result<Plugin> {
    let mut command = Command::new(root.program());
    command
        .args(["run", "--log-format", "json", "--nri-socket"])
        .arg(containerd.nri_socket());
    command
        .arg("--config")
        .arg(root.path("etc/nri-oci-hooks/config.toml"));
    command.arg("--hook-spec").arg(spec);
    command.arg("--state-dir").arg(root.path("var/lib/nri-oci-hooks"));
    Plugin::start(containerd, NAME, command)
        .await
        .context("start what is installed")
}

on_each_containerd!(what_is_installed_is_loaded_runs_and_stays_as_long_as_a_container_needs_it);
