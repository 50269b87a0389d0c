//! Writing batches that go past the journal, and making segments ready for them.

use std::io;
use std::rc::Rc;

use super::StoreCore;
use super::pace::WRITE_BYTES_MAX;
use crate::model::Offset;
use crate::runtime::disk::sync_failed;
use crate::runtime::sync::{select2, timeout};
use crate::storage::directory::partition_dir;
use crate::storage::log::blocks::Blocks;
use crate::storage::log::bypass::BypassWrite;
use crate::storage::log::directories;
use crate::storage::log::engine::FULL_TRIED_EVERY;
use crate::storage::log::failure::may_pass;
use crate::storage::log::open_segments::Access;
use crate::storage::log::partition_log::LogShared;

/// So often a write past the journal is tried while the disk is full. Its space was set aside, so that only a file
/// system that does not keep to that gets here; the entries behind this one, deletions among them, wait for it.
const FULL_TRIES_MAX: u32 = 30;
/// Writes past the journal that are in flight at once, each to another log.
pub(super) const BYPASS_WRITERS: usize = 4;

impl StoreCore {
    /// Writes what goes past the journal, and lets go of the entries that wait for it.
    pub(super) async fn write_past_the_journal(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (wanted, closed) = (engine.bypass.write_wanted.listen(), self.closed.listen());
            if engine.failure().is_some() {
                return;
            }
            match engine.bypass.take() {
                Some(write) => {
                    drop((wanted, closed));
                    self.write_until_done(&write).await;
                }
                // What is appended before a stop is still written.
                None if self.closing.get() => return,
                None => drop(select2(wanted, closed).await),
            }
        }
    }

    async fn write_until_done(&self, write: &BypassWrite) {
        let engine = &self.engine;
        let mut tries = 0;
        while let Err(error) = self.write_blocks(write).await {
            tries += 1;
            if !may_pass(&error) || self.closing.get() || tries == FULL_TRIES_MAX {
                return engine.fail("writing a batch to its segment", &error);
            }
            // Nothing is synced of what was not written, so it may be written again.
            engine.note_full(&error);
            timeout(&engine.runtime, FULL_TRIED_EVERY, self.closed.listen()).await;
        }
        if let Some(log) = write.log.upgrade() {
            let mut core = log.core_mut();
            if let Some(index) = core.segment_index(write.base) {
                let segment = &mut core.segments[index];
                segment.written = segment.written.max(write.to);
                engine.cached(&log, write.base);
            }
        }
        engine.bypass.done(write);
        engine.relieved.notify_all();
        engine.journal.release(&write.sequences);
    }

    async fn write_blocks(&self, write: &BypassWrite) -> io::Result<()> {
        let engine = &self.engine;
        let (runtime, dir) = (&engine.runtime, &engine.dir);
        let file = engine.files.open(runtime, dir, write.id, write.base, Access::Direct).await?;
        let mut blocks = Blocks::new(&write.leases, write.from, write.to);
        while let Some((position, pieces)) = blocks.next(WRITE_BYTES_MAX) {
            file.write_at(pieces, position.into()).await?;
        }
        file.sync_data().await.map_err(sync_failed)
    }

    /// Makes segments ready for batches that go past the journal.
    pub(super) async fn make_segments_ready(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (wanted, closed) = (engine.bypass.ready_wanted.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            match engine.bypass.take_unready() {
                Some(log) => self.make_ready(&log).await,
                None => drop(select2(wanted, closed).await),
            }
        }
    }

    async fn make_ready(&self, log: &Rc<LogShared>) {
        let engine = &self.engine;
        // The directory of a log that is being deleted is not made again.
        let _alone = self.removing.acquire(1).await;
        let (base, from, to, is_new) = {
            let mut core = log.core_mut();
            let segment_bytes_max = core.config.segment_bytes_max();
            let is_deleted = core.deleted;
            let active = core.active_mut();
            let (from, to) = active.ready_next(segment_bytes_max);
            // Another segment may have begun since this was asked for.
            let is_wanted = active.is_readied && !active.is_being_written && from < to;
            if is_deleted || !is_wanted {
                active.is_readied = false;
                return;
            }
            (active.state.base, from, to, active.ready == 0 && active.written_or_bypassed() == 0)
        };
        let made = self.set_aside(log, base, from..to, is_new).await;
        let mut core = log.core_mut();
        core.has_directory |= made.is_ok();
        if let Some(index) = core.segment_index(base) {
            let segment = &mut core.segments[index];
            segment.is_readied = false;
            if made.is_ok() {
                segment.allocated = segment.allocated.max(to);
                segment.ready = if segment.sealed { 0 } else { to };
            }
        }
        drop(core);
        match made {
            Ok(()) => {}
            // Batches go through the journal meanwhile. A file system may have no way to set space aside.
            Err(error) if may_pass(&error) || error.kind() == io::ErrorKind::Unsupported => {
                engine.bypass.put_off(engine.runtime.now() + FULL_TRIED_EVERY);
            }
            Err(error) => engine.fail("making a segment ready", &error),
        }
    }

    /// Makes the file of a segment, if it is new, and sets space aside in it.
    async fn set_aside(
        &self,
        log: &Rc<LogShared>,
        base: Offset,
        range: std::ops::Range<u32>,
        is_new: bool,
    ) -> io::Result<()> {
        let engine = &self.engine;
        let (runtime, dir, id) = (&engine.runtime, &engine.dir, log.id);
        let has_directory = log.core().has_directory;
        if !has_directory {
            engine.make_directory(log).await?;
        }
        let file = if is_new {
            engine.files.create(runtime, dir, id, base).await?
        } else {
            engine.files.open(runtime, dir, id, base, Access::Direct).await?
        };
        file.allocate(range.start.into(), range.len() as u64).await?;
        if !has_directory {
            for directory in directories::holders(dir, id) {
                runtime.disk().sync_dir(&directory).await?;
            }
        } else if is_new {
            runtime.disk().sync_dir(&partition_dir(dir, id)).await?;
        }
        Ok(())
    }
}
