//! Kafka's deserializers, as far as they make text of bytes.

use thiserror::Error;
use tracing::error;

/// Why bytes are not of a deserializer's type; the record's producer is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeserializeError {
    /// Not as many bytes as the type has.
    #[error("Size of data received by {0} is not {1}")]
    Size(&'static str, usize),
    /// A boolean that is neither 0 nor 1.
    #[error("Unexpected byte received by BooleanDeserializer: {0}")]
    Boolean(i8),
    /// Text that is no UUID.
    #[error("Error parsing data into UUID")]
    Uuid,
    /// Bytes where there may be none.
    #[error("Data should be null for a VoidDeserializer.")]
    Void,
}

/// A deserializer whose text is more than the bytes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deserializer {
    Boolean,
    ByteBuffer,
    Bytes,
    Double,
    Float,
    Integer,
    Long,
    Short,
    Text,
    Uuid,
    Void,
}

impl Deserializer {
    /// The deserializer of a Java class name; `None` prints the bytes as they are.
    pub fn of_class(class: &str) -> Option<Deserializer> {
        match class.strip_prefix("org.apache.kafka.common.serialization.") {
            Some("BooleanDeserializer") => Some(Deserializer::Boolean),
            Some("ByteBufferDeserializer") => Some(Deserializer::ByteBuffer),
            Some("BytesDeserializer") => Some(Deserializer::Bytes),
            Some("DoubleDeserializer") => Some(Deserializer::Double),
            Some("FloatDeserializer") => Some(Deserializer::Float),
            Some("IntegerDeserializer") => Some(Deserializer::Integer),
            Some("LongDeserializer") => Some(Deserializer::Long),
            Some("ShortDeserializer") => Some(Deserializer::Short),
            Some("StringDeserializer") => Some(Deserializer::Text),
            Some("UUIDDeserializer") => Some(Deserializer::Uuid),
            Some("VoidDeserializer") => Some(Deserializer::Void),
            // Java prints the address of an array, which helps nobody.
            Some("ByteArrayDeserializer") => None,
            _ => {
                error!("Unable to instantiate a deserializer from {class}");
                None
            }
        }
    }

    /// What Java's `toString` gives of the value.
    pub fn text(self, bytes: &[u8]) -> Result<String, DeserializeError> {
        Ok(match self {
            Deserializer::Boolean => match array::<1>(bytes, "BooleanDeserializer")? {
                [0] => "false".to_owned(),
                [1] => "true".to_owned(),
                [other] => return Err(DeserializeError::Boolean(other as i8)),
            },
            Deserializer::ByteBuffer => {
                format!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len())
            }
            Deserializer::Bytes => bytes.iter().map(|byte| printable(*byte)).collect(),
            Deserializer::Double => {
                let value = f64::from_be_bytes(array(bytes, "Deserializer")?);
                floating(&format!("{:e}", value.abs()), value.is_sign_negative(), value.is_nan())
            }
            Deserializer::Float => {
                let value = f32::from_be_bytes(array(bytes, "Deserializer")?);
                floating(&format!("{:e}", value.abs()), value.is_sign_negative(), value.is_nan())
            }
            Deserializer::Integer => {
                i32::from_be_bytes(array(bytes, "IntegerDeserializer")?).to_string()
            }
            Deserializer::Long => i64::from_be_bytes(array(bytes, "LongDeserializer")?).to_string(),
            Deserializer::Short => {
                i16::from_be_bytes(array(bytes, "ShortDeserializer")?).to_string()
            }
            Deserializer::Text => String::from_utf8_lossy(bytes).into_owned(),
            Deserializer::Uuid => uuid(bytes).ok_or(DeserializeError::Uuid)?,
            Deserializer::Void => return Err(DeserializeError::Void),
        })
    }
}

fn array<const N: usize>(bytes: &[u8], name: &'static str) -> Result<[u8; N], DeserializeError> {
    bytes.try_into().map_err(|_| DeserializeError::Size(name, N))
}

/// `Bytes.toString`.
fn printable(byte: u8) -> String {
    match byte {
        b'\\' => "\\x5C".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    }
}

