//! Pods that make the choice of hooks as expensive as they can: nobody goes without hooks for it.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::plugin::ANNOTATION;
use e2e::{Containerd, Version, on_each_containerd};
use serde_json::{Value, json};

/// How many files of hooks.d count.
const FILES: usize = 256;

/// How many patterns of a kind a file may have.
const PATTERNS: usize = 100;

/// How long all annotations of a pod may be together (Kubernetes, `TotalAnnotationSizeLimitB`).
const ANNOTATIONS: usize = 256 * 1024;

/// The annotations of a pod that has as many as it may; `N` stands for the number of each.
fn flood(key: &str, value: &str) -> Vec<(String, String)> {
    let mut length = 0;
    (0..)
        .map(|number| (key.replace('N', &format!("{number}")), value.to_owned()))
        .take_while(|(key, value)| {
            length += key.len() + value.len();
            length <= ANNOTATIONS
        })
        .collect()
}

async fn no_flood_of_annotations_leaves_out_a_hook(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let hooks = containerd.hooks();
    let default = hooks.recording_spec("default")?;
    let directory = containerd.node().make_directory("hooks.d")?;
    let hook = serde_json::to_value(hooks.recorder("of-hooks-d")?)?;
    let write = |name: String, when: Value| {
        let file = json!({"version": "1.0.0", "hook": &hook, "when": when, "stages": ["prestart"]});
        fs::write(directory.join(name), file.to_string())
    };
    write("000.json".into(), json!({"always": true}))?;
    for number in 1..FILES {
        // The first and the last of them; those between are never looked at unless the first hold.
        let pattern = |which: usize| format!("^com\\.example\\.(gpu|net)-{number}-?{which}*$");
        let annotations: serde_json::Map<String, Value> = (0..PATTERNS)
            .map(|which| (pattern(which), json!(".*(nvidia|amd)?.*$")))
            .collect();
        let commands: Vec<String> = (0..PATTERNS)
            .map(|which| format!("(/[a-z]+)+/{number}/(in|a){which}$"))
            .collect();
        let when = match number % 4 {
            0 => json!({"annotations": {format!(".*(gpu|net).*x{number}"): ".*(nvidia|amd).*$"}}),
            1 => json!({"annotations": {"(a|b)": "(nvidia|amd)[0-9]"}}),
            2 => json!({"annotations": annotations, "commands": commands}),
            _ => json!({"annotations": annotations}),
        };
        write(format!("{number:03}.json"), when)?;
    }
    let configuration = format!("hooks_dirs = [{directory:?}]");
    let plugin = containerd.plugin().configuration(&configuration);
    let plugin = plugin.hook_spec(&default).start().await?;
    let good = containerd.pod("good").run().await?;

    // How much of these gets done in time is the machine's to say.
    let by_speed = None;
    for (case, annotations, refused) in [
        ("keys", flood("com.example.gpu-N", ""), by_speed),
        (
            "long-keys",
            flood(&format!("{}/N", "gpu".repeat(60)), ""),
            by_speed,
        ),
        ("short-keys", flood("N", ""), by_speed),
        (
            "one-value",
            vec![("a".into(), "nvidia".repeat(ANNOTATIONS / 6 - 1))],
            by_speed,
        ),
        ("values", flood("aN", &"amd".repeat(300)), by_speed),
        ("commas", vec![(ANNOTATION.into(), ",".repeat(1000))], Some(true)),
        (
            "names",
            vec![(ANNOTATION.into(), vec!["x".repeat(250); 16].join(","))],
            Some(true),
        ),
        (
            "few",
            vec![("com.example.gpu-7".into(), "nvidia".into())],
            Some(false),
        ),
    ] {
        let mut pod = containerd.pod(case);
        for (key, value) in &annotations {
            pod = pod.annotation(key, value);
        }
        match pod.run().await?.start("app").await {
            Ok(container) => {
                ensure!(refused != Some(true), "{case}: was created");
                let ran = hooks.ran(container.id())?;
                assert_eq!(ran[..2], ["default-prestart", "of-hooks-d"], "{case}");
            }
            Err(error) => {
                let message = error.message();
                ensure!(refused != Some(false), "{case}: {message}");
                assert!(message.contains("nri-oci-hooks: "), "{case}: {message}");
            }
        }
        let next = good
            .start(&format!("after-{case}"))
            .await
            .with_context(|| case.to_owned())?;
        let ran = hooks.ran(next.id())?;
        assert_eq!(
            ran[..2],
            ["default-prestart", "of-hooks-d"],
            "the next one after {case}"
        );
        let connections = containerd.connections(plugin.name())?;
        assert_eq!(connections, 1, "the runtime has not given up on it for {case}");
    }
    Ok(())
}

on_each_containerd!(no_flood_of_annotations_leaves_out_a_hook);
