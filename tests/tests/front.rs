//! The front: daemons come and go behind a connection that stays.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cri::Access;
use e2e::plugin::{NAME, put_program, tool};
use e2e::{Container, Containerd, Plugin, Pod, Version, on_each_containerd_and_the_newest, wait, workspace};
use nix::sys::signal::Signal;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

/// How many deaths of daemons the front allows, and within which time.
const MAX_DEATHS: usize = 10;
const DEATHS_WITHIN: Duration = Duration::from_secs(61);

/// How long a daemon is stopped that is to go on.
const STOPPED: Duration = Duration::from_secs(3);

/// NRI's own limit, and time for what is not NRI.
const LIMIT: Duration = Duration::from_millis(2500);

async fn started(version: Version, policy: &str) -> Result<(Containerd, Plugin)> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let plugin = containerd
        .plugin()
        .hook_spec(&spec)
        .configuration(&format!("failure_policy = {policy:?}"))
        .start()
        .await?;
    Ok((containerd, plugin))
}

/// Lives of pods, each with a container, that go on beside what is done to the daemon.
struct Churn<'a> {
    containerd: &'a Containerd,
    /// How many pods are to live at least.
    least: usize,
    lives: Cell<usize>,
    /// Whether what is done to the daemon is over.
    is_over: Cell<bool>,
    /// Gets each life that is over.
    life: Notify,
    /// How often the daemon was stopped or let go on; it is stopped while this is odd.
    switches: Cell<usize>,
    refused: Cell<usize>,
}

impl<'a> Churn<'a> {
    fn new(containerd: &'a Containerd, least: usize) -> Churn<'a> {
        Churn {
            containerd,
            least,
            lives: Cell::default(),
            is_over: Cell::default(),
            life: Notify::new(),
            switches: Cell::default(),
            refused: Cell::default(),
        }
    }

    /// Has pods live while `done` is done, two at a time: no container goes without a hook, and none is refused unless
    /// the daemon was stopped meanwhile.
    async fn beside(&self, done: impl Future<Output = Result<()>>) -> Result<()> {
        let done = async {
            done.await?;
            self.is_over.set(true);
            Ok(())
        };
        tokio::try_join!(self.run_lives("one"), self.run_lives("two"), done)?;
        Ok(())
    }

    async fn run_lives(&self, name: &str) -> Result<()> {
        while !self.is_over.get() || self.lives.get() < self.least {
            let number = self.lives.get();
            self.lives.set(number + 1);
            let pod = self.containerd.pod(&format!("{name}-{number}")).run().await?;
            let switches = self.switches.get();
            match pod.start("app").await {
                Ok(container) => {
                    container.stop(0).await?;
                    let ran = self.containerd.hooks().ran(container.id())?;
                    ensure!(ran == ALL, "{name}-{number}: {ran:?}");
                    container.remove().await?;
                }
                Err(error) => {
                    let was_stopped = switches % 2 == 1 || self.switches.get() > switches;
                    ensure!(was_stopped, "{name}-{number} is refused: {error:#}");
                    let text = format!("{error:#}");
                    ensure!(text.contains("did not answer in time"), "{text}");
                    self.refused.set(self.refused.get() + 1);
                }
            }
            pod.stop().await?;
            pod.remove().await?;
            self.life.notify_waiters();
        }
        Ok(())
    }

    /// The daemon has been registered once, and has nothing more to do.
    async fn ends_well(&self) -> Result<()> {
        let connections = self.containerd.connections(NAME)?;
        println!(
            "{} pods, {} refused, {connections} registration",
            self.lives.get(),
            self.refused.get()
        );
        ensure!(connections == 1);
        wait::until("the ledger to be empty", async || {
            Ok(self.containerd.ledger().tracked()?.is_empty().then_some(()))
        })
        .await
    }
}

/// A number from the environment: how large a proof is to be.
fn size(variable: &str, usual: usize) -> Result<usize> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text}")),
        Err(_) => Ok(usual),
    }
}

/// How many pods live at least in a proof of this size.
fn pods() -> Result<usize> {
    size("FRONT_PODS", 20)
}

/// Has a pod live.
async fn run_life(containerd: &Containerd) -> Result<()> {
    Churn::new(containerd, 1).beside(async { Ok(()) }).await
}

/// Awaits that another daemon than `before` has taken over.
async fn await_daemon(plugin: &mut Plugin, before: i32, times: usize) -> Result<()> {
    wait::until("the next daemon", async || {
        let child = plugin.process().child();
        Ok(child.is_ok_and(|pid| pid != before).then_some(()))
    })
    .await?;
    plugin
        .process()
        .log()
        .wait_for("resumed the connection", times)
        .await
}

