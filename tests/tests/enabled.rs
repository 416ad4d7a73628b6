//! NRI switched on by `runtime enable`, in the file of an administrator who has it off, and a real containerd that reads
//! the result.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use e2e::{Containerd, Version, on_each_containerd, workspace};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// The administrator's settings for NRI in containerd's own file: it is off, with long timeouts.
const OWN: &str =
    "# mine\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true\nplugin_request_timeout = \"4s\"\n";

/// The output of `runtime` on this root; it must succeed.
fn runtime(root: &Path, switch: &str) -> Result<String> {
    let mut run = Command::new(workspace::nri_oci_hooks()?);
    let output = run.args(["runtime", switch, "--root"]).arg(root).output()?;
    let printed = String::from_utf8(output.stdout)?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{printed}{complaint}");
    Ok(printed)
}

/// Switches NRI on, for the containerd whose own file is there; undone, the file is what it was.
fn enable(root: &Path) -> Result<()> {
    let main = root.join("etc/containerd/config.toml");
    let text = fs::read_to_string(&main)? + OWN;
    fs::write(&main, &text)?;
    fs::set_permissions(&main, Permissions::from_mode(0o600))?;
    for _ in 0..2 {
        let printed = runtime(root, "enable")?;
        let note = "plugin_request_timeout of /etc/containerd/config.toml still applies";
        assert!(printed.contains(note), "{printed}");
        assert!(runtime(root, "enable")?.ends_with("Nothing to change.\n"));
        runtime(root, "disable")?;
        assert_eq!(fs::read_to_string(&main)?, text);
        assert_eq!(fs::read_dir(root.join("etc/containerd"))?.count(), 1);
    }
    runtime(root, "enable")?;
    assert_eq!(fs::metadata(&main)?.permissions().mode() & 0o777, 0o600);
    assert!(
        fs::read_to_string(&main)?.ends_with(&text),
        "all that was in it is"
    );
    Ok(())
}

async fn a_containerd_whose_nri_was_switched_on_gives_containers_their_hooks(version: Version) -> Result<()> {
    let containerd = Containerd::builder(version).installed(enable).start().await?;
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
    let _plugin = containerd.plugin().hook_spec(&spec).start().await?;
    let container = containerd.pod("web").run().await?.start("app").await?;
    container.stop(10).await?;
    assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    Ok(())
}

on_each_containerd!(a_containerd_whose_nri_was_switched_on_gives_containers_their_hooks);
