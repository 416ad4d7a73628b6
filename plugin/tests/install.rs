//! `install` and `uninstall` as processes, where nobody listens to them.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

#[test]
fn an_error_that_cannot_be_told_is_an_exit_status_all_the_same() {
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let status = |command: &str, stdout: Stdio| {
        let root = tempfile::tempdir().unwrap();
        let mut run = Command::new(env!("CARGO_BIN_EXE_nri-oci-hooks"));
        run.args([command, "--yes", "--root"]).arg(root.path());
        run.stdout(stdout).stderr(full()).status().unwrap().code()
    };
    assert_eq!(status("install", Stdio::null()), Some(1), "there is no runtime");
    assert_eq!(status("uninstall", Stdio::null()), Some(0));
    assert_eq!(status("uninstall", full()), Some(1));
}
