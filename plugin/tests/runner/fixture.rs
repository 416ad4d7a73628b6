//! A ledger with one container, and scripts as its hooks.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::stat::Mode;
use nri_oci_hooks::ledger::{EntryDirectory, Identity, Ledger, Outcome, Record};
use nri_oci_hooks::model::{HookLimits, OnFailure, ResolvedHook, ResolvedHooks, Source, Stage, Timeout};

pub(crate) const PATH: &str = "PATH=/usr/bin:/bin";

/// Held while a script is written and while a process is started: a process that another test
/// starts in between would hold the script open for writing, and the kernel executes no such file.
static FILES_AND_FORKS: Mutex<()> = Mutex::new(());

pub(crate) struct Fixture {
    directory: tempfile::TempDir,
    ledger: Ledger,
    resolved: ResolvedHooks,
}

impl Drop for Fixture {
    /// Lets everything go that waits at a pipe of the test: what a killed hook has started, too.
    fn drop(&mut self) {
        for entry in fs::read_dir(self.directory.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_type().is_ok_and(|kind| kind.is_fifo()) {
                // Open at both ends, so it waits for nobody; who waits to read finds it closed then.
                let _ = fs::File::options().read(true).write(true).open(entry.path());
            }
        }
    }
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::create(&directory.path().join("state")).unwrap();
        fs::create_dir(directory.path().join("bundle")).unwrap();
        Fixture {
            directory,
            ledger,
            resolved: ResolvedHooks::default(),
        }
    }

    /// A file of the test's own.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path("bundle")
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A named pipe, through which hooks and test report their progress to each other.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).unwrap();
        path
    }

    /// Adds a hook: a script, with the directory of the test in `$D`.
    pub(crate) fn hook(self, stage: Stage, script: &str) -> Fixture {
        self.hook_with(stage, script, |_| {})
    }

    pub(crate) fn hook_with(
        mut self,
        stage: Stage,
        script: &str,
        change: impl FnOnce(&mut ResolvedHook),
    ) -> Fixture {
        let hooks = self.resolved.stages.entry(stage).or_default();
        let path = self.directory.path().join(format!("{stage}-{}", hooks.len()));
        let path = path.to_str().unwrap().to_owned();
        let mut hook = ResolvedHook {
            pinned: None,
            args: vec![path.clone()],
            env: vec![PATH.into(), format!("D={}", self.directory.path().display())],
            timeout: Timeout::DEFAULT,
            limits: HookLimits::default(),
            on_failure: OnFailure::default(),
            source: Source {
                file: Arc::from("/etc/spec.json"),
                index: hooks.len(),
                line: 10 + hooks.len(),
            },
            path: path.clone(),
        };
        change(&mut hook);
        {
            let _writing = FILES_AND_FORKS.lock();
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        hooks.push(hook);
        self
    }

    /// Adds the last hook so often again that there are `count`.
    pub(crate) fn repeated(mut self, stage: Stage, count: usize) -> Fixture {
        let hooks = self.resolved.stages.get_mut(&stage).unwrap();
        let last = hooks.last().unwrap().clone();
        hooks.resize(count, last);
        self
    }

    /// Adds a hook that appends `word` to the file `log`.
    pub(crate) fn note(self, stage: Stage, word: &str) -> Fixture {
        self.hook(stage, &format!("#!/bin/sh\necho {word} >>$D/log\n"))
    }

    /// Enters the container with the hooks added so far.
    pub(crate) fn registered(self) -> Fixture {
        let identity = Identity {
            id: "c1".parse().unwrap(),
            container: "app".into(),
            pod: "web".into(),
            namespace: "default".into(),
            uid: "u".into(),
        };
        // The runtime's word counts, and nobody passes for another.
        let annotations = [
            ("a", "of the pod"),
            ("tap.example/dir", "/srv/tap"),
            ("nri-oci-hooks.noderesource.dev/pod-name", "another"),
            ("nri-oci-hooks.noderesource.dev/exit-code", "0"),
        ];
        self.ledger
            .add_with(identity, &annotations.into(), &self.resolved, true)
            .unwrap();
        self
    }

    /// The words that hooks have appended.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The state that an OCI runtime would give.
    pub(crate) fn state(&self, status: &str) -> String {
        let pid = if status == "stopped" {
            0
        } else {
            std::process::id()
        };
        self.state_of(status, pid)
    }

    /// The same, of a container with this init.
    pub(crate) fn state_of(&self, status: &str, pid: u32) -> String {
        serde_json::json!({
            "ociVersion": "1.1.0",
            "id": "c1",
            "status": status,
            "pid": pid,
            "bundle": self.bundle(),
            "annotations": {"a": "b"},
        })
        .to_string()
    }

    pub(crate) fn command(&self, stage: Stage) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nri-oci-hooks"));
        command.args(["stage", stage.key(), "--state-dir"]);
        command.arg(self.ledger.root());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts a runner as an OCI runtime would.
    pub(crate) fn start(&self, stage: Stage) -> Child {
        let status = match stage {
            Stage::Prestart => "creating",
            Stage::Poststart => "running",
            _ => "stopped",
        };
        feed(self.command(stage), &self.state(status))
    }

    /// Runs a stage as an OCI runtime would.
    pub(crate) fn run(&self, stage: Stage) -> Output {
        self.start(stage).wait_with_output().unwrap()
    }

    /// The runner's stderr for a snapshot, with `$D` for the directory of the test.
    pub(crate) fn message(&self, output: &Output) -> String {
        stderr(output).replace(self.directory.path().to_str().unwrap(), "$D")
    }

    pub(crate) fn container(&self) -> EntryDirectory {
        self.ledger.find(&"c1".parse().unwrap()).unwrap().unwrap()
    }

    pub(crate) fn record(&self, stage: Stage) -> Record {
        self.container().record(stage).unwrap().unwrap_or_default()
    }

    /// How each hook of `stage` ended.
    pub(crate) fn outcomes(&self, stage: Stage) -> Vec<Outcome> {
        let record = self.record(stage);
        let runs = record.runs().into_iter();
        runs.map(|run| run.ended.unwrap().outcome.clone()).collect()
    }
}

/// Starts `command` with `state` on its stdin.
pub(crate) fn feed(mut command: Command, state: &str) -> Child {
    let mut child = {
        let _forking = FILES_AND_FORKS.lock();
        command.spawn().unwrap()
    };
    child.stdin.take().unwrap().write_all(state.as_bytes()).unwrap();
    child
}

/// The runner's stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The number that a hook writes into a named pipe; waits for it.
pub(crate) fn number_from(fifo: &Path) -> i32 {
    fs::read_to_string(fifo).unwrap().trim().parse().unwrap()
}

pub(crate) const SUCCESS: Outcome = Outcome::Exited { status: 0 };
