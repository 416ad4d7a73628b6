//! The network of pods that ask for one of their own: a namespace with nothing in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// The configuration of a containerd's container network interface (CNI). Its name is that of no program: if a
/// directory of that name is beside this file, the CNI reads it.
const CONFIGURATION: &str =
    r#"{ "cniVersion": "0.4.0", "name": "empty", "plugins": [{ "type": "nothing" }] }"#;

/// Answers as a CNI plugin does that has made what it was asked for, and makes nothing: without an address the runtime
/// would give up.
const PLUGIN: &str = r#"#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{ "cniVersion": "0.4.0", "supportedVersions": ["0.4.0"] }' ;;
ADD) cat <<END
{
    "cniVersion": "0.4.0",
    "interfaces": [{ "name": "$CNI_IFNAME", "sandbox": "$CNI_NETNS" }],
    "ips": [{ "version": "4", "address": "192.0.2.1/24", "interface": 0 }]
}
END
;;
esac
"#;

/// Writes plugins and configuration into a new directory, which is both its `bin_dir` and its `conf_dir`.
pub(super) fn write(directory: &Path) -> Result<()> {
    fs::create_dir(directory).with_context(|| format!("make {}", directory.display()))?;
    fs::write(directory.join("nothing.conflist"), CONFIGURATION)?;
    // containerd asks for the loopback interface by itself.
    for name in ["nothing", "loopback"] {
        let plugin = directory.join(name);
        fs::write(&plugin, PLUGIN)?;
        fs::set_permissions(plugin, Permissions::from_mode(0o755))?;
    }
    Ok(())
}
