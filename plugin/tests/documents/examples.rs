//! The examples are what they should be.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nri_oci_hooks::config::{Config, Overrides};
use nri_oci_hooks::manifest;
use nri_oci_hooks::spec::parse;

use crate::blocks::root;

/// The text of an example.
fn text(name: &str) -> String {
    fs::read_to_string(root().join("examples").join(name)).unwrap()
}

#[test]
fn hook_specs_configuration_and_manifest_have_no_error() {
    for name in ["default.json", "specs/arp.json", "specs/scratch.json"] {
        assert_eq!(parse(&name.into(), text(name).as_bytes()).errors, [], "{name}");
    }
    Config::from_text("config.toml", &text("config.toml"), &Overrides::default()).unwrap();
    let manifest = manifest::read(text("pod.yaml").as_bytes()).unwrap();
    assert_eq!(manifest.pods[0].containers.len(), 2);
}

#[test]
fn each_script_is_executable_says_what_runs_it_and_is_run_by_a_hook_spec() {
    let specs = ["default.json", "specs/arp.json", "specs/scratch.json"]
        .map(text)
        .concat();
    for entry in fs::read_dir(root().join("examples/hooks")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            path.metadata().unwrap().permissions().mode() & 0o111,
            0o111,
            "{name}"
        );
        assert!(
            fs::read_to_string(&path).unwrap().starts_with("#!/bin/sh\n"),
            "{name}"
        );
        assert!(
            specs.contains(&format!("/usr/local/lib/nri-oci-hooks/{name}\"")),
            "{name}"
        );
    }
}

/// Runs a script with a container's state on stdin; whether it succeeded, and what it wrote.
fn run(script: &str, args: &[&str], env: &[(&str, &str)], state: &str) -> (bool, String) {
    let mut child = Command::new(root().join("examples/hooks").join(script))
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(state.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A state whose annotations say what they can to be taken for something else.
fn state(id: &str, status: &str, pid: u32) -> String {
    format!(
        "{{\"ociVersion\":\"1.2.0\",\"id\":\"{id}\",\"status\":\"{status}\",\"pid\":{pid},\"bundle\":\"/b\",\
         \"annotations\":{{\"id\":\"other\",\"pid\":\"1\",\"status\":\"gone\"}}}}"
    )
}

#[test]
fn log_line_writes_a_line_about_the_container() {
    let (good, said) = run("log-line", &["starts"], &[], &state("c1", "creating", 7));
    assert_eq!(
        (good, said.as_str()),
        (true, "container c1 starts (status creating)\n")
    );
}

#[test]
fn scratch_makes_a_directory_of_the_containers_own_and_removes_it() {
    let directory = tempfile::tempdir().unwrap();
    let env = [("SCRATCH", directory.path().to_str().unwrap())];
    let theirs = directory.path().join("c1");
    let (good, said) = run("scratch", &["make"], &env, &state("c1", "creating", 7));
    assert!(good && theirs.is_dir(), "{said}");
    let (good, said) = run("scratch", &["make"], &env, &state("c1", "creating", 7));
    assert!(!good, "what is there is not taken over: {said}");
    fs::write(theirs.join("file"), "").unwrap();
    for _ in 0..2 {
        let (good, said) = run("scratch", &["remove"], &env, &state("c1", "stopped", 0));
        assert!(good && !theirs.exists(), "{said}");
    }
    for id in ["", "..", ".x", "a/b", "a b"] {
        let (good, said) = run("scratch", &["remove"], &env, &state(id, "stopped", 0));
        assert!(!good && said.contains("no container's id"), "{id}: {said}");
    }
}

#[test]
fn arp_changes_the_network_of_the_container_and_no_other() {
    // Stands for init: it is in a network of its own.
    let mut process = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = process.id();
    let namespace = |path: String| fs::read_link(path).unwrap();
    while namespace(format!("/proc/{pid}/ns/net")) == namespace("/proc/self/ns/net".into()) {
        std::thread::yield_now();
    }
    let setting = "/proc/sys/net/ipv4/conf/all/arp_ignore";
    let ours = fs::read_to_string(setting).unwrap();
    let (good, said) = run("arp", &[], &[], &state("c1", "creating", pid));
    let net = format!("--net=/proc/{pid}/ns/net");
    let theirs = Command::new("nsenter")
        .args([&net, "cat", setting])
        .output()
        .unwrap();
    drop(process.stdin.take());
    process.wait().unwrap();
    assert!(good, "{said}");
    assert_eq!(String::from_utf8(theirs.stdout).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(setting).unwrap(), ours);
}
