//! Whatever does not answer, the runtime gets its answer in time: a container that needs what hangs is refused, every
//! other one is created, and all goes on when it answers again.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use containerd_nri::api::PodSandbox;
use containerd_nri::testkit::{
    ContainerBuilder, FakeRuntime, Outcome, PluginHandle, PodBuilder, RuntimeProfile,
};
use e2e::frozen::FreezingFolder;
use e2e::hanging::{File, HangingFolder};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Version, on_each_containerd, wait, workspace};
use tempfile::TempDir;
use tokio::time::timeout;

/// A namespace whose pods get no default hooks.
const EXCLUDED: &str = "kube-system";

/// How long the daemon may take to end.
const END: Duration = Duration::from_secs(2);

/// A hook-spec with one prestart hook.
fn spec(program: &str) -> File {
    file(
        "spec.json",
        &format!("{{\"prestart\": [{{\"path\": {program:?}}}]}}"),
        0o644,
    )
}

fn file(name: &'static str, content: &str, mode: u16) -> File {
    let content = content.into();
    File { name, content, mode }
}

/// What lies on the file system that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    DefaultSpec,
    SelectedSpec,
    Program,
    HooksD,
    Configuration,
    Ledger,
    LogFile,
}

/// What hangs.
enum Hanging {
    Answers(HangingFolder),
    TakesWrites(FreezingFolder),
}

impl Hanging {
    fn path(&self) -> PathBuf {
        match self {
            Hanging::Answers(folder) => folder.path().into(),
            Hanging::TakesWrites(folder) => folder.mount_point(),
        }
    }

    fn file(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }

    fn hang(&self) -> Result<()> {
        match self {
            Hanging::Answers(folder) => folder.hang(),
            Hanging::TakesWrites(folder) => folder.freeze()?,
        }
        Ok(())
    }

    fn answer(&self) -> Result<()> {
        match self {
            Hanging::Answers(folder) => folder.answer(),
            Hanging::TakesWrites(folder) => folder.thaw()?,
        }
        Ok(())
    }
}

