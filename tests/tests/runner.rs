//! A hook gets the same from the runner on every runtime, for every container.

use std::path::Path;

use anyhow::{Context, Result};
use e2e::containerd::OTHER_HANDLER;
use e2e::cri::Confinement;
use e2e::hooks::Record;
use e2e::node::Host;
use e2e::{
    Container, Containerd, Delivery, HookSpec, Runtime, Version, on_each_containerd_and_the_newest,
    on_each_runtime_and_the_newest, workspace,
};
use serde_json::{Value, json};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];
const STAGES: [&str; 3] = ["prestart", "poststart", "poststop"];

async fn a_hook_gets_its_argv_its_environment_and_the_state_and_nothing_else(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let full = hooks.recorder("full")?.args(["first", "two words", ""]);
    let spec = HookSpec::new()
        .prestart(full.env(["KEY=value", "EMPTY="]))
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod
            .container("app")
            .env("SECRET", "of the container")
            .create()
            .await?;
        container.start().await?;
        let init = container.status().await?.pid();
        container.stop(10).await?;

        let records = hooks.records(container.id())?;
        let [full, poststart, poststop] = records.as_slice() else {
            anyhow::bail!("{delivery:?}: {records:?}")
        };
        assert_eq!(full.args, ["first", "two words", ""]);
        assert_eq!(variables(full), [("EMPTY", ""), ("KEY", "value")]);
        for record in [poststart, poststop] {
            assert_eq!(
                record.args,
                [hooks.program(&record.program).display().to_string()]
            );
            let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            assert_eq!(variables(record), [("PATH", path)]);
        }

        let creating = if delivery == Delivery::Runner {
            "creating"
        } else {
            "created"
        };
        assert_eq!(
            (&full.state["status"], &full.state["pid"]),
            (&json!(creating), &json!(init))
        );
        assert_eq!(
            (&poststart.state["status"], &poststart.state["pid"]),
            (&json!("running"), &json!(init))
        );
        assert_eq!(
            (&poststop.state["status"], poststop.state.get("pid")),
            (&json!("stopped"), None)
        );
        for record in &records {
            is_undisturbed(record).with_context(|| format!("{delivery:?}: {record:?}"))?;
            has_the_state_of(delivery, record, &container)
                .with_context(|| format!("{delivery:?}: {record:?}"))?;
        }
        plugin.kill().await?;
    }
    Ok(())
}

async fn what_a_container_may_do_changes_nothing_for_its_hooks(runtime: Runtime) -> Result<()> {
    let host = Host::detect()?;
    let containerd = runtime.start().await?;
    let spec = containerd.hooks().recording_spec("default")?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).privileged().run().await?;
        let alone = containerd.pod(&format!("{}-alone", delivery.word()));
        let alone = alone.without_network().run().await?;
        let mut all = Vec::new();
        for container in [
            pod.container("ordinary"),
            pod.container("privileged").privileged(),
            pod.container("unconfined")
                .confinement(Confinement::Unconfined, host),
            pod.container("confined")
                .confinement(Confinement::RuntimeDefault, host),
            alone.container("without-network"),
        ] {
            let container = container.start().await?;
            container.stop(10).await?;
            all.push(containerd.hooks().records(container.id())?);
        }
        let ordinary: Vec<_> = all[0].iter().map(what_it_got).collect();
        assert_eq!(ordinary.len(), 3, "{delivery:?}: {:?}", all[0]);
        for records in &all[1..] {
            assert_eq!(
                records.iter().map(what_it_got).collect::<Vec<_>>(),
                ordinary,
                "{delivery:?}"
            );
        }
        plugin.kill().await?;
    }
    Ok(())
}

