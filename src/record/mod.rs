//! Kafka's record batches, format version 2, as checked views over bytes.
//!
//! Invariants: bytes become a `BatchView` or an error, never a panic; a view owns nothing and copies
//! nothing; a declared count or size is never a reason to allocate. What is stored is what a producer
//! sent: only the fields before the CRC, for log-append time the timestamp, and where the topic names a codec the
//! compression are ever rewritten.
//!
//! Deliberately absent: message formats 0 and 1 (Kafka 4 refuses them), I/O, clocks, offsets'
//! assignment (the log's), and the sparse index (storage's).

pub mod batch;
pub mod builder;
pub mod checksum;
pub mod compression;
pub mod header;
pub mod recompress;
pub mod records;
#[cfg(test)]
mod tests;
pub mod validate;
mod varint;

pub use batch::{BatchView, split};
pub use builder::{BatchBuilder, BatchOptions, ProducerFields};
pub use compression::{Compression, DecompressionCaps, DecompressionError};
pub use header::{BATCH_HEADER_BYTES, BatchError, BatchHeader, MAGIC};
pub use recompress::{StoredAs, recompress};
pub use records::{Header, Headers, Record, RecordError, Records};
pub use validate::{Accepted, InvalidBatch, ProduceRules, RecordFault, validate};
