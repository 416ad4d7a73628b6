//! The hanging files that a container may need.

use anyhow::{Result, bail, ensure};
use containerd_nri_testkit::PodBuilder;
use e2e::wait;

use crate::daemon::{Case, Daemon, EXCLUDED, create, needs};

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
    a_hooks_d_directory_that_hangs_refuses, a_hooks_d_directory_that_hangs_at_the_start_refuses, HooksD;
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
