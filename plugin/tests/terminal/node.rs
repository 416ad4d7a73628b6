//! A directory for configuration, ledger and socket, and the commands that look into it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use nri_oci_hooks::ledger::{Identity, Ledger};
use nri_oci_hooks::model::{HookLimits, OnFailure, ResolvedHook, ResolvedHooks, Source, Stage, Timeout};

pub(crate) struct Node(tempfile::TempDir);

impl Node {
    pub(crate) fn new() -> Node {
        let node = Node(tempfile::tempdir().unwrap());
        fs::write(node.path("config.toml"), "").unwrap();
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.path("state")
    }

    /// Enters a container with one prestart hook.
    pub(crate) fn enter(&self, id: &str, pod: &str) -> Ledger {
        let ledger = Ledger::create(&self.state_dir()).unwrap();
        let identity = Identity {
            id: id.parse().unwrap(),
            container: "app".into(),
            pod: pod.into(),
            namespace: "default".into(),
            uid: "u".into(),
        };
        let hook = ResolvedHook {
            path: "/bin/true".into(),
            pinned: None,
            args: vec!["true".into()],
            env: Vec::new(),
            timeout: Timeout::DEFAULT,
            limits: HookLimits::default(),
            on_failure: OnFailure::default(),
            source: Source {
                file: Arc::from("/etc/spec.json"),
                index: 0,
                line: 1,
            },
        };
        let stages = [(Stage::Prestart, vec![hook])].into();
        ledger.add(identity, &ResolvedHooks { stages }, true).unwrap();
        ledger
    }

    /// A command with the node's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nri-oci-hooks"));
        command.args(arguments);
        command.arg("--config").arg(self.path("config.toml"));
        command.stdin(Stdio::null());
        command
    }

    /// One that looks into the ledger.
    pub(crate) fn looking(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.arg("--state-dir").arg(self.state_dir());
        command
    }
}

/// Its output on both streams.
pub(crate) fn said(output: &Output) -> String {
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8(both).unwrap()
}
