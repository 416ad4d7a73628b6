//! Hooks that take longer than the runtime waits, and work that cannot be done at once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::cri::State;
use e2e::ledger::{Outcome, Stage, StageRecord, StageResult, Trigger, runner};
use e2e::plugin::{ANNOTATION, NAME};
use e2e::{Containerd, Delivery, HookSpec, Plugin, Runtime, on_each_runtime_and_the_newest, wait, workspace};

/// A hook that writes the process of its supervisor and goes on when it is let.
struct Gate {
    begun: PathBuf,
    go_on: PathBuf,
}

impl Gate {
    fn new(containerd: &Containerd) -> Gate {
        let [begun, go_on] = ["begun", "go-on"].map(|name| containerd.node().directory().join(name));
        Gate { begun, go_on }
    }

    fn script(&self) -> String {
        let (begun, go_on) = (self.begun.display(), self.go_on.display());
        format!("echo $PPID >{begun}.new; mv {begun}.new {begun}; until [ -e {go_on} ]; do sleep 0.02; done")
    }

    async fn await_hook(&self) -> Result<String> {
        let pid = wait::until("the hook to run", async || {
            Ok(fs::read_to_string(&self.begun).ok())
        });
        Ok(pid.await?.trim().to_owned())
    }

    fn open(&self) -> Result<()> {
        Ok(fs::write(&self.go_on, "")?)
    }
}

async fn a_prestart_that_takes_longer_than_the_runtime_waits_fails_the_start(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let gate = Gate::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.script("slow", &gate.script())?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let _plugin = containerd
        .deliver(Delivery::Events, &hooks.spec("default", &spec)?)
        .await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    let refused = container.start().await.err().context("it was started")?;
    ensure!(
        refused
            .message()
            .contains("raise the runtime's plugin_request_timeout"),
        "{refused}"
    );
    gate.open()?;
    container.remove().await?;
    containerd.ledger().await_end(&id, Stage::Poststop).await?;
    assert_eq!(hooks.ran(&id)?, ["poststop"]);
    Ok(())
}

async fn nothing_in_a_pod_lets_a_container_run_before_its_prestart_has_ended(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let gate = Gate::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new().prestart(hooks.script("slow", &gate.script())?);
    hooks.spec("slow", &spec)?;
    let _plugin = containerd
        .deliver(Delivery::Events, &hooks.spec("default", &HookSpec::new())?)
        .await?;
    let pod = containerd.pod("web").shared_pid();
    let pod = pod
        .annotation(&format!("{ANNOTATION}/container.app"), "slow")
        .run()
        .await?;
    // As root beside it, and as often as it can.
    let sibling = pod
        .container("sibling")
        .command(["sh", "-c", "while :; do kill -CONT -1; done"]);
    let sibling = sibling.start().await?;
    let container = pod
        .container("app")
        .command(["sh", "-c", "echo ran"])
        .create()
        .await?;
    ensure!(container.start().await.is_err(), "it was started");
    gate.open()?;
    container.remove().await?;
    assert_eq!(pod.log("app").unwrap_or_default(), "");
    sibling.stop(0).await?;
    Ok(())
}

/// The runtime goes on without a daemon that dies in the event: nobody is left who would end the prestart.
async fn a_container_whose_prestart_died_with_the_daemon_is_ended_when_the_daemon_is_back(
    runtime: Runtime,
) -> Result<()> {
    let containerd = runtime.start().await?;
    let gate = Gate::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.script("slow", &gate.script())?)
        .poststop(hooks.recorder("poststop")?);
    let mut plugin = containerd
        .deliver(Delivery::Events, &hooks.spec("default", &spec)?)
        .await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.container("app").create().await?;
    let id = container.id().to_owned();
    let start = async { Ok(container.start().await) };
    let murder = async {
        let supervisor = gate.await_hook().await?;
        let record = containerd.ledger().record(&id, Stage::Prestart)?;
        let runner = record.as_ref().and_then(runner).context("nobody has the claim")?;
        plugin.kill().await?;
        let script = format!("kill -9 {runner} {supervisor}");
        containerd.node().run(Command::new("sh").args(["-c", &script]))?;
        plugin.start_again(&containerd).await
    };
    let (started, _plugin) = tokio::try_join!(start, murder)?;
    if started.is_ok() {
        container.await_state(State::Exited).await?;
    }
    container.remove().await?;
    containerd.ledger().await_end(&id, Stage::Poststop).await?;
    let record = containerd.ledger().await_end(&id, Stage::Prestart).await?;
    assert_eq!(
        record.runs()[0].ended.map(|end| end.outcome),
        Some(&Outcome::Interrupted)
    );
    assert_eq!(hooks.ran(&id)?, ["poststop"]);

    gate.open()?;
    let next = pod.start("next").await?;
    next.stop(10).await?;
    containerd.ledger().await_end(next.id(), Stage::Poststop).await?;
    assert_eq!(hooks.ran(next.id())?, ["poststop"], "the daemon is not called");
    Ok(())
}

