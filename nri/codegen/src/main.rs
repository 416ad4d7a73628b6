//! Generates the code of `containerd-nri` again: `cargo run -p containerd-nri-codegen`.

use std::io;

fn main() -> io::Result<()> {
    containerd_nri_codegen::generate(containerd_nri_codegen::COMMITTED.as_ref())
}
