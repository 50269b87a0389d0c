//! Bringing a log's last partial block to memory: from its state when it is opened, or back from a cut file before
//! the log is appended to again.

use std::rc::Rc;

use super::entries::Place;
use super::failure::{LogAppendError, StorageFailed};
use super::open_segments::Access;
use super::partition_log::{LogCore, LogShared};
use crate::model::Offset;
use crate::model::units::{BLOCK, block_ceil, block_floor};
use crate::runtime::AlignedBuf;
use crate::storage::journal::EntryKind;

impl LogShared {
    /// Takes the end that its file lacks from its state to memory; false where there is too little for that.
    pub fn take_tail(self: &Rc<Self>, tail: &[u8]) -> bool {
        if tail.is_empty() {
            return true;
        }
        let mut core = self.core_mut();
        let active = core.active_mut();
        let written = active.state.bytes - tail.len() as u32;
        if !active.window.grow(self.engine.runtime.arena(), tail.len(), written) {
            return false;
        }
        active.window.append(tail);
        active.written = written;
        // The file may go on with what never came to be part of the log: it is cut when it is to be exact.
        active.allocated = block_ceil(active.state.bytes.into()) as u32;
        drop(core);
        self.awake.set(true);
        self.engine.awaken(self);
        true
    }

    /// Reads the last partial block back into memory and logs it, so that it may be written again.
    pub(super) async fn load_tail(self: &Rc<Self>) -> Result<(), LogAppendError> {
        let loaded = self.loaded.listen();
        if self.loading.replace(true) {
            loaded.await;
            return Ok(());
        }
        // Whoever reads may give up, as a connection does that is closed: the next one reads then.
        let _loading = Loading(self);
        self.load_tail_alone().await
    }

    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "dropped before each await; the lint does not follow drops in branches"
    )]
    async fn load_tail_alone(self: &Rc<Self>) -> Result<(), LogAppendError> {
        let engine = &self.engine;
        let began = engine.runtime.now();
        let (place, bytes) = {
            let core = self.core();
            let state = core.active().state;
            let position = block_floor(state.bytes.into()) as u32;
            (Place { base: state.base, position }, (state.bytes - position) as usize)
        };
        let result = self.read_block(place, bytes).await;
        if !self.lacks_tail_of(place.base) {
            // Retention has rolled the segment meanwhile, and its file may be gone.
            return Ok(());
        }
        let block = result.map_err(|error| {
            StorageFailed(
                format!("reading the last block of segment {} back: {error}", place.base).into(),
            )
        })?;
        loop {
            let relieved = engine.relieved.listen();
            if let Some(failed) = engine.failure() {
                return Err(failed.into());
            }
            if !self.lacks_tail_of(place.base) {
                return Ok(());
            }
            let mut core = self.core_mut();
            let arena = engine.runtime.arena();
            let fits =
                |core: &mut LogCore| core.active_mut().window.grow(arena, bytes, place.position);
            if engine.evict_until(self, &mut core, fits) {
                let active = core.active_mut();
                active.window.append(&block[..bytes]);
                active.written = place.position;
                self.log_change(&mut core, EntryKind::Tail, &place.encode(), &block[..bytes]);
                core.tail_logged = core.covered;
                drop(core);
                if !self.awake.replace(true) {
                    engine.awaken(self);
                }
                return Ok(());
            }
            drop(core);
            engine.want_memory(began);
            engine.wait_relief(relieved).await;
        }
    }

    /// Whether that segment is still the active one, and its last block not in memory.
    fn lacks_tail_of(&self, base: Offset) -> bool {
        let core = self.core();
        !core.deleted && core.active().state.base == base && core.active().is_cut()
    }

    async fn read_block(&self, place: Place, bytes: usize) -> std::io::Result<AlignedBuf> {
        let engine = &self.engine;
        let access = Access::Direct;
        let file =
            engine.files.open(&engine.runtime, &engine.dir, self.id, place.base, access).await?;
        let (block, read) =
            file.read_at(AlignedBuf::zeroed(BLOCK), u64::from(place.position)).await;
        if read? < bytes {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(block)
    }
}

/// While it lives, a tail is being read.
struct Loading<'a>(&'a LogShared);

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loading.set(false);
        self.0.loaded.notify_all();
    }
}
