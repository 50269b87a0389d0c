//! The codecs of a batch's records: compressing, and decompressing what nobody vouches for.
//!
//! | id | codec | form in a batch |
//! |---|---|---|
//! | 0 | none | the records |
//! | 1 | gzip | one member or several (RFC 1952) |
//! | 2 | snappy | snappy-java's stream: 16 bytes of header (`82 "SNAPPY" 00`, version, least version), then blocks, each 4 bytes of big-endian length and a raw snappy block; some clients send one raw block alone |
//! | 3 | lz4 | an LZ4 frame of independent blocks |
//! | 4 | zstd | a zstd frame (KIP-110) |
//!
//! Output grows with what really comes out and stops at the caps; no declared size allocates anything.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use thiserror::Error;

use crate::model::limits::{DECOMPRESSED_BATCH_BYTES_MAX, DECOMPRESSION_RATIO_MAX};
use crate::model::units::KIB;

/// A codec, as in the attributes' low three bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Compression {
    /// Records as they are.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// In snappy-java's framing, or one raw block.
    Snappy = 2,
    /// An LZ4 frame.
    Lz4 = 3,
    /// RFC 8878.
    Zstd = 4,
}

impl Compression {
    /// All codecs, in the order of their ids.
    pub const ALL: [Compression; 5] = [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ];

    /// The codec of an id in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Compression> {
        Compression::ALL.get(usize::from(id)).copied()
    }

    /// The codec's name in Kafka's configuration (`compression.type`).
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// The codec that Kafka's configuration calls `name`.
    pub fn from_name(name: &str) -> Option<Compression> {
        Compression::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// How far a decompression may go; the lower of the two bounds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressionCaps {
    /// Of the output.
    pub size_bytes_max: usize,
    /// Output over input, for input of 1 KiB and more; less input may yield as much as 1 KiB would.
    pub ratio_max: usize,
}

impl Default for DecompressionCaps {
    /// The broker's limits.
    fn default() -> Self {
        DecompressionCaps {
            size_bytes_max: DECOMPRESSED_BATCH_BYTES_MAX,
            ratio_max: DECOMPRESSION_RATIO_MAX,
        }
    }
}

impl DecompressionCaps {
    fn output_bytes_max(self, input_bytes: usize) -> usize {
        self.size_bytes_max.min(input_bytes.max(KIB).saturating_mul(self.ratio_max))
    }
}

/// Why a compressed block was not opened; whoever compressed it is to blame.
#[derive(Debug, Error)]
pub enum DecompressionError {
    /// More comes out than the caps permit.
    #[error("the compressed records take more than the {0} bytes that are permitted")]
    TooLarge(usize),
    /// The bytes are not of the codec.
    #[error("the records are not valid {codec}: {reason}")]
    Malformed {
        /// The codec's name.
        codec: &'static str,
        /// What the decoder says.
        reason: String,
    },
}

/// Decompresses `block` as `codec`, within `caps`; borrows it where there is nothing to do.
pub fn decompress(
    codec: Compression,
    block: &[u8],
    caps: DecompressionCaps,
) -> Result<Cow<'_, [u8]>, DecompressionError> {
    let size_max = caps.output_bytes_max(block.len());
    let malformed = |error: io::Error| DecompressionError::Malformed {
        codec: codec.name(),
        reason: error.to_string(),
    };
    let opened = match codec {
        Compression::None => return Ok(Cow::Borrowed(block)),
        Compression::Gzip => read_capped(flate2::bufread::MultiGzDecoder::new(block), size_max),
        Compression::Snappy => return snappy_decompress(block, size_max).map(Cow::Owned),
        Compression::Lz4 => read_capped(lz4_flex::frame::FrameDecoder::new(block), size_max),
        Compression::Zstd => zstd::stream::read::Decoder::with_buffer(block)
            .and_then(|decoder| read_capped(decoder, size_max)),
    };
    let opened = opened.map_err(malformed)?;
    if opened.len() > size_max {
        return Err(DecompressionError::TooLarge(size_max));
    }
    Ok(Cow::Owned(opened))
}

