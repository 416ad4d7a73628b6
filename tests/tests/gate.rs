//! A slow poststart holds its own container's start, and nobody else's, whether the daemon lives or not.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::cri::State;
use e2e::hooks::record;
use e2e::ledger::{Stage, runner};
use e2e::{
    Containerd, Delivery, HookSpec, OciRuntime, Plugin, Runtime, on_each_runtime_and_the_newest, wait,
};
use tokio::task::JoinSet;

/// A hook that says when it runs, and goes on when it is let.
struct Slow {
    begun: PathBuf,
    go_on: PathBuf,
}

impl Slow {
    fn new(containerd: &Containerd) -> Slow {
        let [begun, go_on] = ["begun", "go-on"].map(|name| containerd.node().directory().join(name));
        Slow { begun, go_on }
    }

    fn script(&self) -> String {
        let (begun, go_on) = (self.begun.display(), self.go_on.display());
        format!("echo $PPID >>{begun}; until [ -e {go_on} ]; do sleep 0.02; done")
    }

    /// Waits until it has begun `times`.
    async fn await_begun(&self, times: usize) -> Result<()> {
        wait::until("the hooks to run", async || {
            let text = fs::read_to_string(&self.begun).unwrap_or_default();
            Ok((text.lines().count() >= times).then_some(()))
        })
        .await
    }

    fn let_go(&self) -> Result<()> {
        Ok(fs::write(&self.go_on, "")?)
    }
}

async fn a_slow_poststart_keeps_no_other_pod_from_starting(runtime: Runtime) -> Result<()> {
    const PODS: usize = 6;
    let containerd = runtime.start().await?;
    let slow = Slow::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststart(hooks.script("slow", &slow.script())?)
        .poststart(hooks.recorder("poststart")?);
    let spec = hooks.spec("default", &spec)?;
    let _plugin = containerd
        .plugin()
        .hook_spec(&spec)
        .configuration("exclude_namespaces = [\"bystanders\"]")
        .start()
        .await?;
    let mut containers = Vec::new();
    for number in 0..PODS {
        let pod = containerd.pod(&format!("slow-{number}")).run().await?;
        containers.push(pod.container("app").create().await?);
    }
    let ids: Vec<String> = containers
        .iter()
        .map(|container| container.id().to_owned())
        .collect();
    let mut starts = JoinSet::new();
    for container in containers {
        starts.spawn(async move { container.start().await });
    }
    slow.await_begun(PODS).await?;

    // All of its life falls into the hooks of the others.
    let bystander = containerd.pod("bystander").namespace("bystanders").run().await?;
    let container = bystander.start("app").await?;
    container.stop(10).await?;
    container.remove().await?;
    ensure!(
        starts.try_join_next().is_none(),
        "a start has not waited for its poststart"
    );
    slow.let_go()?;
    while let Some(start) = starts.join_next().await {
        start??;
    }
    for id in &ids {
        assert_eq!(hooks.ran(id)?, ["poststart"]);
    }
    Ok(())
}

async fn a_start_waits_for_poststart_with_the_daemon_dead(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    // Longer than the runtime waits for an event.
    let slow = hooks
        .recorder("poststart")?
        .env([&format!("{}=2500", record::HOLD)]);
    let spec = HookSpec::new()
        .prestart(hooks.recorder("prestart")?)
        .poststart(slow)
        .poststop(hooks.recorder("poststop")?);
    let mut plugin = plugin(&containerd, Delivery::Runner, spec).await?;
    let pod = containerd.pod("web").run().await?;
    let (alone, attended) = (pod.container("alone").create().await?, pod.container("attended"));
    let attended = attended.create().await?;
    attended.start().await?;
    let attended_started = record::now()?;
    plugin.kill().await?;
    alone.start().await?;
    let alone_started = record::now()?;
    for (container, started) in [(&attended, attended_started), (&alone, alone_started)] {
        container.stop(10).await?;
        let records = hooks.records(container.id())?;
        let names: Vec<&str> = records.iter().map(|record| record.program.as_str()).collect();
        assert_eq!(names, ["prestart", "poststart", "poststop"]);
        ensure!(
            records[1].ended < started,
            "the start returned before poststart had ended"
        );
        let program = records[1]
            .init_program
            .as_deref()
            .context("poststart saw no init")?;
        ensure!(
            program.ends_with("busybox"),
            "init was still {}",
            program.display()
        );
    }
    Ok(())
}

