//! The output of `runtime`, and that a dry run changes nothing.

use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::RuntimeArgs;
use super::command::run;

#[derive(Parser)]
enum Cli {
    Runtime(RuntimeArgs),
}

/// The output, with the image's directory called NODE.
fn printed(root: &TempDir, args: &[&str]) -> String {
    let directory = root.path().to_str().unwrap();
    let Cli::Runtime(args) =
        Cli::parse_from([&["nri-oci-hooks", "runtime"], args, &["--root", directory]].concat());
    let mut out = Vec::new();
    run(&args, &mut out).unwrap();
    String::from_utf8(out).unwrap().replace(directory, "NODE")
}

#[test]
fn changes_are_printed_and_a_dry_run_makes_none() {
    let root = tempfile::tempdir().unwrap();
    let main = root.path().join("etc/containerd/config.toml");
    fs::create_dir_all(main.parent().unwrap()).unwrap();
    fs::write(&main, "version = 3\n").unwrap();
    let mut text = String::new();
    for args in [
        &["enable", "--dry-run"][..],
        &["enable"],
        &["enable"],
        &["disable", "--dry-run"],
        &["disable"],
        &["disable"],
    ] {
        let before = fs::read_to_string(&main).unwrap();
        text += &format!("$ {}\n{}", args.join(" "), printed(&root, args));
        if args.contains(&"--dry-run") {
            assert_eq!(fs::read_to_string(&main).unwrap(), before);
        }
    }
    insta::assert_snapshot!("switch", text);
}
