//! The record of a container: fixed at creation, whole or refused, and nothing without need.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::cri::State;
use e2e::plugin::{ANNOTATION, tool};
use e2e::{Container, Containerd, Delivery, HookSpec, Version, on_each_containerd_and_the_newest, wait};
use serde_json::{Value, json};

const ALL: [&str; 3] = ["default-prestart", "default-poststart", "default-poststop"];

async fn a_spec_changed_after_the_create_changes_nothing_for_that_container(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    for delivery in Delivery::ALL {
        let hooks = containerd.hooks();
        let spec = hooks.recording_spec("default")?;
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let first = pod.container("first").create().await?;
        let second = pod.start("second").await?;

        let other = HookSpec::new().prestart(hooks.recorder("other")?);
        hooks.spec("default", &other)?;
        first.start().await?;
        first.stop(10).await?;
        assert_eq!(hooks.ran(first.id())?, ALL, "{delivery:?}");
        fs::remove_file(spec)?;
        second.stop(10).await?;
        assert_eq!(hooks.ran(second.id())?, ALL, "{delivery:?}");
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_container_whose_entry_is_truncated_is_refused_and_no_other(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        // Cut off before the hooks of prestart: who needs those cannot be started.
        for (name, keep) in [("empty", 0), ("third", 33)] {
            let damaged = pod.container(name).create().await?;
            let entry = tear(&containerd, &damaged, keep)?;

            let refused = damaged.start().await.err().context("it was started")?;
            let message = refused.message();
            ensure!(
                message.contains(&entry.display().to_string()),
                "{delivery:?}: {message}"
            );
            ensure!(message.contains("damaged"), "{delivery:?}: {message}");
            assert_eq!(damaged.status().await?.state, State::Exited);
            let id = damaged.id().to_owned();
            damaged.remove().await?;
            assert!(containerd.hooks().ran(&id)?.is_empty(), "{delivery:?}");
            wait::until("it to be forgotten", async || {
                Ok(containerd.ledger().tracked()?.is_empty().then_some(()))
            })
            .await?;
        }
        let whole = pod.start("whole").await?;
        whole.stop(10).await?;
        assert_eq!(containerd.hooks().ran(whole.id())?, ALL, "{delivery:?}");
        assert!(plugin.process().is_running()?);
        plugin.kill().await?;
    }
    Ok(())
}

/// A runner reads no further than the hooks of its stage.
async fn a_container_whose_poststop_is_truncated_runs_and_its_poststop_is_reported(
    version: Version,
) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let damaged = pod.start("damaged").await?;
        let entry = tear(&containerd, &damaged, 99)?;
        let id = damaged.id().to_owned();
        damaged.stop(10).await?;
        damaged.remove().await?;
        assert_eq!(containerd.hooks().ran(&id)?, ALL[..2], "{delivery:?}");
        let entry = entry.display().to_string();
        let log = plugin.process().log();
        wait::until("the daemon to report it", async || {
            let text = log.text()?;
            let mut lines = text.lines();
            Ok(lines
                .any(|line| line.contains(&entry) && line.contains("damaged"))
                .then_some(()))
        })
        .await?;
        plugin.kill().await?;
    }
    Ok(())
}

/// Cuts the entry of a container to so many hundredths, and returns where it is.
fn tear(containerd: &Containerd, container: &Container, hundredths: u64) -> Result<PathBuf> {
    let entry = containerd.ledger().entry(container.id());
    let length = fs::metadata(&entry)?.len();
    File::options()
        .write(true)
        .open(&entry)?
        .set_len(length * hundredths / 100)?;
    Ok(entry)
}

async fn nothing_is_written_for_a_container_without_hooks(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.plugin().delivery(delivery.word()).start().await?;
        let directory = containerd.ledger().directory().to_owned();
        let files = || -> Result<usize> {
            let directories = ["entries", "live", "past"].map(|name| fs::read_dir(directory.join(name)));
            directories.into_iter().map(|files| Ok(files?.count())).sum()
        };
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.container("app").create().await?;
        assert_eq!(files()?, 0, "{delivery:?}");
        container.start().await?;
        assert_eq!(files()?, 0, "{delivery:?}");
        container.stop(10).await?;
        container.remove().await?;
        assert_eq!(files()?, 0, "{delivery:?}");
        plugin.kill().await?;
    }
    Ok(())
}

async fn a_removed_container_is_archived(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let spec = containerd.hooks().recording_spec("default")?;
    let ledger = containerd.ledger();
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.deliver(delivery, &spec).await?;
        let pod = containerd.pod(delivery.word()).run().await?;
        let container = pod.start("app").await?;
        let id = container.id().to_owned();
        container.stop(10).await?;
        assert_eq!(ledger.tracked()?, [id.as_str()]);
        container.remove().await?;
        wait::until("its records to be archived", async || {
            Ok((ledger.tracked()?.is_empty() && ledger.archived()?.last() == Some(&id)).then_some(()))
        })
        .await?;
        plugin.kill().await?;
    }
    Ok(())
}

/// NRI carries 4 MiB in one message; the ledger is not bound by that.
async fn a_spec_of_ten_megabytes_works(version: Version) -> Result<()> {
    const HOOKS: usize = 30_000;
    const LARGEST: usize = 10 << 20;

    // Unoptimized, as a test is built, it takes its time.
    let containerd = Containerd::builder(version).request_timeout(Duration::from_secs(20));
    let containerd = containerd.start().await?;
    let hooks = containerd.hooks();
    let recorder = hooks.recorder("prestart")?;
    let padding = "x".repeat(280);
    let mut spec = HookSpec::new().prestart(recorder);
    for number in 0..HOOKS {
        spec = spec.poststop(e2e::Hook::new("/bin/true").args(["true", &padding, &number.to_string()]));
    }
    let text = serde_json::to_string(&spec)?;
    ensure!(
        (LARGEST * 9 / 10..=LARGEST).contains(&text.len()),
        "the spec has {} bytes",
        text.len()
    );
    hooks.raw_spec("huge", &text)?;
    for delivery in Delivery::RUNNER {
        let mut plugin = containerd.plugin().delivery(delivery.word()).start().await?;
        let pod = containerd
            .pod(delivery.word())
            .annotation(ANNOTATION, "huge")
            .run()
            .await?;
        let container = pod.start("app").await?;
        assert_eq!(hooks.ran(container.id())?, ["prestart"], "{delivery:?}");
        let row: Value =
            serde_json::from_str(&tool(&containerd, &["ps", delivery.word(), "--format", "json"])?)?;
        let waiting = json!({"status": "waiting", "hooks": HOOKS});
        assert_eq!(row["poststop"], waiting, "{delivery:?}");
        let message = tool(&containerd, &["log", delivery.word()])?;
        ensure!(message.contains("prestart"), "{delivery:?}: {message}");
        plugin.kill().await?;
    }
    Ok(())
}

on_each_containerd_and_the_newest!(
    a_spec_changed_after_the_create_changes_nothing_for_that_container,
    a_container_whose_entry_is_truncated_is_refused_and_no_other,
    a_container_whose_poststop_is_truncated_runs_and_its_poststop_is_reported,
    nothing_is_written_for_a_container_without_hooks,
    a_removed_container_is_archived,
    a_spec_of_ten_megabytes_works,
);
