//! A daemon that dies or hangs behind its front: the next one is asked what it has not answered, or asked it again.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::node::{Delivery, Node, Runtime, until};

/// How many daemons may die within a minute.
const MAX_DEATHS: usize = 10;

/// A life in which each request is made twice, of two daemons, while the configuration is another each time.
async fn run_life_with_repeated_requests(runtime: Runtime, delivery: Delivery) {
    let mut node = Node::new(runtime, delivery);
    node.start_daemon().await;
    let first = node.request_create().await;
    let hook = json!([{ "path": "/bin/false" }]);
    for spec in [
        json!({}),
        json!({ "prestart": hook }),
        json!({ "createRuntime": hook }),
    ] {
        node.specify(&spec);
        node.kill_behind_front().await;
        assert_eq!(node.request_create().await, first, "{spec}");
    }
    assert!(node.create().await);
    assert!(node.is_allowed_to_start().await);
    node.kill_behind_front().await;
    assert!(node.is_allowed_to_start().await);
    node.execute().await;
    node.started().await;
    node.end_init();
    node.see_end().await;
    node.stopped().await;
    node.kill_behind_front().await;
    node.stopped().await;
    node.removed().await;
    node.kill_behind_front().await;
    node.remove().await;
    node.until_archived().await;
    assert_eq!(node.log(), ["prestart", "poststart", "poststop"]);
}

#[tokio::test]
async fn what_is_asked_twice_is_answered_the_same_and_done_once_on_containerd() {
    run_life_with_repeated_requests(Runtime::Containerd, Delivery::Runner).await;
}

#[tokio::test]
async fn what_is_asked_twice_is_answered_the_same_and_done_once_on_crio() {
    run_life_with_repeated_requests(Runtime::Crio, Delivery::Runner).await;
}

#[tokio::test]
async fn with_events_what_is_asked_twice_is_answered_the_same_and_done_once() {
    run_life_with_repeated_requests(Runtime::Containerd, Delivery::Events).await;
}

#[tokio::test]
async fn a_container_without_hooks_that_is_asked_for_again_has_none() {
    let mut node = Node::new(Runtime::Containerd, Delivery::Runner);
    node.specify(&json!({}));
    node.start_daemon().await;
    let first = node.request_create().await;
    node.kill_behind_front().await;
    assert_eq!(node.request_create().await, first);
    assert!(node.tracked().is_none());
}

#[tokio::test]
async fn a_daemon_that_is_silent_is_killed_and_the_next_one_answers_what_it_was_asked() {
    let mut node = Node::new(Runtime::Containerd, Delivery::Runner);
    node.start_daemon().await;
    let silent = node.signal(Signal::SIGSTOP);
    assert!(node.create().await, "the next daemon answers");
    assert_eq!(node.log(), ["prestart"]);
    assert!(node.process().is_some_and(|process| process != silent));
    assert_eq!(node.connection().end(), None, "the connection is the same");
}

#[tokio::test]
async fn the_eleventh_death_within_a_minute_ends_the_front_and_the_connection() {
    let mut node = Node::new(Runtime::Containerd, Delivery::Runner);
    node.start_daemon().await;
    for _ in 0..MAX_DEATHS {
        node.kill_behind_front().await;
    }
    assert!(node.create().await, "the eleventh daemon answers");
    node.signal(Signal::SIGKILL);
    node.connection().closed().await;
    until("the front to end", || node.process().is_none()).await;
}
