//! `explain` prints the hooks that a real container then gets, or why it is refused. Tested are the default hook-spec,
//! rules, limits, scopes, hooks.d, exempt namespaces, either failure policy, and every delivery.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use e2e::containerd::OTHER_HANDLER;
use e2e::explain::create_as_explained;
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Delivery, HookSpec, Pod, Version, on_each_containerd};
use serde_json::json;

/// A node with hook-specs to select and files of hooks.d, and how many containers were asked about so far.
struct Node {
    containerd: Containerd,
    default: PathBuf,
    hooks_d: PathBuf,
    asked: usize,
}

/// A container to ask about.
#[derive(Default)]
struct Asked<'a> {
    namespace: Option<&'a str>,
    /// `~` at the begin of a key stands for the key of our annotation.
    annotations: &'a [(&'a str, &'a str)],
    container: Option<&'a str>,
    command: Option<[&'a str; 3]>,
    is_init: bool,
    handler: Option<&'a str>,
}

impl Node {
    async fn new(version: Version) -> Result<Node> {
        let containerd = Containerd::start(version).await?;
        let hooks = containerd.hooks();
        let program = hooks.recorder("first")?;
        let detailed = program
            .clone()
            .args(["own-name", "", "a b\n"])
            .env(["A=1", "B=", "A=2"])
            .timeout(7);
        let detailed = HookSpec::new()
            .prestart(detailed.clone())
            .prestart(program)
            .poststart(detailed.clone())
            .poststop(detailed);
        let default = hooks.spec("default", &detailed)?;
        for name in ["gpu", "net", "gpu-debug"] {
            hooks.recording_spec(name)?;
        }
        let slow = HookSpec::new().poststop(hooks.recorder("slow")?.timeout(61));
        hooks.spec("slow", &slow)?;
        let raw = HookSpec::new().create_runtime(hooks.recorder("raw")?);
        hooks.spec("raw", &raw)?;
        hooks.raw_spec("bad", r#"{"prestart":[{"path":"gpu"}]}"#)?;
        hooks.raw_spec("none", "{}")?;
        let hooks_d = containerd.node().make_directory("hooks.d")?;
        let hook = serde_json::to_value(hooks.recorder("of-hooks-d")?)?;
        for (name, when, stages) in [
            (
                "10-always",
                json!({"always": true}),
                &["prestart", "poststop"][..],
            ),
            ("20-never", json!({"always": false}), &["prestart"]),
            (
                "30-team",
                json!({"annotations": {"^example\\.com/team$": "^fluid"}}),
                &["poststart"],
            ),
            ("40-shell", json!({"commands": ["/sh$"]}), &["prestart"]),
            (
                "50-mounts",
                json!({"hasBindMounts": true, "commands": ["^/bin/", "^/sbin/"]}),
                &["prestart"],
            ),
            (
                "60-both",
                json!({"annotations": {"team": ".", "mode": "(a|b)"}, "commands": ["sleep"]}),
                &["poststop"],
            ),
        ] {
            let file = json!({"version": "1.0.0", "hook": hook, "when": when, "stages": stages});
            fs::write(hooks_d.join(format!("{name}.json")), file.to_string())?;
        }
        fs::write(hooks_d.join("70-bad.json"), "{")?;
        Ok(Node {
            containerd,
            default,
            hooks_d,
            asked: 0,
        })
    }

    /// Compares for each of `containers` under this configuration, and returns how many were created.
    async fn compare(
        &mut self,
        configuration: &str,
        default: Option<&Path>,
        delivery: Option<Delivery>,
        containers: &[Asked<'_>],
    ) -> Result<usize> {
        let mut plugin = self.containerd.plugin().configuration(configuration);
        if let Some(default) = default {
            plugin = plugin.hook_spec(default);
        }
        if let Some(delivery) = delivery {
            plugin = plugin.delivery(delivery.word());
        }
        let mut plugin = plugin.start().await?;
        let mut created = 0;
        for asked in containers {
            self.asked += 1;
            let pod = self.pod(asked).await?;
            let mut container = pod.container(asked.container.unwrap_or("app"));
            if let Some(command) = asked.command {
                container = container.command(command);
            }
            let list = if asked.is_init {
                "initContainers"
            } else {
                "containers"
            };
            let outcome = create_as_explained(&self.containerd, &plugin, list, container)
                .await
                .with_context(|| format!("{configuration:?} {delivery:?} {:?}", asked.annotations))?;
            created += usize::from(outcome.is_ok());
        }
        plugin.kill().await?;
        Ok(created)
    }

    async fn pod(&self, asked: &Asked<'_>) -> Result<Pod> {
        let mut pod = self.containerd.pod(&format!("pod-{}", self.asked));
        pod = pod.namespace(asked.namespace.unwrap_or("default"));
        if let Some(handler) = asked.handler {
            pod = pod.runtime_handler(handler);
        }
        for (key, value) in asked.annotations {
            pod = match key.strip_prefix('~') {
                Some(scope) => pod.annotation(&format!("{ANNOTATION}{scope}"), value),
                None => pod.annotation(key, value),
            };
        }
        pod.run().await
    }
}

/// A container whose pod has these annotations.
fn with<'a>(annotations: &'a [(&'a str, &'a str)]) -> Asked<'a> {
    Asked {
        annotations,
        ..Asked::default()
    }
}

