//! The daemon's reports about itself, compared with the hooks that real containers got.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, HookSpec, Version, on_each_containerd, wait};
use nri_oci_hooks::observe::{Status, request_status};
use serde_json::Value;

async fn the_metrics_of_some_containers_add_up(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = HookSpec::new()
        .prestart(hooks.recorder("before")?)
        .poststart(hooks.recorder("behind")?)
        .poststop(hooks.recorder("after")?);
    let default = hooks.spec("default", &default)?;
    let failing = hooks.script("failing", "echo no device >&2; exit 3")?;
    hooks.spec("fail", &HookSpec::new().prestart(failing))?;
    let mut plugin = containerd.plugin().hook_spec(&default).start().await?;

    for name in ["one", "two"] {
        let container = containerd.pod(name).run().await?.start("app").await?;
        container.stop(10).await?;
        container.remove().await?;
    }
    let refused = containerd
        .pod("refused")
        .annotation(ANNOTATION, "none")
        .run()
        .await?;
    ensure!(
        refused.start("app").await.is_err(),
        "its annotation selects nothing"
    );
    let failed = containerd
        .pod("failed")
        .annotation(ANNOTATION, "fail")
        .run()
        .await?;
    ensure!(failed.start("app").await.is_err(), "its prestart hook fails");

    let state = containerd.ledger().directory().to_owned();
    let expected = [
        ("events_total{event=\"CreateContainer\",result=\"ok\"}", 3.0),
        ("events_total{event=\"CreateContainer\",result=\"error\"}", 1.0),
        ("hook_runs_total{stage=\"prestart\",outcome=\"success\"}", 3.0),
        ("hook_runs_total{stage=\"prestart\",outcome=\"failure\"}", 1.0),
        ("hook_runs_total{stage=\"poststart\",outcome=\"success\"}", 2.0),
        ("hook_runs_total{stage=\"poststop\",outcome=\"success\"}", 3.0),
        ("stages_total{stage=\"prestart\",result=\"done\"}", 2.0),
        ("stages_total{stage=\"prestart\",result=\"failed\"}", 1.0),
        ("stages_total{stage=\"poststart\",result=\"skipped\"}", 1.0),
        ("stages_total{stage=\"poststop\",result=\"done\"}", 3.0),
        ("hook_duration_seconds_count{stage=\"prestart\"}", 4.0),
        ("ledger_containers{state=\"archived\"}", 2.0),
        ("registered", 1.0),
        ("synchronized", 1.0),
        ("ready", 1.0),
        ("connections_total", 1.0),
        ("file_errors", 0.0),
    ];
    wait::until("the metrics to add up", async || {
        let metrics = metrics(&state)?;
        let differ = expected
            .iter()
            .any(|(series, value)| metrics.get(*series) != Some(value));
        Ok((!differ).then_some(()))
    })
    .await
    .with_context(|| format!("{:#?}", metrics(&state)))?;

    // One warning for the hook that failed, and nothing about the containers with which all was well.
    let log = plugin.process().log().text()?;
    let about = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(about("prestart hook 2 of 2"), 1, "{log}");
    assert_eq!(about("no device"), 1, "{log}");
    assert_eq!(about("\"pod\":\"one\""), 0, "{log}");
    let line = log.lines().find(|line| line.contains("no device"));
    let line: Value = serde_json::from_str(line.context("it is logged")?)?;
    let span = &line["span"];
    assert_eq!(
        (&span["pod"], &span["container"]),
        (&"failed".into(), &"app".into()),
        "{line}"
    );
    Ok(())
}

async fn the_status_follows_the_connection(version: Version) -> Result<()> {
    let mut containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let plugin = containerd.plugin().hook_spec(&spec).start().await?;
    let state = containerd.ledger().directory().to_owned();
    let status = await_status(&state, |status| status.not_ready.is_empty()).await?;
    assert_eq!(status.connection.runtime.as_deref(), Some("containerd"));
    assert_eq!(status.active[0].file, spec.to_str().context("a path is text")?);

    containerd.stop().await?;
    let status = await_status(&state, |status| !status.not_ready.is_empty()).await?;
    assert!(status.connection.lost.is_some(), "{status:?}");
    containerd.restart().await?;
    await_status(&state, |status| status.not_ready.is_empty()).await?;
    assert_eq!(metrics(&state)?["disconnections_total"], 1.0);

    let mut plugin = plugin;
    plugin.kill().await?;
    assert!(request_status(&state).is_err());
    Ok(())
}

async fn await_status(state: &Path, is_it: impl Fn(&Status) -> bool) -> Result<Status> {
    wait::until("the status to be so", async || {
        Ok(Some(request_status(state)?).filter(&is_it))
    })
    .await
}

/// Each series by its name without our prefix.
fn metrics(state: &Path) -> Result<BTreeMap<String, f64>> {
    let mut stream = UnixStream::connect(state.join("status.sock"))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let series = answer
        .lines()
        .filter_map(|line| line.strip_prefix("nri_oci_hooks_")?.rsplit_once(' '));
    let series = series.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    Ok(series.collect())
}

on_each_containerd!(
    the_metrics_of_some_containers_add_up,
    the_status_follows_the_connection,
);
