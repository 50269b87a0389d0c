//! The `encode` of one structure.

use std::fmt::Write;

use crate::emit_decode::{field_flexible, flexible_argument, scalar};
use crate::model::{Default, Field, Message, Struct, Type};
use crate::versions::Part;

/// The method's text.
pub fn encode(message: &Message, structure: &Struct, outermost: bool) -> String {
    let flexible = message.flexible.part_of(structure.versions);
    let mut body = String::new();
    if outermost {
        let _ = writeln!(body, "w.check({:?}, Self::VERSIONS, version)?;", message.name);
    }
    for field in structure.fields.iter().filter(|field| field.tag.is_none()) {
        body += &plain(message, structure, field);
    }
    body += &tags(message, structure, flexible_argument(&flexible));
    body += "Ok(())\n";
    let prelude = if body.contains("flexible") {
        format!("let flexible = {};\n", flexible.condition())
    } else {
        String::new()
    };
    format!(
        "pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {{\n\
         {prelude}{body}}}\n"
    )
}

fn plain(message: &Message, structure: &Struct, field: &Field) -> String {
    let write = write(message, structure, field);
    let refuse = refuse(field);
    match field.versions.part_of(structure.versions) {
        Part::Always => write,
        Part::Never => refuse,
        Part::When(condition) if refuse.is_empty() => format!("if {condition} {{ {write} }}\n"),
        Part::When(condition) => {
            format!("if {condition} {{ {write} }} else {{ {refuse} }}\n")
        }
    }
}

/// Kafka's rule for a version that lacks a field: refuse a value that is not the default, unless
/// the field may be ignored.
fn refuse(field: &Field) -> String {
    if field.ignorable {
        return String::new();
    }
    format!("w.refuse_if({}, {:?}, version)?;\n", differs(field), plain_name(field))
}

fn plain_name(field: &Field) -> &str {
    field.name.trim_start_matches("r#")
}

/// The expression that is true where a field does not have its default.
fn differs(field: &Field) -> String {
    let name = format!("self.{}", field.name);
    let optional = field.is_optional();
    match (&field.kind, &field.default) {
        (_, Default::Literal(literal)) if literal == "true" => format!("!{name}"),
        (_, Default::Literal(literal)) => format!("{name} != {literal}"),
        (Type::Records, _) => format!("{name} != Records::Null"),
        (_, Default::Null) => format!("{name}.is_some()"),
        (Type::Bool, _) => name,
        (Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::I64, _) => format!("{name} != 0"),
        (Type::F64, _) => format!("{name} != 0.0"),
        (Type::Uuid, _) => format!("{name} != Uuid::ZERO"),
        (Type::TopicId, _) => format!("{name} != TopicId::ZERO"),
        (Type::Struct(kind), _) if optional => format!("{name} != Some({kind}::default())"),
        (Type::Struct(kind), _) => format!("{name} != {kind}::default()"),
        (Type::String, _) if optional => format!("{name}.as_deref() != Some(\"\")"),
        (Type::Bytes, _) if optional => format!("{name}.as_deref() != Some(&[])"),
        (Type::Array(_), _) if optional => {
            format!("!{name}.as_ref().is_some_and(Vec::is_empty)")
        }
        (Type::String | Type::Bytes | Type::Array(_), _) => format!("!{name}.is_empty()"),
    }
}

fn tags(message: &Message, structure: &Struct, flexible: &str) -> String {
    let mut known: Vec<&Field> =
        structure.fields.iter().filter(|field| field.tag.is_some()).collect();
    known.sort_by_key(|field| field.tag);
    if known.is_empty() {
        return format!("w.tags(self.unknown_tags, {flexible}, version)?;\n");
    }
    let mut text = String::new();
    let mut count = Vec::new();
    for field in &known {
        let tag = field.tag.unwrap_or_default();
        let present = field.versions.part_of(structure.versions);
        let refuse = refuse(field);
        if !refuse.is_empty() && present != Part::Always {
            let _ = writeln!(text, "if {} {{ {refuse} }}", present.negation());
        }
        let has = match present {
            Part::Always => differs(field),
            part => format!("{} && {}", part.condition(), differs(field)),
        };
        let _ = writeln!(text, "let has_{tag} = {has};");
        count.push(format!("u32::from(has_{tag})"));
    }
    let count = count.join(" + ");
    let _ = writeln!(text, "w.tag_count({count}, self.unknown_tags, {flexible}, version)?;");
    for field in &known {
        let tag = field.tag.unwrap_or_default();
        let write = write(message, structure, field);
        let _ = writeln!(
            text,
            "if has_{tag} {{ let open = w.tag_begin({tag}); {write} w.tag_end(open)?; }}"
        );
    }
    text + "w.unknown_tags(self.unknown_tags);\n"
}

/// The statements that write a field of a version that has it.
fn write(message: &Message, structure: &Struct, field: &Field) -> String {
    let flexible = field_flexible(message, structure, field);
    let name = format!("self.{}", field.name);
    let optional = field.is_optional();
    let mut text = String::new();
    if optional && let part @ Part::When(_) = field.null_part() {
        let _ = writeln!(
            text,
            "w.refuse_if({} && {name}.is_none(), {:?}, version)?;",
            part.negation(),
            plain_name(field)
        );
    }
    let suffix = if optional { "_or_null" } else { "" };
    let slice = if optional { format!("{name}.as_deref()") } else { format!("&{name}") };
    text += &match &field.kind {
        Type::Records => {
            format!("w.records({name}, {flexible}, {})?;\n", field.null_part().condition())
        }
        Type::String | Type::Bytes => {
            format!("w.{}{suffix}({slice}, {flexible})?;\n", scalar(&field.kind))
        }
        Type::Struct(kind) if optional => {
            format!("w.struct_or_null({name}.as_ref(), version, {kind}::encode)?;\n")
        }
        Type::Struct(_) => format!("{name}.encode(w, version)?;\n"),
        Type::Array(element) => match element.as_ref() {
            Type::String => format!("w.strings{suffix}({slice}, {flexible})?;\n"),
            Type::Struct(kind) => {
                format!("w.structs{suffix}({slice}, {flexible}, version, {kind}::encode)?;\n")
            }
            element => {
                format!("w.array{suffix}({slice}, {flexible}, Writer::{})?;\n", scalar(element))
            }
        },
        kind => format!("w.{}({name});\n", scalar(kind)),
    };
    text
}
