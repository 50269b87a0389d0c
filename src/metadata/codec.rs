//! The bounded reader and writer below the stored forms of metadata and of the quorum's log.
//!
//! Integers are big-endian. A text is its length in bytes (`u16`) and that many bytes of UTF-8. A
//! list is its count (`u16` or `u32`) and its elements. An optional field is a flag byte, 0 or 1,
//! and the field where the flag is 1. Nothing is allocated for a declared length or count before the
//! bytes that it promises are known to be there.

use crate::model::TopicId;

/// Why bytes are not what they should be; the writer of those bytes (or the disk) is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field, or a count promises more than is left.
    #[error("the bytes end inside a field")]
    Truncated,
    /// The first byte names a format that this version does not know.
    #[error("format {0} is unknown")]
    UnknownFormat(u8),
    /// A record's kind or version is from a newer Klamm, or the bytes are damaged.
    #[error("record kind {kind} version {version} is unknown")]
    UnknownRecord {
        /// The kind byte.
        kind: u8,
        /// The version byte.
        version: u8,
    },
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    NotText,
    /// A flag is neither 0 nor 1.
    #[error("flag {0} is neither 0 nor 1")]
    BadFlag(u8),
    /// Bytes are left after the last field.
    #[error("bytes are left after the last field")]
    TrailingBytes,
}

/// Reads fields off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// Declares one method for each integer type of the reader.
macro_rules! read_integers {
    ($($name:ident: $type:ty),*) => {
        $(#[doc = concat!("Reads one `", stringify!($type), "`.")]
        pub fn $name(&mut self) -> Result<$type, DecodeError> {
            let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
            self.rest = rest;
            Ok(<$type>::from_be_bytes(*head))
        })*
    };
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    read_integers!(u8: u8, u16: u16, i16: i16, u32: u32, i32: i32, u64: u64, i64: i64, u128: u128);

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Takes the next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// Reads a text.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let count = self.u16()?;
        std::str::from_utf8(self.bytes(usize::from(count))?).map_err(|_| DecodeError::NotText)
    }

    /// Reads a flag.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::BadFlag(other)),
        }
    }

    /// Reads a flag and, where it is set, a field.
    pub fn optional<T>(
        &mut self,
        field: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.flag()? { field(self).map(Some) } else { Ok(None) }
    }

    /// Reads a count and as many elements, each of which takes at least `bytes_min` bytes.
    pub fn list<T>(
        &mut self,
        bytes_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = usize::from(self.u16()?);
        if count > self.rest.len() / bytes_min {
            return Err(DecodeError::Truncated);
        }
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    /// Reads a topic id.
    pub fn topic_id(&mut self) -> Result<TopicId, DecodeError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(TopicId(*head))
    }

    /// Ends the reading: what is left is an error.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

/// Writes a text: its length and its bytes.
///
/// # Panics
/// If it is longer than 65,535 bytes: commands bound every text far below.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Writes a count or a text's length.
///
/// # Panics
/// If it is over 65,535: commands bound every list and text far below.
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u16::try_from(count).expect("commands bound every list and text of a record");
    out.extend_from_slice(&count.to_be_bytes());
}

/// Writes a flag and, where there is a value, the value.
pub fn put_optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            put(out, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_over_the_bytes_left_allocates_nothing() {
        let mut reader = Reader::new(&[0xff, 0xff, 1, 2, 3, 4]);
        assert_eq!(reader.list(4, Reader::u32), Err(DecodeError::Truncated));
        let mut reader = Reader::new(&[0, 1, 1, 2, 3, 4]);
        assert_eq!(reader.list(4, Reader::u32), Ok(vec![0x0102_0304]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn bad_fields_are_errors() {
        assert_eq!(Reader::new(&[2]).flag(), Err(DecodeError::BadFlag(2)));
        assert_eq!(Reader::new(&[0, 1, 0xff]).text(), Err(DecodeError::NotText));
        assert_eq!(Reader::new(&[0, 2, b'a']).text(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0]).finish(), Err(DecodeError::TrailingBytes));
    }
}
