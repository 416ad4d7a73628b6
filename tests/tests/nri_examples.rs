//! The examples of crate `containerd-nri`, each on a real containerd.

use std::process::Command;
use std::thread;

use anyhow::{Result, bail, ensure};
use e2e::cri::State;
use e2e::node::say_not_tested;
use e2e::{
    Containerd, Plugin, Pod, Runtime, Version, on_each_containerd, on_each_containerd_and_the_newest, wait,
    workspace,
};

/// Starts an example, which registers as `name`.
async fn start(containerd: &Containerd, example: &str, name: &str) -> Result<Plugin> {
    let mut command = Command::new(workspace::example(example)?);
    command.arg(containerd.nri_socket());
    Plugin::start(containerd, name, command).await
}

/// Why a container of a pod is not created.
async fn refusal(pod: &Pod, container: &str) -> Result<String> {
    match pod.container(container).create().await {
        Ok(_) => bail!("container {container} was created"),
        Err(error) => Ok(error.to_string()),
    }
}

async fn device_injector_gives_a_container_a_device_that_it_can_read(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let _plugin = start(&containerd, "device_injector", "10-device-injector").await?;
    // A second /dev/zero.
    let pod = containerd
        .pod("web")
        .annotation("devices.example.com/container.app", "/dev/nothing c 1:5 0444");
    let pod = pod.run().await?;
    let app = pod.start("app").await?;
    let read = app.exec(&["head", "-c", "3", "/dev/nothing"]).await?;
    ensure!(read == "\0\0\0", "{read:?}");
    let other = pod.start("other").await?;
    ensure!(other.exec(&["head", "-c", "3", "/dev/nothing"]).await.is_err());

    let pod = containerd
        .pod("wrong")
        .annotation("devices.example.com/pod", "/dev/nothing");
    let error = refusal(&pod.run().await?, "app").await?;
    ensure!(error.contains("is no device"), "{error}");
    Ok(())
}

async fn ulimit_adjuster_limits_what_a_container_may_open(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let _plugin = start(&containerd, "ulimit_adjuster", "20-ulimit-adjuster").await?;
    let pod = containerd
        .pod("web")
        .annotation("ulimits.example.com/pod", "RLIMIT_NOFILE=64:128");
    // Its own program prints them: in one that runc 1.1 executes later, Go may have raised the soft limit.
    let pod = pod.run().await?;
    let app = pod
        .container("app")
        .command(["/bin/sh", "-c", "ulimit -S -n; ulimit -H -n"]);
    app.start().await?.await_state(State::Exited).await?;
    let log = pod.log("app")?;
    let limits: Vec<_> = log.lines().filter_map(|line| line.rsplit(' ').next()).collect();
    ensure!(limits == ["64", "128"], "{log}");
    Ok(())
}

async fn inject_env_sets_a_variable(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let _plugin = start(&containerd, "inject_env", "20-inject-env").await?;
    let pod = containerd.pod("web").annotation("env.example.com/WORD", "hello");
    let app = pod.run().await?.start("app").await?;
    ensure!(app.exec(&["sh", "-c", "echo $WORD"]).await? == "hello\n");
    Ok(())
}

async fn logger_prints_what_happens(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let mut plugin = start(&containerd, "logger", "90-logger").await?;
    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    container.stop(10).await?;
    container.remove().await?;
    pod.stop().await?;
    pod.remove().await?;
    let log = plugin.process().log();
    for event in [
        "configure by containerd",
        "synchronize 0 pods",
        "run_pod_sandbox default/web",
        "create_container default/web/app",
        "start_container default/web/app",
        "stop_container default/web/app",
        "remove_container default/web/app",
        "remove_pod_sandbox default/web",
    ] {
        log.wait_for(event, 1).await?;
    }
    Ok(())
}

async fn empty_changes_nothing(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let pod = containerd.pod("web").run().await?;
    let without = pod.oci_spec().await?;
    let _plugin = start(&containerd, "empty", "90-empty").await?;
    assert_eq!(pod.oci_spec().await?, without);
    Ok(())
}

