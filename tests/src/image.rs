//! The one image that all pods use, made by hand: busybox under two names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::cache;
use crate::node::Node;

/// The image of the pods' own containers.
pub const PAUSE: &str = "localhost/pause:1";

/// The image of the containers under test: busybox and all its applets in /bin.
pub const WORKLOAD: &str = "localhost/busybox:1";

/// Makes the image in the node's directory, as an archive of the form that `docker save` writes, and returns it.
///
/// # Errors
/// busybox has not been fetched, or the file system refuses.
pub(crate) fn build(node: &Node) -> Result<PathBuf> {
    let directory = node.make_directory("image")?;
    let files = node.make_directory("image/files")?;
    let busybox = cache::directory("busybox")?.join("bin/busybox");
    for name in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
        fs::create_dir(files.join(name))?;
    }
    fs::copy(&busybox, files.join("bin/busybox")).context("copy busybox")?;
    for applet in said(Command::new(&busybox).arg("--list"))?
        .lines()
        .filter(|name| *name != "busybox")
    {
        symlink("busybox", files.join("bin").join(applet))?;
    }
    fs::write(files.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    fs::write(files.join("etc/group"), "root:x:0:\n")?;

    archive(&files, &directory.join("layer.tar"))?;
    let digest = said(Command::new("sha256sum").arg(directory.join("layer.tar")))?;
    let digest = digest
        .split_whitespace()
        .next()
        .context("sha256sum said nothing")?;
    let configuration = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "2147483647"] },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{digest}")] },
    });
    let manifest = json!([{
        "Config": "config.json",
        "RepoTags": [PAUSE, WORKLOAD],
        "Layers": ["layer.tar"],
    }]);
    fs::write(directory.join("config.json"), configuration.to_string())?;
    fs::write(directory.join("manifest.json"), manifest.to_string())?;
    fs::remove_dir_all(&files)?;
    let image = node.directory().join("image.tar");
    archive(&directory, &image)?;
    Ok(image)
}

fn archive(directory: &Path, archive: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--owner=0", "--group=0", "--numeric-owner", "--file"])
        .arg(archive);
    tar.arg("--directory").arg(directory).arg(".");
    said(&mut tar).map(drop)
}

/// This machine's architecture as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn said(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("start {:?}", command.get_program()))?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(
        output.status.success(),
        "{:?} failed: {complaint}",
        command.get_program()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
