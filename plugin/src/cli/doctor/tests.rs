//! The output of `doctor`.

use std::fs;

use clap::Parser;

use super::DoctorArgs;
use super::command::run;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    doctor: DoctorArgs,
}

/// Whether there is no problem, and the output, for the image of a node with these files.
fn examined(files: &[(&str, &str)], more: &[&str]) -> (bool, String) {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let args = ["doctor", "--root", root.path().to_str().unwrap()];
    let cli = Cli::try_parse_from([&args, more].concat()).unwrap();
    let mut out = Vec::new();
    let good = run(&cli.doctor, &mut out).unwrap();
    (
        good,
        String::from_utf8(out)
            .unwrap()
            .replace(root.path().to_str().unwrap(), "NODE"),
    )
}

const FAULTY: [(&str, &str); 3] = [
    ("etc/containerd/config.toml", "version = 3\n"),
    (
        "etc/containerd/conf.d/nri.toml",
        "[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = false\n",
    ),
    ("etc/nri-oci-hooks/config.toml", "delivery = \"directly\"\n"),
];

#[test]
fn findings_are_listed_with_their_remedies_problems_first() {
    let (good, out) = examined(&FAULTY, &[]);
    assert!(!good);
    insta::assert_snapshot!("faulty", out);
}

#[test]
fn passed_checks_are_printed_on_request() {
    let files = [FAULTY[0], ("etc/nri-oci-hooks/config.toml", "")];
    let (good, out) = examined(&files, &["--verbose"]);
    assert!(good);
    insta::assert_snapshot!("good", out);
}

#[test]
fn json_holds_every_finding() {
    let (_, out) = examined(&FAULTY, &["--format", "json"]);
    insta::assert_snapshot!("json", out);
}
