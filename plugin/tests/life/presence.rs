//! Every way in which the daemon can be alive or dead while a container lives.

use nri_oci_hooks::model::Stage;
use tokio::task::JoinSet;

use crate::node::{Delivery, Node, Runtime};

/// How many containers live at once.
const AT_ONCE: usize = 6;

/// Whether a daemon is alive at one moment of a container's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// The one that was alive before, or a new one if none was.
    Alive,
    /// A new one: the one before is killed.
    New,
    Dead,
}

use Presence::{Alive, Dead, New};

/// When it is alive: at the start, right after it, at the end, and at the removal. At the creation
/// one always is: no other container has hooks.
type Life = [Presence; 4];

fn lives() -> impl Iterator<Item = Life> {
    let any = [Alive, New, Dead];
    any.into_iter().flat_map(move |start| {
        any.into_iter().flat_map(move |after| {
            any.into_iter()
                .flat_map(move |end| any.map(|removal| [start, after, end, removal]))
        })
    })
}

/// The stages of which `events` delivery can run the hooks: it needs the daemon for each.
fn expected_by_events([start, after, end, _]: Life) -> Vec<&'static str> {
    let mut stages = Vec::new();
    // Nobody else can make the runtime wait before the program runs.
    if start != Dead {
        stages.push("prestart");
        // The first to be there while the program runs.
        if after != Dead || end != Dead {
            stages.push("poststart");
        }
    }
    // Every process that has seen the container.
    if [start, after, end].iter().any(|presence| *presence != Dead) {
        stages.push("poststop");
    }
    stages
}

async fn set(node: &mut Node, before: Presence, now: Presence) {
    match (before, now) {
        (_, Dead) => node.kill_daemon(),
        (Alive | New, Alive) => {}
        (Dead, Alive) | (_, New) => node.start_daemon().await,
    }
}

/// Lets a container live, and returns the stages whose hooks have run, in order.
async fn run_life(runtime: Runtime, delivery: Delivery, life: Life) -> Vec<String> {
    let [start, after, end, removal] = life;
    let mut node = Node::new(runtime, delivery);
    node.start_daemon().await;
    assert!(node.create().await);
    set(&mut node, Alive, start).await;
    assert!(node.is_allowed_to_start().await);
    node.execute().await;
    set(&mut node, start, after).await;
    node.started().await;
    set(&mut node, after, end).await;
    if end != Dead {
        // A new daemon runs behind Synchronize what is pending.
        node.until_over(Stage::Poststart).await;
    }
    node.end_init();
    node.see_end().await;
    node.stopped().await;
    set(&mut node, end, removal).await;
    node.remove().await;
    set(&mut node, removal, Alive).await;
    let was_seen = delivery == Delivery::Runner || life != [Dead; 4];
    if was_seen {
        node.until_archived().await;
    } else {
        // It may still be about to be created, for all that anybody knows.
        assert!(node.tracked().is_some());
    }
    node.log()
}

/// Lets a container live for each way of the daemon's presence, and compares what has run.
async fn run_all_lives(runtime: Runtime, delivery: Delivery, expected: fn(Life) -> Vec<&'static str>) {
    let mut wrong = Vec::new();
    let mut living = JoinSet::new();
    let mut lives = lives();
    loop {
        while living.len() < AT_ONCE
            && let Some(life) = lives.next()
        {
            living.spawn(async move { (life, run_life(runtime, delivery, life).await) });
        }
        let Some(lived) = living.join_next().await else {
            break;
        };
        let (life, ran) = lived.unwrap();
        let expected = expected(life);
        if ran != expected {
            wrong.push(format!("{life:?}: {ran:?} ran, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn each_once(_: Life) -> Vec<&'static str> {
    vec!["prestart", "poststart", "poststop"]
}

#[tokio::test]
async fn each_stage_of_an_injected_container_runs_once_on_containerd_whenever_the_daemon_dies() {
    run_all_lives(Runtime::Containerd, Delivery::Runner, each_once).await;
}

#[tokio::test]
async fn each_stage_of_an_injected_container_runs_once_on_crio_whenever_the_daemon_dies() {
    run_all_lives(Runtime::Crio, Delivery::Runner, each_once).await;
}

#[tokio::test]
async fn with_events_each_stage_runs_once_on_containerd_for_which_a_daemon_was_alive() {
    run_all_lives(Runtime::Containerd, Delivery::Events, expected_by_events).await;
}

#[tokio::test]
async fn with_events_each_stage_runs_once_on_crio_for_which_a_daemon_was_alive() {
    run_all_lives(Runtime::Crio, Delivery::Events, expected_by_events).await;
}
