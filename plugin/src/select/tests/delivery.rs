//! Files that a delivery cannot run: refused when they are read, or left out for some containers.

use super::hooks_d::HooksD;
use super::node::{KEY, Node, annotations, chosen, programs, subject};
use crate::config::Delivery;
use crate::diagnostic::Rule;
use crate::model::Stage;
use crate::select::{Deadline, SelectError, Selector, Subject};

/// A node with a default hook-spec that runs `a`, and a hook-spec `vm` with a stage of the container's
/// namespaces.
fn node() -> Node {
    let node = Node::new();
    node.spec("default.json", &["a"]);
    let program = node.text("bin/b");
    node.write(
        "specs/vm.json",
        &format!(
            r#"{{"createContainer": [{{"path": "{program}"}}], "prestart": [{{"path": "{program}"}}]}}"#
        ),
    );
    node
}

fn select(selector: &Selector, delivery: Delivery, selection: &str) -> Result<String, SelectError> {
    let annotations = annotations(&[(KEY, selection)]);
    let subject = Subject {
        delivery,
        ..subject(&annotations)
    };
    selector
        .select(&subject, Deadline::none())
        .map(|selected| programs(&selected))
}

#[test]
fn every_stage_runs_with_runner_and_direct_and_those_of_the_containers_namespaces_not_with_events() {
    for stage in Stage::ALL {
        assert!(Delivery::Runner.runs(stage) && Delivery::Direct.runs(stage));
        assert_eq!(
            Delivery::Events.runs(stage),
            !matches!(stage, Stage::CreateContainer | Stage::StartContainer)
        );
    }
}

#[test]
fn ignore_leaves_out_only_the_selected_spec_that_cannot_be_delivered() {
    let node = node();
    node.spec("specs/c.json", &["c"]);
    for config in ["delivery = \"events\"", "[runtimes.kata]\ndelivery = \"events\""] {
        let policy = |policy: &str| format!("failure_policy = \"{policy}\"\n{config}");
        // Tables come last.
        let selector = |policy: &str| {
            let text = format!("hook_spec = \"{}\"\n{policy}", node.text("default.json"));
            let specs = format!("annotation.spec_dirs = [\"{}\"]", node.text("specs"));
            let config = crate::config::Config::from_text(
                "config.toml",
                &format!("{specs}\n{text}"),
                &crate::config::Overrides::default(),
            );
            Selector::new(config.unwrap())
        };
        let ignores = selector(&policy("ignore"));
        assert_eq!(select(&ignores, Delivery::Events, "vm").unwrap(), "a", "{config}");
        assert_eq!(
            select(&ignores, Delivery::Events, "vm,c").unwrap(),
            "ac",
            "{config}"
        );
        assert!(
            select(&selector(&policy("fail")), Delivery::Events, "vm").is_err(),
            "{config}"
        );
    }
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    assert_eq!(select(&selector, Delivery::Runner, "vm").unwrap(), "ab");
}

#[test]
fn an_invalid_selected_spec_does_not_remove_others_with_ignore() {
    let node = node();
    node.write("specs/bad.json", "{");
    let selector = node.selector_with_default("failure_policy = \"ignore\"");
    assert_eq!(chosen(&selector, &[(KEY, "bad,vm,gone")]), "ab");
}

#[test]
fn a_file_that_no_container_could_get_is_refused_when_it_is_read_and_one_for_some_is_reported() {
    let node = HooksD::new();
    let program = node.0.text("bin/b");
    node.0.write(
        "vendor/x.json",
        &format!(
            r#"{{"version":"1.0.0","hook":{{"path":"{program}"}},"when":{{"always":true}},"stages":["startContainer"]}}"#
        ),
    );
    for (config, rules, active) in [
        ("delivery = \"runner\"", &[][..], 1),
        ("delivery = \"direct\"", &[], 1),
        ("delivery = \"events\"", &[Rule::StageNotDeliverable], 0),
        (
            "runtimes.kata.delivery = \"events\"",
            &[Rule::StageNotDeliverable],
            1,
        ),
    ] {
        let selector = node.selector(config);
        let found: Vec<Rule> = selector.errors().iter().map(|error| error.rule).collect();
        assert_eq!(found, rules, "{config}");
        assert_eq!(selector.active_specs().len(), active, "{config}");
    }
    let selector = node.selector("runtimes.kata.delivery = \"events\"");
    let message = selector.errors()[0].to_string();
    assert!(message.contains("runtime handler kata"), "{message}");
}
