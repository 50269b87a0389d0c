//! Sizes and alignments of memory and disk.

/// A kibibyte.
pub const KIB: usize = 1024;
/// A mebibyte.
pub const MIB: usize = 1024 * KIB;
/// A gibibyte.
pub const GIB: usize = 1024 * MIB;

/// The unit of every direct write: offset, length and memory are multiples of it, in bytes.
pub const BLOCK: usize = 4 * KIB;

/// Rounds down to a whole block.
pub const fn block_floor(bytes: u64) -> u64 {
    bytes & !(BLOCK as u64 - 1)
}

/// Rounds up to a whole block.
pub const fn block_ceil(bytes: u64) -> u64 {
    block_floor(bytes + BLOCK as u64 - 1)
}
