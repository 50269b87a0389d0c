//! Reading a log: whole batches from memory as leases, or from segments as aligned buffers or as
//! ranges of a sealed segment's file.
//!
//! A cold read takes a permit and goes through the background lane, at most `COLD_READ_BYTES_MAX`
//! at a time, so that it never holds up what is hot. What was found is true although the log may
//! have moved meanwhile: bytes in a log never change.

use std::io;
use std::rc::Rc;

use super::batch_walk::{Path, Span, Walk, Want, leap_from, lengthen, may_leap, walk};
use super::failure::{LogReadError, SegmentDamaged};
use super::index::SparseIndex;
use super::open_segments::Access;
use super::partition_log::{Cursor, Log, LogCore, LogShared};
use super::segment::Segment;
use crate::model::Offset;
use crate::model::limits::{COLD_READ_BYTES_MAX, INDEX_INTERVAL_BYTES};
use crate::model::units::{BLOCK, block_ceil, block_floor};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader};
use crate::runtime::disk::File;
use crate::runtime::memory::Lease;
use crate::runtime::memory::Piece;
use crate::runtime::sync::oneshot;
use crate::runtime::{AlignedBuf, Lane};
use crate::storage::directory::index_path;

/// A range of a sealed segment's file, for `sendfile`.
pub struct FileRange {
    /// The file, opened through the page cache.
    pub file: File,
    /// Where the range begins.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// A part of what was read.
pub enum ReadPart {
    /// Bytes in memory.
    Piece(Piece),
    /// Bytes in a file.
    File(FileRange),
}

/// Whole batches of one log, in order.
#[derive(Default)]
pub struct ReadBytes {
    parts: Vec<ReadPart>,
    bytes: usize,
    /// The base offset of the first batch.
    pub first: Offset,
    /// The offset after the last batch, or where the read began if nothing was found.
    pub next: Offset,
}

impl ReadBytes {
    /// The length of all parts in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The memory that the parts keep, in bytes; ranges of files keep none.
    pub fn memory(&self) -> usize {
        let parts = self.parts.iter();
        parts
            .map(|part| match part {
                ReadPart::Piece(piece) => piece.memory(),
                ReadPart::File(_) => 0,
            })
            .sum()
    }

    /// The parts, in order.
    pub fn into_parts(self) -> Vec<ReadPart> {
        self.parts
    }
}

impl Log {
    /// Reads whole batches from the one that holds `from` on, below `limit`, into memory: at most
    /// `bytes_max` bytes, or the first batch whatever its size where `at_least_one` is set.
    ///
    /// # Errors
    /// Where the log does not have the offset, is deleted, or its file cannot be read or does not hold what was written.
    pub async fn read(
        &self,
        from: Offset,
        bytes_max: usize,
        limit: Offset,
        at_least_one: bool,
    ) -> Result<ReadBytes, LogReadError> {
        let want = Want { from, bytes_max, limit, at_least_one };
        self.0.read(want, false).await
    }

    /// As [`Log::read`], but what lies in a sealed segment may come as a range of its file.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub async fn read_or_range(
        &self,
        from: Offset,
        bytes_max: usize,
        limit: Offset,
        at_least_one: bool,
    ) -> Result<ReadBytes, LogReadError> {
        let want = Want { from, bytes_max, limit, at_least_one };
        self.0.read(want, true).await
    }
}

/// Bytes of a segment at hand: first from its file, then from its window.
pub(super) struct Region {
    start: u32,
    buffer: Option<AlignedBuf>,
    /// Bytes of the buffer that count.
    buffered: usize,
    leases: Vec<Lease>,
}

impl Region {
    pub(super) fn end(&self) -> u32 {
        let leased: usize = self.leases.iter().map(|lease| lease.len()).sum();
        self.start + (self.buffered + leased) as u32
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let buffer = self.buffer.as_ref().map(|buffer| &buffer[..self.buffered]);
        buffer.into_iter().chain(self.leases.iter().map(|lease| &**lease))
    }