impl Case {
    fn mount(self) -> Result<Hanging> {
        if self == Case::Ledger || self == Case::LogFile {
            return Ok(Hanging::TakesWrites(FreezingFolder::mount()?));
        }
        let folder = HangingFolder::mount(|here| match self {
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
        Ok(Hanging::Answers(folder))
    }

    /// The lines of the configuration that lead there.
    fn configuration(self, hanging: &Hanging, folder: &Path) -> Result<String> {
        let own = folder.join("own.json");
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
struct Daemon {
    process: Child,
    runtime: FakeRuntime,
    port: SocketAddr,
    hanging: Hanging,
    _folder: TempDir,
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
    fn start(case: Case, hanging: Hanging) -> Result<Daemon> {
        Daemon::with(case, hanging, |command| command)
    }

    /// With `failure_policy = "ignore"`.
    fn start_ignoring(case: Case, hanging: Hanging) -> Result<Daemon> {
        let lines = "failure_policy = \"ignore\"";
        Daemon::with_lines(case, hanging, lines, |command| command)
    }

    fn with(case: Case, hanging: Hanging, more: impl FnOnce(&mut Command) -> &mut Command) -> Result<Daemon> {
        Daemon::with_lines(case, hanging, "", more)
    }

    fn with_lines(
        case: Case,
        hanging: Hanging,
        further: &str,
        more: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Daemon> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("config.toml");
        let lines = case.configuration(&hanging, folder.path())?;
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
            _ => folder.path().join("state"),
        };
        let socket = folder.path().join("nri.sock");
        let runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).listen(&socket)?;
        let mut command = Command::new(workspace::nri_oci_hooks()?);
        command.arg("run").arg("--config").arg(config);
        command.arg("--nri-socket").arg(socket);
        command.arg("--state-dir").arg(state);
        command.stderr(fs::File::create(folder.path().join("log"))?);
        let process = more(&mut command).spawn()?;
        Ok(Daemon {
            process,
            runtime,
            port,
            hanging,
            _folder: folder,
        })
    }

    async fn connected(&mut self) -> Result<PluginHandle> {
        Ok(timeout(wait::LIMIT, self.runtime.accept()).await??)
    }

    /// What it answers at a path: the status, and the body.
    fn get(&self, path: &str) -> Result<(String, String)> {
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
    async fn ends(mut self, plugin: PluginHandle) -> Result<()> {
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
fn needs(case: Case, name: &str) -> PodSandbox {
    let pod = PodBuilder::new(name).namespace("default");
    match case {
        Case::SelectedSpec => pod.annotation(ANNOTATION, "spec").build(),
        _ => pod.build(),
    }
}

/// Whether it was created with hooks; the inner error is the daemon's.
async fn create(plugin: &mut PluginHandle, pod: &PodSandbox) -> Result<Result<bool, String>> {
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

/// No container is created without its hooks, and all others are, from before it hangs until after.
async fn refuses_until_it_answers(case: Case) -> Result<()> {
    let hanging = case.mount()?;
    let mut daemon = Daemon::start(case, hanging)?;
    let mut plugin = daemon.connected().await?;
    ensure!(
        create(&mut plugin, &needs(case, "before")).await? == Ok(true),
        "it has hooks"
    );

    daemon.hanging.hang()?;
    let first = create(&mut plugin, &needs(case, "first")).await?;
    ensure!(first.is_err(), "{first:?}");
    for name in ["second", "third"] {
        let Err(error) = create(&mut plugin, &needs(case, name)).await? else {
            bail!("{name} is created");
        };
        ensure!(error.contains("has not answered for "), "{error}");
        ensure!(
            error.contains(&*daemon.hanging.path().to_string_lossy()),
            "{error}"
        );
    }
    if case != Case::Configuration {
        let other = PodBuilder::new("other").namespace(EXCLUDED).build();
        ensure!(
            create(&mut plugin, &other).await? == Ok(false),
            "it needs none of it"
        );
        ensure!(daemon.get("/healthz")?.0 == "200");
        wait::until("it to be reported", async || {
            let metrics = daemon.get("/metrics")?.1;
            let one = "nri_oci_hooks_unanswered_file_systems 1\n";
            Ok((daemon.get("/readyz")?.0 == "503" && metrics.contains(one)).then_some(()))
        })
        .await?;
    }

    daemon.hanging.answer()?;
    wait::until("it to go on", async || {
        Ok((create(&mut plugin, &needs(case, "after")).await? == Ok(true)).then_some(()))
    })
    .await?;

    daemon.hanging.hang()?;
    ensure!(create(&mut plugin, &needs(case, "last")).await?.is_err());
    daemon.ends(plugin).await
}

/// The same with a daemon that starts while it hangs.
async fn registers_and_refuses_until_it_answers(case: Case) -> Result<()> {
    let hanging = case.mount()?;
    hanging.hang()?;
    let mut daemon = Daemon::start(case, hanging)?;
    let mut plugin = daemon.connected().await?;
    for name in ["first", "second"] {
        let answer = create(&mut plugin, &needs(case, name)).await?;
        ensure!(answer.is_err(), "{name}: {answer:?}");
    }
    // Without the configuration, nothing is known of any container.
    if case != Case::Configuration {
        let other = PodBuilder::new("other").namespace(EXCLUDED).build();
        ensure!(
            create(&mut plugin, &other).await? == Ok(false),
            "it needs none of it"
        );
        ensure!(daemon.get("/healthz")?.0 == "200");
    }
    daemon.hanging.answer()?;
    wait::until("it to go on", async || {
        Ok((create(&mut plugin, &needs(case, "after")).await? == Ok(true)).then_some(()))
    })
    .await
}

/// By its own decision, not by the runtime's, which would go on without the plugin.
async fn goes_without_its_hooks_if_failures_are_ignored(case: Case) -> Result<()> {
    let mut daemon = Daemon::start_ignoring(case, case.mount()?)?;
    let mut plugin = daemon.connected().await?;
    let before = create(&mut plugin, &needs(case, "before")).await?;
    ensure!(before == Ok(true), "{before:?}");
    daemon.hanging.hang()?;
    for name in ["first", "second"] {
        let answer = create(&mut plugin, &needs(case, name)).await?;
        ensure!(answer == Ok(false), "{name}: {answer:?}");
    }
    daemon.hanging.answer()?;
    wait::until("it to go on", async || {
        Ok((create(&mut plugin, &needs(case, "after")).await? == Ok(true)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_default_spec_that_hangs_is_gone_without_if_failures_are_ignored() -> Result<()> {
    goes_without_its_hooks_if_failures_are_ignored(Case::DefaultSpec).await
}

#[tokio::test]
async fn a_ledger_that_hangs_is_gone_without_if_failures_are_ignored() -> Result<()> {
    goes_without_its_hooks_if_failures_are_ignored(Case::Ledger).await
}

/// They end while it hangs, and so does whoever reads what they print.
#[tokio::test]
async fn status_and_doctor_name_a_configuration_that_hangs_and_end() -> Result<()> {
    let hanging = Case::Configuration.mount()?;
    hanging.hang()?;
    let ask = |what: &str| {
        let mut command = Command::new(workspace::nri_oci_hooks()?);
        command.args([what, "--config", &hanging.file("config.toml")]);
        let (read, write) = std::io::pipe()?;
        let mut process = command.stdout(write.try_clone()?).stderr(write).spawn()?;
        drop(command);
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send((std::io::read_to_string(read), process.wait())));
        anyhow::Ok(ended)
    };
    let asked = ["status", "doctor"].map(ask);
    let outcomes = asked.map(|ended| Ok::<_, anyhow::Error>(ended?.recv_timeout(wait::LIMIT)?));
    hanging.answer()?;
    for outcome in outcomes {
        let (printed, status) = outcome?;
        let printed = printed?;
        let is_named = printed.contains(&*hanging.path().to_string_lossy());
        ensure!(is_named && printed.contains("has not answered for "), "{printed}");
        ensure!(status?.code() == Some(1), "{printed}");
    }
    Ok(())
}

macro_rules! on_each_case {
    ($($name:ident, $at_start:ident, $case:ident;)+) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            refuses_until_it_answers(Case::$case).await
        }

        #[tokio::test]
        async fn $at_start() -> Result<()> {
            registers_and_refuses_until_it_answers(Case::$case).await
        }
    )+};
}

on_each_case! {
    a_default_spec_that_hangs_refuses, a_default_spec_that_hangs_at_the_start_refuses, DefaultSpec;
    a_selected_spec_that_hangs_refuses, a_selected_spec_that_hangs_at_the_start_refuses, SelectedSpec;
    a_program_that_hangs_refuses, a_program_that_hangs_at_the_start_refuses, Program;
    a_hooks_d_folder_that_hangs_refuses, a_hooks_d_folder_that_hangs_at_the_start_refuses, HooksD;
    a_ledger_that_hangs_refuses, a_ledger_that_hangs_at_the_start_refuses, Ledger;
    a_configuration_that_hangs_refuses, a_configuration_that_hangs_at_the_start_refuses, Configuration;
}

#[tokio::test]
async fn two_hundred_containers_get_an_answer_while_a_file_system_hangs() -> Result<()> {
    let hanging = Case::DefaultSpec.mount()?;
    let mut daemon = Daemon::start(Case::DefaultSpec, hanging)?;
    let mut plugin = daemon.connected().await?;
    daemon.hanging.hang()?;
    for number in 0..200 {
        let name = format!("pod-{number}");
        ensure!(
            create(&mut plugin, &needs(Case::DefaultSpec, &name))
                .await?
                .is_err(),
            "{name}"
        );
        let other = PodBuilder::new(&format!("other-{number}"))
            .namespace(EXCLUDED)
            .build();
        ensure!(create(&mut plugin, &other).await? == Ok(false), "{name}");
    }
    ensure!(daemon.get("/healthz")?.0 == "200");
    daemon.ends(plugin).await
}

#[tokio::test]
async fn a_stderr_that_nobody_reads_holds_no_container_up() -> Result<()> {
    let hanging = Case::DefaultSpec.mount()?;
    let mut daemon = Daemon::with(Case::DefaultSpec, hanging, |command| {
        command.stderr(Stdio::piped())
    })?;
    let mut plugin = daemon.connected().await?;
    let pod = PodBuilder::new("bad").annotation(ANNOTATION, "none").build();
    // Each is a line or two of some hundred bytes: far more than a pipe holds.
    for _ in 0..2000 {
        ensure!(create(&mut plugin, &pod).await?.is_err());
    }
    ensure!(create(&mut plugin, &needs(Case::DefaultSpec, "good")).await? == Ok(true));
    let metrics = daemon.get("/metrics")?.1;
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("nri_oci_hooks_log_lines_dropped_total "));
    ensure!(dropped.is_some_and(|count| count != "0"), "{metrics}");
    daemon.ends(plugin).await
}

#[tokio::test]
async fn a_log_file_that_hangs_holds_no_container_up() -> Result<()> {
    let hanging = Case::LogFile.mount()?;
    let log = hanging.file("log");
    let mut daemon = Daemon::with(Case::LogFile, hanging, |command| command.args(["--log-to", &log]))?;
    let mut plugin = daemon.connected().await?;
    daemon.hanging.hang()?;
    for number in 0..100 {
        let bad = PodBuilder::new("bad").annotation(ANNOTATION, "none").build();
        ensure!(create(&mut plugin, &bad).await?.is_err());
        let good = needs(Case::LogFile, &format!("good-{number}"));
        ensure!(create(&mut plugin, &good).await? == Ok(true), "{number}");
    }
    ensure!(daemon.get("/healthz")?.0 == "200");
    daemon.ends(plugin).await
}

/// On a real containerd: silence would let the container go on without its hooks.
async fn no_container_is_created_without_the_hooks_of_a_file_that_hangs(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    hooks.recorder("hook")?;
    let program = hooks.program("hook").to_string_lossy().into_owned();
    let hanging = HangingFolder::mount_in(containerd.node(), |_| vec![spec(&program)])?;
    let plugin = containerd
        .plugin()
        .hook_spec(Path::new(&hanging.file("spec.json")))
        .configuration(&format!("exclude_namespaces = [{EXCLUDED:?}]"))
        .start()
        .await?;
    let pod = containerd.pod("web").run().await?;
    let other = containerd.pod("other").namespace(EXCLUDED).run().await?;
    pod.start("before").await?;

    hanging.hang();
    for name in ["first", "second"] {
        let Err(error) = pod.start(name).await else {
            bail!("{name} was created");
        };
        ensure!(error.to_string().contains("NRI"), "{error}");
    }
    other.start("needs-none-of-it").await?;
    hanging.answer();
    wait::until("it to go on", async || Ok(pod.start("after").await.ok())).await?;
    drop(plugin);
    Ok(())
}

on_each_containerd!(no_container_is_created_without_the_hooks_of_a_file_that_hangs);