/// `Double.toString` of a magnitude that is written with its shortest digits, as `1.5e-7`: between a
/// thousandth and ten million without an exponent, and always with a digit behind the point.
fn floating(shortest: &str, negative: bool, is_nan: bool) -> String {
    if is_nan {
        return "NaN".to_owned();
    }
    let sign = if negative { "-" } else { "" };
    let Some((mantissa, exponent)) = shortest.split_once('e') else {
        return format!("{sign}Infinity");
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let padded = |from: &str| if from.is_empty() { "0".to_owned() } else { from.to_owned() };
    if digits == "0" {
        return format!("{sign}0.0");
    }
    match exponent {
        0..=6 => {
            let whole = exponent as usize + 1;
            let digits = format!("{digits:0<whole$}");
            format!("{sign}{}.{}", &digits[..whole], padded(&digits[whole..]))
        }
        -3..=-1 => format!("{sign}0.{}{digits}", "0".repeat(-exponent as usize - 1)),
        _ => format!("{sign}{}.{}E{exponent}", &digits[..1], padded(&digits[1..])),
    }
}

/// `UUID.fromString`, which takes groups shorter than they are written, and its `toString`.
fn uuid(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let groups: Vec<&str> = text.split('-').collect();
    let [a, b, c, d, e] = groups[..] else { return None };
    let group = |text: &str, digits: u32| {
        let is_hex = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let value = u64::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
        Some(value & (u64::MAX >> (64 - 4 * digits)))
    };
    let (a, b, c) = (group(a, 8)?, group(b, 4)?, group(c, 4)?);
    let (d, e) = (group(d, 4)?, group(e, 12)?);
    Some(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(class: &str, bytes: &[u8], expected: Result<&str, &str>) {
        let class = format!("org.apache.kafka.common.serialization.{class}");
        let deserializer = Deserializer::of_class(&class).expect("the class is known");
        let found = deserializer.text(bytes).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{class} {bytes:?}");
    }

    #[test]
    fn values_are_as_java_prints_them() {
        check("ShortDeserializer", &[0xff, 0xfe], Ok("-2"));
        check("IntegerDeserializer", &[0, 0, 1, 0], Ok("256"));
        check("LongDeserializer", &7i64.to_be_bytes(), Ok("7"));
        check("BooleanDeserializer", &[1], Ok("true"));
        check("BytesDeserializer", b"a\\\x00\xff~", Ok("a\\x5C\\x00\\xFF~"));
        check("ByteBufferDeserializer", b"abc", Ok("java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]"));
        check("StringDeserializer", b"a\xffb", Ok("a\u{fffd}b"));
        let id = "123e4567-e89b-12d3-a456-426614174000";
        check("UUIDDeserializer", id.to_uppercase().as_bytes(), Ok(id));
        check("UUIDDeserializer", b"1-2-3-4-5", Ok("00000001-0002-0003-0004-000000000005"));
    }

    #[test]
    fn floating_numbers_are_as_java_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-12.5, "-12.5"),
            (1_234_567.0, "1234567.0"),
            (12_345_678.0, "1.2345678E7"),
            (1e10, "1.0E10"),
            (0.001, "0.001"),
            (0.0012, "0.0012"),
            (0.00099, "9.9E-4"),
            (100.25, "100.25"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            check("DoubleDeserializer", &value.to_be_bytes(), Ok(expected));
        }
        check("FloatDeserializer", &0.1f32.to_be_bytes(), Ok("0.1"));
        check("FloatDeserializer", &16_777_216f32.to_be_bytes(), Ok("1.6777216E7"));
    }

    #[test]
    fn wrong_bytes_are_errors() {
        let size = "Size of data received by IntegerDeserializer is not 4";
        check("IntegerDeserializer", b"123", Err(size));
        let unexpected = "Unexpected byte received by BooleanDeserializer: -1";
        check("BooleanDeserializer", &[0xff], Err(unexpected));
        check("UUIDDeserializer", b"1-2-3-4", Err("Error parsing data into UUID"));
        check("UUIDDeserializer", b"1-2-3-4-+5", Err("Error parsing data into UUID"));
        check("VoidDeserializer", b"", Err("Data should be null for a VoidDeserializer."));
    }
}
