//! The daemon under test, and what hangs.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use containerd_nri::api::{Container, PodSandbox};
use containerd_nri_testkit::{
    ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile,
};
use e2e::frozen::FreezingDirectory;
use e2e::hanging::{File, HangingDirectory};
use e2e::plugin::ANNOTATION;
use e2e::{wait, workspace};
use tempfile::TempDir;
use tokio::time::timeout;

/// A namespace whose pods get no default hooks.
pub(crate) const EXCLUDED: &str = "kube-system";

/// How long the daemon may take to end.
pub(crate) const END: Duration = Duration::from_secs(2);

/// A hook-spec with one prestart hook.
pub(crate) fn spec(program: &str) -> File {
    file(
        "spec.json",
        &format!("{{\"prestart\": [{{\"path\": {program:?}}}]}}"),
        0o644,
    )
}

pub(crate) fn file(name: &'static str, content: &str, mode: u16) -> File {
    let content = content.into();
    File { name, content, mode }
}

/// The files on the file system that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    DefaultSpec,
    SelectedSpec,
    Program,
    HooksD,
    Configuration,
    Ledger,
    LogFile,
}

/// The file system that hangs.
pub(crate) enum Hanging {
    Answers(HangingDirectory),
    TakesWrites(FreezingDirectory),
}

impl Hanging {
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Hanging::Answers(directory) => directory.path().into(),
            Hanging::TakesWrites(directory) => directory.mount_point(),
        }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }

    pub(crate) fn hang(&self) -> Result<()> {
        match self {
            Hanging::Answers(directory) => directory.hang(),
            Hanging::TakesWrites(directory) => directory.freeze()?,
        }
        Ok(())
    }

    pub(crate) fn answer(&self) -> Result<()> {
        match self {
            Hanging::Answers(directory) => directory.answer(),
            Hanging::TakesWrites(directory) => directory.thaw()?,
        }
        Ok(())
    }
}

impl Case {
    pub(crate) fn mount(self) -> Result<Hanging> {
        if self == Case::Ledger || self == Case::LogFile {
            return Ok(Hanging::TakesWrites(FreezingDirectory::mount()?));
        }
        let directory = HangingDirectory::mount(|here| match self {
            Case::Ledger | Case::LogFile => Vec::new(),
            Case::DefaultSpec | Case::SelectedSpec => vec![spec("/bin/true")],
            Case::Program => vec![file("program", "#!/bin/sh\n", 0o755)],
            Case::HooksD => vec![file(
                "a.json",
                r#"{"version": "1.0.0", "hook": {"path": "/bin/true"}, "when": {"always": true}, "stages": ["prestart"]}"#,
                0o644,
            )],
            Case::Configuration => {
                let lines = format!("hook_spec = {:?}\n", here.join("spec.json"));
                vec![spec("/bin/true"), file("config.toml", &lines, 0o644)]
            }
        })?;
        Ok(Hanging::Answers(directory))
    }

    /// The lines of the configuration that lead there.
    pub(crate) fn configuration(self, hanging: &Hanging, directory: &Path) -> Result<String> {
        let own = directory.join("own.json");
        Ok(match self {
            Case::DefaultSpec => format!("hook_spec = {:?}", hanging.file("spec.json")),
            Case::SelectedSpec => format!("annotation.spec_dirs = [{:?}]", hanging.path()),
            Case::Program => {
                fs::write(&own, spec(&hanging.file("program")).content)?;
                format!("hook_spec = {own:?}")
            }
            Case::HooksD => format!("hooks_dirs = [{:?}]", hanging.path()),
            Case::Ledger | Case::LogFile => {
                fs::write(&own, spec("/bin/true").content)?;
                format!("hook_spec = {own:?}")
            }
            Case::Configuration => String::new(),
        })
    }
}