async fn containers_have_all_hooks_once_and_none_is_refused_while_daemons_are_killed(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let churn = Churn::new(&containerd, pods()?);
    let kills = size("FRONT_KILLS", 8)?;
    churn
        .beside(async {
            let mut earlier = VecDeque::new();
            for times in 1..=kills {
                churn.life.notified().await;
                // The front ends with more deaths than that in a minute.
                if earlier.len() == MAX_DEATHS
                    && let Some(first) = earlier.pop_front()
                {
                    sleep_until(first + DEATHS_WITHIN).await;
                }
                let before = plugin.process().child()?;
                plugin.process().kill_child()?;
                await_daemon(&mut plugin, before, times).await?;
                earlier.push_back(Instant::now());
            }
            Ok(())
        })
        .await?;
    println!("{kills} daemons killed");
    ensure!(churn.refused.get() == 0);
    churn.ends_well().await
}

async fn nothing_goes_without_hooks_while_daemons_are_stopped_for_a_while(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let churn = Churn::new(&containerd, pods()?);
    let stops = size("FRONT_STOPS", 2)?;
    let daemon = plugin.process().child()?;
    let switch = || churn.switches.set(churn.switches.get() + 1);
    churn
        .beside(async {
            for _ in 0..stops {
                churn.life.notified().await;
                switch();
                let frozen = plugin.process().freeze_child()?;
                // Long enough for requests to be answered for, and the daemon is not replaced yet.
                sleep(STOPPED).await;
                drop(frozen);
                switch();
                churn.life.notified().await;
            }
            Ok(())
        })
        .await?;
    println!("{stops} times stopped for {STOPPED:?}");
    ensure!(plugin.process().child()? == daemon);
    churn.ends_well().await
}

fn executes(process: i32, program: &Path) -> Result<bool> {
    let executed = fs::metadata(format!("/proc/{process}/exe"))?;
    let program = fs::metadata(program)?;
    Ok((executed.dev(), executed.ino()) == (program.dev(), program.ino()))
}

async fn an_upgrade_in_place_registers_nothing_and_no_container_goes_without_hooks(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let program = containerd.node().make_directory("program")?.join("nri-oci-hooks");
    put_program(&program)?;
    let plugin = containerd.plugin().hook_spec(&spec).program(&program);
    let mut plugin = plugin.start().await?;
    let front = plugin.process().pid();
    let churn = Churn::new(&containerd, pods()?);
    let upgrades = size("FRONT_UPGRADES", 4)?;
    churn
        .beside(async {
            for times in 1..=upgrades {
                churn.life.notified().await;
                let before = plugin.process().child()?;
                put_program(&program)?;
                plugin.process().signal(Signal::SIGHUP)?;
                let log = plugin.process().log().clone();
                log.wait_for("the front has the new release", times).await?;
                let daemon = plugin.process().child()?;
                ensure!(daemon != before && executes(daemon, &program)? && executes(front, &program)?);
            }
            Ok(())
        })
        .await?;
    println!("{upgrades} upgrades");
    ensure!(churn.refused.get() == 0);
    // The same program again: its daemon looks at its files.
    let daemon = plugin.process().child()?;
    plugin.process().signal(Signal::SIGHUP)?;
    plugin.process().log().wait_for("reloaded", 1).await?;
    ensure!(plugin.process().child()? == daemon);
    churn.ends_well().await
}

async fn a_handover_that_cannot_be_read_is_reported_and_the_plugin_registers(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let plugin = containerd.plugin().hook_spec(&spec);
    let mut plugin = plugin.env("NRI_OCI_HOOKS_HANDOVER", "77 1").start().await?;
    let log = plugin.process().log().text()?;
    ensure!(log.contains("cannot take over from the earlier release"), "{log}");
    run_life(&containerd).await
}

async fn a_stopped_daemon_refuses_in_time_and_nothing_goes_without_hooks(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let pod = containerd.pod("web").run().await?;
    for round in 0..2 {
        let frozen = plugin.process().freeze_child()?;
        let begin = Instant::now();
        let refusal = pod.container(&format!("late-{round}")).create().await;
        let error = refusal.err().context("it is created")?.to_string();
        ensure!(error.contains("did not answer in time"), "{error}");
        ensure!(begin.elapsed() < 2 * LIMIT, "{:?}", begin.elapsed());
        drop(frozen);
        let next = pod.start(&format!("next-{round}")).await?;
        next.stop(0).await?;
        ensure!(containerd.hooks().ran(next.id())? == ALL);
        next.remove().await?;
    }
    ensure!(containerd.connections(NAME)? == 1);
    wait::until("the ledger to be empty", async || {
        Ok(containerd.ledger().tracked()?.is_empty().then_some(()))
    })
    .await
}

async fn under_ignore_a_stopped_daemon_lets_containers_go_and_does_not_register_them(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "ignore").await?;
    let pod = containerd.pod("web").run().await?;
    let frozen = plugin.process().freeze_child()?;
    let container = pod.start("late").await?;
    drop(frozen);
    plugin
        .process()
        .log()
        .wait_for("was answered for the plugin", 1)
        .await?;
    ensure!(containerd.ledger().tracked()?.is_empty());
    container.stop(0).await?;
    ensure!(containerd.hooks().ran(container.id())?.is_empty());
    ensure!(containerd.connections(NAME)? == 1);
    Ok(())
}