async fn a_poststop_that_the_runtime_does_not_wait_for_goes_on_and_is_on_record_as_timed_out(
    runtime: Runtime,
) -> Result<()> {
    let containerd = runtime.start().await?;
    let gate = Gate::new(&containerd);
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .poststop(hooks.script("slow", &gate.script())?)
        .poststop(hooks.recorder("poststop")?);
    let _plugin = containerd
        .deliver(Delivery::Events, &hooks.spec("default", &spec)?)
        .await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    let id = container.id();
    container.stop(10).await?;
    let timed_out = |record: &StageRecord| record.event_timeouts().next().map(|(by, _)| by);
    let by = containerd
        .ledger()
        .await_in_record(id, Stage::Poststop, timed_out)
        .await?;
    assert_eq!(by, Trigger::StopContainer);
    gate.open()?;
    let record = containerd.ledger().await_end(id, Stage::Poststop).await?;
    assert_eq!(record.finished(), Some(&StageResult::Done));
    assert_eq!(hooks.ran(id)?, ["poststop"]);
    Ok(())
}

async fn a_removed_container_whose_poststop_could_not_be_run_gets_it_as_soon_as_it_can_be(
    runtime: Runtime,
) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let spec = containerd.hooks().recording_spec("default")?;
    let [program, away] = ["program", "away"].map(|name| containerd.node().directory().join(name));
    // By a process of its own: what is open for writing here, a child of another test might keep open.
    let copied = Command::new("cp")
        .arg(workspace::nri_oci_hooks()?)
        .arg(&program)
        .status()?;
    ensure!(copied.success(), "{copied}");
    let mut command = Command::new(&program);
    command
        .arg("run")
        .arg("--nri-socket")
        .arg(containerd.nri_socket());
    command.arg("--state-dir").arg(containerd.ledger().directory());
    command.args(["--delivery", "events", "--hook-spec"]).arg(&spec);
    let _plugin = Plugin::start(&containerd, NAME, command).await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    let id = container.id().to_owned();

    fs::rename(&program, &away)?;
    container.stop(10).await?;
    container.remove().await?;
    assert_eq!(
        containerd.ledger().tracked()?,
        std::slice::from_ref(&id),
        "it is not owed any more"
    );
    fs::rename(&away, &program)?;
    containerd.ledger().await_end(&id, Stage::Poststop).await?;
    wait::until("its records to be put aside", async || {
        let ledger = containerd.ledger();
        Ok((ledger.tracked()?.is_empty() && ledger.archived()? == [id.as_str()]).then_some(()))
    })
    .await?;
    assert_eq!(
        hooks.ran(&id)?,
        ["default-prestart", "default-poststart", "default-poststop"]
    );
    Ok(())
}

on_each_runtime_and_the_newest!(
    a_prestart_that_takes_longer_than_the_runtime_waits_fails_the_start,
    nothing_in_a_pod_lets_a_container_run_before_its_prestart_has_ended,
    a_container_whose_prestart_died_with_the_daemon_is_ended_when_the_daemon_is_back,
    a_poststop_that_the_runtime_does_not_wait_for_goes_on_and_is_on_record_as_timed_out,
    a_removed_container_whose_poststop_could_not_be_run_gets_it_as_soon_as_it_can_be,
);
