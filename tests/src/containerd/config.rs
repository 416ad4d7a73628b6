//! The configuration file of a private containerd.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Version;
use crate::image;
use crate::node::Host;

/// The name of a second runtime handler, alike in everything to the default one.
pub const OTHER_HANDLER: &str = "other";

/// Where a private containerd keeps and looks for things; all inside its node's directory.
#[derive(Debug)]
pub(super) struct Layout {
    /// The directory that survives a restart of the machine: content, snapshots, metadata.
    pub(super) root: PathBuf,
    /// The directory that does not: bundles.
    pub(super) state: PathBuf,
    /// The socket of the CRI and of `ctr`.
    pub(super) socket: PathBuf,
    /// The socket for plugins that connect by themselves.
    pub(super) nri_socket: PathBuf,
    /// Where it looks for plugins to launch.
    pub(super) plugins: PathBuf,
    /// Where it looks for the configuration of those.
    pub(super) plugin_configuration: PathBuf,
    /// Programs and configuration of the pods' network.
    pub(super) network: PathBuf,
    /// An empty directory, for the things that it would look for on the machine.
    pub(super) nothing: PathBuf,
}

impl Layout {
    pub(super) fn below(directory: &Path) -> Layout {
        Layout {
            root: directory.join("root"),
            state: directory.join("state"),
            socket: directory.join("containerd.sock"),
            nri_socket: directory.join("nri.sock"),
            plugins: directory.join("plugins"),
            plugin_configuration: directory.join("conf.d"),
            network: directory.join("network"),
            nothing: directory.join("nothing"),
        }
    }
}

/// The settings for NRI of a private containerd.
#[derive(Debug)]
pub(super) enum Nri<'a> {
    /// Directories and socket of its own, and this limit for each event.
    Private(Duration),
    /// Only those of this file.
    DropIn(&'a Path),
    /// None: a test changes the file.
    Nothing,
}

impl Nri<'_> {
    /// The lines that must stand before all tables.
    fn imports(&self) -> String {
        match self {
            Nri::Private(_) | Nri::Nothing => String::new(),
            Nri::DropIn(file) => format!("imports = [{file:?}]\n"),
        }
    }

    fn table(&self, layout: &Layout) -> String {
        let Nri::Private(request_timeout) = self else {
            return String::new();
        };
        let timeout = request_timeout.as_millis();
        format!(
            r#"[plugins."io.containerd.nri.v1.nri"]
disable = false
socket_path = {:?}
plugin_path = {:?}
plugin_config_path = {:?}
plugin_registration_timeout = "{}ms"
plugin_request_timeout = "{timeout}ms"
"#,
            layout.nri_socket,
            layout.plugins,
            layout.plugin_configuration,
            timeout + 3000,
        )
    }
}

/// The whole configuration file.
pub(super) fn render(
    version: Version,
    layout: &Layout,
    host: Host,
    nri: &Nri<'_>,
    oci_runtime: &Path,
) -> String {
    let Layout {
        root,
        state,
        socket,
        network,
        nothing,
        ..
    } = layout;
    let own_score = !host.may_lower_oom_score;
    let (imports, nri) = (nri.imports(), nri.table(layout));
    let (syntax, runtime_table) = match version {
        Version::V1_7 => (2, "io.containerd.grpc.v1.cri"),
        _ => (3, "io.containerd.cri.v1.runtime"),
    };
    let mut text = format!(
        r#"version = {syntax}
{imports}root = {root:?}
state = {state:?}

[grpc]
address = {socket:?}

[plugins."io.containerd.internal.v1.opt"]
path = {nothing:?}

{nri}
"#
    );
    text += &match version {
        Version::V1_7 => format!(
            r#"[plugins."{runtime_table}"]
sandbox_image = "{pause}"
restrict_oom_score_adj = {own_score}
disable_tcp_service = true

[plugins."{runtime_table}".cni]
bin_dir = {network:?}
conf_dir = {network:?}
"#,
            pause = image::PAUSE,
        ),
        _ => format!(
            r#"[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{pause}"

[plugins."{runtime_table}"]
restrict_oom_score_adj = {own_score}

[plugins."{runtime_table}".cni]
bin_dirs = [{network:?}]
conf_dir = {network:?}
"#,
            pause = image::PAUSE,
        ),
    };
    for handler in ["runc", OTHER_HANDLER] {
        let table = format!("plugins.\"{runtime_table}\".containerd.runtimes.{handler}");
        let _ = write!(text, "\n[{table}]\nruntime_type = \"io.containerd.runc.v2\"\n");
        let _ = write!(text, "\n[{table}.options]\nBinaryName = {oci_runtime:?}\n");
    }
    text
}
