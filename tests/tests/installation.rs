//! Installing, running, installing again and uninstalling, on a throw-away root and a real containerd.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use e2e::plugin::NAME;
use e2e::{Containerd, Plugin, Version, on_each_containerd, workspace};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// A root that has nothing but what is installed.
struct Root(tempfile::TempDir);

impl Root {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command of the program that the workspace builds, on this root.
    fn run(&self, command: &str, more: &[&str]) -> Result<Output> {
        let mut run = Command::new(workspace::nri_oci_hooks()?);
        run.arg(command).arg("--root").arg(self.0.path()).args(more);
        Ok(run.output()?)
    }

    fn done(&self, command: &str, more: &[&str]) -> Result<String> {
        let output = self.run(command, more)?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

async fn what_is_installed_runs_and_stays_as_long_as_a_container_needs_it(version: Version) -> Result<()> {
    let root = Root(tempfile::tempdir()?);
    let runtime = match version {
        Version::V1_7 => "containerd-1.7",
        Version::V2_1 => "containerd-2",
    };
    root.done("install", &["--runtime", runtime, "--yes"])?;
    let again = root.done("install", &["--runtime", runtime, "--yes"])?;
    assert_eq!(again, "Nothing is to be changed.\n");
    let doctor = root.run("doctor", &[])?;
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );

    let drop_in = root.path("etc/containerd/conf.d/nri-oci-hooks.toml");
    let containerd = Containerd::builder(version).drop_in(&drop_in).start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let program = root.path("usr/local/bin/nri-oci-hooks");
    let mut plugin = start(&containerd, &root, &program, &spec).await?;
    let container = containerd.pod("web").run().await?.start("app").await?;

    // The container has the program in its OCI spec.
    let left = root.done("uninstall", &["--yes"])?;
    assert!(left.contains("it has yet to run hooks of 1 containers"), "{left}");
    assert!(program.exists() && !drop_in.exists());
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    container.remove().await?;
    plugin.kill().await?;
    root.done("uninstall", &["--yes"])?;
    assert!(!program.exists());
    Ok(())
}

/// The daemon as it is installed, with the ledger of the root.
async fn start(containerd: &Containerd, root: &Root, program: &Path, spec: &Path) -> Result<Plugin> {
    let mut command = Command::new(program);
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

on_each_containerd!(what_is_installed_runs_and_stays_as_long_as_a_container_needs_it);
