//! One message as Rust: its structures, their defaults, and the constants of the message.

use std::fmt::Write;

use crate::emit_decode::decode;
use crate::emit_encode::encode;
use crate::model::{Default, Field, Kind, Message, Struct, Type};
use crate::tables::Api;

/// The first line of every generated file.
pub fn header(what: &str, source: &str) -> String {
    format!("//! {what} of {source}; written by `tools/codegen`, not by hand.\n\n")
}

/// The whole file of one message.
pub fn message(message: &Message, apis: &[Api], source: &str) -> String {
    let mut body = String::new();
    for (index, structure) in message.structs.iter().enumerate() {
        body += &definition(structure);
        body += &default(structure);
        let _ = writeln!(body, "impl<'a> {}<'a> {{", structure.name);
        if index == 0 {
            body += &constants(message, apis);
        }
        body += &decode(message, structure, index == 0);
        body += &encode(message, structure, index == 0);
        body += "}\n\n";
    }
    header(&format!("`{}`", message.name), source) + &imports(&body) + &body
}

fn imports(body: &str) -> String {
    let mut lines = String::new();
    if body.contains("Cow") {
        lines += "use std::borrow::Cow;\n\n";
    }
    if body.contains("TopicId") {
        lines += "use crate::model::ids::TopicId;\n";
    }
    if body.contains("ApiKey") {
        lines += "use crate::protocol::api_key::ApiKey;\n";
    }
    lines += "use crate::protocol::errors::{DecodeError, EncodeError};\n";
    lines += "use crate::protocol::reader::Reader;\n";
    let types: Vec<&str> = ["Records", "UnknownTags", "Uuid", "VersionRange"]
        .into_iter()
        .filter(|name| {
            body.contains(&format!("{name}<"))
                || body.contains(&format!("{name}::"))
                || body.contains(&format!(": {name}"))
                || body.contains(&format!("<{name}>"))
        })
        .collect();
    let _ = writeln!(lines, "use crate::protocol::types::{{{}}};", types.join(", "));
    lines += "use crate::protocol::writer::Writer;\n\n";
    lines
}

fn definition(structure: &Struct) -> String {
    let derives = if needs_default(structure) { "" } else { ", Default" };
    let mut text = format!("#[derive(Debug, Clone, PartialEq{derives})]\n");
    let _ = writeln!(text, "pub struct {}<'a> {{", structure.name);
    for field in &structure.fields {
        let _ = writeln!(text, "pub {}: {},", field.name, field_type(field));
    }
    text + "pub unknown_tags: UnknownTags<'a>,\n}\n\n"
}

fn field_type(field: &Field) -> String {
    let inner = rust_type(&field.kind);
    if field.is_optional() { format!("Option<{inner}>") } else { inner }
}

fn rust_type(kind: &Type) -> String {
    match kind {
        Type::Bool => "bool".into(),
        Type::I8 => "i8".into(),
        Type::I16 => "i16".into(),
        Type::U16 => "u16".into(),
        Type::I32 => "i32".into(),
        Type::I64 => "i64".into(),
        Type::F64 => "f64".into(),
        Type::Uuid => "Uuid".into(),
        Type::TopicId => "TopicId".into(),
        Type::String => "Cow<'a, str>".into(),
        Type::Bytes => "Cow<'a, [u8]>".into(),
        Type::Records => "Records<'a>".into(),
        Type::Struct(name) => format!("{name}<'a>"),
        Type::Array(element) => format!("Vec<{}>", rust_type(element)),
    }
}

/// True where Kafka's default of some field is not the one that Rust would derive.
fn needs_default(structure: &Struct) -> bool {
    structure.fields.iter().any(|field| match &field.default {
        Default::Literal(_) => true,
        Default::Empty => field.is_optional(),
        Default::Null => false,
    })
}

fn default(structure: &Struct) -> String {
    if !needs_default(structure) {
        return String::new();
    }
    let mut text =
        format!("impl Default for {}<'_> {{\nfn default() -> Self {{\nSelf {{", structure.name);
    for field in &structure.fields {
        let _ = writeln!(text, "{}: {},", field.name, default_value(field));
    }
    text + "unknown_tags: UnknownTags::default(),\n}\n}\n}\n\n"
}

/// Kafka's default of a field as a Rust expression.
pub fn default_value(field: &Field) -> String {
    let empty = match &field.kind {
        Type::Bool => "false".into(),
        Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::I64 => "0".into(),
        Type::F64 => "0.0".into(),
        Type::Uuid => "Uuid::ZERO".into(),
        Type::TopicId => "TopicId::ZERO".into(),
        Type::String => "Cow::Borrowed(\"\")".into(),
        Type::Bytes => "Cow::Borrowed(&[])".into(),
        Type::Records => "Records::Null".into(),
        Type::Struct(name) => format!("{name}::default()"),
        Type::Array(_) => "Vec::new()".into(),
    };
    match &field.default {
        Default::Literal(literal) => literal.clone(),
        Default::Null if field.kind != Type::Records => "None".into(),
        _ if field.is_optional() => format!("Some({empty})"),
        _ => empty,
    }
}

fn constants(message: &Message, apis: &[Api]) -> String {
    let mut text = String::new();
    let versions = message.versions;
    if matches!(message.kind, Kind::Request | Kind::Response) {
        let api = apis.iter().find(|api| Some(api.key) == message.key);
        let api = api.unwrap_or_else(|| panic!("{} has no API", message.name));
        let _ = writeln!(text, "pub const KEY: ApiKey = ApiKey::{};", api.name);
        let _ = writeln!(text, "pub const LATEST_STABLE: i16 = {};", api.latest_stable);
    }
    let _ = writeln!(
        text,
        "pub const VERSIONS: VersionRange = VersionRange {{ min: {}, max: {} }};\n",
        versions.min, versions.max
    );
    text
}
