//! The generated code that is committed belongs to the `.proto` file that is committed.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;

#[test]
fn the_committed_code_is_what_the_proto_file_generates() {
    let directory = tempfile::tempdir().unwrap();
    containerd_nri_codegen::generate(directory.path()).unwrap();
    for file in ["nri.rs", "nri_ttrpc.rs", "layouts.rs"] {
        let generated = fs::read_to_string(directory.path().join(file)).unwrap();
        let committed = fs::read_to_string(Path::new(containerd_nri_codegen::COMMITTED).join(file)).unwrap();
        assert!(
            generated == committed,
            "{file} is not up to date: cargo run -p containerd-nri-codegen"
        );
    }
}
