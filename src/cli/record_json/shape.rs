//! The shape of a record's key or value, version by version, and its bytes as the JSON that Kafka's
//! generated `JsonConverter`s give.
//!
//! A field stands in the JSON in the order of the definition; one that is tagged stands there only where it
//! is not what it is by default.

use std::borrow::Cow;

use serde_json::Value;
use thiserror::Error;

use crate::model::ids::TopicId;
use crate::protocol::errors::DecodeError;
use crate::protocol::reader::{ARRAY_ELEMENTS_MAX, Reader};
use crate::protocol::types::VersionRange;

/// A definition that is not of the known form; its table is to blame, not the records.
#[derive(Debug, Error)]
#[error("the definition of {0} is not understood")]
pub struct ShapeError(String);

/// A key or a value.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The number of the record's type; messages without one have 0.
    pub key: i16,
    /// The versions that exist.
    pub versions: VersionRange,
    flexible: VersionRange,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: Kind,
    versions: VersionRange,
    nullable: VersionRange,
    tag: Option<(u32, VersionRange)>,
    /// What the field is by default, as JSON.
    default: String,
}

#[derive(Clone, Debug)]
enum Kind {
    Bool,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F64,
    Uuid,
    String,
    Bytes,
    Struct(Vec<Field>),
    Array(Box<Kind>),
}

const NEVER: VersionRange = VersionRange { min: i16::MAX, max: i16::MIN };

impl Shape {
    /// Reads a definition as Kafka writes it.
    pub fn parse(definition: &Value) -> Result<Shape, ShapeError> {
        let error = || ShapeError(text(definition, "name").to_owned());
        let structs = definition.get("commonStructs").and_then(Value::as_array);
        let structs: &[Value] = structs.map_or(&[], Vec::as_slice);
        Ok(Shape {
            key: definition.get("apiKey").and_then(Value::as_i64).unwrap_or(0) as i16,
            versions: range(text(definition, "validVersions")).ok_or_else(error)?,
            flexible: range(text(definition, "flexibleVersions")).ok_or_else(error)?,
            fields: fields(definition, structs).ok_or_else(error)?,
        })
    }

    /// What `bytes`, which begin after the version, say as JSON; more may follow, as Kafka lets it. Fields of
    /// bytes that `opened` names are shown as messages of that shape, where they are such.
    pub fn to_json(
        &self,
        bytes: &[u8],
        version: i16,
        opened: &[(&str, &Shape)],
    ) -> Result<String, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.check(self.versions, version)?;
        let read = Read { version, flexible: self.flexible.contains(version), opened };
        read.object(&self.fields, &mut reader)
    }

    /// The text that `bytes` begin with, if that is what the version begins with.
    pub fn first_text<'a>(&self, bytes: &'a [u8], version: i16) -> Option<Cow<'a, str>> {
        let mut reader = Reader::new(bytes);
        reader.string_or_null(self.flexible.contains(version), true).ok().flatten()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn fields(definition: &Value, structs: &[Value]) -> Option<Vec<Field>> {
    let fields = definition.get("fields").and_then(Value::as_array)?;
    fields.iter().map(|field| Field::parse(field, structs)).collect()
}

/// `3`, `0-2`, `1+`, `none`.
fn range(text: &str) -> Option<VersionRange> {
    if matches!(text, "none" | "") {
        return Some(NEVER);
    }
    if let Some(min) = text.strip_suffix('+') {
        return Some(VersionRange { min: min.parse().ok()?, max: i16::MAX });
    }
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    Some(VersionRange { min: min.parse().ok()?, max: max.parse().ok()? })
}

impl Field {
    fn parse(definition: &Value, structs: &[Value]) -> Option<Field> {
        let name = text(definition, "name");
        let (first, rest) = name.split_at_checked(1)?;
        let kind = Kind::parse(text(definition, "type"), definition, structs)?;
        let tag = definition.get("tag").and_then(Value::as_u64);
        let tag = match tag {
            Some(tag) => {
                Some((u32::try_from(tag).ok()?, range(text(definition, "taggedVersions"))?))
            }
            None => None,
        };
        // A field that is always tagged may leave out its versions.
        let versions = match text(definition, "versions") {
            "" => text(definition, "taggedVersions"),
            versions => versions,
        };
        Some(Field {
            name: first.to_lowercase() + rest,
            versions: range(versions)?,
            nullable: range(text(definition, "nullableVersions"))?,
            tag,
            default: kind.default(definition.get("default")),
            kind,
        })
    }

