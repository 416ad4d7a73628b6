//! Stands in for crun where crun and the machine's control groups are older than containerd expects. It is called by the
//! name that the crun has in the cache.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};
use e2e::cache;
use e2e::node::Host;
use serde_json::{Value, json};

/// The last version of the runtime-spec that every crun in question accepts.
const OCI_VERSION: &str = "1.0.2";

fn main() -> Result<()> {
    let mut args = env::args();
    let called = PathBuf::from(args.next().unwrap_or_default());
    let name = called
        .file_name()
        .and_then(OsStr::to_str)
        .context("called by no name")?;
    let args: Vec<String> = args.collect();
    if args.iter().any(|arg| arg == "create") {
        adapt(&bundle(&args)?.join("config.json"))?;
    }
    let package = cache::directory(name)?;
    let mut crun = Command::new(package.join("usr/bin/crun"));
    crun.args(args);
    // One from forky has a loader of its own, which knows its libraries.
    if name == "crun" {
        crun.env("LD_LIBRARY_PATH", cache::library_directory(&package)?);
    }
    Err(crun.exec()).context("exec crun")
}

/// The bundle of an OCI command line; the working directory unless `--bundle` says otherwise.
fn bundle(args: &[String]) -> Result<PathBuf> {
    let named = args
        .iter()
        .skip_while(|arg| !matches!(arg.as_str(), "--bundle" | "-b"))
        .nth(1);
    named.map_or_else(
        || env::current_dir().context("find the bundle"),
        |directory| Ok(directory.into()),
    )
}

/// Takes out of a container's spec what crun cannot do on this machine.
fn adapt(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let mut spec: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", file.display()))?;
    let host = Host::detect()?;
    spec["ociVersion"] = json!(OCI_VERSION);
    if !host.has_memory_controller
        && let Some(linux) = spec["linux"].as_object_mut()
    {
        linux.remove("resources");
    }
    if !host.may_lower_oom_score
        && let Some(process) = spec["process"].as_object_mut()
    {
        process.remove("oomScoreAdj");
    }
    fs::write(file, spec.to_string()).with_context(|| format!("write {}", file.display()))
}
