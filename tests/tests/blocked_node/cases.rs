//! The hanging files that a container may need, and the daemon that needs them.

use std::fs;
use std::path::Path;

use anyhow::Result;
use e2e::plugin::PluginBuilder;
use e2e::{Containerd, Version, on_each_containerd};

use crate::daemon::{configuration, daemon, hook, refuses_until_it_answers};
use crate::hanging::{Hanging, file};

/// The files on the file system that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    DefaultSpec,
    SelectedSpec,
    Program,
    HooksD,
    Configuration,
    Ledger,
}

impl Case {
    /// Mounts it, and makes a daemon that needs it and has not started.
    pub(crate) fn set_up(self, containerd: &Containerd) -> Result<(PluginBuilder<'_>, Hanging)> {
        let hooks = containerd.hooks();
        let (program, spec) = hook(containerd)?;
        if self != Case::SelectedSpec {
            hooks.raw_spec("picked", "{}")?;
        }
        let mount = |name, content: String, mode| Hanging::files(containerd, vec![file(name, content, mode)]);
        let basis = configuration(containerd);
        let spec_dirs = |dir: &Path| format!("{basis}\nannotation.spec_dirs = [{dir:?}]\n");
        Ok(match self {
            Case::DefaultSpec => {
                let hanging = mount("spec.json", spec, 0o644)?;
                (daemon(containerd).hook_spec(&hanging.file("spec.json")), hanging)
            }
            Case::SelectedSpec => {
                let hanging = mount("picked.json", spec, 0o644)?;
                let path = containerd.node().directory().join("selecting.toml");
                fs::write(&path, spec_dirs(&hanging.path()))?;
                (containerd.plugin().configuration_file(&path), hanging)
            }
            Case::Program => {
                // The recorder writes beside itself.
                let script = format!("#!/bin/sh\nexec {program} \"$@\"\n");
                let hanging = mount("hook", script, 0o755)?;
                let spec = format!("{{\"prestart\": [{{\"path\": {:?}}}]}}", hanging.file("hook"));
                (
                    daemon(containerd).hook_spec(&hooks.raw_spec("default", &spec)?),
                    hanging,
                )
            }
            Case::HooksD => {
                let text = format!(
                    "{{\"version\": \"1.0.0\", \"hook\": {{\"path\": {program:?}}}, \
                     \"when\": {{\"always\": true}}, \"stages\": [\"prestart\"]}}"
                );
                let hanging = mount("a.json", text, 0o644)?;
                let lines = format!("hooks_dirs = [{:?}]", hanging.path());
                (daemon(containerd).configuration(&lines), hanging)
            }
            Case::Configuration => {
                let default = hooks.raw_spec("default", &spec)?;
                let hanging = mount("config.toml", spec_dirs(hooks.spec_directory()), 0o644)?;
                let daemon = containerd
                    .plugin()
                    .configuration_file(&hanging.file("config.toml"));
                (daemon.hook_spec(&default), hanging)
            }
            Case::Ledger => {
                let default = hooks.raw_spec("default", &spec)?;
                let hanging = Hanging::frozen(containerd, containerd.ledger().directory())?;
                (daemon(containerd).hook_spec(&default), hanging)
            }
        })
    }
}

async fn hangs_while_running(case: Case, version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let (daemon, hanging) = case.set_up(&containerd)?;
    let plugin = daemon.start().await?;
    refuses_until_it_answers(&containerd, plugin, hanging, case).await
}

async fn a_default_spec_that_hangs_refuses(version: Version) -> Result<()> {
    hangs_while_running(Case::DefaultSpec, version).await
}

on_each_containerd!(a_default_spec_that_hangs_refuses);

macro_rules! refuses {
    ($($name:ident, $case:ident;)+) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            hangs_while_running(Case::$case, Version::V2_1).await
        }
    )+};
}

refuses! {
    a_selected_spec_that_hangs_refuses, SelectedSpec;
    a_program_that_hangs_refuses, Program;
    a_hooks_d_directory_that_hangs_refuses, HooksD;
    a_configuration_that_hangs_refuses, Configuration;
    a_ledger_that_hangs_refuses, Ledger;
}
