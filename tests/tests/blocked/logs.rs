//! Logs that cannot be written.

use std::process::Stdio;

use anyhow::{Result, ensure};
use containerd_nri_testkit::PodBuilder;
use e2e::plugin::ANNOTATION;

use crate::daemon::{Case, Daemon, create, needs};

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
