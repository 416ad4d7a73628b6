//! Generates what the memory of a request is estimated by: which fields of each message are messages.

use std::fmt::Write;

use protobuf::descriptor::field_descriptor_proto::Type;
use protobuf::descriptor::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};

const HEAD: &str = "\
// Generated from nri.proto by containerd-nri-codegen. Do not edit.
// @generated

//! The layouts of the messages.

use super::nri::*;
use crate::estimate::{ENTRY_OVERHEAD, Layout, WithLayout};

";

/// The layouts of all messages of `file`, and those of the requests of a plugin.
pub(crate) fn layouts(file: &FileDescriptorProto) -> String {
    let mut code = HEAD.to_owned();
    // Writing to a String cannot fail.
    for message in &file.message_type {
        let layout = layout(message, "size_of::<Self>()", &message.nested_type);
        let _ = writeln!(
            code,
            "impl WithLayout for {} {{ const LAYOUT: Layout = {layout}; }}",
            message.name()
        );
    }
    let plugin = file.service.iter().filter(|service| service.name() == "Plugin");
    let methods = plugin.flat_map(|plugin| &plugin.method).map(|method| {
        let (name, request) = (method.name(), last(method.input_type()));
        format!("        {name:?} => &{request}::LAYOUT,\n")
    });
    let _ = write!(
        code,
        "\n/// The layout of this call's request; an empty one if there is no such call.\n\
         pub(crate) fn of_request(method: &str) -> &'static Layout {{\n    match method {{\n{}        \
         _ => &Empty::LAYOUT,\n    }}\n}}\n",
        methods.collect::<String>()
    );
    code
}

fn layout(message: &DescriptorProto, bytes: &str, maps: &[DescriptorProto]) -> String {
    let known = message.field.iter().map(FieldDescriptorProto::number).max();
    let messages = message
        .field
        .iter()
        .filter(|field| field.type_() == Type::TYPE_MESSAGE);
    let parts = messages.map(|field| {
        let name = last(field.type_name());
        let part = match maps.iter().find(|entry| entry.name() == name) {
            Some(entry) => layout(entry, &bytes_of_entry(entry), &[]),
            None => format!("{name}::LAYOUT"),
        };
        format!("({}, &{part})", field.number())
    });
    let (known, parts) = (known.unwrap_or(0), parts.collect::<Vec<_>>().join(", "));
    format!("Layout {{ bytes: {bytes}, known: {known}, parts: &[{parts}] }}")
}

/// The memory of an entry of a map. Its key is estimated as a string, which no other key exceeds.
fn bytes_of_entry(entry: &DescriptorProto) -> String {
    let value = entry.field.iter().find(|field| field.number() == 2);
    let message = value.filter(|value| value.type_() == Type::TYPE_MESSAGE);
    let value = message.map_or("String", |value| last(value.type_name()));
    format!("size_of::<(String, {value})>() + ENTRY_OVERHEAD")
}

/// A name without its package.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
