//! What `install` and `uninstall` tell, and that they do nothing unless they are told to.

use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::command::run;
use super::{InstallArgs, UninstallArgs};
use crate::install;

#[derive(Parser)]
enum Cli {
    Install(InstallArgs),
    Uninstall(UninstallArgs),
}

/// The image of a node with containerd 2.
fn image() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc/containerd")).unwrap();
    fs::write(root.path().join("etc/containerd/config.toml"), "version = 3\n").unwrap();
    fs::write(root.path().join("program"), install::program("")).unwrap();
    root
}

/// Whether it was done, and what was told, with the image's directory called NODE.
fn told(root: &TempDir, args: &[&str], answer: &str) -> (bool, String) {
    let directory = root.path().to_str().unwrap();
    let cli = Cli::parse_from([&["nri-oci-hooks"], args, &["--root", directory]].concat());
    let (plan, common) = match &cli {
        Cli::Install(args) => {
            let program = root.path().join("program");
            (install::install(&args.target(), &program).unwrap(), &args.common)
        }
        Cli::Uninstall(args) => (install::uninstall(&args.target()), &args.common),
    };
    let mut out = Vec::new();
    let done = run(&plan, common, &mut answer.as_bytes(), &mut out).unwrap();
    (done, String::from_utf8(out).unwrap().replace(directory, "NODE"))
}

#[test]
fn what_will_be_done_is_told_first_and_done_when_agreed_to() {
    let root = image();
    let program = root.path().join("usr/local/bin/nri-oci-hooks");
    let (done, text) = told(&root, &["install"], "\n");
    assert!(!done && !program.exists(), "{text}");
    let (done, text) = told(&root, &["install", "--dry-run"], "");
    assert!(done && !program.exists(), "{text}");
    let (done, text) = told(&root, &["install"], "y\n");
    assert!(done && program.exists());
    insta::assert_snapshot!("install", text);
    assert_eq!(
        told(&root, &["install"], ""),
        (true, "Nothing is to be changed.\n".into())
    );
    let (done, text) = told(&root, &["uninstall", "--yes"], "");
    assert!(done && !program.exists());
    insta::assert_snapshot!("uninstall", text);
}
