//! The phases of the benchmark. In each, all plugins take their turns.

use std::time::Duration;

use tokio::time::sleep;

use crate::message;
use crate::plugin::Subject;

/// How long a plugin rests before its memory is looked at.
const REST: Duration = Duration::from_secs(1);

/// How often each plugin is synchronized, after once to warm up.
const SYNCHRONIZATIONS: usize = 10;

/// Calls of one plugin before it is the next one's turn.
const TURN: usize = 100;

/// Starts every plugin a number of times, after once to have its file in memory. The last process stays.
pub(crate) async fn starts(subjects: &mut [Subject], count: usize) -> anyhow::Result<()> {
    for round in 0..=count {
        for subject in &mut *subjects {
            let took = subject.start().await?;
            if round > 0 {
                subject.measured.starts.push(took);
            }
        }
    }
    Ok(())
}

/// Looks at the plugins at rest.
pub(crate) async fn rest(subjects: &mut [Subject]) -> anyhow::Result<()> {
    sleep(REST).await;
    for subject in subjects {
        subject.measured.resident_idle = subject.resident()?;
        subject.measured.resident_of_front = subject.resident_of_front()?;
    }
    Ok(())
}

/// Creates containers, after one turn to warm up.
pub(crate) async fn creates(subjects: &mut [Subject], count: usize) -> anyhow::Result<()> {
    for first in (0..count + TURN).step_by(TURN) {
        for subject in &mut *subjects {
            let before = subject.processor_time()?;
            for number in first..(first + TURN).min(count + TURN) {
                let (pod, container) = message::realistic(number);
                let (took, answer) = subject.create(&pod, &container).await?;
                if number >= TURN {
                    subject.measured.creates.push(took);
                }
                let hooks = &answer.adjust.hooks;
                subject.measured.hooks = hooks.prestart.len()
                    + hooks.create_runtime.len()
                    + hooks.create_container.len()
                    + hooks.start_container.len()
                    + hooks.poststart.len()
                    + hooks.poststop.len();
            }
            if first >= TURN {
                subject.measured.creates_cpu += subject.processor_time()?.saturating_sub(before);
            }
        }
    }
    for subject in subjects {
        subject.measured.resident_after_creates = subject.resident()?;
    }
    Ok(())
}

/// Synchronizes with a node full of containers, as after restarts of the runtime. All of them are in the ledger of a
/// plugin that has one, with prestart and poststart behind them.
pub(crate) async fn synchronize(subjects: &mut [Subject], containers: usize) -> anyhow::Result<()> {
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
            let took = subject.resynchronize(pods.clone(), containers.clone()).await?;
            sleep(REST).await;
            let used = subject.processor_time()?.saturating_sub(before);
            if round > 0 {
                subject.measured.synchronizations.push(took);
                subject.measured.synchronizations_cpu.push(used);
            }
        }
    }
    for subject in subjects {
        subject.measured.resident_after_synchronize = subject.resident()?;
    }
    Ok(())
}

/// Creates a container in a pod with 2 MB of annotations.
pub(crate) async fn long_message(subjects: &mut [Subject]) -> anyhow::Result<()> {
    let (pod, container) = message::long();
    for subject in subjects {
        subject.measured.long_message = subject.create(&pod, &container).await?.0;
    }
    Ok(())
}

/// Has containers live, after one turn to warm up.
pub(crate) async fn lives(subjects: &mut [Subject], count: usize) -> anyhow::Result<()> {
    for first in (0..count + TURN).step_by(TURN) {
        for subject in &mut *subjects {
            for number in first..(first + TURN).min(count + TURN) {
                let (pod, container) = message::short_lived(number);
                let (created, _) = subject.create(&pod, &container).await?;
                let took = subject.other_events(&pod, &container).await?;
                if number >= TURN {
                    subject.measured.other_events.push(took);
                    subject.measured.lives.push(created + took);
                }
            }
        }
    }
    Ok(())
}
