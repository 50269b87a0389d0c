//! Recovery's judgement over a journal's bytes: which frames are the log, where it ends, and
//! whether that end is a torn tail or corruption. Pure: `scan.rs` feeds it the files in order.
//!
//! The files come ordered by the generation of their first frame, without those that have nothing to say (`turns`).
//! The *chain* is the frames from the first wanted sequence on, each at the place, with the sequence, the generation
//! and the previous CRC that the one before demands. Where it stops, everything behind is still read: a frame there
//! of this journal and epoch that was submitted when the first missing sequence was already durable proves that
//! acknowledged bytes are gone, and that is corruption. Otherwise the rest was never acknowledged, a torn tail, and is
//! dropped. Frames before the first wanted sequence are covered by a checkpoint: a hole among them harms nobody.

use std::fmt;

use crate::model::limits::COMMIT_BYTES_MAX;
use crate::model::units::BLOCK;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};

use super::entry::{self, Entry, EntryError, EntryKind, Sequence};
use super::frame::{self, Frame, FrameError, FrameHeader, JournalIdentity};
use super::mirror::Mirrored;
use super::report::ScanReport;
use super::turns::Turn;
use crate::model::{LogId, OwnerEpoch};
use crate::storage::directory::DirectoryId;

/// A place in a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of the file.
    pub file: u16,
    /// Bytes from its start.
    pub offset: u64,
}

impl Place {
    /// In the mirror, and in no file.
    pub const MIRROR: u16 = u16::MAX;
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file == Place::MIRROR {
            return write!(f, "the mirror, offset {}", self.offset);
        }
        write!(f, "file {}, offset {}", self.file, self.offset)
    }
}

/// What a visitor may answer to refuse an entry.
pub type VisitError = Box<dyn std::error::Error>;

/// Why the bytes cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// Acknowledged bytes are gone.
    #[error(
        "sequence {missing} should be at {at}, yet the frame at {evidence} proves it was durable"
    )]
    Corrupt {
        /// The first sequence that is gone.
        missing: Sequence,
        /// Where it should be.
        at: Place,
        /// The later frame that proves it.
        evidence: Place,
    },
    /// Another build wrote a frame where the log goes on.
    #[error("{source} (at {at})")]
    Frame {
        /// Where.
        at: Place,
        /// What.
        source: FrameError,
    },
    /// A frame is whole and its entries are not readable.
    #[error("{source} (at {at})")]
    Entry {
        /// Where the frame starts.
        at: Place,
        /// What.
        source: EntryError,
    },
    /// A file begins with a frame of another data directory.
    #[error("the frame at {at} is of directory {directory}, meta.properties says another")]
    Foreign {
        /// Where.
        at: Place,
        /// Whose it is.
        directory: DirectoryId,
    },
    /// A frame is from a later start than the superblock's.
    #[error("the frame at {at} is of start epoch {epoch}, newer than the superblock's")]
    Newer {
        /// Where.
        at: Place,
        /// Its epoch.
        epoch: u64,
    },
    /// The visitor refused an entry.
    #[error("entry {sequence} in the frame at {at}: {source}")]
    Visit {
        /// Where the frame starts.
        at: Place,
        /// Which entry.
        sequence: Sequence,
        /// Why.
        source: VisitError,
    },
}

/// An entry whose last piece is still to come.
struct Partial {
    kind: EntryKind,
    log: LogId,
    owner_epoch: OwnerEpoch,
    payload: Vec<u8>,
}

/// Where the chain stands: after a frame.
#[derive(Clone, Copy)]
struct Link {
    end: Place,
    generation: u64,
    crc: u32,
}

/// The state of one scan.
pub struct Walk {
    identity: JournalIdentity,
    from: Sequence,
    next: Sequence,
    link: Option<Link>,
    /// The frame outside the chain that was submitted latest: what was durable then, and its place.
    witness: Option<(Sequence, Place)>,
    partial: Option<Partial>,
    report: ScanReport,
    file: u16,
    file_bytes: u64,
    buffer: Vec<u8>,
    buffer_offset: u64,
}

impl Walk {
    /// Starts a walk that hands out what follows `from`, that sequence included.
    pub fn new(identity: JournalIdentity, from: Sequence) -> Walk {
        Walk {
            identity,
            from: from.max(Sequence::FIRST),
            next: Sequence::FIRST,
            link: None,
            witness: None,
            partial: None,
            report: ScanReport::default(),
            file: 0,
            file_bytes: 0,
            buffer: Vec::new(),
            buffer_offset: 0,
        }
    }

    /// Bytes that the frame at a file's start seems to have, one block at least.
    pub fn first_frame_bytes(first_block: &[u8]) -> usize {
        let bytes = frame::peek(first_block).map_or(0, |header| header.frame_bytes());
        bytes.clamp(BLOCK as u64, COMMIT_BYTES_MAX as u64) as usize
    }

