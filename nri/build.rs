//! Generates the messages and services of `proto/nri.proto`, in pure Rust: no `protoc` is needed.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=proto/nri.proto");
    let out_dir = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?;
    ttrpc_codegen::Codegen::new()
        .out_dir(&out_dir)
        .input("proto/nri.proto")
        .include("proto")
        .rust_protobuf()
        .customize(ttrpc_codegen::Customize {
            async_all: true,
            ..Default::default()
        })
        .run()?;
    // The generated files begin with inner attributes, which `include!` refuses: they are included as modules.
    fs::write(
        Path::new(&out_dir).join("generated.rs"),
        "pub mod nri;\npub mod nri_ttrpc;\n",
    )
}