async fn a_container_gets_the_selected_hooks_that_explain_lists(version: Version) -> Result<()> {
    let mut node = Node::new(version).await?;
    let default = node.default.clone();
    let long = "c".repeat(60);
    let of_pods = [
        with(&[]),
        with(&[("~", "gpu")]),
        with(&[("~", "gpu,net,gpu")]),
        with(&[("~", " gpu , net ")]),
        with(&[("~", "none")]),
        with(&[("~", "")]),
        with(&[("~", "gpu"), ("~/pod", "net")]),
        with(&[("~/pod", "net"), ("~/container.app", "")]),
        with(&[("~/pod", "net"), ("~/container.app", "gpu")]),
        with(&[("~", "net"), ("~/container.side", "gpu")]),
        Asked {
            container: Some("side"),
            ..with(&[("~", "net"), ("~/container.side", "gpu")])
        },
        Asked {
            container: Some(&long),
            ..with(&[("~", "net"), ("~/pod", "gpu")])
        },
        Asked {
            is_init: true,
            ..with(&[("~", "gpu")])
        },
        Asked {
            is_init: true,
            container: Some("setup"),
            ..with(&[("~/container.setup", "net")])
        },
        with(&[
            ("hook-specs.noderesource.dev", "gpu"),
            ("example.com/hook-spec", "net"),
        ]),
        with(&[("~", "absent")]),
        with(&[("~", "bad")]),
        with(&[("~", "../x")]),
        with(&[("~", "/etc/passwd")]),
        with(&[("~", "gpu,,net")]),
        with(&[("~", "g\u{440}u")]),
        with(&[("~/containers.app", "gpu")]),
        with(&[("~", "raw")]),
    ];
    for delivery in [Delivery::Runner, Delivery::Events, Delivery::Direct] {
        let got = node.compare("", Some(&default), Some(delivery), &of_pods).await?;
        assert_eq!(got, 16, "{delivery:?}");
    }
    assert_eq!(
        node.compare("", None, None, &of_pods).await?,
        16,
        "without a default"
    );
    Ok(())
}

async fn explain_prints_the_hooks_that_a_container_gets(version: Version) -> Result<()> {
    let mut node = Node::new(version).await?;
    let default = Some(node.default.clone());
    let default = default.as_deref();
    let of = |namespace, annotations| Asked {
        namespace: Some(namespace),
        annotations,
        ..Asked::default()
    };

    let rules = r#"annotation.rules = [
        { effect = "allow", namespaces = ["ml-*"], specs = ["gpu*"] },
        { effect = "allow", specs = ["net", "slow", "none"] },
        { effect = "deny", specs = ["*-debug"] },
    ]"#;
    let limits = "annotation.max_timeout = 60\nannotation.max_hooks = 4\nannotation.stages = [\"prestart\", \"poststop\", \"poststart\"]";
    let selections = [
        of("ml-train", &[("~", "gpu")][..]),
        of("ml-train", &[("~", "gpu,net")]),
        of("ml-train", &[("~", "gpu-debug")]),
        of("default", &[("~", "gpu")]),
        of("default", &[("~", "net")]),
        of("default", &[("~", "slow")]),
        of("default", &[("~", "raw")]),
        of("default", &[("~", "none")]),
    ];
    assert_eq!(
        node.compare(rules, default, None, &selections).await?,
        5,
        "by rules"
    );
    assert_eq!(
        node.compare(limits, default, None, &selections).await?,
        5,
        "by limits"
    );

    let excluded = "exclude_namespaces = [\"kube-system\"]";
    let hooks_d = format!("hooks_dirs = [{:?}]\n{excluded}", node.hooks_d);
    let team = &[("example.com/team", "fluids"), ("mode", "b")][..];
    let conditions = [
        of("default", &[]),
        of("default", team),
        of("default", &[("example.com/team", "solids"), ("~", "gpu")]),
        of("kube-system", team),
        of("kube-system", &[("~", "net")]),
        Asked {
            command: Some(["/bin/sleep", "10", "20"]),
            ..of("default", team)
        },
        Asked {
            command: Some(["sleep", "10", "20"]),
            ..of("default", team)
        },
        Asked {
            command: Some(["/sbin/init", "", ""]),
            is_init: true,
            ..of("default", &[("~/container.app", "gpu")])
        },
    ];
    for delivery in Delivery::ALL {
        let created = node
            .compare(&hooks_d, default, Some(delivery), &conditions)
            .await?;
        assert_eq!(created, conditions.len(), "{delivery:?}");
    }

    let ignoring = format!("failure_policy = \"ignore\"\n{hooks_d}");
    let broken = node.containerd.hooks().raw_spec("broken", "{")?;
    let faulty = [
        of("default", &[("~", "absent")][..]),
        of("default", &[("~", "bad,gpu")]),
        of("default", &[("~/x", "gpu")]),
        of("default", &[("~", "raw")]),
        of("kube-system", &[("~", "net")]),
        of("default", &[]),
    ];
    assert_eq!(
        node.compare(&ignoring, default, None, &faulty).await?,
        faulty.len()
    );
    assert_eq!(
        node.compare(&ignoring, Some(&broken), None, &faulty).await?,
        faulty.len()
    );
    assert_eq!(
        node.compare(&hooks_d, Some(&broken), None, &faulty).await?,
        1,
        "the exempt one"
    );

    let by_handler = format!("runtimes.{OTHER_HANDLER}.delivery = \"direct\"\ndelivery = \"events\"");
    let other = |annotations| Asked {
        handler: Some(OTHER_HANDLER),
        ..with(annotations)
    };
    let raw = &[("~", "raw,gpu")][..];
    let handlers = [with(&[]), with(raw), other(&[]), other(raw)];
    assert_eq!(node.compare(&by_handler, default, None, &handlers).await?, 4);
    Ok(())
}

on_each_containerd!(
    a_container_gets_the_selected_hooks_that_explain_lists,
    explain_prints_the_hooks_that_a_container_gets,
);