/// An `nri-oci-hooks run`, and the runtime that it connects to.
pub(crate) struct Daemon {
    process: Child,
    runtime: FakeRuntime,
    port: SocketAddr,
    pub(crate) hanging: Hanging,
    _directory: TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The kernel lets no thread end before.
        let _ = self.hanging.answer();
        // Both fail only if it has ended and been waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    pub(crate) fn start(case: Case, hanging: Hanging) -> Result<Daemon> {
        Daemon::with(case, hanging, |command| command)
    }

    /// With `failure_policy = "ignore"`.
    pub(crate) fn start_ignoring(case: Case, hanging: Hanging) -> Result<Daemon> {
        let lines = "failure_policy = \"ignore\"";
        Daemon::with_lines(case, hanging, lines, |command| command)
    }

    pub(crate) fn with(
        case: Case,
        hanging: Hanging,
        more: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Daemon> {
        Daemon::with_lines(case, hanging, "", more)
    }

    pub(crate) fn with_lines(
        case: Case,
        hanging: Hanging,
        further: &str,
        more: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Daemon> {
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = directory.path().join("config.toml");
        let lines = case.configuration(&hanging, directory.path())?;
        fs::write(
            &config,
            format!("listen = \"{port}\"\nexclude_namespaces = [{EXCLUDED:?}]\n{further}\n{lines}\n"),
        )?;
        let config = match case {
            Case::Configuration => PathBuf::from(hanging.file("config.toml")),
            _ => config,
        };
        let state = match case {
            Case::Ledger => hanging.path().join("state"),
            _ => directory.path().join("state"),
        };
        let socket = directory.path().join("nri.sock");
        let runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).listen(&socket)?;
        let mut command = Command::new(workspace::nri_oci_hooks()?);
        command.arg("run").arg("--config").arg(config);
        command.arg("--nri-socket").arg(socket);
        command.arg("--state-dir").arg(state);
        command.stderr(fs::File::create(directory.path().join("log"))?);
        let process = more(&mut command).spawn()?;
        Ok(Daemon {
            process,
            runtime,
            port,
            hanging,
            _directory: directory,
        })
    }

    pub(crate) async fn connected(&mut self) -> Result<PluginHandle> {
        Ok(timeout(wait::LIMIT, self.runtime.accept()).await??)
    }

    /// Restarts the runtime, which lists `container` of `pod` to it when it connects again.
    pub(crate) async fn restart_runtime(
        &mut self,
        pod: &PodSandbox,
        container: Container,
    ) -> Result<PluginHandle> {
        self.runtime.set_state(vec![pod.clone()], vec![container]);
        self.runtime.restart()?;
        self.connected().await
    }

    /// Its answer at a path: the status, and the body.
    pub(crate) fn get(&self, path: &str) -> Result<(String, String)> {
        let mut stream = TcpStream::connect(self.port)?;
        stream.set_read_timeout(Some(wait::LIMIT))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
        let status = head.split(' ').nth(1).context("no status")?;
        Ok((status.into(), body.into()))
    }

    /// Ends it as the service manager does, and awaits that: by a process that is gone, or of which only threads are
    /// left that the kernel does not give back.
    pub(crate) async fn ends(mut self, plugin: PluginHandle) -> Result<()> {
        let pid = self.process.id();
        let begin = Instant::now();
        ensure!(Command::new("kill").arg(pid.to_string()).status()?.success());
        timeout(END, plugin.closed())
            .await
            .context("the connection stays open")?;
        let left = END.saturating_sub(begin.elapsed());
        let gone = wait::until("it to end", async || {
            let is_gone = self.process.try_wait()?.is_some();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            Ok((is_gone || stat.contains(") Z ")).then_some(()))
        });
        timeout(left, gone).await.context("it does not end")?
    }
}

/// A container that needs what hangs.
pub(crate) fn needs(case: Case, name: &str) -> PodSandbox {
    let pod = PodBuilder::new(name).namespace("default");
    match case {
        Case::SelectedSpec => pod.annotation(ANNOTATION, "spec").build(),
        _ => pod.build(),
    }
}

/// Whether it was created with hooks; the inner error is the daemon's.
pub(crate) async fn create(plugin: &mut PluginHandle, pod: &PodSandbox) -> Result<Result<bool, String>> {
    let container = ContainerBuilder::new(pod, "app").build();
    Ok(match plugin.create_container(pod, &container).await {
        Outcome::Answer(adjustment) => Ok(adjustment.adjust.as_ref().is_some_and(|adjust| {
            adjust
                .hooks
                .as_ref()
                .is_some_and(|hooks| !hooks.prestart.is_empty())
        })),
        Outcome::Refused(status) => Err(status.to_string()),
        other => bail!("{}: the runtime goes on without the plugin: {other:?}", pod.name),
    })
}
