//! `log` prints the events of containers, and `ps` the status of each stage.

use std::process::Command;

use anyhow::{Context, Result};
use e2e::plugin::tool;
use e2e::{Containerd, Delivery, HookSpec, Version, on_each_containerd, workspace};
use serde_json::{Value, json};

async fn log_prints_the_hooks_that_ran_and_ps_the_status_of_each_stage(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let spec = HookSpec::new()
        .prestart(hooks.script("greet", "echo hello")?)
        .poststart(hooks.script("complain", "echo too bad >&2; exit 3")?)
        .poststop(hooks.script("clean", "exit 0")?);
    let spec = hooks.spec("default", &spec)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;
        let id = container.id().to_owned();
        let waiting = json!({"status": "waiting", "hooks": 1});
        assert_eq!(
            stands(&containerd, &id)?,
            [&waiting, &waiting, &waiting].map(Value::clone)
        );

        container.start().await?;
        let done = |failed: usize| json!({"status": "done", "hooks": 1, "failed": failed});
        assert_eq!(stands(&containerd, &id)?, [done(0), done(1), waiting]);

        container.stop(10).await?;
        assert_eq!(stands(&containerd, &id)?, [done(0), done(1), done(0)]);
        container.remove().await?;
        assert_eq!(tool(&containerd, &["ps", &id, "--format", "json"])?, "");

        let logged = log(&containerd, &id)?;
        let ran: Vec<_> = logged.iter().filter(|event| event["event"] == "hook").collect();
        let programs = ["greet", "complain", "clean"].map(|name| json!(hooks.program(name)));
        assert_eq!(
            ran.iter().map(|event| event["path"].clone()).collect::<Vec<_>>(),
            programs
        );
        assert_eq!(ran[0]["stdout"], json!({"head": "hello\n"}));
        assert_eq!(
            (&ran[1]["status"], &ran[1]["stderr"]),
            (&json!(3), &json!({"head": "too bad\n"}))
        );
        for event in ran {
            assert_eq!(event["outcome"], json!("exited"));
            assert_eq!(event["file"], json!(spec));
            assert_eq!(event["pod"], json!(delivery.word()));
            assert!(
                event["duration_ms"].as_f64().is_some_and(|took| took > 0.0),
                "{event}"
            );
        }
        let over = logged.iter().filter(|event| event["event"] == "stage");
        let over: Vec<_> = over.map(|event| (&event["stage"], &event["result"])).collect();
        let expected = ["prestart", "poststart", "poststop"].map(|stage| (json!(stage), json!("done")));
        assert_eq!(over, expected.each_ref().map(|(stage, result)| (stage, result)));

        let by_pod = log(&containerd, &format!("default/{}", delivery.word()))?;
        assert_eq!(by_pod, logged, "{delivery:?}");
        assert_eq!(log(&containerd, &id[..12])?, logged);
        let answer = log(&containerd, "another");
        let is_refused =
            matches!(&answer, Err(error) if format!("{error:#}").contains("no container of this name"));
        assert!(is_refused, "{answer:?}");
        plugin.kill().await?;
    }
    Ok(())
}

async fn log_follows_what_happens(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let _plugin = containerd.deliver(Delivery::Runner, &spec).await?;
    let mut command = Command::new(workspace::nri_oci_hooks()?);
    command.args(["log", "--follow", "--state-dir"]);
    let mut log = containerd
        .node()
        .spawn("follow", command.arg(containerd.ledger().directory()))?;

    let pod = containerd.pod("web").run().await?;
    let container = pod.start("app").await?;
    log.log().wait_for("default-prestart", 1).await?;
    log.log().wait_for("default-poststart", 1).await?;
    assert_eq!(log.log().count("default-poststop")?, 0);
    container.stop(10).await?;
    container.remove().await?;
    log.log().wait_for("default-poststop", 1).await?;
    // Nothing is printed twice, wherever the records are meanwhile.
    let text = log.log().text()?;
    for stage in ["prestart", "poststart"] {
        let is_its_end =
            |line: &&str| line.contains(&format!("hooks/default-{stage}")) && line.contains("exited");
        assert_eq!(text.lines().filter(is_its_end).count(), 1, "{text}");
    }
    log.kill().await
}

/// Where the three stages of a container stand.
fn stands(containerd: &Containerd, id: &str) -> Result<[Value; 3]> {
    let line = tool(containerd, &["ps", id, "--format", "json"])?;
    let row: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
    Ok(["prestart", "poststart", "poststop"].map(|stage| row[stage].clone()))
}

/// The events of the containers that are meant.
fn log(containerd: &Containerd, meant: &str) -> Result<Vec<Value>> {
    let text = tool(containerd, &["log", meant, "--format", "json"])?;
    let events = text.lines().map(serde_json::from_str);
    events.collect::<Result<_, _>>().context(text.clone())
}

on_each_containerd!(
    log_prints_the_hooks_that_ran_and_ps_the_status_of_each_stage,
    log_follows_what_happens,
);
