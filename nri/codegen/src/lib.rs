//! Generates the messages and services of `nri/proto/nri.proto`, with its comments as their documentation.
//!
//! The result is committed, so that a build of `containerd-nri` needs no code generator. The generator of `protobuf`
//! drops comments, but marks the place of each. This crate adds them there.

mod comments;
mod layouts;

use std::fs;
use std::io;
use std::path::Path;

use comments::Comments;
use protobuf_parse::Parser;
use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

const PROTO_DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/nri.proto");

/// The directory with the generated code that is committed.
pub const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/generated");

/// Generates `nri.rs`, `nri_ttrpc.rs` and `layouts.rs` in a directory.
///
/// # Errors
/// If a file cannot be read or written, or a message, field or value of `nri.proto` has no comment.
pub fn generate(directory: &Path) -> io::Result<()> {
    Codegen::new()
        .out_dir(directory)
        .input(PROTO)
        .include(PROTO_DIRECTORY)
        .rust_protobuf()
        .rust_protobuf_customize(ProtobufCustomize::default().lite_runtime(true).gen_mod_rs(false))
        .customize(Customize {
            async_all: true,
            ..Default::default()
        })
        .run()?;
    let comments = Comments::parse(&fs::read_to_string(PROTO)?);
    let messages = directory.join("nri.rs");
    let generated = fs::read_to_string(&messages)?;
    let documented = documented(&generated, &comments).map_err(io::Error::other)?;
    fs::write(messages, documented)?;
    let parsed = Parser::new()
        .pure()
        .include(PROTO_DIRECTORY)
        .input(PROTO)
        .file_descriptor_set()
        .map_err(io::Error::other)?;
    let layouts: String = parsed.file.iter().map(layouts::layouts).collect();
    fs::write(directory.join("layouts.rs"), layouts)
}

/// The generated messages with their documentation.
fn documented(generated: &str, comments: &Comments) -> Result<String, String> {
    let mut text = String::new();
    let mut is_check = false;
    for line in generated.lines() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        // Patch releases of protobuf are compatible with each other, which this would deny.
        if code.starts_with("/// Generated files are compatible only") {
            is_check = true;
        }
        if is_check {
            is_check = !code.starts_with("const _PROTOBUF_VERSION_CHECK");
            continue;
        }
        if code == "#![allow(missing_docs)]" {
            continue;
        }
        match marked(code) {
            Some(("special_field", _)) => push(
                &mut text,
                indent,
                "/// What came over the wire besides these fields.",
            ),
            Some((kind @ ("message" | "enum" | "field" | "enum_value"), name)) => {
                let comment = comments
                    .of(name)
                    .ok_or_else(|| format!("{name} has no comment in nri.proto"))?;
                push(&mut text, indent, &format!("/// {comment}"));
                if kind == "enum" {
                    push(&mut text, indent, "#[non_exhaustive]");
                }
            }
            _ if code.starts_with("pub fn new() -> ") => {
                push(&mut text, indent, "/// A message in which everything is absent.");
                push(&mut text, "", line);
            }
            _ => push(&mut text, "", line),
        }
    }
    Ok(text)
}

fn push(text: &mut String, indent: &str, line: &str) {
    text.push_str(indent);
    text.push_str(line);
    text.push('\n');
}

/// The meaning of a mark of the generator: the kind of the item, and its name without the package.
fn marked(code: &str) -> Option<(&str, &str)> {
    let mark = code
        .strip_prefix("// @@protoc_insertion_point(")?
        .strip_suffix(')')?;
    let (kind, name) = mark.split_once(':')?;
    Some((kind, name.strip_prefix("nri.pkg.api.v1alpha1.")?))
}