async fn with_events_a_start_waits_for_poststart(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let slow = Slow::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststart(hooks.script("slow", &slow.script())?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let _plugin = plugin(&containerd, Delivery::Events, spec).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    let mut start = Box::pin(container.start());
    tokio::select! {
        started = &mut start => anyhow::bail!("it did not wait: {started:?}"),
        begun = slow.await_begun(1) => begun?,
    }
    slow.let_go()?;
    start.await?;
    assert_eq!(hooks.ran(&id)?, ["poststart"]);
    container.stop(10).await?;
    assert_eq!(hooks.ran(&id)?, ["poststart", "poststop"]);
    Ok(())
}

async fn a_stop_during_a_held_start_comes_after_poststart(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let slow = Slow::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststart(hooks.script("slow", &slow.script())?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let _plugin = plugin(&containerd, Delivery::Runner, spec).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    let stop = async {
        slow.await_begun(1).await?;
        slow.let_go()?;
        anyhow::Ok(container.stop(10).await?)
    };
    // containerd may refuse to stop a container that is being started, or do nothing.
    let (start, _stop) = tokio::join!(container.start(), stop);
    start?;
    container.stop(10).await?;
    assert_eq!(container.status().await?.state, State::Exited);
    assert_eq!(hooks.ran(&id)?, ["poststart", "poststop"]);
    Ok(())
}

async fn a_killed_runner_of_poststart_lets_the_start_return(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let slow = Slow::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststart(hooks.script("slow", &slow.script())?)
        .poststop(hooks.recorder("poststop")?);
    let _plugin = plugin(&containerd, Delivery::Runner, spec).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    let kill = async {
        slow.await_begun(1).await?;
        let record = containerd.ledger().record(&id, Stage::Poststart)?;
        let runner = record.as_ref().and_then(runner).context("nobody has the claim")?;
        let script = format!("kill -9 {runner}");
        containerd.node().run(Command::new("sh").args(["-c", &script]))?;
        if !runtime.oci.runs_poststart_in_create() {
            // It may take this for a failure. Then it deletes the container, and the poststop of that waits for the hook.
            slow.let_go()?;
        }
        anyhow::Ok(())
    };
    let (_start, killed) = tokio::join!(container.start(), kill);
    killed?;
    slow.let_go()?;
    // crun 1.28 deletes a container whose start fails, and containerd never ends a stop of such a container.
    if runtime.oci != OciRuntime::CrunForky {
        container.stop(10).await?;
    }
    containerd.ledger().await_end(&id, Stage::Poststop).await?;
    assert_eq!(hooks.ran(&id)?, ["poststop"]);
    Ok(())
}

/// The runtime dies in the middle of a start, and asks for it again: its OCI runtime makes a new init.
async fn a_repeated_start_has_its_own_prestart(runtime: Runtime) -> Result<()> {
    let mut containerd = runtime.start().await?;
    let slow = Slow::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.script("slow", &slow.script())?)
        .prestart(hooks.recorder("prestart")?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let plugin = plugin(&containerd, Delivery::Runner, spec).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    {
        let start = container.start();
        let killed = async {
            slow.await_begun(1).await?;
            containerd.kill().await
        };
        let (start, killed) = tokio::join!(start, killed);
        killed?;
        ensure!(start.is_err(), "the runtime was killed, and the start succeeded");
    }
    slow.let_go()?;
    containerd.restart().await?;
    containerd.await_connection(plugin.name(), 1).await?;
    let container = container.reconnected(&containerd);
    // Either it starts with its prestart, or it is refused with a reason.
    if container.start().await.is_ok() {
        container.stop(10).await?;
        containerd.ledger().await_end(&id, Stage::Poststop).await?;
        let ran = containerd.hooks().ran(&id)?;
        let last = ran.iter().rev().take(3).rev().map(String::as_str);
        ensure!(
            last.eq(["prestart", "poststart", "poststop"]),
            "the new init did not get all: {ran:?}"
        );
    }
    Ok(())
}

async fn plugin(containerd: &Containerd, delivery: Delivery, spec: HookSpec) -> Result<Plugin> {
    let spec = containerd.hooks().spec("default", &spec)?;
    containerd.deliver(delivery, &spec).await
}

on_each_runtime_and_the_newest!(
    a_slow_poststart_keeps_no_other_pod_from_starting,
    a_start_waits_for_poststart_with_the_daemon_dead,
    with_events_a_start_waits_for_poststart,
    a_stop_during_a_held_start_comes_after_poststart,
    a_killed_runner_of_poststart_lets_the_start_return,
    a_repeated_start_has_its_own_prestart,
);
