//! The ways in which the containers of a node get hooks.

use std::fs;
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, HookSpec, Plugin, Runtime, cache};
use serde_json::{Value, json};

/// Runs a program that finds the hooks.d files of a directory in /etc/containers/oci/hooks.d.
///
/// usage: sh -c IN_AN_ETC_OF_ITS_OWN sh DIRECTORY PROGRAM [ARGUMENT...]
const IN_AN_ETC_OF_ITS_OWN: &str = "
set -e
mount -t tmpfs tmpfs /etc
mkdir -p /etc/containers/oci
ln -s \"$1\" /etc/containers/oci/hooks.d
shift
exec \"$@\"
";

/// The source of the hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The daemon, which delivers them so.
    Daemon(Delivery),
    /// The plugin of NRI's repository, which injects the hooks of hooks.d files as they are.
    HookInjector,
}

impl Way {
    /// The name of its column.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Way::Daemon(delivery) => delivery.word(),
            Way::HookInjector => "injector",
        }
    }
}

/// Starts a node, and what brings hooks to it. A pod selects `spec` by its name.
pub(crate) async fn start(
    runtime: Runtime,
    way: Option<Way>,
    name: &str,
    spec: &HookSpec,
) -> Result<(Containerd, Option<Plugin>)> {
    let containerd = runtime.start().await?;
    let plugin = match way {
        None => None,
        Some(Way::Daemon(delivery)) => {
            containerd.hooks().spec(name, spec)?;
            Some(containerd.plugin().delivery(delivery.word()).start().await?)
        }
        Some(Way::HookInjector) => Some(start_hook_injector(&containerd, name, spec).await?),
    };
    Ok((containerd, plugin))
}

/// A way that the runner is compared with: the value of `--peer`.
impl FromStr for Way {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Way> {
        match text {
            "direct" => Ok(Way::Daemon(Delivery::Direct)),
            "hook-injector" => Ok(Way::HookInjector),
            _ => bail!("--peer is direct or hook-injector, not {text:?}"),
        }
    }
}

async fn start_hook_injector(containerd: &Containerd, name: &str, spec: &HookSpec) -> Result<Plugin> {
    let program = cache::built("hook-injector-0.12.5")?.join("usr/bin/hook-injector");
    let directory = containerd.node().directory().join("hooks.d");
    fs::create_dir(&directory)?;
    for (number, file) in hooks_d_files(name, spec)?.iter().enumerate() {
        fs::write(directory.join(format!("{name}-{number}.json")), file.to_string())?;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", IN_AN_ETC_OF_ITS_OWN, "sh"]);
    command.arg(directory).arg(program);
    command.args(["-disableWatch", "-idx", "10", "-socket-path"]);
    command.arg(containerd.nri_socket());
    Plugin::start(containerd, "10-hook-injector", command).await
}

/// The hooks of `spec`, a hooks.d file for each, for the pods that select `name`.
fn hooks_d_files(name: &str, spec: &HookSpec) -> Result<Vec<Value>> {
    let spec = serde_json::to_value(spec)?;
    let stages = spec.as_object().context("a hook-spec is an object")?;
    let hooks = stages.iter().flat_map(|(stage, hooks)| {
        let hooks = hooks.as_array().into_iter().flatten();
        hooks.map(move |hook| (stage, hook))
    });
    let files = hooks.map(|(stage, hook)| {
        json!({
            "version": "1.0.0",
            "hook": hook,
            "when": {"annotations": {format!("^{ANNOTATION}$"): format!("^{name}$")}},
            "stages": [stage],
        })
    });
    Ok(files.collect())
}

#[cfg(test)]
mod tests {
    use e2e::Hook;

    use super::*;

    #[test]
    fn each_hook_is_a_file_for_its_stage_and_the_pods_that_select_the_spec() {
        let spec = HookSpec::new()
            .prestart(Hook::new("/bin/a").timeout(5))
            .poststop(Hook::new("/bin/b"));
        let when = json!({"annotations": {"^hook-spec.noderesource.dev$": "^slow$"}});
        let expected = [
            json!({"version": "1.0.0", "hook": {"path": "/bin/b"}, "when": when, "stages": ["poststop"]}),
            json!({"version": "1.0.0", "hook": {"path": "/bin/a", "timeout": 5}, "when": when,
                   "stages": ["prestart"]}),
        ];
        assert_eq!(hooks_d_files("slow", &spec).unwrap(), expected);
    }
}
