//! Removing the files of segments that their logs have dropped: in the background, one at a time.

use std::io;
use std::rc::Rc;

use super::StoreCore;
use crate::runtime::sync::{select2, timeout};
use crate::storage::directory::{deleted_path, index_path, segment_path};
use crate::storage::log::removals::Doomed;
use crate::storage::slow_removal;

/// Files that are renamed before a pass of the write-behind may have its turn.
const RENAMED_TOGETHER: usize = 64;

impl StoreCore {
    /// Renames what was dropped and removes what has been renamed for long enough.
    pub(super) async fn remove_dropped_segments(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (woken, closed) = (engine.removals.woken.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                return;
            }
            let dropped = engine.removals.take_dropped(RENAMED_TOGETHER);
            if !dropped.is_empty() {
                self.rename(&dropped).await;
                continue;
            }
            let now = engine.runtime.now();
            if let Some(doomed) = engine.removals.take_due(now) {
                self.remove(&doomed).await;
                // Others that have waited for the disk's threads go first.
                engine.runtime.yield_now().await;
                continue;
            }
            match engine.removals.next_due() {
                None => drop(select2(woken, closed).await),
                Some(due) => {
                    let wait = due.saturating_since(now);
                    timeout(&engine.runtime, wait, select2(woken, closed)).await;
                }
            }
        }
    }

    /// Gives the files names under which nobody opens them any more. A pass may be writing to
    /// them, so that waits; a later one does not know them.
    async fn rename(&self, dropped: &[Doomed]) {
        let engine = &self.engine;
        let (disk, dir) = (engine.runtime.disk(), &engine.dir);
        let _turn = self.pass.acquire(1).await;
        for doomed in dropped {
            let path = segment_path(dir, doomed.log, doomed.base);
            let renamed = disk.rename(&path, &deleted_path(&path)).await;
            engine.files.close(doomed.log, Some(doomed.base));
            match renamed {
                Ok(()) => engine.removals.renamed(*doomed, engine.runtime.now()),
                // It was never written, or its topic is being deleted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an old segment could not be renamed: the next start removes it");
                }
            }
            let index = index_path(dir, doomed.log, doomed.base);
            engine.report_removal(disk.remove_file(&index).await, &index);
        }
    }

    async fn remove(&self, doomed: &Doomed) {
        let engine = &self.engine;
        let path = deleted_path(&segment_path(&engine.dir, doomed.log, doomed.base));
        let bytes = doomed.bytes.into();
        let hurries = || self.hurries();
        let removed = slow_removal::remove_file(&engine.runtime, &path, bytes, &hurries).await;
        engine.report_removal(removed, &path);
    }

    /// Whether what is being removed is to go at once: its space is wanted, or the store ends.
    pub(super) fn hurries(&self) -> bool {
        self.closing.get() || self.engine.full_until().is_some() || self.engine.failure().is_some()
    }
}