    fn is_tagged(&self, version: i16) -> bool {
        self.tag.is_some_and(|(_, versions)| versions.contains(version))
    }
}

impl Kind {
    fn parse(name: &str, definition: &Value, structs: &[Value]) -> Option<Kind> {
        Some(match name {
            "bool" => Kind::Bool,
            "int8" => Kind::I8,
            "int16" => Kind::I16,
            "uint16" => Kind::U16,
            "int32" => Kind::I32,
            "uint32" => Kind::U32,
            "int64" => Kind::I64,
            "float64" => Kind::F64,
            "uuid" => Kind::Uuid,
            "string" => Kind::String,
            "bytes" => Kind::Bytes,
            _ => match name.strip_prefix("[]") {
                Some(element) => Kind::Array(Box::new(Kind::parse(element, definition, structs)?)),
                None => {
                    let own = definition.get("fields").is_some();
                    let shared = structs.iter().find(|shared| text(shared, "name") == name);
                    let described = if own { definition } else { shared? };
                    Kind::Struct(fields(described, structs)?)
                }
            },
        })
    }

    fn default(&self, given: Option<&Value>) -> String {
        let given = match given {
            Some(Value::String(text)) => Some(text.clone()),
            // Kafka's generator takes the word "null", and no default for a null.
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        match (self, given) {
            (_, Some(text)) if text == "null" => text,
            (Kind::String, text) => json_string(&text.unwrap_or_default()),
            (Kind::Bool, None) => "false".to_owned(),
            (Kind::Uuid, None) => json_string(&TopicId::ZERO.to_string()),
            (Kind::Bytes, None) => json_string(""),
            (Kind::Array(_), _) => "[]".to_owned(),
            (Kind::Struct(fields), _) => {
                object(fields.iter().map(|field| (field.name.as_str(), field.default.clone())))
            }
            (Kind::F64, None) => "0.0".to_owned(),
            (_, Some(text)) => text,
            (_, None) => "0".to_owned(),
        }
    }
}

/// How one version is read.
#[derive(Clone, Copy)]
struct Read<'a> {
    version: i16,
    flexible: bool,
    opened: &'a [(&'a str, &'a Shape)],
}