async fn guard_refuses_a_container_with_its_reason(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let _plugin = start(&containerd, "guard", "05-guard").await?;
    containerd.pod("allowed").run().await?.start("app").await?;
    let pod = containerd
        .pod("denied")
        .annotation("guard.example.com/deny", "not today");
    let error = refusal(&pod.run().await?, "app").await?;
    ensure!(error.contains("container app is denied: not today"), "{error}");
    Ok(())
}

/// The CPUs that a container may use, as the kernel has it.
async fn cpus(container: &e2e::Container) -> Result<String> {
    let status = container
        .exec(&["grep", "Cpus_allowed_list", "/proc/self/status"])
        .await?;
    Ok(status.split_whitespace().nth(1).unwrap_or_default().to_owned())
}

async fn topology_takes_a_cpu_from_the_others_until_its_container_stops(version: Version) -> Result<()> {
    if thread::available_parallelism()?.get() < 2 {
        say_not_tested("topology", "this machine has one CPU");
        return Ok(());
    }
    let containerd = Containerd::start(version).await?;
    let mut command = Command::new(workspace::example("topology")?);
    command.arg(containerd.nri_socket()).arg("2");
    let _plugin = Plugin::start(&containerd, "30-topology", command).await?;
    let shared = containerd.pod("shared").run().await?.start("app").await?;
    ensure!(cpus(&shared).await? == "0-1", "{}", cpus(&shared).await?);

    let own = containerd
        .pod("own")
        .annotation("cpus.example.com/exclusive", "yes");
    let own = own.run().await?;
    let exclusive = own.start("app").await?;
    ensure!(cpus(&exclusive).await? == "0");
    ensure!(cpus(&shared).await? == "1");
    let error = refusal(&own, "another").await?;
    ensure!(error.contains("no CPU is left"), "{error}");

    exclusive.stop(10).await?;
    wait::until("the CPU to be given back", async || {
        Ok((cpus(&shared).await? == "0-1").then_some(()))
    })
    .await
}

on_each_containerd!(
    device_injector_gives_a_container_a_device_that_it_can_read,
    ulimit_adjuster_limits_what_a_container_may_open,
    inject_env_sets_a_variable,
    logger_prints_what_happens,
    empty_changes_nothing,
);

on_each_containerd_and_the_newest!(
    guard_refuses_a_container_with_its_reason,
    topology_takes_a_cpu_from_the_others_until_its_container_stops,
);

/// Whether a containerd is there, with the runc of its time.
fn is_there(version: Version, case: &str) -> bool {
    let oci = version.runc();
    Runtime { version, oci }.is_there_for(case)
}

#[tokio::test]
async fn validator_refuses_hooks_of_pods_that_are_not_allowed_to_have_them() -> Result<()> {
    // Validation came with NRI 0.10: containerd 2.2.
    if !is_there(Version::V2_4, "the validator on containerd") {
        return Ok(());
    }
    let containerd = Containerd::start(Version::V2_4).await?;
    let hooks = containerd.hooks().recording_spec("default")?;
    let _hooks = containerd.plugin().hook_spec(&hooks).start().await?;
    let _plugin = start(&containerd, "validator", "99-validator").await?;
    let error = refusal(&containerd.pod("web").run().await?, "app").await?;
    ensure!(error.contains("may have no OCI hooks"), "{error}");
    let pod = containerd
        .pod("allowed")
        .annotation("hooks.example.com/allow", "yes");
    let app = pod.run().await?.start("app").await?;
    ensure!(app.status().await?.state == State::Running);
    Ok(())
}

#[tokio::test]
async fn guard_that_hangs_holds_containers_back_where_the_runtime_knows_failure_policies() -> Result<()> {
    let version = Version::V2_4Nri0_12_5;
    if !is_there(version, "a guard that hangs") {
        return Ok(());
    }
    let containerd = Containerd::start(version).await?;
    let mut plugin = start(&containerd, "guard", "05-guard").await?;
    let pod = containerd.pod("web").run().await?;
    let frozen = plugin.process().freeze()?;
    for _ in 0..2 {
        let error = refusal(&pod, "app").await?;
        ensure!(error.contains("05-guard"), "{error}");
    }
    drop(frozen);
    wait::until("the guard to answer", async || {
        Ok(pod.container("app").create().await.ok())
    })
    .await?;
    Ok(())
}
