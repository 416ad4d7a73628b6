//! The output of `explain` about a container, compared with the hooks that the container then got.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tonic::Status as CallError;

use crate::cri::ContainerBuilder;
use crate::ledger::Stage;
use crate::{Container, Containerd, Plugin, workspace};

/// The hooks of each stage that has any.
type Stages = BTreeMap<String, Vec<Value>>;

/// Creates `container` and makes sure that it gets the very hooks that `explain` says it would, or is refused for the
/// very reason. It is an element of the list called `list` in the manifest that `explain` is given.
///
/// # Errors
/// The two do not agree, or `explain` says nothing.
pub async fn create_as_explained(
    containerd: &Containerd,
    plugin: &Plugin,
    list: &str,
    container: ContainerBuilder<'_>,
) -> Result<Result<Container, CallError>> {
    let explained = explain(containerd, plugin, &container.manifest(list))?;
    let pod = &explained["pods"][0];
    let explained = &pod["containers"][0];
    let created = container.create().await;
    let refused = explained["refused"].as_str();
    match &created {
        Ok(container) => {
            ensure!(
                refused.is_none(),
                "it was created, but should be refused: {refused:?}"
            );
            let is_direct = pod["delivery"] == "direct";
            let expected = stages(explained, is_direct);
            let got = match is_direct {
                true => injected(container).await?,
                false => entered(containerd, container)?,
            };
            ensure!(expected == got, "explained: {expected:#?}\ngot: {got:#?}");
        }
        Err(error) => {
            // Its text is quoted once more on the way.
            let error = error.message().replace("\\\"", "\"");
            let reason = refused.with_context(|| format!("explain says nothing of this: {error}"))?;
            ensure!(error.contains(reason), "{error}\nexplained: {reason}");
        }
    }
    Ok(created)
}

/// The output of `explain` about a manifest, as JSON.
fn explain(containerd: &Containerd, plugin: &Plugin, manifest: &Value) -> Result<Value> {
    let file = containerd.node().directory().join("manifest.json");
    fs::write(&file, manifest.to_string())?;
    let mut command = Command::new(workspace::nri_oci_hooks()?);
    command
        .args(["explain", "--format", "json"])
        .args(plugin.options());
    let output = command.arg(file).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The hooks of `explain` for a container, without their places if they are injected.
fn stages(explained: &Value, without_source: bool) -> Stages {
    let reported = |hook: &Value| {
        let mut reported = json!({
            "path": hook["path"],
            "args": hook["args"],
            "env": hook["env"],
            "timeout": hook["timeout"],
        });
        if !without_source {
            reported["source"] = json!([hook["file"], hook["line"]]);
        }
        reported
    };
    let stages = explained["stages"].as_object().into_iter().flatten();
    let hooks = |list: &Value| list.as_array().into_iter().flatten().map(reported).collect();
    stages.map(|(stage, list)| (stage.clone(), hooks(list))).collect()
}

/// The hooks in a container's OCI spec.
async fn injected(container: &Container) -> Result<Stages> {
    let status = container.status().await?;
    let hook = |hook: &Value| {
        let env = hook["env"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        json!({
            "path": hook["path"],
            "args": hook["args"],
            "env": names(env),
            "timeout": hook["timeout"],
        })
    };
    let hooks = |stage: Stage| status.hooks(stage.key()).iter().map(hook).collect();
    Ok(by_stage(Stage::ALL.map(|stage| (stage, hooks(stage)))))
}

/// The hooks of a container in the ledger.
fn entered(containerd: &Containerd, container: &Container) -> Result<Stages> {
    let mut stages = Vec::new();
    for stage in Stage::OF_RUNNER {
        let hooks = containerd.ledger().hooks(container.id(), stage)?;
        let hook = |hook: &crate::ledger::ResolvedHook| {
            json!({
                "path": hook.path,
                "args": hook.args,
                "env": names(hook.env.iter().map(String::as_str)),
                "timeout": hook.timeout.seconds(),
                "source": [&hook.source.file, hook.source.line],
            })
        };
        stages.push((stage, hooks.iter().map(hook).collect()));
    }
    Ok(by_stage(stages))
}

fn by_stage(stages: impl IntoIterator<Item = (Stage, Vec<Value>)>) -> Stages {
    let stages = stages.into_iter().filter(|(_, hooks)| !hooks.is_empty());
    stages
        .map(|(stage, hooks)| (stage.key().to_owned(), hooks))
        .collect()
}

fn names<'e>(env: impl Iterator<Item = &'e str>) -> Vec<&'e str> {
    env.map(|entry| entry.split_once('=').map_or(entry, |(name, _)| name))
        .collect()
}
