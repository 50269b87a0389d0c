//! One stretch of bytes to be sent or written, whoever owns it.

use std::ops::{Deref, Range};

use bytes::Bytes;

use super::aligned::AlignedBuf;
use super::chunk::Lease;
use super::lease_table::BorrowedLease;

/// Bytes that stay where they are until the operation that uses them has completed.
pub enum Piece {
    /// An owned vector.
    Vec(Vec<u8>),
    /// Shared immutable bytes.
    Bytes(Bytes),
    /// A part of an aligned buffer.
    Aligned(AlignedBuf, Range<usize>),
    /// A part of a chunk of this shard.
    Lease(Lease),
    /// A part of a chunk of another shard.
    Borrowed(BorrowedLease),
}

impl Piece {
    /// The memory that it keeps from others, in bytes: of a buffer all, of a chunk its own part.
    pub fn memory(&self) -> usize {
        match self {
            Piece::Aligned(buffer, _) => buffer.len(),
            other => other.len(),
        }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Vec(bytes) => bytes,
            Piece::Bytes(bytes) => bytes,
            Piece::Aligned(buffer, range) => &buffer[range.clone()],
            Piece::Lease(lease) => lease,
            Piece::Borrowed(lease) => lease,
        }
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece({} bytes)", self.len())
    }
}
