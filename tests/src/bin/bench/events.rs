//! The events of a fake runtime, handled by the plugins of the command line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use e2e::{Hook, HookSpec};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::message;
use crate::plugin::{Measured, Subject};
use crate::report::{Row, table};

/// How long a plugin rests before its memory is read.
const REST: Duration = Duration::from_secs(1);

/// How often each plugin is synchronized, after once to warm up.
const SYNCHRONIZATIONS: usize = 10;

/// Containers of one plugin before it is the next one's turn.
const TURN: usize = 100;

/// Measures the plugins.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<String> {
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let spec = scratch.path().join("hooks.json");
    write_spec(&spec)?;
    let mut subjects = Vec::new();
    for (number, command) in arguments.plugins.iter().enumerate() {
        let socket = scratch.path().join(format!("nri-{number}.sock"));
        subjects.push(Subject::new(command, &socket, &spec)?);
    }

    // Ended by a signal, this process would leave its plugins behind.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    tokio::select! {
        measured = measure(arguments, &mut subjects) => measured?,
        _ = terminated.recv() => anyhow::bail!("terminated"),
        _ = interrupted.recv() => anyhow::bail!("interrupted"),
    }
    Ok(report(&subjects))
}

/// Writes a hook-spec of three programs, which a runtime would run and this does not.
fn write_spec(path: &Path) -> anyhow::Result<()> {
    let hook = |program: &str, stage: &str| {
        let hook = Hook::new(program).args([stage, "--verbose"]).timeout(5);
        hook.env([&format!("STAGE={stage}")])
    };
    let spec = HookSpec::new()
        .prestart(hook("/bin/true", "prestart"))
        .poststart(hook("/bin/false", "poststart"))
        .poststop(hook("/bin/sleep", "poststop"));
    fs::write(path, serde_json::to_vec(&spec)?).with_context(|| format!("cannot write {}", path.display()))
}

async fn measure(arguments: &Arguments, subjects: &mut [Subject]) -> anyhow::Result<()> {
    for subject in &mut *subjects {
        subject.start().await?;
    }
    sleep(REST).await;
    for subject in &mut *subjects {
        subject.measured.resident_idle = subject.resident()?;
        subject.measured.resident_of_front = subject.resident_of_front()?;
    }
    // First: the containers of the next phase are never removed, and would be looked for in the runtime's list.
    synchronize(subjects, arguments.containers).await?;
    by_turns(subjects, arguments.creates, async |subject, number| {
        let (pod, container) = message::realistic("bench", number);
        let took = subject.create(&pod, &container).await?;
        subject.measured.creates.push(took);
        Ok(())
    })
    .await?;
    by_turns(subjects, arguments.lives, async |subject, number| {
        let (pod, container) = message::realistic("short-lived", number);
        let took = subject.create(&pod, &container).await? + subject.other_events(&pod, &container).await?;
        subject.measured.lives.push(took);
        Ok(())
    })
    .await
}

/// Does `each` for `count` containers of every plugin.
async fn by_turns(
    subjects: &mut [Subject],
    count: usize,
    each: impl AsyncFn(&mut Subject, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for first in (0..count).step_by(TURN) {
        for subject in &mut *subjects {
            for number in first..(first + TURN).min(count) {
                each(subject, number).await?;
            }
        }
    }
    Ok(())
}

/// Synchronizes with a node full of containers, as after restarts of the runtime. All of them are in the ledger of a
/// plugin that has one, with prestart and poststart behind them.
async fn synchronize(subjects: &mut [Subject], containers: usize) -> anyhow::Result<()> {
    let (pods, containers) = message::node(containers);
    for subject in &mut *subjects {
        for (number, container) in containers.iter().enumerate() {
            subject.create(message::pod_of(&pods, number), container).await?;
        }
        subject.have_started(&containers)?;
    }
    for round in 0..=SYNCHRONIZATIONS {
        for subject in &mut *subjects {
            sleep(REST).await;
            let before = subject.processor_time()?;
            subject.resynchronize(pods.clone(), containers.clone()).await?;
            sleep(REST).await;
            let used = subject.processor_time()?.saturating_sub(before);
            if round > 0 {
                subject.measured.synchronizations_cpu.push(used);
            }
        }
    }
    for subject in subjects {
        subject.measured.resident_after_synchronize = subject.resident()?;
    }
    Ok(())
}

/// Compares each plugin with the first one.
fn report(subjects: &[Subject]) -> String {
    type Kind = fn(&Measured) -> &[Duration];
    let kinds: [(&str, Kind); 3] = [
        ("CreateContainer", |measured| &measured.creates),
        ("all events of a life", |measured| &measured.lives),
        ("CPU of a synchronization", |measured| {
            &measured.synchronizations_cpu
        }),
    ];
    let first = &subjects[0];
    let mut rows = Vec::new();
    for (title, durations) in kinds {
        // A plugin alone has its medians too.
        let others = if subjects.len() > 1 {
            &subjects[1..]
        } else {
            subjects
        };
        rows.extend(others.iter().map(|other| Row {
            title,
            names: [&other.name, &first.name],
            durations: [durations(&other.measured), durations(&first.measured)],
        }));
    }
    let mut text = table(&rows);
    text.push_str("\nRSS, MiB: idle, of its front, and 1 s after a synchronization\n");
    for Subject { name, measured, .. } in subjects {
        let [idle, front, synchronized] = [
            measured.resident_idle,
            measured.resident_of_front,
            measured.resident_after_synchronize,
        ]
        .map(|kilobytes| kilobytes as f64 / 1024.0);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<34}{idle:>10.2}{front:>10.2}{synchronized:>10.2}");
    }
    text
}