    /// Copies bytes that are at hand.
    pub(super) fn copy_out(&self, position: u32, out: &mut [u8]) {
        let mut skip = (position - self.start) as usize;
        let mut filled = 0;
        for slice in self.slices() {
            let from = skip.min(slice.len());
            let count = (slice.len() - from).min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&slice[from..from + count]);
            filled += count;
            skip -= from;
        }
        assert_eq!(filled, out.len(), "the bytes are at hand");
    }

    fn into_parts(self, span: &Span) -> Vec<ReadPart> {
        let mut skip = (span.start - self.start) as usize;
        let mut left = (span.end - span.start) as usize;
        let mut parts = Vec::with_capacity(1 + self.leases.len());
        if let Some(buffer) = self.buffer {
            let from = skip.min(self.buffered);
            let count = (self.buffered - from).min(left);
            if count > 0 {
                parts.push(ReadPart::Piece(Piece::Aligned(buffer, from..from + count)));
            }
            skip -= from;
            left -= count;
        }
        for lease in self.leases {
            let from = skip.min(lease.len());
            let count = (lease.len() - from).min(left);
            if count > 0 {
                parts.push(ReadPart::Piece(Piece::Lease(lease.slice(from..from + count))));
            }
            skip -= from;
            left -= count;
        }
        parts
    }
}

/// Where a look into the log led.
enum Look {
    Done(ReadBytes),
    /// The segment's file has to be read from that position.
    Cold {
        base: Offset,
        position: u32,
    },
    /// The segment's index has to be loaded first.
    Unindexed {
        base: Offset,
    },
}

impl LogShared {
    async fn read(self: &Rc<Self>, want: Want, ranges: bool) -> Result<ReadBytes, LogReadError> {
        let mut needed = 0;
        loop {
            let look = self.look(&want)?;
            match look {
                Look::Done(bytes) => return Ok(bytes),
                Look::Unindexed { base } => self.load_index(base).await?,
                Look::Cold { base, position } => {
                    if let Some(bytes) =
                        self.read_cold(&want, base, position, ranges, &mut needed).await?
                    {
                        return Ok(bytes);
                    }
                }
            }
        }
    }

    /// Looks into memory.
    fn look(&self, want: &Want) -> Result<Look, LogReadError> {
        let mut core = self.core_mut();
        core.check_range(want.from)?;
        let limit = want.limit.min(core.end);
        let empty = ReadBytes { first: want.from, next: want.from, ..ReadBytes::default() };
        if want.from >= limit {
            return Ok(Look::Done(empty));
        }
        let mut index = core.segment_of(want.from);
        loop {
            let Some(segment) = core.segments.get(index) else { return Ok(Look::Done(empty)) };
            let base = segment.state.base;
            let Some(position) = core.position_of(index, want.from) else {
                return Ok(Look::Unindexed { base });
            };
            if position == segment.state.bytes {
                index += 1;
                continue;
            }
            if segment.window.start().is_none_or(|start| position < start) {
                return Ok(Look::Cold { base, position });
            }
            let header_at = |at: u32, head: &mut [u8; BATCH_HEADER_BYTES]| {
                segment.window.copy_out(at, head);
            };
            let (available, end_offset) = (segment.state.bytes, core.end_offset_of(index));
            let path = Path { position, expected: None, available, end_offset };
            match walk(segment, path, want, header_at)? {
                Walk::Found(span) => {
                    let bytes = (span.end - span.start) as usize;
                    let leases = segment.window.leases(span.start, bytes);
                    let parts =
                        leases.into_iter().map(|lease| ReadPart::Piece(Piece::Lease(lease)));
                    let parts = parts.collect();
                    core.remember(&span, base);
                    let read = ReadBytes { parts, bytes, first: span.first, next: span.next };
                    return Ok(Look::Done(read));
                }
                Walk::Passed => index += 1,
                Walk::Nothing | Walk::Missing { .. } => return Ok(Look::Done(empty)),
            }
        }
    }

