//! What can go wrong between values and wire bytes, and whose fault it is.

/// Bytes that are not a message of their version: always the peer's fault (or a damaged store's).
///
/// Kafka answers such a request by closing the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The message ends in the middle of a value.
    #[error("{needed} bytes are needed and only {left} are left")]
    Truncated {
        /// What the value needs.
        needed: usize,
        /// What the message still has.
        left: usize,
    },
    /// The message goes on after its last field.
    #[error("{0} bytes follow the last field")]
    TrailingBytes(usize),
    /// A length below zero where it means nothing, or a null where the version allows none.
    #[error("length {0} where a value is required")]
    UnexpectedNull(i64),
    /// A string longer than Kafka allows (32,767 bytes).
    #[error("a string of {0} bytes")]
    StringTooLong(u64),
    /// An array with more elements than Kafka allows (1,000,000).
    #[error("an array of {0} elements")]
    TooManyElements(u64),
    /// A tagged-field section with more entries than Kafka allows (10,000).
    #[error("a section of {0} tagged fields")]
    TooManyTags(u32),
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    InvalidUtf8,
    /// A variable-length integer that does not fit in 32 bits.
    #[error("a variable-length integer of more than 32 bits")]
    VarintTooLong,
    /// Tags must rise strictly (KIP-482); this one does not.
    #[error("tag {0} is a duplicate or out of order")]
    TagOrder(u32),
    /// A tagged field whose value is not as long as it says.
    #[error("the size of a tagged field is wrong")]
    TagSize,
    /// A known tag in a version that does not have it.
    #[error("tag {0} does not exist in this version")]
    TagVersion(u32),
    /// A message that would take more memory than its size can justify.
    #[error("decoding would allocate too much memory")]
    OverBudget,
    /// An API key that Kafka does not know.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// A version that the message does not have.
    #[error("version {0} does not exist")]
    UnsupportedVersion(i16),
    /// A frame's declared size is negative or over the limit.
    #[error("a frame of {size} bytes, allowed are {max}")]
    FrameSize {
        /// What the frame declares.
        size: i64,
        /// What the reader allows.
        max: usize,
    },
}

/// A value that cannot be said in the wanted version: always the fault of the code that built it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The message does not have the version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// The message's name.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The field carries a value which that version would lose, and which is not ignorable.
    #[error("version {version} cannot carry this value of {field}")]
    Inexpressible {
        /// The field's name.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A null in a field that is never null.
    #[error("null where a value is required")]
    UnexpectedNull,
    /// A string, byte string or array that is too long for its length field.
    #[error("a length of {0} does not fit")]
    TooLong(usize),
    /// Unknown tagged fields in a version that is not flexible.
    #[error("version {0} has no tagged fields")]
    TagsUnsupported(i16),
    /// The whole frame is larger than its 31-bit size can say.
    #[error("a frame of {0} bytes")]
    FrameTooLarge(u64),
}
