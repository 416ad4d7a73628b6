//! The programs that this workspace builds.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use anyhow::{Context, Result, anyhow, ensure};

use crate::Version;

/// A program of this crate, which cargo has built beside the running one.
///
/// # Errors
/// It is not there.
pub fn program(name: &str) -> Result<PathBuf> {
    let program = profile_directory()?.join(name);
    ensure!(
        program.exists(),
        "{} is missing: build the whole workspace first",
        program.display()
    );
    Ok(program)
}

/// An example of crate `containerd-nri`, built if it is not up to date.
///
/// # Errors
/// It does not build; the message has the compiler's.
pub fn example(name: &str) -> Result<PathBuf> {
    build(&["--package", "containerd-nri", "--example", name])?;
    program(&format!("examples/{name}"))
}

/// The environment variable that names the `nri-oci-hooks` to test, as it is; without it one is built.
pub const PROGRAM: &str = "NRI_OCI_HOOKS_PROGRAM";

/// `nri-oci-hooks`, built once per test program if it is not up to date.
///
/// # Errors
/// It does not build; the message has the compiler's.
pub fn nri_oci_hooks() -> Result<PathBuf> {
    if let Some(program) = env::var_os(PROGRAM) {
        return Ok(program.into());
    }
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let target = ["--package", "nri-oci-hooks", "--bin", "nri-oci-hooks"];
    BUILT
        .get_or_init(|| {
            build(&target)
                .and_then(|()| program("nri-oci-hooks"))
                .map_err(|error| format!("{error:#}"))
        })
        .clone()
        .map_err(|error| anyhow!(error))
}

/// The container image, as `hack/image` makes it, an OCI archive; and the name of the image in it.
///
/// # Errors
/// It cannot be made; the message has what the command says.
pub fn image() -> Result<(PathBuf, String)> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let directory = file("target/image");
    let make = || -> Result<PathBuf> {
        execute(Command::new(file("hack/image")).arg(&directory))?;
        let archives = fs::read_dir(&directory)?.map(|entry| Ok(entry?.path()));
        let archives = archives.collect::<Result<Vec<_>>>()?;
        let ours = format!("nri-oci-hooks-{}-", env!("CARGO_PKG_VERSION"));
        let is_ours = |path: &PathBuf| path.to_string_lossy().contains(&ours);
        archives
            .into_iter()
            .find(is_ours)
            .context("hack/image made nothing")
    };
    let made = MADE
        .get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .clone();
    let name = format!("localhost/nri-oci-hooks:{}", env!("CARGO_PKG_VERSION"));
    Ok((made.map_err(|error| anyhow!(error))?, name))
}

/// The drop-in for a containerd.
pub fn drop_in(version: Version) -> PathBuf {
    file(match version {
        Version::V1_7 => "deploy/containerd/containerd-1.7.toml",
        _ => "deploy/containerd/containerd-2.toml",
    })
}

/// A file of the repository, by its path from the root.
pub fn file(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

fn build(target: &[&str]) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked"]).args(target);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    execute(command.current_dir(file("")))
}

fn execute(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("start {:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?}: {}",
        command.get_program(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// `target/debug` or `target/release`: where the running program is, or one above if it is a test.
fn profile_directory() -> Result<PathBuf> {
    let program = env::current_exe().context("find the running program")?;
    let directory = program
        .parent()
        .context("the running program is in no directory")?;
    let profile = if directory.ends_with("deps") {
        directory.parent()
    } else {
        Some(directory)
    };
    Ok(profile
        .context("the running program is not below cargo's target directory")?
        .to_owned())
}