    /// Reads a segment's file from `position` on; `None` to look again, further on.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before each await; the lint does not follow drops in branches"
    )]
    async fn read_cold(
        self: &Rc<Self>,
        want: &Want,
        base: Offset,
        position: u32,
        ranges: bool,
        needed: &mut usize,
    ) -> Result<Option<ReadBytes>, LogReadError> {
        if ranges && let Some(span) = self.indexed_span(want, base, position).await? {
            self.note_miss(base, position, (span.end - span.start) as usize);
            self.core_mut().remember(&span, base);
            return self.range(base, &span).await.map(Some);
        }
        let wanted = want.bytes_max.saturating_add(BLOCK).max(2 * INDEX_INTERVAL_BYTES);
        let bytes = (*needed).max(COLD_READ_BYTES_MAX.min(wanted));
        self.note_miss(base, position, bytes);
        let region = self.region(base, position, bytes).await?;
        let mut core = self.core_mut();
        core.check_range(want.from)?;
        let Some(index) = core.segment_index(base) else { return Ok(None) };
        let segment = &core.segments[index];
        let header_at = |at: u32, head: &mut [u8; BATCH_HEADER_BYTES]| region.copy_out(at, head);
        let (expected, end_offset) = (segment.offset_at(position), core.end_offset_of(index));
        let path = Path { position, expected, available: region.end(), end_offset };
        let span = match walk(segment, path, want, header_at)? {
            Walk::Found(span) => span,
            Walk::Nothing => {
                let empty = ReadBytes { first: want.from, next: want.from, ..ReadBytes::default() };
                return Ok(Some(empty));
            }
            Walk::Passed => {
                // The next look goes on in the next segment.
                let position = segment.state.bytes;
                core.cursors[0] = Some(Cursor { offset: want.from, base, position });
                return Ok(None);
            }
            Walk::Missing { position, needed: missing } => {
                *needed = missing + BLOCK;
                core.cursors[0] = Some(Cursor { offset: want.from, base, position });
                return Ok(None);
            }
        };
        core.remember(&span, base);
        let whole_in_file = segment_is_exact(&core.segments[index]);
        if ranges && whole_in_file {
            let span = lengthen(&core.segments[index], want, span);
            core.remember(&span, base);
            drop(core);
            return self.range(base, &span).await.map(Some);
        }
        drop(core);
        let (first, next, bytes) = (span.first, span.next, (span.end - span.start) as usize);
        Ok(Some(ReadBytes { parts: region.into_parts(&span), bytes, first, next }))
    }

    /// What a reader gets of a segment that can be sent from its file, if the index tells it.
    ///
    /// Of the segment itself only the first batch's header is read, through the page cache: what is sent comes from
    /// there, and a reader that goes on finds it read ahead.
    async fn indexed_span(
        self: &Rc<Self>,
        want: &Want,
        base: Offset,
        position: u32,
    ) -> Result<Option<Span>, LogReadError> {
        {
            let core = self.core();
            let Some(index) = core.segment_index(base) else { return Ok(None) };
            let segment = &core.segments[index];
            let has_header = position + BATCH_HEADER_BYTES as u32 <= segment.state.bytes;
            if !has_header || !segment_is_exact(segment) || !may_leap(segment, position, want) {
                return Ok(None);
            }
        }
        let head = self.read_header(base, position).await?;
        let core = self.core();
        core.check_range(want.from)?;
        let Some(index) = core.segment_index(base) else { return Ok(None) };
        let segment = &core.segments[index];
        let (expected, end_offset) = (segment.offset_at(position), core.end_offset_of(index));
        let path = Path { position, expected, available: segment.state.bytes, end_offset };
        Ok(leap_from(segment, &path, want, &head)?)
    }

    /// Reads the header of a batch through the page cache.
    async fn read_header(
        &self,
        base: Offset,
        position: u32,
    ) -> Result<[u8; BATCH_HEADER_BYTES], LogReadError> {
        let engine = &self.engine;
        let _permit = engine.cold_reads.acquire(1).await;
        let read = async {
            let access = Access::Cached;
            let file =
                engine.files.open(&engine.runtime, &engine.dir, self.id, base, access).await?;
            let (buffer, read) = file.read_at(AlignedBuf::zeroed(BLOCK), position.into()).await;
            match (read?, buffer.first_chunk()) {
                (BATCH_HEADER_BYTES.., Some(head)) => Ok(*head),
                _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        };
        read.await.map_err(|error| self.read_failed(base, error))
    }

    fn note_miss(&self, base: Offset, position: u32, bytes: usize) {
        let core = self.core();
        let Some(index) = core.segment_index(base) else { return };
        let missed_by = core.segments[index].missed_by(position, self.engine.evicted());
        self.engine.note_miss(missed_by, bytes);
    }

    async fn range(&self, base: Offset, span: &Span) -> Result<ReadBytes, LogReadError> {
        let engine = &self.engine;
        let opened =
            engine.files.open(&engine.runtime, &engine.dir, self.id, base, Access::Cached).await;
        let file = opened.map_err(|error| self.read_failed(base, error))?;
        let bytes = u64::from(span.end - span.start);
        let range = FileRange { file, offset: span.start.into(), bytes };
        Ok(ReadBytes {
            parts: vec![ReadPart::File(range)],
            bytes: bytes as usize,
            first: span.first,
            next: span.next,
        })
    }

    /// Brings bytes of a segment to hand: from the block that holds `position`, at least `bytes`
    /// of them where the segment has so many.
    pub(super) async fn region(
        &self,
        base: Offset,
        position: u32,
        bytes: usize,
    ) -> Result<Region, LogReadError> {
        let start = block_floor(position.into()) as u32;
        let (file_end, leases, end) = {
            let core = self.core();
            let index = core.segment_index(base).ok_or_else(|| core.gone())?;
            let segment = &core.segments[index];
            let wanted = u64::from(position) + bytes as u64;
            let end = block_ceil(wanted).min(segment.state.bytes.into()) as u32;
            let file_end = segment.window.start().unwrap_or(segment.state.bytes).clamp(start, end);
            let leases = segment.window.leases(file_end, (end - file_end) as usize);
            (file_end, leases, end)
        };
        debug_assert!(start <= end, "a position lies inside its segment");
        let buffered = (file_end - start) as usize;
        if buffered == 0 {
            return Ok(Region { start, buffer: None, buffered, leases });
        }
        let buffer = self.read_file(base, start, buffered).await?;
        Ok(Region { start, buffer: Some(buffer), buffered, leases })
    }

    async fn read_file(
        &self,
        base: Offset,
        start: u32,
        bytes: usize,
    ) -> Result<AlignedBuf, LogReadError> {
        let engine = self.engine.clone();
        let permit = engine.cold_reads.acquire(1).await;
        let (sender, receiver) = oneshot::channel();
        let id = self.id;
        let runtime = engine.runtime.clone();
        runtime.spawn(Lane::Background, async move {
            let _permit = permit;
            let read = async {
                let file = engine
                    .files
                    .open(&engine.runtime, &engine.dir, id, base, Access::Direct)
                    .await?;
                let buffer = AlignedBuf::zeroed(block_ceil(bytes as u64) as usize);
                let (buffer, read) = file.read_at(buffer, start.into()).await;
                if read? < bytes {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                Ok(buffer)
            };
            // A reader that went away needs no answer.
            let _ = sender.send(read.await);
        });
        match receiver.await {
            Some(result) => result.map_err(|error| self.read_failed(base, error)),
            None => Err(LogReadError::Deleted),
        }
    }

    /// A segment that went away while it was read is no failure of the disk.
    fn read_failed(&self, base: Offset, error: io::Error) -> LogReadError {
        let core = self.core();
        if core.deleted || core.segment_index(base).is_none() {
            return core.gone();
        }
        LogReadError::Io(error)
    }

    /// Loads the index of a segment from its file, or builds it from the segment.
    pub(super) async fn load_index(self: &Rc<Self>, base: Offset) -> Result<(), LogReadError> {
        let engine = &self.engine;
        let until = {
            let core = self.core();
            let index = core.segment_index(base).ok_or_else(|| core.gone())?;
            core.segments[index].index.from()
        };
        let path = index_path(&engine.dir, self.id, base);
        let file =
            engine.runtime.disk().read_whole(&path, SparseIndex::file_bytes_max(until)).await;
        let mut older = match file.map(|bytes| SparseIndex::decode(&bytes, base, until)) {
            Ok(Ok(index)) => index,
            // Missing, of another length or damaged: it is derived, so it is built again.
            _ => SparseIndex::starting_at(0, -1),
        };
        let mut damage = None;
        let mut expected = (older.covered() == 0).then_some(base);
        while older.covered() < until && damage.is_none() {
            let position = older.covered();
            let region = self.region(base, position, COLD_READ_BYTES_MAX).await?;
            damage = note_batches(&mut older, base, &mut expected, &region, until);
        }
        let mut core = self.core_mut();
        if let Some(damage) = damage {
            return Err(damage.into());
        }
        let index = core.segment_index(base).ok_or_else(|| core.gone())?;
        let segment = &mut core.segments[index];
        if segment.index.from() == until {
            let known = segment.index.entry_count();
            segment.index.prepend(older);
            let loaded = segment.index.entry_count() - known;
            drop(core);
            engine.index_loaded(self, base, loaded);
        }
        Ok(())
    }
}

/// Notes the batches that a region holds the headers of; the first begins with `expected`, if that is known.
fn note_batches(
    index: &mut SparseIndex,
    base: Offset,
    expected: &mut Option<Offset>,
    region: &Region,
    until: u32,
) -> Option<SegmentDamaged> {
    let mut head = [0; BATCH_HEADER_BYTES];
    while index.covered() < until && index.covered() + BATCH_HEADER_BYTES as u32 <= region.end() {
        let position = index.covered();
        region.copy_out(position, &mut head);
        let damaged = SegmentDamaged { base, position };
        let Ok(header) = BatchHeader::parse(&head) else { return Some(damaged) };
        let is_in_order = expected.is_none_or(|expected| header.base_offset == expected);
        if header.size_bytes > (until - position) as usize || !is_in_order {
            return Some(damaged);
        }
        *expected = Some(header.next_offset());
        index.note(base, header.base_offset, header.size_bytes as u32, header.max_timestamp);
    }
    let stuck = index.covered() < until && until - index.covered() < BATCH_HEADER_BYTES as u32;
    stuck.then(|| SegmentDamaged { base, position: index.covered() })
}

/// Whether all of a segment is in its file and stays as it is.
fn segment_is_exact(segment: &Segment) -> bool {
    segment.sealed && segment.written == segment.state.bytes
}

impl LogCore {
    /// Why a segment is not there: its log was deleted, or the log's start has passed it.
    pub(super) fn gone(&self) -> LogReadError {
        if self.deleted {
            return LogReadError::Deleted;
        }
        LogReadError::OutOfRange { start: self.readable_start, end: self.end }
    }

    pub(super) fn check_range(&self, from: Offset) -> Result<(), LogReadError> {
        if self.deleted {
            return Err(LogReadError::Deleted);
        }
        if from < self.readable_start || from > self.end {
            return Err(LogReadError::OutOfRange { start: self.readable_start, end: self.end });
        }
        Ok(())
    }

    /// The offset behind the last batch of a segment.
    pub(super) fn end_offset_of(&self, index: usize) -> Offset {
        self.segments.get(index + 1).map_or(self.end, |next| next.state.base)
    }

    /// The index of the segment that would hold an offset.
    pub(super) fn segment_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.state.base <= offset).saturating_sub(1)
    }

    /// A position in a segment from which a walk finds `offset`, if the index knows one.
    fn position_of(&self, index: usize, offset: Offset) -> Option<u32> {
        let segment = &self.segments[index];
        let base = segment.state.base;
        let cursor = self.cursors.iter().flatten();
        let remembered = cursor.filter(|cursor| cursor.offset == offset && cursor.base == base);
        if let Some(position) = remembered.map(|cursor| cursor.position).max() {
            return Some(position);
        }
        match segment.index.position_of(base, offset) {
            Some(position) => Some(position),
            None if segment.index.is_complete() || offset <= base => Some(0),
            None => None,
        }
    }

    /// Remembers where the next read goes on, most likely.
    fn remember(&mut self, span: &Span, base: Offset) {
        let cursor = Cursor { offset: span.next, base, position: span.end };
        if self.cursors[0].is_none_or(|known| known.offset != cursor.offset) {
            self.cursors[1] = self.cursors[0];
        }
        self.cursors[0] = Some(cursor);
    }
}
