//! What reading a journal has met.

use super::entry::Sequence;

/// What a scan met, for the operator and for the tests: each branch of recovery has its counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// The last sequence of a whole entry; what was covered before if there is none.
    pub last: Sequence,
    /// The last sequence that a frame of the chain proves to have been durable.
    pub durable: Sequence,
    /// The log ended in something that was being written.
    pub torn: bool,
    /// Bytes read.
    pub bytes: u64,
    /// Frames in the chain.
    pub frames: u64,
    /// Whole entries handed out.
    pub entries: u64,
    /// Frames of this epoch whose checksum does not hold.
    pub torn_frames: u64,
    /// Whole frames behind the end that were never acknowledged: holes before them.
    pub cut_frames: u64,
    /// Frames of an earlier epoch, or of a file's earlier turn.
    pub stale_frames: u64,
    /// Frames written for another journal, file or offset.
    pub misdirected_frames: u64,
    /// Entries whose last piece is missing.
    pub partial_entries: u64,
    /// Holes below the first wanted sequence.
    pub covered_holes: u64,
    /// Frames that only the mirror had, as far as they were accepted.
    pub mirrored_frames: u64,
}

impl ScanReport {
    /// Adds another slot's figures; sequences are each slot's own and are left out.
    pub fn add(&mut self, other: &ScanReport) {
        self.torn |= other.torn;
        self.bytes += other.bytes;
        self.frames += other.frames;
        self.entries += other.entries;
        self.torn_frames += other.torn_frames;
        self.cut_frames += other.cut_frames;
        self.stale_frames += other.stale_frames;
        self.misdirected_frames += other.misdirected_frames;
        self.partial_entries += other.partial_entries;
        self.covered_holes += other.covered_holes;
        self.mirrored_frames += other.mirrored_frames;
    }
}
