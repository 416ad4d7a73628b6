//! The pods of a manifest, and texts that are not manifests.

use super::*;

/// `object namespace: containers` of each pod, and the other objects.
fn found(text: &str) -> Vec<String> {
    let manifest = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let pods = manifest.pods.iter().map(|pod| {
        let names: Vec<String> = pod
            .containers
            .iter()
            .map(|container| container.name.clone())
            .collect();
        let namespace = pod.namespace.as_deref().unwrap_or("-");
        format!("{} {namespace}: {}", pod.object, names.join(" "))
    });
    pods.chain(manifest.others).collect()
}

fn refused(text: &str) -> String {
    read(text.as_bytes()).unwrap_err().to_string()
}

const POD: &str = r#"
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: apps
  annotations:
    hook-spec.noderesource.dev: gpu, net
    folded: >-
      one
      two
    number: "1"
spec:
  initContainers: [{name: setup, image: x}]
  containers:
  - name: main
    args: ["--x", {a: 1}]
  - name: side
"#;

#[test]
fn a_pod_is_read_with_its_annotations_and_containers() {
    assert_eq!(found(POD), ["Pod/web apps: setup main side"]);
    let pod = &read(POD.as_bytes()).unwrap().pods[0];
    assert_eq!(pod.annotations["hook-spec.noderesource.dev"], "gpu, net");
    assert_eq!(pod.annotations["folded"], "one two");
    let kinds: Vec<ContainerKind> = pod.containers.iter().map(|container| container.kind).collect();
    assert_eq!(
        kinds,
        [ContainerKind::Init, ContainerKind::Main, ContainerKind::Main]
    );
}

#[test]
fn json_is_read_like_yaml() {
    let json = "\t{\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"x-\"},\n\"spec\":{\"containers\":[{\"name\":\"a\"}]}}";
    assert_eq!(found(json), ["Pod/x- -: a"]);
}

#[test]
fn the_template_of_every_workload_is_found_and_other_objects_are_named() {
    let template = "template:\n      metadata: {annotations: {a: b}}\n      spec: {containers: [{name: c}]}";
    let workloads = [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "Rollout",
    ]
    .map(|kind| format!("kind: {kind}\nmetadata: {{name: w}}\nspec:\n    {template}\n"));
    let cron =
        format!("kind: CronJob\nmetadata: {{name: w}}\nspec:\n  jobTemplate:\n   spec:\n    {template}\n");
    let other = "kind: Service\nmetadata: {name: s}\nspec: {ports: []}\n";
    let list = "kind: List\nitems:\n- {kind: Pod, metadata: {name: p}, spec: {containers: [{name: c}]}}\n- {kind: ConfigMap, metadata: {name: m}}\n";
    let text = format!(
        "{}---\n{cron}---\n{other}---\n{list}---\n",
        workloads.join("---\n")
    );
    assert_eq!(
        found(&text),
        [
            "Deployment/w -: c",
            "StatefulSet/w -: c",
            "DaemonSet/w -: c",
            "ReplicaSet/w -: c",
            "Job/w -: c",
            "Rollout/w -: c",
            "CronJob/w -: c",
            "Pod/p -: c",
            "Service/s",
            "ConfigMap/m",
        ]
    );
}

#[test]
fn aliases_and_merges_are_followed() {
    let text = "kind: Pod\nmetadata: {name: p, annotations: &a {x: '1'}}\nspec:\n  containers:\n  - &c {name: one, image: i}\n  - {<<: *c, name: two}\n  - *c\nextra: *a\n";
    assert_eq!(found(text), ["Pod/p -: one two one"]);
}

#[test]
fn a_list_of_maps_is_merged_and_the_first_of_them_counts() {
    let text = "kind: Pod\nmetadata: {name: p}\nspec:\n  x: [&a {name: one, image: i}, &b {name: two, command: [sh]}]\n  \
                containers:\n  - <<: [*a, *b]\n  - {<<: [*b, *a], name: three}\n";
    let pod = &read(text.as_bytes()).unwrap().pods[0];
    let containers: Vec<_> = pod
        .containers
        .iter()
        .map(|c| (&*c.name, c.command.as_deref()))
        .collect();
    assert_eq!(containers, [("one", Some("sh")), ("three", Some("sh"))]);
    assert!(refused("kind: Pod\nspec: {<<: [a]}\n").contains("<< merges maps"));
}

#[test]
fn the_items_of_a_list_of_one_kind_need_not_name_it() {
    let items = "items:\n- {metadata: {name: a}, spec: {containers: [{name: c}]}}\n";
    assert_eq!(found(&format!("kind: PodList\n{items}")), ["Pod/a -: c"]);
    assert_eq!(
        found("kind: ServiceList\nitems: [{metadata: {name: s}}]\n"),
        ["Service/s"]
    );
    assert!(refused(&format!("kind: List\n{items}")).contains("without kind"));
}

#[test]
fn a_text_that_is_not_a_manifest_is_refused_with_the_place_of_the_error() {
    for (text, message) in [
        ("kind: Pod\n  x: 1\n", "line 2, column 4: is not valid YAML: "),
        ("a: 1\n", "has no Kubernetes object"),
        ("- kind: Pod\n", "has no Kubernetes object"),
        (
            "kind: Pod\nkind: Pod\n",
            "line 2, column 7: the key kind is in this map twice",
        ),
        ("? [a]\n: b\n", "line 1, column 3: a key must be a string"),
        (
            "kind: Pod\nmetadata: {name: p}\n",
            "Pod/p: spec.containers must be a list of containers",
        ),
        (
            "kind: Pod\nspec: {containers: {}}\n",
            "Pod/: containers must be a list",
        ),
        (
            "kind: Pod\nspec: {containers: [{}]}\n",
            "Pod/: \"containers[].name\" must be a string",
        ),
        (
            "kind: Pod\nmetadata: {annotations: {a: true}}\n",
            "Pod/: \"the annotation a\" must be a string; write",
        ),
        (
            "kind: Pod\nmetadata: {annotations: [a]}\n",
            "Pod/: metadata.annotations must be a map",
        ),
        (
            "kind: Pod\nmetadata: {namespace: 1}\n",
            "Pod/: metadata.namespace must be a string",
        ),
        ("a: &a [*a]\n", "line 1, column 8: "),
    ] {
        let refused = refused(text);
        assert!(refused.starts_with(message), "{refused}: {text}");
    }
    assert!(
        read(b"\xff")
            .unwrap_err()
            .to_string()
            .starts_with("is not UTF-8 at byte 0")
    );
}

#[test]
fn a_hostile_text_costs_bounded_memory_and_no_stack() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            below.trim_end_matches(", ")
        ));
    }
    assert!(
        refused(&bomb).contains("more than 200000 values"),
        "{}",
        refused(&bomb)
    );
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(read(deep.as_bytes()).is_err());
    }
    assert!(read(&vec![b' '; MAX_SIZE + 1]).is_err());
}
