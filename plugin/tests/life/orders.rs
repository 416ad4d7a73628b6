//! Events that come in another order, at once, or not at all.

use std::fs;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use nri_oci_hooks::model::Stage;

use crate::node::{Delivery, Node, Runtime, until};

const ALL: [&str; 3] = ["prestart", "poststart", "poststop"];

/// A node on which a container has been created.
async fn created(mut node: Node) -> Node {
    node.start_daemon().await;
    assert!(node.create().await);
    node
}

#[tokio::test]
async fn a_program_that_ends_before_it_is_reported_as_started_gets_poststart_before_poststop() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let mut node = created(Node::new(runtime, Delivery::Events)).await;
        assert!(node.is_allowed_to_start().await);
        node.execute().await;
        node.end_init();
        node.see_end().await;
        node.stopped().await;
        node.started().await;
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ALL, "{runtime:?}");
    }
}

#[tokio::test]
async fn a_container_whose_prestart_fails_is_ended_and_gets_its_poststop_alone() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let mut node = created(Node::with_prestart(runtime, Delivery::Events, "false")).await;
        assert!(!node.is_allowed_to_start().await, "{runtime:?}");
        until("init to end", || !node.is_init_alive()).await;
        node.see_end().await;
        node.stopped().await;
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ["prestart", "poststop"], "{runtime:?}");
    }
}

#[tokio::test]
async fn an_injected_container_whose_prestart_fails_is_not_created_and_gets_its_poststop_alone() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let mut node = Node::with_prestart(runtime, Delivery::Runner, "false");
        node.start_daemon().await;
        assert!(!node.create().await, "{runtime:?}");
        node.end_init();
        node.see_end().await;
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ["prestart", "poststop"], "{runtime:?}");
    }
}

#[tokio::test]
async fn a_prestart_during_which_the_daemon_dies_is_ended_by_its_runner_and_not_repeated() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let node = Node::with_prestart(runtime, Delivery::Events, "echo >$D/begun; read go <$D/go");
        for name in ["begun", "go"] {
            mkfifo(&node.path(name), Mode::from_bits_truncate(0o600)).unwrap();
        }
        let mut node = created(node).await;
        let (begun, go) = (node.path("begun"), node.path("go"));
        let begins = tokio::task::spawn_blocking(move || fs::read(begun));
        // The event has no answer yet when the daemon dies.
        tokio::select! {
            may_start = node.is_allowed_to_start() => panic!("answered early: {may_start}"),
            begun = begins => drop(begun.unwrap().unwrap()),
        }
        node.kill_daemon();
        fs::write(go, "\n").unwrap();
        node.until_over(Stage::Prestart).await;
        node.execute().await;
        node.start_daemon().await;
        node.until_over(Stage::Poststart).await;
        node.end_init();
        node.see_end().await;
        node.stopped().await;
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ALL, "{runtime:?}");
    }
}

#[tokio::test]
async fn a_container_that_is_created_and_never_started_gets_its_poststop_on_removal() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let mut node = created(Node::new(runtime, Delivery::Runner)).await;
        node.end_init();
        node.see_end().await;
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ["prestart", "poststop"], "{runtime:?}");
    }
}

#[tokio::test]
async fn a_container_whose_start_was_cut_off_gets_its_poststop_from_the_next_daemon() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        let mut node = created(Node::new(runtime, Delivery::Runner)).await;
        node.kill_daemon();
        node.end_init();
        // The runtime lists it as created.
        node.start_daemon().await;
        node.until_over(Stage::Poststop).await;
        assert_eq!(node.log(), ["prestart", "poststop"], "{runtime:?}");
        assert!(
            node.tracked().is_some(),
            "the runtime has it, and may start it again"
        );
        node.remove().await;
        node.until_archived().await;
        assert_eq!(node.log(), ["prestart", "poststop"], "{runtime:?}");
    }
}

#[tokio::test]
async fn a_container_that_its_oci_runtime_never_created_leaves_nothing_behind() {
    let mut node = created(Node::new(Runtime::Containerd, Delivery::Events)).await;
    node.end_init();
    node.remove().await;
    node.until_archived().await;
    assert!(node.log().is_empty());
}

#[tokio::test]
async fn events_that_come_twice_run_no_hook_twice() {
    for runtime in [Runtime::Containerd, Runtime::Crio] {
        for delivery in [Delivery::Runner, Delivery::Events] {
            let mut node = created(Node::new(runtime, delivery)).await;
            assert!(node.is_allowed_to_start().await);
            assert!(node.is_allowed_to_start().await);
            node.execute().await;
            node.started().await;
            node.started().await;
            node.end_init();
            node.see_end().await;
            node.stopped().await;
            node.stopped().await;
            node.remove().await;
            node.remove().await;
            node.until_archived().await;
            assert_eq!(node.log(), ALL, "{runtime:?} {delivery:?}");
        }
    }
}
