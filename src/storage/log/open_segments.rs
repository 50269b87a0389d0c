//! The segment files that a shard holds open: at most `OPEN_SEGMENTS_MAX`, longest unused first out.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::model::limits::OPEN_SEGMENTS_MAX;
use crate::model::{LogId, Offset};
use crate::runtime::Runtime;
use crate::runtime::disk::{File, OpenMode};
use crate::storage::directory::segment_path;

/// How a segment's file is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Direct reads and writes of whole blocks.
    Direct,
    /// Through the page cache, for `sendfile`.
    Cached,
}

type Key = (LogId, Offset, Access);

/// Open files by segment.
#[derive(Default)]
pub struct OpenSegments {
    files: RefCell<FxHashMap<Key, (File, u64)>>,
    uses: Cell<u64>,
    /// How often files were closed because their segments are gone.
    closes: Cell<u64>,
}

/// Files that are closed at once when there are too many.
const CLOSED_TOGETHER: usize = OPEN_SEGMENTS_MAX / 8;

impl OpenSegments {
    /// The file of a segment, which exists.
    pub async fn open(
        &self,
        runtime: &Runtime,
        dir: &Path,
        id: LogId,
        base: Offset,
        access: Access,
    ) -> io::Result<File> {
        let mode = match access {
            Access::Direct => OpenMode { write: true, ..OpenMode::READ_DIRECT },
            Access::Cached => OpenMode::READ,
        };
        self.open_as(runtime, dir, (id, base, access), mode).await
    }

    /// The file of a segment that is written for the first time.
    pub async fn create(
        &self,
        runtime: &Runtime,
        dir: &Path,
        id: LogId,
        base: Offset,
    ) -> io::Result<File> {
        let mode = OpenMode { write: true, create: true, ..OpenMode::READ_DIRECT };
        self.open_as(runtime, dir, (id, base, Access::Direct), mode).await
    }

    async fn open_as(
        &self,
        runtime: &Runtime,
        dir: &Path,
        key: Key,
        mode: OpenMode,
    ) -> io::Result<File> {
        let used = self.uses.get();
        self.uses.set(used + 1);
        if let Some((file, last)) = self.files.borrow_mut().get_mut(&key) {
            *last = used;
            return Ok(file.clone());
        }
        let closes = self.closes.get();
        let file = runtime.disk().open(&segment_path(dir, key.0, key.1), mode).await?;
        if self.closes.get() != closes {
            // It may have been this one, and nobody would close it again.
            return Ok(file);
        }
        let mut files = self.files.borrow_mut();
        files.insert(key, (file.clone(), used));
        if files.len() > OPEN_SEGMENTS_MAX {
            let mut ages: Vec<(u64, Key)> =
                files.iter().map(|(key, file)| (file.1, *key)).collect();
            ages.select_nth_unstable_by_key(CLOSED_TOGETHER, |(age, _)| *age);
            for (_, key) in &ages[..CLOSED_TOGETHER] {
                files.remove(key);
            }
        }
        Ok(file)
    }

    /// Closes a log's files, or those of one of its segments.
    pub fn close(&self, id: LogId, base: Option<Offset>) {
        self.closes.set(self.closes.get() + 1);
        self.files
            .borrow_mut()
            .retain(|key, _| key.0 != id || base.is_some_and(|base| base != key.1));
    }

    /// Files that are open.
    pub fn count(&self) -> usize {
        self.files.borrow().len()
    }
}
