//! The output of `explain`.

use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::ExplainArgs;
use super::command::run;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    explain: ExplainArgs,
}

/// A node with a default hook-spec and three others that pods may select, two of them any pod.
struct Node(TempDir);

impl Node {
    fn new() -> Node {
        let node = Node(tempfile::tempdir().unwrap());
        fs::create_dir(node.0.path().join("specs")).unwrap();
        node.file(
            "default.json",
            "{\n\"prestart\": [\n{\"path\": \"/bin/echo\", \"args\": [\"echo\", \"a b\"], \"env\": [\"SECRET=hidden\", \"B=\"]},\n{\"path\": \"/bin/true\", \"timeout\": 1}\n],\n\"poststop\": [{\"path\": \"/bin/true\", \"timeout\": 5}]}",
        );
        node.file("specs/gpu.json", "{\"prestart\": [{\"path\": \"/bin/sh\"}],\n\"poststop\": [{\"path\": \"/bin/true\", \"timeout\": 6}]}");
        node.file("specs/net.json", "{}");
        node.file("specs/secret.json", "{}");
        node.file("specs/bad.json", "{\"prestart\": [{\"path\": \"bin/sh\"}]}");
        let root = node.0.path().display();
        node.file(
            "config.toml",
            &format!(
                "hook_spec = \"{root}/default.json\"\nexclude_namespaces = [\"kube-system\"]\n\
                 [annotation]\nspec_dirs = [\"{root}/specs\"]\n\
                 [[annotation.rules]]\neffect = \"allow\"\n\
                 [[annotation.rules]]\neffect = \"deny\"\nspecs = [\"secret\"]\n"
            ),
        );
        node
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str], input: &str) -> anyhow::Result<(bool, String)> {
        let config = self.0.path().join("config.toml");
        let config = ["explain", "--config", config.to_str().unwrap()];
        let cli = Cli::try_parse_from([&config, args].concat())?;
        let mut out = Vec::new();
        let good = run(&cli.explain, &mut input.as_bytes(), &mut out)?;
        let out = String::from_utf8(out)?;
        Ok((good, out.replace(self.0.path().to_str().unwrap(), "NODE")))
    }

    /// Whether all containers can be created, and the output, with the node's directory called NODE.
    fn explained(&self, args: &[&str], input: &str) -> (bool, String) {
        self.run(args, input).unwrap()
    }

    fn failed(&self, args: &[&str], input: &str) -> String {
        let error = self.run(args, input).unwrap_err();
        format!("{error:#}").replace(self.0.path().to_str().unwrap(), "NODE")
    }
}

const MANIFEST: &str = r#"
kind: Deployment
metadata: {name: web, namespace: apps}
spec:
  template:
    metadata:
      annotations:
        hook-spec.noderesource.dev: net
        hook-spec.noderesource.dev/container.main: gpu
        hook-spec.noderesource.dev/container.plain: ""
        hook-specs.noderesource.dev: gpu
        example.com/other: x
    spec:
      initContainers: [{name: setup}]
      containers: [{name: main}, {name: plain}]
---
kind: Service
metadata: {name: web}
---
kind: Pod
metadata:
  name: system
  namespace: kube-system
  annotations: {hook-spec.noderesource.dev: "gpu,secret"}
spec: {containers: [{name: main}]}
"#;

#[test]
fn every_container_of_a_manifest_is_explained_hook_by_hook() {
    let (good, out) = Node::new().explained(&["-"], MANIFEST);
    assert!(!good, "one would not be created");
    assert!(!out.contains("hidden"), "the values of env may be secrets: {out}");
    insta::assert_snapshot!("text", out);
}

#[test]
fn json_has_the_same_content() {
    let node = Node::new();
    let manifest = node.file("pod.yaml", MANIFEST);
    let (good, out) = node.explained(&["--format", "json", "--container", "main", &manifest], "");
    assert!(!good);
    assert!(!out.contains("hidden"), "{out}");
    insta::assert_snapshot!("json", out);
}

#[test]
fn a_pod_can_be_described_without_a_manifest() {
    let node = Node::new();
    let selection = "hook-spec.noderesource.dev=gpu,gpu";
    let (good, out) = node.explained(&["--namespace", "kube-system", "--annotation", selection], "");
    assert!(good);
    insta::assert_snapshot!("described", out);
}