    /// The turn of the frame that starts a file, by which the files are ordered; `None` if
    /// no whole frame of this journal and epoch does. The header alone would not do: it may be the
    /// rest of an earlier turn, with a newer frame written over its end.
    pub fn turn(&self, first_frame: &[u8]) -> Option<Turn> {
        let header = frame::decode(first_frame).ok()?.header;
        let FrameHeader { generation, first, .. } = header;
        (header.identity == self.identity && header.file_offset == 0)
            .then_some(Turn { generation, first })
    }

    /// The next file follows.
    pub fn begin_file(&mut self, file: u16, file_bytes: u64) {
        self.file = file;
        self.file_bytes = file_bytes;
        self.buffer.clear();
        self.buffer_offset = 0;
    }

    /// More of the file's bytes, in order; the last call for a file says so.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        end: bool,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), WalkError> {
        self.report.bytes += bytes.len() as u64;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        while buffer.len() - at >= BLOCK {
            match self.block(&buffer[at..], self.buffer_offset + at as u64, end, visit)? {
                Some(taken) => at += taken,
                None => break,
            }
        }
        buffer.drain(..at);
        self.buffer_offset += at as u64;
        self.buffer = buffer;
        Ok(())
    }

    /// Judges what starts at a block: gives the bytes taken, or `None` to see more first.
    fn block(
        &mut self,
        bytes: &[u8],
        offset: u64,
        end: bool,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<Option<usize>, WalkError> {
        let at = Place { file: self.file, offset };
        let header = match frame::peek(bytes) {
            Ok(header) => header,
            Err(source @ FrameError::Version(_)) if self.expected_at(at) => {
                return Err(WalkError::Frame { at, source });
            }
            Err(_) => return Ok(Some(BLOCK)),
        };
        let length = header.frame_bytes();
        if length > COMMIT_BYTES_MAX as u64 || length > self.file_bytes.saturating_sub(offset) {
            return Ok(Some(BLOCK));
        }
        if (bytes.len() as u64) < length && !end {
            return Ok(None);
        }
        let directory = header.identity.directory;
        // Only a frame can begin a file: what looks like one further on may be a client's bytes.
        if offset == 0 && directory != self.identity.directory && frame::decode(bytes).is_ok() {
            return Err(WalkError::Foreign { at, directory });
        }
        if !self.is_ours(&header, at) {
            return Ok(Some(BLOCK));
        }
        let Ok(frame) = frame::decode(bytes) else {
            if header.identity.epoch == self.identity.epoch && header.last() >= self.wanted() {
                self.report.torn_frames += 1;
            }
            return Ok(Some(BLOCK));
        };
        if header.identity.epoch > self.identity.epoch {
            return Err(WalkError::Newer { at, epoch: header.identity.epoch });
        }
        let taken = self.frame(&frame, at, visit)?;
        Ok(Some(if taken { length as usize } else { BLOCK }))
    }

    /// Refuses what was written for another place or another time.
    fn is_ours(&mut self, header: &FrameHeader, at: Place) -> bool {
        let identity = &header.identity;
        if identity.directory != self.identity.directory
            || identity.slot != self.identity.slot
            || header.file != at.file
            || header.file_offset != at.offset
        {
            self.report.misdirected_frames += 1;
            return false;
        }
        let stale = identity.epoch < self.identity.epoch;
        #[cfg(test)]
        let stale = stale && !is_planted(Planted::AcceptStaleFrame);
        if stale {
            self.report.stale_frames += 1;
            return false;
        }
        true
    }

    /// The first sequence that has to be found for the log to go on.
    fn wanted(&self) -> Sequence {
        self.next.max(self.from)
    }

    /// True where the chain's next frame may start.
    fn expected_at(&self, at: Place) -> bool {
        match self.link {
            Some(link) if link.end.file == at.file => link.end == at,
            _ => at.offset == 0,
        }
    }

    /// True if the frame is the one that the chain demands here.
    fn follows(&self, header: &FrameHeader, at: Place) -> bool {
        let Some(link) = self.link else {
            return header.first == Sequence::FIRST
                && header.generation == 1
                && header.previous_crc == self.identity.chain_seed()
                && at.offset == 0;
        };
        let turn = link.generation + u64::from(link.end.file != at.file);
        self.expected_at(at)
            && header.generation == turn
            && header.first == self.next
            && header.previous_crc == link.crc
    }

    /// A whole frame of this journal at its own place: takes it into the chain, or keeps what its
    /// being there says about the chain's end.
    fn frame(
        &mut self,
        frame: &Frame<'_>,
        at: Place,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<bool, WalkError> {
        let header = &frame.header;
        let follows = self.follows(header, at);
        // Below the first wanted sequence a checkpoint stands in for whatever is missing.
        let covered = header.first <= self.from
            && header.first >= self.next
            && header.first > Sequence::FIRST
            && self.link.is_none_or(|link| header.generation >= link.generation);
        let is_next = follows || covered;
        #[cfg(test)]
        let is_next = is_next || is_planted(Planted::AcceptStaleFrame) && self.expected_at(at);
        if is_next {
            if !follows && self.link.is_some() {
                self.report.covered_holes += 1;
                self.partial = None;
            }
            self.take(frame, at, visit)?;
            return Ok(true);
        }
        if header.last() < self.wanted() {
            self.report.stale_frames += 1;
            return Ok(false);
        }
        // The verdict waits for the end: the files' order is that of their first frames, and a
        // file whose newest turn has lost its first frame comes too early.
        self.report.cut_frames += 1;
        if self.witness.is_none_or(|(durable, _)| durable < header.durable_through) {
            self.witness = Some((header.durable_through, at));
        }
        Ok(false)
    }

    fn take(
        &mut self,
        frame: &Frame<'_>,
        at: Place,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), WalkError> {
        let header = &frame.header;
        self.report.frames += 1;
        self.report.durable = self.report.durable.max(header.durable_through);
        self.next = header.last().next();
        self.link = Some(Link {
            end: Place { file: at.file, offset: at.offset + header.frame_bytes() },
            generation: header.generation,
            crc: frame.crc,
        });
        self.entries(header.first, header.entry_count, frame.payload, at, visit)
    }

    /// Behind the last file: what only the mirror has, in the order of the sequences. It is taken where it goes on
    /// without a gap, and left out where the files have it or something before it is missing.
    pub fn mirrored(
        &mut self,
        mirrored: &Mirrored<'_>,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), WalkError> {
        if mirrored.first > self.wanted() || mirrored.last() < self.wanted() {
            return Ok(());
        }
        if mirrored.first != self.next {
            // The checkpoint covers what is before it.
            self.partial = None;
        }
        self.report.mirrored_frames += 1;
        self.next = mirrored.last().next();
        let at = Place { file: Place::MIRROR, offset: mirrored.offset };
        self.entries(mirrored.first, mirrored.entry_count, mirrored.payload, at, visit)
    }

    /// Hands out the entries of a frame, those that are wanted.
    fn entries(
        &mut self,
        first: Sequence,
        entry_count: u32,
        payload: &[u8],
        at: Place,
        visit: &mut impl FnMut(Sequence, &Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), WalkError> {
        let (mut rest, mut sequence) = (payload, first);
        for _ in 0..entry_count {
            let (piece, left) =
                entry::decode(rest).map_err(|source| WalkError::Entry { at, source })?;
            rest = left;
            if let Some(whole) = self.join(&piece)
                && sequence >= self.from
            {
                let entry = whole.as_ref().map_or(piece.entry, Partial::entry);
                visit(sequence, &entry).map_err(|source| WalkError::Visit {
                    at,
                    sequence,
                    source,
                })?;
                self.report.entries += 1;
                self.report.last = sequence;
            }
            sequence = sequence.next();
        }
        if rest.is_empty() {
            return Ok(());
        }
        Err(WalkError::Entry { at, source: EntryError::Short })
    }

    /// Joins the pieces of an entry. `Some(None)`: the piece is whole by itself; `Some(Some(_))`:
    /// it completes these; `None`: more follow, or its beginning is gone.
    fn join(&mut self, piece: &entry::Piece<'_>) -> Option<Option<Partial>> {
        if !piece.continues {
            if self.partial.take().is_some() {
                self.report.partial_entries += 1;
            }
            if !piece.more {
                return Some(None);
            }
            let Entry { kind, log, owner_epoch, payload } = piece.entry;
            self.partial = Some(Partial { kind, log, owner_epoch, payload: payload.to_vec() });
            return None;
        }
        let partial = self.partial.as_mut()?;
        partial.payload.extend_from_slice(piece.entry.payload);
        if piece.more { None } else { self.partial.take().map(Some) }
    }

    /// The verdict after the last file.
    pub fn finish(mut self) -> Result<ScanReport, WalkError> {
        let witness = self.witness;
        #[cfg(test)]
        let witness = witness.filter(|_| !is_planted(Planted::CutAtCorruption));
        if let Some((durable, evidence)) = witness
            && durable >= self.wanted()
        {
            let at = self.link.map_or(Place::default(), |link| link.end);
            return Err(WalkError::Corrupt { missing: self.wanted(), at, evidence });
        }
        if self.partial.is_some() {
            self.report.partial_entries += 1;
        }
        self.report.torn =
            self.witness.is_some() || self.report.torn_frames > 0 || self.partial.is_some();
        // Nothing handed out: what the checkpoint covers is the end.
        self.report.last = self.report.last.max(Sequence(self.from.0 - 1));
        Ok(self.report)
    }
}

impl Partial {
    fn entry(&self) -> Entry<'_> {
        Entry {
            kind: self.kind,
            log: self.log,
            owner_epoch: self.owner_epoch,
            payload: &self.payload,
        }
    }
}
