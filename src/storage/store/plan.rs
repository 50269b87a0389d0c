//! What of a log is to be written to its segments: decided in one step, carried out later.
//!
//! A plan holds leases on the bytes, so that appends and rolls may go on while it is carried out.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::pace::Pace;
use crate::model::units::{BLOCK, KIB, MIB, block_ceil, block_floor};
use crate::model::{LogId, Offset};
use crate::runtime::AlignedBuf;
use crate::runtime::disk::{File, OpenMode};
use crate::runtime::memory::{Lease, Piece};
use crate::storage::directory::index_path;
use crate::storage::log::blocks::Blocks;
use crate::storage::log::engine::Engine;
use crate::storage::log::open_segments::Access;
use crate::storage::log::partition_log::LogShared;
use crate::storage::log::segment::Segment;

/// Disk space is set aside in steps that double with the segment, between these: a thousand partitions with
/// little in them shall not take a thousand times much.
const ALLOCATION_BYTES_MIN: u32 = 64 * KIB as u32;
const ALLOCATION_BYTES_MAX: u32 = 64 * MIB as u32;

/// How much of the ragged tails is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tails {
    /// Only sealed segments are written to their exact end.
    Keep,
    /// The active segment is, too, and its file cut.
    Cut,
}

/// What is to be written of one segment.
pub struct SegmentPlan {
    /// Its base offset.
    pub base: Offset,
    /// From this block on.
    from: u32,
    /// Up to here.
    pub to: u32,
    /// The file is cut there.
    pub exact: bool,
    /// The file is written for the first time.
    create: bool,
    /// Disk space is set aside up to here.
    pub allocate: Option<u32>,
    /// Up to where it was when this was planned.
    pub allocated: u32,
    leases: Vec<Lease>,
    index: Option<Vec<u8>>,
}

/// What is to be written of one log.
pub struct LogPlan {
    /// The log.
    pub log: Rc<LogShared>,
    /// The segments, in order.
    pub segments: Vec<SegmentPlan>,
    /// Its directory is made first.
    pub makes_directory: bool,
}

impl LogPlan {
    /// Plans a log as it is now.
    pub fn new(log: &Rc<LogShared>, tails: Tails) -> LogPlan {
        let mut core = log.core_mut();
        let mut segments: Vec<SegmentPlan> = Vec::new();
        // Behind a sealed segment that a pass has written to its end come only such.
        for segment in core.segments.iter().rev() {
            match SegmentPlan::new(segment, tails) {
                Some(plan) => segments.push(plan),
                None if segment.sealed && segment.bypassed < segment.state.bytes => break,
                None => {}
            }
        }
        segments.reverse();
        let makes_directory = !core.has_directory && !segments.is_empty();
        let active = core.active_mut();
        let written = segments.last().filter(|last| last.base == active.state.base);
        active.is_being_written = written.is_some();
        if written.is_some_and(|last| last.exact) {
            // What was set aside behind its end goes, whatever else becomes of the pass.
            active.ready = 0;
        }
        drop(core);
        LogPlan { log: log.clone(), segments, makes_directory }
    }

    /// Makes the log's directory if it has none. It is not durable yet.
    pub(super) async fn make_directory(&self, engine: &Engine) -> io::Result<()> {
        if self.makes_directory { engine.make_directory(&self.log).await } else { Ok(()) }
    }
}

impl SegmentPlan {
    fn new(segment: &Segment, tails: Tails) -> Option<SegmentPlan> {
        let exact = segment.sealed || tails == Tails::Cut;
        let to = segment.write_target(exact);
        let surplus = exact && segment.allocated > to;
        let from = segment.written_or_bypassed();
        if to == from && !surplus {
            return None;
        }
        let leases = segment.window.leases_to_write(from, (to - from) as usize);
        let whole = block_ceil(to.into()) as u32;
        let step = to.clamp(ALLOCATION_BYTES_MIN, ALLOCATION_BYTES_MAX);
        let allocate = (!exact && whole > segment.allocated).then(|| whole.saturating_add(step));
        let index = (exact && segment.index.is_complete())
            .then(|| segment.index.encode(segment.state.base));
        Some(SegmentPlan {
            base: segment.state.base,
            from,
            to,
            exact,
            create: segment.written == 0,
            allocate,
            allocated: segment.allocated,
            leases,
            index,
        })
    }

    /// Whether the file is new, so that its directory is to be synced.
    pub fn creates(&self) -> bool {
        self.create
    }

    /// Writes what is planned of a log's segment; gives the file to be synced. Nothing of it is durable yet.
    pub(super) async fn write(
        &self,
        engine: &Engine,
        pace: &Pace<'_>,
        id: LogId,
    ) -> io::Result<File> {
        let (runtime, dir) = (&engine.runtime, &engine.dir);
        let file = if self.create {
            engine.files.create(runtime, dir, id, self.base).await?
        } else {
            engine.files.open(runtime, dir, id, self.base, Access::Direct).await?
        };
        if let Some(allocate) = self.allocate {
            let bytes = allocate - self.from;
            match file.allocate(self.from.into(), bytes.into()).await {
                // The file system cannot: the space is then found block by block.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
                result => result?,
            }
        }
        if self.to > self.from {
            self.write_bytes(&file, pace).await?;
        }
        if self.exact {
            file.set_len(self.to.into()).await?;
        }
        if let Some(index) = &self.index {
            let path = index_path(dir, id, self.base);
            if let Err(error) = write_index(engine, &path, index).await {
                tracing::warn!(path = %path.display(), %error, "an index could not be written: it is built again when it is needed");
            }
        }
        Ok(file)
    }

    /// Writes whole blocks straight from the chunks, and a copy of the last, partial one.
    async fn write_bytes(&self, file: &File, pace: &Pace<'_>) -> io::Result<()> {
        assert_eq!(self.from as usize % BLOCK, 0, "the file has whole blocks, or it is cut");
        let whole = block_floor(self.to.into()) as u32;
        let mut blocks = Blocks::new(&self.leases, self.from, whole);
        while let Some((position, pieces)) = blocks.next(pace.write_bytes_max()) {
            let bytes = pieces.iter().map(|piece| piece.len()).sum();
            pace.piece(file.write_at(pieces, position.into())).await?;
            pace.wrote(bytes);
        }
        let mut rest = AlignedBuf::zeroed(BLOCK);
        let ragged = blocks.copy_rest(&mut rest);
        if ragged > 0 {
            let last = vec![Piece::Aligned(rest, 0..BLOCK)];
            pace.piece(file.write_at(last, whole.into())).await?;
        }
        Ok(())
    }
}

/// Writes an index beside its segment. It is derived, so a damaged or missing one harms nothing.
async fn write_index(engine: &Engine, path: &Path, index: &[u8]) -> io::Result<()> {
    let derived = engine.runtime.disk().open(path, OpenMode::CREATE).await?;
    derived.set_len(0).await?;
    derived.write_at(vec![Piece::Vec(index.to_vec())], 0).await
}