#[test]
fn a_spec_that_is_selected_twice_is_shown_twice() {
    let selection = "hook-spec.noderesource.dev=gpu,gpu";
    let (_, out) = Node::new().explained(&["--format", "json", "--annotation", selection], "");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let hooks = json["pods"][0]["containers"][0]["stages"]["prestart"]
        .as_array()
        .unwrap();
    let by: Vec<&str> = hooks.iter().map(|hook| hook["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["default", "default", "annotation", "annotation"]);
}

#[test]
fn an_annotation_about_a_container_that_the_pod_does_not_have_is_warned_of() {
    let manifest = MANIFEST.replace("container.main", "container.mian");
    let (_, out) = Node::new().explained(&["--container", "plain", "-"], &manifest);
    let warning = "warning\n      - annotation hook-spec.noderesource.dev/container.mian: the pod has no container mian\n";
    assert!(out.contains(warning), "{out}");
}

#[test]
fn the_daemons_options_apply_here_too() {
    let node = Node::new();
    let spec = node.file("other.json", "{\"poststart\":[{\"path\":\"/bin/true\"}]}");
    let (good, out) = node.explained(&["--hook-spec", &spec, "--namespace", "apps"], "");
    assert!(good);
    assert!(out.contains("NODE/other.json:1, default hook-spec"), "{out}");
}

#[test]
fn failure_policy_ignore_shows_which_parts_would_be_left_out() {
    let node = Node::new();
    let config = fs::read_to_string(node.0.path().join("config.toml")).unwrap();
    node.file("config.toml", &format!("failure_policy = \"ignore\"\n{config}"));
    let (good, out) = node.explained(&["--annotation", "hook-spec.noderesource.dev=bad"], "");
    assert!(good);
    assert!(out.contains("left out, because failure_policy is ignore\n      - annotation hook-spec.noderesource.dev: hook-spec bad:"), "{out}");
}

#[test]
fn a_container_whose_delivery_cannot_run_a_stage_would_not_be_created() {
    let node = Node::new();
    let config = fs::read_to_string(node.0.path().join("config.toml")).unwrap();
    node.file(
        "config.toml",
        &format!("{config}[runtimes.kata]\ndelivery = \"events\"\n"),
    );
    node.file(
        "specs/raw.json",
        "{\"createContainer\":[{\"path\":\"/bin/true\"}]}",
    );
    let selection = ["--annotation", "hook-spec.noderesource.dev=raw"];
    let (good, out) = node.explained(&selection, "");
    assert!(good, "{out}");
    assert!(
        out.contains("createContainer (by the OCI runtime, in the container's namespaces)"),
        "{out}"
    );
    let (good, out) = node.explained(&[&selection[..], &["--runtime-handler", "kata"]].concat(), "");
    assert!(!good);
    assert!(
        out.contains("NODE/specs/raw.json:1: createContainer hooks cannot be run with delivery events"),
        "{out}"
    );
}

#[test]
fn annotations_that_the_runtime_adds_are_known_or_reported_as_unknown() {
    let node = Node::new();
    let config = fs::read_to_string(node.0.path().join("config.toml")).unwrap();
    let hooks_d = node.0.path().join("hooks.d");
    node.file("config.toml", &format!("hooks_dirs = [{hooks_d:?}]\n{config}"));
    fs::create_dir_all(&hooks_d).unwrap();
    let file = |name: &str, when: &str| {
        node.file(
            &format!("hooks.d/{name}.json"),
            &format!(
                r#"{{"version":"1.0.0","hook":{{"path":"/bin/true"}},"when":{when},"stages":["prestart"]}}"#
            ),
        );
    };
    file(
        "holds",
        r#"{"annotations":{"^io\\.kubernetes\\.cri\\.sandbox-namespace$":"^default$"}}"#,
    );
    file(
        "other",
        r#"{"annotations":{"^io\\.kubernetes\\.cri\\.container-name$":"^db$"}}"#,
    );
    file(
        "unknown",
        r#"{"annotations":{"^io\\.kubernetes\\.cri\\.image-name$":"redis"}}"#,
    );
    file("command", r#"{"commands":["/init$"]}"#);
    let (good, out) = node.explained(&["--namespace", "default", "--all"], "");
    assert!(good, "{out}");
    assert!(
        out.contains("hooks.d/holds.json:1, hooks.d, conditions hold"),
        "{out}"
    );
    assert!(
        out.contains("hooks.d/other.json: these conditions do not hold: annotations"),
        "{out}"
    );
    for (name, condition) in [("unknown", "annotations"), ("command", "commands")] {
        let said = format!(
            "hooks.d/{name}.json: these conditions depend on the image or the runtime, and may hold: {condition}"
        );
        assert!(out.contains(&said), "{out}");
    }
}

#[test]
fn a_runtime_class_is_used_as_its_handler_and_that_is_reported() {
    let node = Node::new();
    let config = fs::read_to_string(node.0.path().join("config.toml")).unwrap();
    let pod = "kind: Pod\nmetadata: {name: p}\nspec: {runtimeClassName: kata, containers: [{name: c}]}\n";
    let (_, out) = node.explained(&["-"], pod);
    assert!(!out.contains("kata"), "all handlers are alike: {out}");
    node.file(
        "config.toml",
        &format!("{config}[runtimes.kata]\ndelivery = \"events\"\n"),
    );
    let (_, out) = node.explained(&["-"], pod);
    assert!(
        out.contains("runtimeClassName kata: only the cluster knows"),
        "{out}"
    );
    assert!(out.contains("delivery of this pod: events: "), "{out}");
    let (_, out) = node.explained(&["-", "--runtime-handler", ""], pod);
    assert!(!out.contains("kata") && !out.contains("events: "), "{out}");
}

#[test]
fn a_manifest_without_a_pod_is_a_failure() {
    let node = Node::new();
    for text in ["", "---\n", "{\"kind\":\"List\",\"items\":[]}"] {
        assert_eq!(node.failed(&["-"], text), "the manifest is empty");
    }
    let (good, out) = node.explained(&["-"], "kind: Service\nmetadata: {name: s}\n");
    assert!(!good && out.contains("Service/s: has no pod"), "{out}");
}

#[test]
fn a_container_goes_without_the_file_that_cannot_be_delivered_alone() {
    let node = Node::new();
    let config = fs::read_to_string(node.0.path().join("config.toml")).unwrap();
    node.file(
        "config.toml",
        &format!("failure_policy = \"ignore\"\n{config}[runtimes.kata]\ndelivery = \"events\"\n"),
    );
    node.file(
        "specs/raw.json",
        "{\"createContainer\":[{\"path\":\"/bin/true\"}]}",
    );
    let kata = ["--runtime-handler", "kata", "--namespace", "default"];
    let (_, without) = node.explained(&kata, "");
    let selection = ["--annotation", "hook-spec.noderesource.dev=raw"];
    let (good, out) = node.explained(&[&kata[..], &selection].concat(), "");
    let hooks = |out: &str| {
        out.lines()
            .find(|line| line.contains("container main"))
            .map(str::to_owned)
    };
    assert_eq!(hooks(&out), hooks(&without), "the default hooks stay");
    assert!(
        good && out.contains("- NODE/specs/raw.json:1: createContainer"),
        "{out}"
    );
}

#[test]
fn unreadable_input_is_reported_with_its_place() {
    let node = Node::new();
    assert!(
        node.failed(&["/none.yaml"], "")
            .starts_with("cannot read /none.yaml: No such file")
    );
    assert_eq!(
        node.failed(&["-"], "kind: [\n"),
        "-: line 2, column 1: is not valid YAML: while parsing a node, did not find expected node content"
    );
    assert_eq!(
        node.failed(&["-", "--container", "x"], MANIFEST),
        "the manifest has no container called x"
    );
    node.file("config.toml", "hook_spec = 1");
    assert!(
        node.failed(&["--namespace", "a"], "")
            .starts_with("the configuration is invalid: NODE/config.toml:1:13: ")
    );
}

#[test]
fn neither_manifest_nor_description_is_wrong_usage() {
    for args in [&["explain"][..], &["explain", "--annotation", "x"]] {
        assert_eq!(Cli::try_parse_from(args).err().unwrap().exit_code(), 2);
    }
}

#[test]
fn a_hostile_manifest_does_not_reach_the_terminal_unescaped() {
    let text = "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\u001b[2J\",\"namespace\":\"b\\u001b\",\"annotations\":{\"hook-spec.noderesource.dev/c\\u001b\":\"\\u001b\"}},\"spec\":{\"containers\":[{\"name\":\"\\u001b\\n\"}]}}";
    let (_, out) = Node::new().explained(&["-"], text);
    assert!(
        out.chars().all(|c| c == '\n' || (' '..='~').contains(&c)),
        "{out}"
    );
}
