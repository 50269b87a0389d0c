//! The segment files that a shard holds open: at most so many, longest unused first out.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::model::{LogId, Offset};
use crate::runtime::Runtime;
use crate::runtime::disk::{File, OpenMode, is_shortage};
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
pub struct OpenSegments {
    count_max: usize,
    files: RefCell<FxHashMap<Key, (File, u64)>>,
    uses: Cell<u64>,
    /// How often files were closed because their segments are gone.
    closes: Cell<u64>,
}

/// Of the files that are open when there are too many, one in so many is closed.
const CLOSED_TOGETHER_SHARE: usize = 8;

impl OpenSegments {
    /// None yet, and never more than `count_max`.
    pub fn new(count_max: usize) -> OpenSegments {
        let (files, uses, closes) = Default::default();
        OpenSegments { count_max, files, uses, closes }
    }

    /// How many may be open.
    pub fn count_max(&self) -> usize {
        self.count_max
    }

    /// The file of a segment, which exists.
    ///
    /// # Errors
    /// Where it is not there, or no descriptor is free.
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
    ///
    /// # Errors
    /// What the disk says, and where no descriptor is free.
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
        let path = segment_path(dir, key.0, key.1);
        let mut opened = runtime.disk().open(&path, mode).await;
        if opened.as_ref().is_err_and(is_shortage) {
            // What is open and not in use makes room.
            self.files.borrow_mut().clear();
            opened = runtime.disk().open(&path, mode).await;
        }
        let file = opened?;
        if self.closes.get() != closes {
            // It may have been this one, and nobody would close it again.
            return Ok(file);
        }
        let mut files = self.files.borrow_mut();
        files.insert(key, (file.clone(), used));
        if files.len() > self.count_max {
            let closed = files.len().div_ceil(CLOSED_TOGETHER_SHARE);
            let mut ages: Vec<(u64, Key)> =
                files.iter().map(|(key, file)| (file.1, *key)).collect();
            ages.sort_unstable_by_key(|(age, _)| *age);
            for (_, key) in &ages[..closed] {
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
