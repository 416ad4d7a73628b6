//! Files of hooks.d in the forms in which agents of the field install theirs: they work as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Containerd, Pod, Version, on_each_containerd, workspace};
use serde_json::{Value, json};

/// The annotation with which a pod asks for a trace of its system calls.
const TRACE: &str = "io.containers.trace-syscall";

/// Writes one file of hooks.d for each agent, whose program records that it ran.
fn install(containerd: &Containerd, directory: &Path) -> Result<()> {
    let write = |file: &str, agent: &str, hook: &dyn Fn(Value) -> Value, when: Value, stages: &[&str]| {
        let mut of_file = serde_json::to_value(containerd.hooks().recorder(agent)?)?;
        let more = hook(of_file["path"].clone());
        of_file
            .as_object_mut()
            .context("a hook is an object")?
            .extend(more.as_object().cloned().unwrap_or_default());
        let text = json!({"version": "1.0.0", "hook": of_file, "when": when, "stages": stages});
        fs::write(directory.join(file), serde_json::to_string_pretty(&text)?)?;
        anyhow::Ok(())
    };
    // A tracing agent that follows every container from its creation to its end.
    let follow = |_| json!({"args": ["tracer-hook", "--log-level", "info", "createRuntime"], "env": []});
    write(
        "tracer.json",
        "tracer",
        &follow,
        json!({"always": true}),
        &["createRuntime", "poststop"],
    )?;
    // A security agent: nothing but a path.
    write(
        "guard.json",
        "guard",
        &|_| json!({}),
        json!({"always": true}),
        &["createRuntime", "poststop"],
    )?;
    // A toolkit for devices: any command, and an environment of its own.
    let toolkit =
        |_| json!({"args": ["gpu-runtime-hook", "prestart"], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]});
    let commands = json!({"always": true, "commands": [".*"]});
    write("oci-gpu-hook.json", "gpu", &toolkit, commands, &["prestart"])?;
    // A profiler that a pod asks for by an annotation, whose value the hook reads in the state.
    let profiler = |path| json!({"args": [path, "-s"]});
    let annotations = json!({"annotations": {"^io\\.containers\\.trace-syscall$": ".*"}});
    write(
        "oci-profile-hook-run.json",
        "profiler",
        &profiler,
        annotations,
        &["prestart"],
    )
}

/// The programs that ran from the start of a container of `pod` to its stop, each with how often.
async fn ran(containerd: &Containerd, pod: &Pod) -> Result<BTreeMap<String, usize>> {
    let container = pod.start("app").await?;
    container.stop(10).await?;
    let mut counts = BTreeMap::new();
    for program in containerd.hooks().ran(container.id())? {
        *counts.entry(program).or_default() += 1;
    }
    Ok(counts)
}

async fn the_files_of_agents_work_as_they_are(version: Version) -> Result<()> {
    let containerd = Containerd::start(version).await?;
    let directory = containerd.node().make_directory("hooks.d")?;
    install(&containerd, &directory)?;
    let files: Vec<String> = fs::read_dir(&directory)?
        .map(|file| Ok(file?.path().display().to_string()))
        .collect::<Result<_>>()?;
    for file in &files {
        let mut check = Command::new(workspace::nri_oci_hooks()?);
        let checked = containerd.node().run(check.args(["check", file]))?;
        ensure!(checked.contains("good"), "{file}: {checked}");
    }
    let configuration = format!("hooks_dirs = [{directory:?}]");
    let _plugin = containerd.plugin().configuration(&configuration).start().await?;

    let counts = |counts: &[(&str, usize)]| -> BTreeMap<String, usize> {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    let plain = containerd.pod("plain").run().await?;
    let every = counts(&[("tracer", 2), ("guard", 2), ("gpu", 1)]);
    assert_eq!(ran(&containerd, &plain).await?, every);

    let traced = containerd
        .pod("traced")
        .annotation(TRACE, "of:/tmp/profile.json")
        .run()
        .await?;
    let with_profiler = counts(&[("tracer", 2), ("guard", 2), ("gpu", 1), ("profiler", 1)]);
    assert_eq!(ran(&containerd, &traced).await?, with_profiler);
    let records = containerd.hooks().all_records()?;
    let record = records
        .iter()
        .find(|record| record.program == "profiler")
        .context("it ran")?;
    assert_eq!(record.args.last().map(String::as_str), Some("-s"));
    assert_eq!(record.state["annotations"][TRACE], "of:/tmp/profile.json");
    let record = records
        .iter()
        .find(|record| record.program == "gpu")
        .context("it ran")?;
    assert_eq!(record.args, ["gpu-runtime-hook", "prestart"]);
    Ok(())
}

on_each_containerd!(the_files_of_agents_work_as_they_are);
