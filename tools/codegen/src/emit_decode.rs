//! The `decode` of one structure.

use std::fmt::Write;

use crate::emit::default_value;
use crate::model::{Field, Message, Struct, Type};
use crate::versions::Part;

/// The method's text. Struct literals are evaluated in the order in which they are written, which
/// is the order of the wire.
pub fn decode(message: &Message, structure: &Struct, outermost: bool) -> String {
    let flexible = message.flexible.part_of(structure.versions);
    let mut body = String::new();
    if outermost {
        body += "r.check(Self::VERSIONS, version)?;\n";
    }
    let known: Vec<&Field> = structure.fields.iter().filter(|field| field.tag.is_some()).collect();
    let mut fields = String::new();
    for field in &structure.fields {
        let value = if field.tag.is_some() {
            default_value(field)
        } else {
            value(message, structure, field)
        };
        let _ = writeln!(fields, "{}: {value},", field.name);
    }
    if known.is_empty() {
        let tags = match flexible {
            Part::Never => "UnknownTags::default()".to_owned(),
            _ => format!("r.tags({})?", flexible_argument(&flexible)),
        };
        let _ = writeln!(body, "Ok(Self {{ {fields} unknown_tags: {tags} }})");
    } else {
        let _ = writeln!(
            body,
            "let mut it = Self {{ {fields} unknown_tags: UnknownTags::default() }};"
        );
        let _ = writeln!(body, "let mut tags = r.tag_section({})?;", flexible_argument(&flexible));
        body += "while let Some(tag) = r.tag(&mut tags)? {\nmatch tag {\n";
        for field in &known {
            body += &tagged(message, structure, field);
        }
        let _ = writeln!(body, "_ => r.unknown_tag(&mut tags, {})?,\n}}\n}}", known.len());
        body += "it.unknown_tags = tags.unknown();\nOk(it)\n";
    }
    let prelude = if body.contains("flexible") {
        format!("let flexible = {};\n", flexible.condition())
    } else {
        String::new()
    };
    let version =
        if uses_version(&prelude) || uses_version(&body) { "version" } else { "_version" };
    format!(
        "pub fn decode(r: &mut Reader<'a>, {version}: i16) -> Result<Self, DecodeError> {{\n\
         {prelude}{body}}}\n\n"
    )
}

/// True where the code reads its parameter `version`, not only a field of such a name.
fn uses_version(code: &str) -> bool {
    let in_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    code.match_indices("version").any(|(position, word)| {
        let before = code[..position].chars().next_back();
        let after = code[position + word.len()..].chars().next();
        !before.is_some_and(in_name) && !after.is_some_and(|next| in_name(next) || next == ':')
    })
}

/// How a structure's code says whether the version is flexible.
pub fn flexible_argument(flexible: &Part) -> &'static str {
    match flexible {
        Part::Always => "true",
        Part::Never => "false",
        Part::When(_) => "flexible",
    }
}

/// What a method's code passes as `flexible` for one field.
pub fn field_flexible(message: &Message, structure: &Struct, field: &Field) -> &'static str {
    if !field.follows_flexible {
        return "false";
    }
    match message.flexible.part_of(field.versions) {
        Part::Always => "true",
        Part::Never => "false",
        Part::When(_) => flexible_argument(&message.flexible.part_of(structure.versions)),
    }
}

fn value(message: &Message, structure: &Struct, field: &Field) -> String {
    let read = read(message, structure, field);
    match field.versions.part_of(structure.versions) {
        Part::Always => read,
        Part::Never => default_value(field),
        Part::When(condition) => {
            format!("if {condition} {{ {read} }} else {{ {} }}", default_value(field))
        }
    }
}

fn tagged(message: &Message, structure: &Struct, field: &Field) -> String {
    let flexible = message.flexible.and(structure.versions);
    let guard = match field.versions.part_of(flexible) {
        Part::Always => String::new(),
        part => format!(" if {}", part.condition()),
    };
    let tag = field.tag.unwrap_or_default();
    format!("{tag}{guard} => it.{} = {},\n", field.name, read(message, structure, field))
}

/// The expression that reads a field of a version that has it.
fn read(message: &Message, structure: &Struct, field: &Field) -> String {
    let flexible = field_flexible(message, structure, field);
    let optional = field.is_optional();
    let nullable = field.null_part().condition();
    match &field.kind {
        Type::Records => format!("r.records({flexible}, {nullable})?"),
        Type::String | Type::Bytes => {
            let method = scalar(&field.kind);
            if optional {
                format!("r.{method}_or_null({flexible}, {nullable})?")
            } else {
                format!("r.{method}({flexible})?")
            }
        }
        Type::Struct(name) if optional => format!("r.struct_or_null(version, {name}::decode)?"),
        Type::Struct(name) => format!("{name}::decode(r, version)?"),
        Type::Array(element) => {
            let (suffix, nullable) =
                if optional { ("_or_null", format!(", {nullable}")) } else { ("", String::new()) };
            match element.as_ref() {
                Type::String => format!("r.strings{suffix}({flexible}{nullable})?"),
                Type::Struct(name) => {
                    let wire_min = message.wire_min(message.find(name));
                    format!(
                        "r.structs{suffix}({flexible}{nullable}, version, {wire_min}, {name}::decode)?"
                    )
                }
                element => format!(
                    "r.array{suffix}({flexible}{nullable}, {}, Reader::{})?",
                    element.wire_min(false),
                    scalar(element)
                ),
            }
        }
        kind => format!("r.{}()?", scalar(kind)),
    }
}

/// The method of `Reader` and `Writer` for a type.
pub fn scalar(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::U16 => "u16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::F64 => "f64",
        Type::Uuid => "uuid",
        Type::TopicId => "topic_id",
        Type::String => "string",
        Type::Bytes => "bytes",
        Type::Records | Type::Struct(_) | Type::Array(_) => panic!("not a scalar: {kind:?}"),
    }
}
