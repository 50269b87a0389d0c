//! A message as the emitter sees it: names resolved, version ranges cut to what exists.

use anyhow::{Context, Result, bail, ensure};

use crate::definition::{Definition, FieldDefinition};
use crate::names;
use crate::versions::{Part, Versions};

/// The only messages of type `data` that clients and brokers exchange: consumers put them, opaque
/// to the broker, into the group protocol. The others are records of Kafka's own logs.
pub const DATA_MESSAGES: [&str; 2] = ["ConsumerProtocolAssignment", "ConsumerProtocolSubscription"];

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    Header,
    Data,
}

/// One message with its structures; the first is the message itself.
pub struct Message {
    pub name: String,
    pub kind: Kind,
    pub key: Option<i16>,
    pub versions: Versions,
    pub flexible: Versions,
    pub latest_unstable: bool,
    pub on_broker: bool,
    pub structs: Vec<Struct>,
}

pub struct Struct {
    pub name: String,
    /// The message's versions in which the structure can occur.
    pub versions: Versions,
    pub fields: Vec<Field>,
}

pub struct Field {
    /// The Rust identifier.
    pub name: String,
    pub kind: Type,
    pub versions: Versions,
    /// Within `versions`; empty where the field is never null.
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub ignorable: bool,
    /// False for the one field that keeps plain lengths in flexible versions.
    pub follows_flexible: bool,
    pub default: Default,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    I8,
    I16,
    U16,
    I32,
    I64,
    F64,
    Uuid,
    TopicId,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Default {
    Null,
    /// Zero, false, empty.
    Empty,
    /// A Rust literal.
    Literal(String),
}

impl Message {
    /// Resolves a definition; `None` for messages that have no place here.
    pub fn resolve(definition: &Definition) -> Result<Option<Message>> {
        let versions = Versions::parse(&definition.valid_versions)?;
        let kind = match definition.kind.as_str() {
            "request" => Kind::Request,
            "response" => Kind::Response,
            "header" => Kind::Header,
            "data" if DATA_MESSAGES.contains(&definition.name.as_str()) => Kind::Data,
            _ => return Ok(None),
        };
        if versions.is_empty() {
            return Ok(None);
        }
        let mut structs = Vec::new();
        add_struct(&mut structs, &definition.name, versions, &definition.fields)?;
        for common in &definition.common_structs {
            let present = Versions::parse(&common.versions)?.and(versions);
            add_struct(&mut structs, &common.name, present, &common.fields)?;
        }
        Ok(Some(Message {
            name: definition.name.clone(),
            kind,
            key: definition.api_key,
            versions,
            flexible: Versions::parse(&definition.flexible_versions)?.and(versions),
            latest_unstable: definition.latest_version_unstable,
            on_broker: definition.listeners.iter().any(|listener| listener == "broker"),
            structs,
        }))
    }

    pub fn find(&self, name: &str) -> &Struct {
        self.structs
            .iter()
            .find(|candidate| candidate.name == name)
            .unwrap_or_else(|| panic!("{} has no structure {name}", self.name))
    }

    /// The fewest bytes that one value of the structure takes on the wire, over its versions.
    pub fn wire_min(&self, structure: &Struct) -> usize {
        let versions = structure.versions;
        (versions.min..=versions.max)
            .map(|version| self.wire_min_at(structure, version))
            .min()
            .unwrap_or(0)
    }

    fn wire_min_at(&self, structure: &Struct, version: i16) -> usize {
        let flexible = self.flexible.contains(version);
        let fields = structure
            .fields
            .iter()
            .filter(|field| field.tag.is_none() && field.versions.contains(version));
        let bytes: usize = fields.map(|field| self.field_min(field, version, flexible)).sum();
        bytes + usize::from(flexible)
    }

    fn field_min(&self, field: &Field, version: i16, flexible: bool) -> usize {
        let flexible = flexible && field.follows_flexible;
        match &field.kind {
            Type::Struct(_) if field.nullable.contains(version) => 1,
            Type::Struct(name) => self.wire_min_at(self.find(name), version),
            kind => kind.wire_min(flexible),
        }
    }
}

impl Type {
    /// The fewest bytes of a value that is not a structure.
    pub fn wire_min(&self, flexible: bool) -> usize {
        match self {
            Type::Bool | Type::I8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 => 4,
            Type::I64 | Type::F64 => 8,
            Type::Uuid | Type::TopicId => 16,
            _ if flexible => 1,
            Type::String => 2,
            Type::Bytes | Type::Records | Type::Array(_) => 4,
            Type::Struct(name) => panic!("the size of {name} depends on the version"),
        }
    }
}

impl Field {
    /// In which of its own versions the field may be null.
    pub fn null_part(&self) -> Part {
        self.nullable.part_of(self.versions)
    }

