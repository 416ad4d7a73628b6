//! Lives at random: events come once, twice or are cut off by a death; daemon and init die at any moment; time passes
//! in between.

use std::time::Duration;

use nri_oci_hooks::model::Stage;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;
use tokio::time::{sleep, timeout};

use crate::node::{Delivery, Node, Runtime, until};

const ALL: [&str; 3] = ["prestart", "poststart", "poststop"];

/// How many lives there are of each delivery, unless `PROPTEST_CASES` says otherwise.
const LIVES: u32 = 40;

/// An event between two steps of a container's life.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    /// The daemon dies.
    Death,
    /// A daemon starts, in place of the one that is alive.
    Start,
    /// So many milliseconds pass.
    Time(u64),
}

/// The way in which an event reaches the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Once,
    Twice,
    /// The daemon dies so many microseconds after it was called.
    CutOff(u64),
}

/// How far a container comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    NeverStarted,
    /// Its init dies after the start was asked for and before it executes its program.
    DiesBeforeItsProgram,
    /// Its init has ended before the runtime reports it as started.
    EndsAtOnce,
    Runs,
}

#[derive(Debug, Clone)]
struct Life {
    runtime: Runtime,
    fate: Fate,
    between: [Between; 8],
    /// StartContainer, PostStartContainer, StopContainer and RemoveContainer.
    events: [Event; 4],
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        3 => Just(Between::Nothing),
        2 => Just(Between::Death),
        2 => Just(Between::Start),
        1 => (0_u64..20).prop_map(Between::Time),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Once),
        1 => Just(Event::Twice),
        1 => (0_u64..20_000).prop_map(Event::CutOff),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    let runtimes = select(vec![Runtime::Containerd, Runtime::Crio]);
    let fates = prop_oneof![
        1 => Just(Fate::NeverStarted),
        1 => Just(Fate::DiesBeforeItsProgram),
        1 => Just(Fate::EndsAtOnce),
        3 => Just(Fate::Runs),
    ];
    let between = prop::array::uniform8(between());
    let events = prop::array::uniform4(event());
    (runtimes, fates, between, events).prop_map(|(runtime, fate, between, events)| Life {
        runtime,
        fate,
        between,
        events,
    })
}

async fn pass(node: &mut Node, between: Between) {
    match between {
        Between::Nothing => {}
        Between::Death => node.kill_daemon(),
        Between::Start => node.start_daemon().await,
        Between::Time(milliseconds) => sleep(Duration::from_millis(milliseconds)).await,
    }
}

/// Sends an event by `send`.
async fn come<T>(node: &mut Node, event: Event, send: impl AsyncFn(&mut Node) -> T) {
    match event {
        Event::Once => drop(send(node).await),
        Event::Twice => {
            send(node).await;
            send(node).await;
        }
        Event::CutOff(microseconds) => {
            let _ = timeout(Duration::from_micros(microseconds), send(node)).await;
            node.kill_daemon();
        }
    }
}

/// Lets a container live, and returns the stages whose hooks have run, in order.
async fn run_life(life: &Life, delivery: Delivery) -> Vec<String> {
    let mut node = Node::new(life.runtime, delivery);
    let node = &mut node;
    let [start, started, stop, removal] = life.events;
    let mut between = life.between.into_iter();
    let mut next = || between.next().unwrap();
    node.start_daemon().await;
    assert!(node.create().await);
    pass(node, next()).await;
    if life.fate != Fate::NeverStarted {
        // A runner of prestart that outlives its event would end an init that goes on without it.
        let start = match (delivery, start) {
            (Delivery::Events, Event::CutOff(_)) => Event::Once,
            _ => start,
        };
        come(node, start, Node::is_allowed_to_start).await;
        pass(node, next()).await;
    }
    if [Fate::EndsAtOnce, Fate::Runs].contains(&life.fate) {
        node.execute().await;
        pass(node, next()).await;
    }
    if life.fate == Fate::Runs {
        come(node, started, Node::started).await;
        pass(node, next()).await;
    }
    node.end_init();
    pass(node, next()).await;
    node.see_end().await;
    pass(node, next()).await;
    come(node, stop, Node::stopped).await;
    pass(node, next()).await;
    if life.fate == Fate::EndsAtOnce {
        come(node, started, Node::started).await;
    }
    come(node, removal, Node::removed).await;
    node.delete().await;
    pass(node, next()).await;
    node.start_daemon().await;
    if delivery == Delivery::Runner || !node.log().is_empty() {
        node.until_archived().await;
    } else {
        // Nobody has seen it created, so nothing is pending.
        until("poststop to be over or not pending", || {
            node.tracked()
                .is_none_or(|files| files.created().unwrap().is_none())
        })
        .await;
    }
    node.log()
}

fn run_life_now(life: &Life, delivery: Delivery) -> Vec<String> {
    println!("{delivery:?}: {life:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(run_life(life, delivery))
}

/// Whether each of `ran` is there once, in the order of a life.
fn are_in_order(ran: &[String]) -> bool {
    let positions: Vec<_> = ran
        .iter()
        .map(|stage| ALL.iter().position(|of| of == stage))
        .collect();
    positions.is_sorted_by(|one, next| one < next)
}

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(LIVES),
        failure_persistence: None,
        max_shrink_iters: 8,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn each_stage_of_an_injected_container_runs_once_if_its_init_got_that_far(life in life()) {
        let expected: &[&str] = match life.fate {
            Fate::Runs | Fate::EndsAtOnce => &ALL,
            Fate::NeverStarted | Fate::DiesBeforeItsProgram => &["prestart", "poststop"],
        };
        prop_assert_eq!(run_life_now(&life, Delivery::Runner), expected);
    }

    #[test]
    fn with_events_no_stage_runs_twice_or_out_of_order_and_none_but_the_last_without_it(life in life()) {
        let ran = run_life_now(&life, Delivery::Events);
        let has = |stage: Stage| ran.iter().any(|of| of == stage.key());
        prop_assert!(are_in_order(&ran), "{:?}", ran);
        prop_assert!(has(Stage::Poststop) || ran.is_empty(), "{:?}", ran);
        prop_assert!(has(Stage::Prestart) || !has(Stage::Poststart), "{:?}", ran);
        let program_runs = [Fate::Runs, Fate::EndsAtOnce].contains(&life.fate);
        prop_assert!(program_runs || !has(Stage::Poststart), "{:?}", ran);
    }
}