async fn one_hook_per_stage_with_hooks_starts_the_runner(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.recorder("prestart-1")?.timeout(7))
        .prestart(hooks.recorder("prestart-2")?.timeout(20))
        .poststop(hooks.recorder("poststop")?);
    let spec = hooks.spec("default", &spec)?;
    let mut plugin = containerd.deliver(Delivery::Runner, &spec).await?;
    let pod = containerd.pod("runner").run().await?;
    let status = pod.container("app").create().await?.status().await?;
    for (stage, at_least) in [("prestart", 27), ("poststop", 30)] {
        let [hook] = status.hooks(stage) else {
            anyhow::bail!("{stage}: {status:?}")
        };
        assert_eq!(hook["path"], json!(workspace::nri_oci_hooks()?));
        let args = hook["args"].as_array().context("it has no args")?;
        assert_eq!(args[1..3], [json!("stage"), json!(stage)]);
        assert!(hook["timeout"].as_i64() >= Some(at_least), "{hook}");
    }
    assert!(status.hooks("poststart").is_empty());
    plugin.kill().await?;

    let _plugin = containerd.deliver(Delivery::Events, &spec).await?;
    let pod = containerd.pod("events").run().await?;
    let status = pod.container("app").create().await?.status().await?;
    assert!(
        STAGES.iter().all(|stage| status.hooks(stage).is_empty()),
        "{status:?}"
    );
    Ok(())
}

async fn delivery_can_differ_by_runtime_handler(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let override_ = format!("runtimes.{OTHER_HANDLER}.delivery = \"direct\"");
    let plugin = containerd.plugin().configuration("delivery = \"events\"");
    let _plugin = plugin.configuration(&override_).hook_spec(&spec).start().await?;
    let by_default = containerd.pod("default").run().await?;
    let by_handler = containerd
        .pod("other")
        .runtime_handler(OTHER_HANDLER)
        .run()
        .await?;

    for (pod, injected) in [(by_default, 0), (by_handler, 1)] {
        let container = pod.start("app").await?;
        let status = container.status().await?;
        assert_eq!(STAGES.map(|stage| status.hooks(stage).len()), [injected; 3]);
        container.stop(10).await?;
        assert_eq!(containerd.hooks().ran(container.id())?, ALL);
    }
    Ok(())
}

fn variables(record: &Record) -> Vec<(&str, &str)> {
    record
        .env
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

/// It leads a session of its own and has nothing of its starter's.
fn is_undisturbed(record: &Record) -> Result<()> {
    anyhow::ensure!(record.session == record.pid, "its session is another's");
    anyhow::ensure!(record.process_group == record.pid, "its group is another's");
    anyhow::ensure!(record.descriptors.is_empty(), "it got descriptors");
    Ok(())
}

fn has_the_state_of(delivery: Delivery, record: &Record, container: &Container) -> Result<()> {
    let state = &record.state;
    anyhow::ensure!(state["id"] == json!(container.id()), "its id is another's");
    anyhow::ensure!(state["ociVersion"].is_string(), "it has no ociVersion");
    let bundle = state["bundle"].as_str().context("it has no bundle")?;
    anyhow::ensure!(bundle.ends_with(container.id()), "its bundle is another's");
    // The runtime waits for its own poststop hook, not for one that an event has started.
    let may_be_gone = delivery == Delivery::Events && state["status"] == "stopped";
    anyhow::ensure!(
        record.cwd.as_deref() == Some(Path::new(bundle)) || may_be_gone,
        "it works elsewhere"
    );
    let name = &state["annotations"]["io.kubernetes.cri.container-name"];
    anyhow::ensure!(*name == json!("app"), "its annotations are another's");
    Ok(())
}

/// The fields that must not depend on the rights of the container.
fn what_it_got(record: &Record) -> Value {
    let keys: Vec<_> = record
        .state
        .as_object()
        .into_iter()
        .flat_map(|state| state.keys())
        .collect();
    json!({
        "program": record.program,
        "args": record.args,
        "env": record.env,
        "descriptors": record.descriptors,
        "state": keys,
        "status": record.state["status"],
    })
}

on_each_runtime_and_the_newest!(
    a_hook_gets_its_argv_its_environment_and_the_state_and_nothing_else,
    what_a_container_may_do_changes_nothing_for_its_hooks,
);

on_each_containerd_and_the_newest!(
    one_hook_per_stage_with_hooks_starts_the_runner,
    delivery_can_differ_by_runtime_handler,
);