/// Reads to the end, or one byte past `size_max`.
fn read_capped(decoder: impl Read, size_max: usize) -> io::Result<Vec<u8>> {
    let mut opened = Vec::new();
    decoder.take(size_max as u64 + 1).read_to_end(&mut opened)?;
    Ok(opened)
}

/// Compresses `records` as `codec`. `level` is the codec's own scale (gzip 1–9, zstd -131072–22);
/// snappy and LZ4 have none here.
pub fn compress(codec: Compression, level: Option<i32>, records: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => Ok(records.to_vec()),
        Compression::Gzip => gzip_compress(level, records),
        Compression::Snappy => snappy_compress(records),
        Compression::Lz4 => lz4_compress(records),
        Compression::Zstd => {
            zstd::stream::encode_all(records, level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL))
        }
    }
    .expect("compressing from memory into memory meets no I/O error")
}

fn gzip_compress(level: Option<i32>, records: &[u8]) -> io::Result<Vec<u8>> {
    let level = level.and_then(|level| u32::try_from(level).ok()).map(|level| level.min(9));
    let level = level.map_or(flate2::Compression::default(), flate2::Compression::new);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder.write_all(records)?;
    encoder.finish()
}

/// Kafka's Java client reads independent blocks only, and 64 KiB is what it writes itself.
fn lz4_compress(records: &[u8]) -> io::Result<Vec<u8>> {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(records)?;
    encoder.finish().map_err(io::Error::other)
}

const SNAPPY_MAGIC: &[u8; 8] = b"\x82SNAPPY\x00";
/// The magic, the format's version and the least version that can read it.
const SNAPPY_HEADER: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
/// Kafka's `SnappyOutputStream` cuts blocks of this size.
const SNAPPY_BLOCK_BYTES: usize = 32 * KIB;
/// A snappy copy of 3 bytes yields 64: a block that declares more than this ratio lies.
const SNAPPY_RATIO_MAX: usize = 64;

fn snappy_compress(records: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = SNAPPY_HEADER.to_vec();
    let mut encoder = snap::raw::Encoder::new();
    for block in records.chunks(SNAPPY_BLOCK_BYTES) {
        let block = encoder.compress_vec(block)?;
        out.extend_from_slice(&(block.len() as u32).to_be_bytes());
        out.extend_from_slice(&block);
    }
    Ok(out)
}

fn snappy_decompress(block: &[u8], size_max: usize) -> Result<Vec<u8>, DecompressionError> {
    let malformed = |reason: &str| DecompressionError::Malformed {
        codec: Compression::Snappy.name(),
        reason: reason.to_owned(),
    };
    let mut out = Vec::new();
    if !block.starts_with(SNAPPY_MAGIC) {
        snappy_append(block, size_max, &mut out)?;
        return Ok(out);
    }
    let mut rest = block.get(SNAPPY_HEADER.len()..).ok_or_else(|| malformed("header cut off"))?;
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<4>().ok_or_else(|| malformed("block length cut off"))?;
        let (raw, after) = after
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .ok_or_else(|| malformed("block cut off"))?;
        snappy_append(raw, size_max, &mut out)?;
        rest = after;
    }
    Ok(out)
}

/// Appends what one raw block decompresses to.
fn snappy_append(raw: &[u8], size_max: usize, out: &mut Vec<u8>) -> Result<(), DecompressionError> {
    let malformed = |reason: String| DecompressionError::Malformed {
        codec: Compression::Snappy.name(),
        reason,
    };
    let declared = snap::raw::decompress_len(raw).map_err(|error| malformed(error.to_string()))?;
    if declared > size_max - out.len() {
        return Err(DecompressionError::TooLarge(size_max));
    }
    if declared > raw.len().saturating_mul(SNAPPY_RATIO_MAX) {
        return Err(malformed(format!("{} bytes cannot hold {declared}", raw.len())));
    }
    let before = out.len();
    out.resize(before + declared, 0);
    let size = snap::raw::Decoder::new()
        .decompress(raw, &mut out[before..])
        .map_err(|error| malformed(error.to_string()))?;
    out.truncate(before + size);
    Ok(())
}
