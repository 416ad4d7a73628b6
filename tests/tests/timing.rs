//! Each stage runs at its moment, however the container ends. Clocks and init itself prove it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::cri::State;
use e2e::hooks::{Record, record};
use e2e::ledger::{Stage, StageResult};
use e2e::node::{Host, say_not_tested};
use e2e::{Containerd, Delivery, Hook, HookSpec, OciRuntime, Runtime, on_each_runtime_and_the_newest, wait};

/// The program of init of a container under test, once it runs.
const PROGRAM: &str = "/bin/busybox";

/// The hooks of [`spec`].
const ALL: [&str; 6] = [
    "prestart-1",
    "prestart-2",
    "poststart-1",
    "poststart-2",
    "poststop-1",
    "poststop-2",
];

async fn the_stages_frame_the_life_of_init(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = spec(&containerd)?;
    for delivery in Delivery::ALL {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;

        let start_asked = record::now()?;
        container.start().await?;
        let start_returned = record::now()?;
        let stop_asked = record::now()?;
        container.stop(10).await?;
        let stop_returned = record::now()?;

        let records = containerd.hooks().records(container.id())?;
        assert_eq!(names(&records), ALL, "{delivery:?}");
        in_order(
            &[
                vec![("start asked", start_asked)],
                moments(&records[..4]),
                vec![("start returned", start_returned), ("stop asked", stop_asked)],
                moments(&records[4..]),
                vec![("stop returned", stop_returned)],
            ]
            .concat(),
        )?;
        before_init(&records[..2]).with_context(|| format!("{delivery:?}"))?;
        if delivery != Delivery::Direct {
            while_init_runs(&records[2..4]).with_context(|| format!("{delivery:?}"))?;
        } else if runtime.oci.runs_poststart_in_create() {
            before_init(&records[2..4]).context("poststart, inside of create")?;
        } else {
            // Start does not wait for the program: whether it runs by then is open.
            for record in &records[2..4] {
                assert_eq!(record.state["status"], "running", "{}", record.program);
            }
        }
        after_init(&records[4..]).with_context(|| format!("{delivery:?}"))?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_container_that_ends_by_itself_gets_all_three_stages(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = spec(&containerd)?;
    for delivery in Delivery::ALL {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod
            .container("app")
            .command(["/bin/sh", "-c", "sleep 1; exit 7"])
            .create()
            .await?;

        let start_asked = record::now()?;
        container.start().await?;
        assert_eq!(container.await_state(State::Exited).await?.exit_code, 7);
        containerd.hooks().await_record(container.id(), ALL[5]).await?;

        let records = containerd.hooks().records(container.id())?;
        assert_eq!(names(&records), ALL, "{delivery:?}");
        in_order(&[vec![("start asked", start_asked)], moments(&records)].concat())?;
        before_init(&records[..2]).with_context(|| format!("{delivery:?}"))?;
        after_init(&records[4..]).with_context(|| format!("{delivery:?}"))?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_container_that_ends_at_once_gets_all_three_stages_in_order(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = spec(&containerd)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        // Which of the events Stop and PostStart comes first is a race: several times.
        for attempt in 0..5 {
            let container = pod.container("app").command(["/bin/true"]).attempt(attempt);
            let container = container.create().await?;
            let start_asked = record::now()?;
            container.start().await?;
            containerd.hooks().await_record(container.id(), ALL[5]).await?;

            let records = containerd.hooks().records(container.id())?;
            assert_eq!(names(&records), ALL, "{delivery:?}, attempt {attempt}");
            in_order(&[vec![("start asked", start_asked)], moments(&records)].concat())?;
            before_init(&records[..2]).with_context(|| format!("{delivery:?}"))?;
            after_init(&records[4..]).with_context(|| format!("{delivery:?}"))?;
            container.await_state(State::Exited).await?;
            container.remove().await?;
        }
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_container_that_runs_out_of_memory_gets_its_poststop(runtime: Runtime) -> Result<()> {
    if runtime.oci.is_crun() && !Host::detect()?.has_memory_controller {
        say_not_tested(
            "running out of memory on crun",
            "its cgroup v2 has no memory controller",
        );
        return Ok(());
    }
    let containerd = runtime.start().await?;
    let spec = spec(&containerd)?;
    for delivery in Delivery::ALL {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let hungry = pod.container("app").command(["/bin/tail", "/dev/zero"]);
        let container = hungry.memory_limit(16 << 20).start().await?;

        let status = container.await_state(State::Exited).await?;
        // Nobody else kills it. containerd calls that OOMKilled or Error, depending on whether it receives the kernel's
        // reason before the end.
        assert_eq!(status.exit_code, 137, "{status:?}");
        containerd.hooks().await_record(container.id(), ALL[5]).await?;
        let records = containerd.hooks().records(container.id())?;
        assert_eq!(names(&records), ALL, "{delivery:?}");
        in_order(&moments(&records))?;
        after_init(&records[4..]).with_context(|| format!("{delivery:?}"))?;
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_failed_prestart_is_followed_by_poststop_alone(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.recorder("prestart-1")?)
        .prestart(hooks.script("licence", "echo no licence left >&2; exit 3")?)
        .prestart(hooks.recorder("prestart-3")?)
        .poststart(hooks.recorder("poststart")?)
        .poststop(hooks.recorder("poststop")?);
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::ALL {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;
        let refused = container.start().await.err().context("it was started")?;
        assert_eq!(container.status().await?.state, State::Exited, "{delivery:?}");

        let id = container.id().to_owned();
        container.remove().await?;
        if delivery != Delivery::Direct {
            containerd.ledger().await_end(&id, Stage::Poststop).await?;
        }
        let ran = hooks.ran(&id)?;
        if delivery == Delivery::Direct {
            // crun runs no poststop hook after a prestart hook failed.
            let expected: &[&str] = match runtime.oci {
                OciRuntime::Crun | OciRuntime::CrunForky => &["prestart-1"],
                _ => &["prestart-1", "poststop"],
            };
            assert_eq!(ran, expected);
        } else {
            assert_eq!(ran, ["prestart-1", "poststop"], "{delivery:?}");
            let expected = format!(
                "container app of pod default/{}: prestart hook 2 of 3, {} ({}:",
                delivery.word(),
                hooks.program("licence").display(),
                spec.display()
            );
            let record = containerd.ledger().await_end(&id, Stage::Prestart).await?;
            let Some(StageResult::Failed { message }) = record.finished() else {
                anyhow::bail!("{delivery:?}: {record:?}")
            };
            ensure!(message.starts_with(&expected), "{delivery:?}: {message}");
            ensure!(
                message.ends_with("exited with status 3: no licence left"),
                "{delivery:?}: {message}"
            );
            // crun keeps what an OCI hook writes to itself.
            if delivery != Delivery::Runner || !runtime.oci.is_crun() {
                ensure!(refused.message().contains(message), "{delivery:?}: {refused}");
            }
        }
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_container_that_was_never_started_gets_nothing(runtime: Runtime) -> Result<()> {
    let containerd = runtime.start().await?;
    let spec = spec(&containerd)?;
    for delivery in Delivery::ALL {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;
        let id = container.id().to_owned();
        container.remove().await?;
        pod.stop().await?;
        pod.remove().await?;
        assert_eq!(containerd.hooks().ran(&id)?, [""; 0], "{delivery:?}");
        wait::until("the container to be forgotten", async || {
            Ok(containerd.ledger().tracked()?.is_empty().then_some(()))
        })
        .await?;
        plugin.kill().await?;
    }
    Ok(())
}

/// Two recorders for each stage, which take their time.
fn spec(containerd: &Containerd) -> Result<PathBuf> {
    let hooks = containerd.hooks();
    let slow =
        |name: &str| -> Result<Hook> { Ok(hooks.recorder(name)?.env([&format!("{}=20", record::HOLD)])) };
    let spec = HookSpec::new()
        .prestart(slow(ALL[0])?)
        .prestart(slow(ALL[1])?)
        .poststart(slow(ALL[2])?)
        .poststart(slow(ALL[3])?)
        .poststop(slow(ALL[4])?)
        .poststop(slow(ALL[5])?);
    hooks.spec("default", &spec)
}

fn names(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.program.as_str()).collect()
}

/// Beginning and end of each hook.
fn moments(records: &[Record]) -> Vec<(&str, u64)> {
    records
        .iter()
        .flat_map(|record| {
            let name = record.program.as_str();
            [(name, record.began), (name, record.ended)]
        })
        .collect()
}

fn in_order(moments: &[(&str, u64)]) -> Result<()> {
    for pair in moments.windows(2) {
        let [(before, earlier), (after, later)] = pair else {
            continue;
        };
        ensure!(earlier < later, "{after} came before {before}: {moments:?}");
    }
    Ok(())
}

fn before_init(records: &[Record]) -> Result<()> {
    for record in records {
        let program = record.init_program_at_end.as_deref();
        ensure!(program.is_some(), "{}: nothing was created", record.program);
        ensure!(program != Some(Path::new(PROGRAM)), "{}: it runs", record.program);
    }
    Ok(())
}

fn while_init_runs(records: &[Record]) -> Result<()> {
    for record in records {
        for program in [&record.init_program, &record.init_program_at_end] {
            ensure!(
                program.as_deref() == Some(Path::new(PROGRAM)),
                "{}: init was {program:?}",
                record.program
            );
        }
    }
    Ok(())
}

fn after_init(records: &[Record]) -> Result<()> {
    for record in records {
        let program = &record.init_program;
        ensure!(program.is_none(), "{}: init was {program:?}", record.program);
    }
    Ok(())
}

on_each_runtime_and_the_newest!(
    the_stages_frame_the_life_of_init,
    a_container_that_ends_by_itself_gets_all_three_stages,
    a_container_that_ends_at_once_gets_all_three_stages_in_order,
    a_container_that_runs_out_of_memory_gets_its_poststop,
    a_failed_prestart_is_followed_by_poststop_alone,
    a_container_that_was_never_started_gets_nothing,
);