async fn a_front_that_is_killed_takes_its_daemon_along_and_the_next_one_registers(
    version: Version,
) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let daemon = plugin.process().child()?;
    plugin.kill().await?;
    wait::until("the daemon to end", async || {
        let stat = fs::read_to_string(format!("/proc/{daemon}/stat")).unwrap_or_default();
        Ok((stat.is_empty() || stat.contains(") Z ")).then_some(()))
    })
    .await?;
    let _plugin = plugin.start_again(&containerd).await?;
    run_life(&containerd).await
}

/// A container that takes no notice of SIGTERM.
struct Stubborn {
    container: Container,
    _pod: Pod,
    seen: PathBuf,
}

impl Stubborn {
    async fn start(containerd: &Containerd) -> Result<Stubborn> {
        let pod = containerd.pod("slow").run().await?;
        let seen = containerd.node().make_directory("seen")?;
        let script = "trap 'touch /seen/TERM' TERM; touch /seen/trap; while :; do sleep 1; done";
        let container = pod
            .container("app")
            .command(["/bin/sh", "-c", script])
            .mount(&seen, "/seen", Access::Write)
            .start()
            .await?;
        let stubborn = Stubborn {
            container,
            _pod: pod,
            seen,
        };
        stubborn.sees("trap").await?;
        Ok(stubborn)
    }

    async fn sees(&self, name: &str) -> Result<()> {
        let path = self.seen.join(name);
        wait::until(name, async || Ok(path.exists().then_some(()))).await
    }
}

/// Registering waits for every stop on the node, and everything else on the node for that.
async fn a_daemon_that_is_killed_during_a_long_stop_holds_up_nobody(version: Version) -> Result<()> {
    let (containerd, mut plugin) = started(version, "fail").await?;
    let slow = Stubborn::start(&containerd).await?;
    let is_stopped = Cell::new(false);
    let stop = async {
        slow.container.stop(10).await?;
        is_stopped.set(true);
        anyhow::Ok(())
    };
    let other = async {
        slow.sees("TERM").await?;
        let before = plugin.process().child()?;
        plugin.process().kill_child()?;
        await_daemon(&mut plugin, before, 1).await?;
        run_life(&containerd).await?;
        ensure!(!is_stopped.get(), "the other pod waited for the stop");
        Ok(())
    };
    tokio::try_join!(stop, other)?;
    Ok(())
}

/// containerd 1.7.24 of Debian does not wait.
async fn a_registration_that_waits_for_a_stop_is_reported_until_it_is_over(version: Version) -> Result<()> {
    if version == Version::V1_7 {
        return Ok(());
    }
    let containerd = Containerd::start(version).await?;
    let slow = Stubborn::start(&containerd).await?;
    let stop = async { Ok(slow.container.stop(15).await?) };
    let reported = async {
        slow.sees("TERM").await?;
        let file = containerd.node().directory().join("stuck.toml");
        fs::write(
            &file,
            format!("state_dir = {:?}\n", containerd.ledger().directory()),
        )?;
        let plugin = containerd.plugin().configuration_file(&file).spawn()?;
        plugin.log().wait_for("and not synchronized", 1).await?;
        for command in ["status", "doctor"] {
            let mut tool = Command::new(workspace::nri_oci_hooks()?);
            tool.arg(command).arg("--config").arg(&file);
            let error = containerd.node().run(&tool).err().context(command)?;
            let said = format!("{error:#}");
            ensure!(said.contains("and not synchronized"), "{command}: {said}");
        }
        plugin.log().wait_for("\"synchronized\"", 1).await?;
        tool(&containerd, &["status"]).map(drop)
    };
    tokio::try_join!(stop, reported)?;
    ensure!(containerd.connections(NAME)? == 1);
    Ok(())
}

on_each_containerd_and_the_newest!(
    containers_have_all_hooks_once_and_none_is_refused_while_daemons_are_killed,
    nothing_goes_without_hooks_while_daemons_are_stopped_for_a_while,
    an_upgrade_in_place_registers_nothing_and_no_container_goes_without_hooks,
    a_handover_that_cannot_be_read_is_reported_and_the_plugin_registers,
    a_stopped_daemon_refuses_in_time_and_nothing_goes_without_hooks,
    under_ignore_a_stopped_daemon_lets_containers_go_and_does_not_register_them,
    a_front_that_is_killed_takes_its_daemon_along_and_the_next_one_registers,
    a_daemon_that_is_killed_during_a_long_stop_holds_up_nobody,
    a_registration_that_waits_for_a_stop_is_reported_until_it_is_over,
);
