//! A ledger without space when a container stops.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use containerd_nri_testkit::{
    ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nri_oci_hooks::ledger::{Identity, Ledger};
use nri_oci_hooks::model::{HookLimits, OnFailure, ResolvedHook, ResolvedHooks, Source, Stage, Timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nri-oci-hooks");

/// How long is waited for what should come at once.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `check` with mounts of its own, which end with it.
fn with_own_mounts(check: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            check();
        });
        thread.join().unwrap();
    });
}

/// The ledger at `root`, with a container whose poststop hook is `program`.
fn ledger(root: &Path, program: &Path) -> Ledger {
    let ledger = Ledger::create(root).unwrap();
    let identity = Identity {
        id: "c1".parse().unwrap(),
        container: "app".into(),
        pod: "web".into(),
        namespace: "default".into(),
        uid: "u".into(),
    };
    let path = program.to_str().unwrap().to_owned();
    let hook = ResolvedHook {
        pinned: None,
        args: vec![path.clone()],
        path,
        env: vec!["PATH=/usr/bin:/bin".into()],
        timeout: Timeout::DEFAULT,
        limits: HookLimits::default(),
        on_failure: OnFailure::default(),
        source: Source {
            file: Arc::from("/etc/spec.json"),
            index: 0,
            line: 1,
        },
    };
    let stages = [(Stage::Poststop, vec![hook])].into();
    ledger.add(identity, &ResolvedHooks { stages }, true).unwrap();
    ledger
}

/// Fills the file system at `root`, to the last byte.
fn fill(root: &Path) -> PathBuf {
    let path = root.join("filler");
    let mut file = File::create(&path).unwrap();
    while file.write(&[0; 512]).is_ok_and(|written| written > 0) {}
    path
}

/// The first line of what `source` gives that has `word`.
fn line_with(source: impl Read + Send + 'static, word: &'static str) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(source).lines().map_while(Result::ok);
        let found = lines.find(|line| line.contains(word));
        found.into_iter().for_each(|line| drop(sender.send(line)));
        // The daemon must not end for want of a reader.
        lines.for_each(drop);
    });
    receiver
}

type Runtime = ((PluginHandle, FakeRuntime), tokio::runtime::Runtime);

/// The daemon that `start` starts, as a runtime at `socket` has it.
fn accept(socket: &Path, start: impl FnOnce() -> Ended) -> (Runtime, Ended) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (daemon, plugin) = tokio.block_on(async {
        let mut runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1())
            .listen(socket)
            .unwrap();
        let daemon = start();
        let plugin = runtime.accept().await.unwrap();
        (daemon, (plugin, runtime))
    });
    ((plugin, tokio), daemon)
}

#[test]
fn a_poststop_that_cannot_be_recorded_is_reported_at_once_and_run_when_there_is_space() {
    poststop_waits_for_space(false);
}

#[test]
fn a_poststop_that_cannot_be_recorded_is_run_though_its_container_is_removed_before_there_is_space() {
    poststop_waits_for_space(true);
}

/// The container has only poststop hooks, so only this runner has recorded that it was created.
fn poststop_waits_for_space(is_removed: bool) {
    with_own_mounts(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let state = path("state");
        fs::create_dir(&state).unwrap();
        let options = Some("size=64k,mode=700");
        mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), options).unwrap();
        nix::unistd::mkfifo(&path("ran"), Mode::from_bits_truncate(0o600)).unwrap();
        let script = format!("#!/bin/sh\necho ran >{}\n", path("ran").display());
        fs::write(path("hook"), script).unwrap();
        fs::set_permissions(path("hook"), fs::Permissions::from_mode(0o755)).unwrap();
        let ledger = ledger(&state, &path("hook"));
        fs::write(path("config.toml"), format!("state_dir = {state:?}\n")).unwrap();

        let socket = path("nri.sock");
        let ((mut plugin, tokio), mut daemon) = accept(&socket, || {
            let mut command = Command::new(PROGRAM);
            command.arg("run").arg("--config").arg(path("config.toml"));
            command.arg("--nri-socket").arg(path("nri.sock"));
            Ended(command.stderr(Stdio::piped()).spawn().unwrap())
        });
        let reported = line_with(daemon.0.stderr.take().unwrap(), "the ledger cannot record them");
        let filler = fill(&state);
        let id = "c1".parse().unwrap();

        let mut runner = Command::new(PROGRAM);
        runner.args(["stage", "poststop", "--state-dir"]).arg(&state);
        let runner = runner.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut runner = runner.unwrap();
        let oci_state = br#"{"ociVersion":"1.1.0","id":"c1","status":"stopped","pid":0,"bundle":"/"}"#;
        runner.stdin.take().unwrap().write_all(oci_state).unwrap();
        let output = runner.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("No space left on device"), "{stderr}");
        let line = reported.recv_timeout(LIMIT).unwrap();
        assert!(line.contains("No space left on device"), "{line}");
        let container = ledger.find(&id).unwrap().unwrap();
        assert_eq!(container.finished(Stage::Poststop).unwrap(), None);

        if is_removed {
            let pod = PodBuilder::new("web").namespace("default").build();
            let mut container = ContainerBuilder::new(&pod, "app").build();
            container.id = "c1".into();
            let removed = tokio.block_on(plugin.0.remove_container(&pod, &container));
            assert!(matches!(removed, Outcome::Answer(_)), "{removed:?}");
        }
        // Reading waits for a writer.
        let ran = line_with(open_when_written(path("ran")), "ran");
        assert!(ran.try_recv().is_err(), "it is run without a record");
        fs::remove_file(filler).unwrap();
        ran.recv_timeout(LIMIT).unwrap();
        drop((plugin, tokio));
    });
}

/// The named pipe at `path`, opened when it is first read.
fn open_when_written(path: PathBuf) -> impl Read + Send + 'static {
    struct DelayedInput(PathBuf, Option<File>);
    impl Read for DelayedInput {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.1.is_none() {
                self.1 = Some(File::open(&self.0)?);
            }
            self.1.as_mut().unwrap().read(into)
        }
    }
    DelayedInput(path, None)
}