    /// True where the Rust field is an `Option`.
    pub fn is_optional(&self) -> bool {
        !self.nullable.is_empty() && self.kind != Type::Records
    }
}

/// Adds a structure and those written inside it, parents first.
fn add_struct(
    structs: &mut Vec<Struct>,
    name: &str,
    versions: Versions,
    definitions: &[FieldDefinition],
) -> Result<()> {
    ensure!(structs.iter().all(|other| other.name != name), "two structures {name}");
    let position = structs.len();
    structs.push(Struct { name: name.to_owned(), versions, fields: Vec::new() });
    let mut fields = Vec::new();
    for definition in definitions {
        let field = resolve_field(definition, versions)
            .with_context(|| format!("field {} of {name}", definition.name))?;
        // Kafka keeps fields of removed versions; nothing can ever carry them.
        let Some(field) = field else { continue };
        if !definition.fields.is_empty() {
            let inner = definition.kind.trim_start_matches("[]");
            add_struct(structs, inner, field.versions, &definition.fields)?;
        }
        fields.push(field);
    }
    check_tags(&fields)?;
    structs[position].fields = fields;
    Ok(())
}

/// Unknown tags must all lie above the known ones, so that a frame holds them in one piece.
fn check_tags(fields: &[Field]) -> Result<()> {
    let mut tags: Vec<u32> = fields.iter().filter_map(|field| field.tag).collect();
    tags.sort_unstable();
    ensure!(tags.iter().copied().eq(0..tags.len() as u32), "tags do not count from 0: {tags:?}");
    Ok(())
}

fn resolve_field(definition: &FieldDefinition, within: Versions) -> Result<Option<Field>> {
    let versions = Versions::parse(&definition.versions)?.and(within);
    if versions.is_empty() {
        return Ok(None);
    }
    let nullable = match &definition.nullable_versions {
        Some(text) => Versions::parse(text)?.and(versions),
        None => Versions::NONE,
    };
    if let Some(tagged) = &definition.tagged_versions {
        ensure!(Versions::parse(tagged)?.and(within) == versions, "tagged only in some versions");
        ensure!(definition.kind != "records", "records in a tagged field");
    }
    let kind = resolve_type(&definition.kind, &definition.name)?;
    if matches!(kind, Type::Struct(_)) {
        ensure!(nullable.is_empty() || nullable == versions, "a sometimes nullable structure");
    }
    let default = resolve_default(definition, &kind)?;
    ensure!(default != Default::Null || !nullable.is_empty() || kind == Type::Records);
    Ok(Some(Field {
        name: names::field(&definition.name),
        kind,
        versions,
        nullable,
        tag: definition.tag,
        ignorable: definition.ignorable,
        follows_flexible: definition.flexible_versions.as_deref() != Some("none"),
        default,
    }))
}

fn resolve_type(text: &str, field_name: &str) -> Result<Type> {
    Ok(match text {
        "bool" => Type::Bool,
        "int8" => Type::I8,
        "int16" => Type::I16,
        "uint16" => Type::U16,
        "int32" => Type::I32,
        "int64" => Type::I64,
        "float64" => Type::F64,
        "uuid" if field_name.ends_with("TopicId") => Type::TopicId,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        _ => match text.strip_prefix("[]") {
            Some(element) => match resolve_type(element, field_name)? {
                Type::Array(_) | Type::Bytes | Type::Records | Type::Bool => {
                    bail!("an array of {element}")
                }
                element => Type::Array(Box::new(element)),
            },
            None if text.starts_with(char::is_uppercase) => Type::Struct(text.to_owned()),
            None => bail!("unknown type {text}"),
        },
    })
}

fn resolve_default(definition: &FieldDefinition, kind: &Type) -> Result<Default> {
    let text = definition.default_text().unwrap_or_default();
    Ok(match kind {
        Type::Records => Default::Null,
        _ if text == "null" => Default::Null,
        Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::I64 if !text.is_empty() => {
            let number = match text.strip_prefix("0x") {
                Some(digits) => i64::from_str_radix(digits, 16)?,
                None => text.parse()?,
            };
            if number == 0 { Default::Empty } else { Default::Literal(number.to_string()) }
        }
        Type::Bool if text.eq_ignore_ascii_case("true") => Default::Literal("true".into()),
        Type::Bool if text.eq_ignore_ascii_case("false") => Default::Empty,
        _ if text.is_empty() => Default::Empty,
        _ => bail!("default {text}"),
    })
}