impl Read<'_> {
    fn object(self, fields: &[Field], reader: &mut Reader<'_>) -> Result<String, DecodeError> {
        let version = self.version;
        let there: Vec<&Field> =
            fields.iter().filter(|field| field.versions.contains(version)).collect();
        let mut found: Vec<Option<String>> = vec![None; there.len()];
        for (field, found) in there.iter().zip(&mut found) {
            if !field.is_tagged(version) {
                let nullable = field.nullable.contains(version);
                let opened = self.opened.iter().find(|(name, _)| *name == field.name);
                *found = Some(match (&field.kind, opened) {
                    (Kind::Bytes, Some((_, shape))) => self.message(shape, nullable, reader)?,
                    (kind, _) => self.value(kind, nullable, reader)?,
                });
            }
        }
        if self.flexible {
            self.tagged(&there, &mut found, reader)?;
        }
        let named = there.iter().zip(found);
        Ok(object(named.filter_map(|(field, found)| Some((field.name.as_str(), found?)))))
    }

    /// Reads the tagged fields, and passes over those that are not known.
    fn tagged(
        self,
        fields: &[&Field],
        found: &mut [Option<String>],
        reader: &mut Reader<'_>,
    ) -> Result<(), DecodeError> {
        for _ in 0..reader.unsigned_varint()? {
            let tag = reader.unsigned_varint()?;
            let size = reader.unsigned_varint()? as usize;
            let mut value = Reader::new(reader.take(size)?);
            let at = fields.iter().position(|field| {
                field.is_tagged(self.version) && field.tag.is_some_and(|(own, _)| own == tag)
            });
            let Some(at) = at else { continue };
            let nullable = fields[at].nullable.contains(self.version);
            let json = match &fields[at].kind {
                // Here a number says whether the structure is null, elsewhere a byte with a sign.
                Kind::Struct(_) if nullable && value.unsigned_varint()? == 0 => "null".to_owned(),
                kind @ Kind::Struct(_) => self.value(kind, false, &mut value)?,
                kind => self.value(kind, nullable, &mut value)?,
            };
            found[at] = (json != fields[at].default).then_some(json);
        }
        Ok(())
    }

    fn value(
        self,
        kind: &Kind,
        nullable: bool,
        reader: &mut Reader<'_>,
    ) -> Result<String, DecodeError> {
        let null = || "null".to_owned();
        Ok(match kind {
            Kind::Bool => reader.bool()?.to_string(),
            Kind::I8 => reader.i8()?.to_string(),
            Kind::I16 => reader.i16()?.to_string(),
            Kind::U16 => reader.u16()?.to_string(),
            Kind::I32 => reader.i32()?.to_string(),
            Kind::U32 => (reader.i32()? as u32).to_string(),
            Kind::I64 => reader.i64()?.to_string(),
            Kind::F64 => format!("{:?}", reader.f64()?),
            Kind::Uuid => json_string(&reader.uuid()?.to_string()),
            Kind::String => {
                let string = reader.string_or_null(self.flexible, nullable)?;
                string.map_or_else(null, |string| json_string(&string))
            }
            Kind::Bytes => {
                let bytes = reader.bytes_or_null(self.flexible, nullable)?;
                bytes.map_or_else(null, |bytes| format!("\"{}\"", base64(&bytes)))
            }
            // Before a structure that may be null stands a byte that says whether it is.
            Kind::Struct(_) if nullable && reader.i8()? < 0 => null(),
            Kind::Struct(fields) => self.object(fields, reader)?,
            Kind::Array(element) => match self.count(nullable, reader)? {
                Some(count) => {
                    let mut values = Vec::new();
                    for _ in 0..count {
                        values.push(self.value(element, false, reader)?);
                    }
                    format!("[{}]", values.join(","))
                }
                None => null(),
            },
        })
    }

    /// Bytes that are a message of `shape` behind its version, or else bytes.
    fn message(
        self,
        shape: &Shape,
        nullable: bool,
        reader: &mut Reader<'_>,
    ) -> Result<String, DecodeError> {
        let Some(bytes) = reader.bytes_or_null(self.flexible, nullable)? else {
            return Ok("null".to_owned());
        };
        let opened = bytes.split_first_chunk().and_then(|(version, rest)| {
            shape.to_json(rest, i16::from_be_bytes(*version), &[]).ok()
        });
        Ok(opened.unwrap_or_else(|| format!("\"{}\"", base64(&bytes))))
    }

    /// An array's length; each element takes a byte at least.
    fn count(self, nullable: bool, reader: &mut Reader<'_>) -> Result<Option<usize>, DecodeError> {
        let declared = if self.flexible {
            i64::from(reader.unsigned_varint()?) - 1
        } else {
            i64::from(reader.i32()?)
        };
        if declared == -1 && nullable {
            return Ok(None);
        }
        let count = usize::try_from(declared).map_err(|_| DecodeError::UnexpectedNull(declared))?;
        let left = reader.rest().len();
        match count {
            _ if count > ARRAY_ELEMENTS_MAX => Err(DecodeError::TooManyElements(count as u64)),
            _ if count > left => Err(DecodeError::Truncated { needed: count, left }),
            _ => Ok(Some(count)),
        }
    }
}

/// A JSON object of values that are JSON already.
pub fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{}:{value}", json_string(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A JSON string.
pub fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_rfc_4648() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn ranges_are_kafkas() {
        for (text, version, expected) in [
            ("none", 0, false),
            ("1+", 0, false),
            ("1+", 9, true),
            ("0-2", 2, true),
            ("3", 4, false),
        ] {
            assert_eq!(range(text).map(|range| range.contains(version)), Some(expected), "{text}");
        }
        assert_eq!(range("x"), None);
    }
}
