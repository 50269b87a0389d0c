//! Deleting whole logs: at once for everybody who has them, their files in the background.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use super::{Store, StoreCore};
use crate::model::LogId;
use crate::runtime::sync::{Event, oneshot, select2};
use crate::storage::directory::partition_dir;
use crate::storage::journal::{EntryKind, Sequence};
use crate::storage::log::partition_log::LogShared;
use crate::storage::log::{Log, StorageFailed, directories};
use crate::storage::slow_removal;

/// Logs whose directories are set aside before a pass of the write-behind may have its turn.
const REMOVED_TOGETHER: usize = 64;

/// A log whose files are to go.
struct Deleted {
    log: Rc<LogShared>,
    /// Its last entry.
    sequence: Sequence,
    done: oneshot::Sender<()>,
}

/// The logs whose files are to go.
#[derive(Default)]
pub(super) struct Deletions {
    queue: RefCell<VecDeque<Deleted>>,
    woken: Event,
}

impl Store {
    /// Deletes a log, at once for everybody who has it. What is returned waits until that is durable
    /// and its files are gone, which happens also when nobody waits; a stop leaves what is not yet
    /// begun to the next start.
    ///
    /// # Errors
    /// When the directory fails before.
    pub fn delete(&self, id: LogId) -> impl Future<Output = Result<(), StorageFailed>> + use<> {
        let core = self.0.clone();
        let done = core.forget(id);
        async move {
            let Some(done) = done else { return Ok(()) };
            match (done.await, core.engine.failure()) {
                (None, Some(failure)) => Err(failure),
                _ => Ok(()),
            }
        }
    }
}

impl StoreCore {
    /// Nobody finds the log any more; gives what tells when its files are gone.
    fn forget(&self, id: LogId) -> Option<oneshot::Receiver<()>> {
        let Log(log) = self.logs.borrow_mut().remove(&id)?;
        log.delete();
        // Before anything else, so that no checkpoint is without the log and without this.
        log.log_change(&mut log.core_mut(), EntryKind::Delete, &[], &[]);
        if self.base.borrow_mut().remove(&id) {
            self.deleted_of_base.borrow_mut().push(id);
        }
        let (done, removed) = oneshot::channel();
        let sequence = log.core().covered;
        self.deletions.queue.borrow_mut().push_back(Deleted { log, sequence, done });
        self.deletions.woken.notify_all();
        Some(removed)
    }

    /// Removes the files of deleted logs. What is left of them at a crash belongs to topics that the
    /// metadata does not know any more, by which the next start finds it.
    pub(super) async fn remove_deleted_logs(self: Rc<Self>) {
        let engine = &self.engine;
        loop {
            let (woken, closed) = (self.deletions.woken.listen(), self.closed.listen());
            if self.closing.get() || engine.failure().is_some() {
                // Whoever waits for the others is told.
                self.deletions.queue.borrow_mut().clear();
                return;
            }
            let some: Vec<Deleted> = {
                let mut queue = self.deletions.queue.borrow_mut();
                let count = queue.len().min(REMOVED_TOGETHER);
                queue.drain(..count).collect()
            };
            match some.last().map(|last| last.sequence) {
                None => drop(select2(woken, closed).await),
                // No file goes before it is durable that nobody needs it.
                Some(last) if engine.journal.wait_durable(last).await.is_ok() => {
                    self.remove_logs(some).await;
                }
                // The store has failed, which the next turn sees.
                Some(_) => {}
            }
        }
    }

    async fn remove_logs(&self, logs: Vec<Deleted>) {
        let (engine, runtime) = (&self.engine, &self.engine.runtime);
        let mut aside = Vec::with_capacity(logs.len());
        {
            // A pass may be writing to the files that are to go, or a segment's may just be made.
            let _turn = self.pass.acquire(1).await;
            let _alone = self.removing.acquire(1).await;
            for Deleted { log, .. } in &logs {
                engine.removals.forget(log.id);
                engine.files.close(log.id, None);
                aside.push(directories::set_aside(runtime, &engine.dir, log.id).await);
            }
        }
        for (Deleted { log, done, .. }, aside) in logs.into_iter().zip(aside) {
            if self.closing.get() {
                // The next start finds what is left by its topics, which nobody knows any more.
                return;
            }
            let removed = self.remove_set_aside(&log, aside).await;
            engine.report_removal(removed, &partition_dir(&engine.dir, log.id));
            tracing::info!(log = %log.id, "partition deleted");
            // Nobody need wait for it.
            let _ = done.send(());
        }
    }

    async fn remove_set_aside(
        &self,
        log: &LogShared,
        aside: io::Result<Option<PathBuf>>,
    ) -> io::Result<()> {
        let engine = &self.engine;
        if let Some(aside) = aside? {
            slow_removal::remove_directory(&engine.runtime, &aside, &|| self.hurries()).await?;
        }
        directories::remove_empty(&engine.runtime, &engine.dir, log.id, &log.topic).await
    }
}
