//! Brings an accepted batch into the codec that its topic stores (`compression.type`).
//!
//! The records stay byte for byte what the producer wrote: their block is opened, checked as Kafka checks
//! what it rewrites, and compressed anew.

use super::batch::{BatchView, set_compression, set_max_timestamp};
use super::compression::{Compression, compress};
use super::header::{BATCH_HEADER_BYTES, LOG_OVERHEAD};
use super::validate::{InvalidBatch, ProduceRules, check_records};
use crate::model::topic_config::{CompressionType, TopicConfig};

/// The codec of all batches of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredAs {
    /// The codec.
    pub codec: Compression,
    /// On the codec's own scale; its default if `None`.
    pub level: Option<i32>,
}

impl StoredAs {
    /// What a topic asks for; `None` where batches stay as their producers compressed them.
    pub fn of_topic(config: &TopicConfig) -> Option<StoredAs> {
        let (codec, level) = match config.compression_type {
            CompressionType::Producer => return None,
            CompressionType::Uncompressed => (Compression::None, None),
            CompressionType::Gzip => (Compression::Gzip, config.compression_gzip_level),
            CompressionType::Snappy => (Compression::Snappy, None),
            CompressionType::Lz4 => (Compression::Lz4, None),
            CompressionType::Zstd => (Compression::Zstd, Some(config.compression_zstd_level)),
        };
        Some(StoredAs { codec, level })
    }
}

/// The batch in `bytes`, which [`validate`](super::validate()) has accepted by the same rules, with its
/// records compressed as `stored` says and its largest timestamp corrected.
///
/// # Errors
/// Where the block does not open within the caps, a record is refused, or the result is larger than
/// `max.message.bytes`.
pub fn recompress(
    bytes: &[u8],
    rules: &ProduceRules,
    stored: StoredAs,
) -> Result<Vec<u8>, InvalidBatch> {
    let batch = BatchView::parse(bytes).map_err(InvalidBatch::Corrupt)?;
    let opened = batch.open(rules.decompression).map_err(InvalidBatch::Compressed)?;
    let max_timestamp = check_records(batch.header(), &opened, rules)?;
    let block = compress(stored.codec, stored.level, &opened);
    let (size_bytes, size_bytes_max) =
        (BATCH_HEADER_BYTES + block.len(), rules.batch_size_bytes_max);
    let length = i32::try_from(size_bytes - LOG_OVERHEAD);
    let (Ok(length), true) = (length, size_bytes <= size_bytes_max) else {
        return Err(InvalidBatch::TooLarge { size_bytes, size_bytes_max });
    };
    let mut out = Vec::with_capacity(size_bytes);
    out.extend_from_slice(&bytes[..BATCH_HEADER_BYTES]);
    out.extend_from_slice(&block);
    set_compression(&mut out, stored.codec, length);
    set_max_timestamp(&mut out, max_timestamp);
    Ok(out)
}
