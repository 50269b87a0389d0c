//! The simulated disk: files and directories in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::executor::Core;
use crate::runtime::disk::{DirEntry, Issued, OpenMode};
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::sync::oneshot;

type Content = Rc<RefCell<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Entry {
    Dir,
    File(Content),
    Link(PathBuf),
}

/// A disk that nodes share or own; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    core: Rc<Core>,
    entries: Rc<RefCell<BTreeMap<PathBuf, Entry>>>,
}

/// An open file on a simulated disk.
#[derive(Clone)]
pub struct SimFile {
    core: Rc<Core>,
    content: Content,
    write: bool,
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SimFile({} bytes)", self.content.borrow().len())
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl SimDisk {
    pub(super) fn empty(core: &Rc<Core>) -> SimDisk {
        let root = BTreeMap::from([(PathBuf::from("/"), Entry::Dir)]);
        SimDisk { core: core.clone(), entries: Rc::new(RefCell::new(root)) }
    }

    async fn delay(&self) {
        let options = self.core.options;
        self.core.delay(options.disk_latency_min, options.disk_latency_max).await;
    }

    fn parent_must_exist(&self, path: &Path) -> io::Result<()> {
        match path.parent().map(|parent| self.entries.borrow().get(parent).cloned()) {
            Some(Some(Entry::Dir)) => Ok(()),
            _ => Err(not_found()),
        }
    }

    pub(in crate::runtime) async fn open(
        &self,
        path: &Path,
        mode: OpenMode,
    ) -> io::Result<SimFile> {
        self.delay().await;
        let found = self.entries.borrow().get(path).cloned();
        let content = match found {
            Some(Entry::File(_)) if mode.exclusive => {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            Some(Entry::File(content)) => content,
            Some(_) => return Err(io::Error::other("not a file")),
            None if mode.create || mode.exclusive => {
                self.parent_must_exist(path)?;
                let content = Content::default();
                self.entries.borrow_mut().insert(path.into(), Entry::File(content.clone()));
                content
            }
            None => return Err(not_found()),
        };
        Ok(SimFile { core: self.core.clone(), content, write: mode.write })
    }

    pub(in crate::runtime) async fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.delay().await;
        let mut entries = self.entries.borrow_mut();
        for ancestor in path.ancestors() {
            entries.entry(ancestor.into()).or_insert(Entry::Dir);
        }
        Ok(())
    }

    pub(in crate::runtime) async fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.delay().await;
        let mut entries = self.entries.borrow_mut();
        match entries.get(path) {
            Some(Entry::File(_) | Entry::Link(_)) => {
                entries.remove(path);
                Ok(())
            }
            _ => Err(not_found()),
        }
    }

    pub(in crate::runtime) async fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.delay().await;
        let mut entries = self.entries.borrow_mut();
        if !entries.contains_key(path) {
            return Err(not_found());
        }
        entries.retain(|entry, _| !entry.starts_with(path));
        Ok(())
    }

    pub(in crate::runtime) async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.delay().await;
        self.parent_must_exist(to)?;
        let mut entries = self.entries.borrow_mut();
        let entry = entries.remove(from).ok_or_else(not_found)?;
        entries.insert(to.into(), entry);
        Ok(())
    }

    pub(in crate::runtime) async fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.delay().await;
        self.parent_must_exist(link)?;
        let mut entries = self.entries.borrow_mut();
        if entries.contains_key(link) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        entries.insert(link.into(), Entry::Link(target.into()));
        Ok(())
    }

    pub(in crate::runtime) async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.delay().await;
        if self.entries.borrow().contains_key(path) { Ok(()) } else { Err(not_found()) }
    }

    pub(in crate::runtime) async fn sync_filesystem(&self, _path: &Path) -> io::Result<()> {
        self.delay().await;
        Ok(())
    }

    pub(in crate::runtime) async fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.delay().await;
        let entries = self.entries.borrow();
        if !entries.contains_key(path) {
            return Err(not_found());
        }
        let children = entries.iter().filter(|(child, _)| child.parent() == Some(path));
        Ok(children
            .filter_map(|(child, entry)| {
                let name = child.file_name()?.to_str()?.to_string();
                let (is_dir, len) = match entry {
                    Entry::Dir => (true, 0),
                    Entry::File(content) => (false, content.borrow().len() as u64),
                    Entry::Link(_) => (false, 0),
                };
                Some(DirEntry { name, is_dir, len })
            })
            .collect())
    }

    pub(in crate::runtime) async fn read_whole(
        &self,
        path: &Path,
        len_max: usize,
    ) -> io::Result<Vec<u8>> {
        let file = self.open(path, OpenMode::READ).await?;
        let content = file.content.borrow();
        if content.len() > len_max {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(content.clone())
    }

    pub(in crate::runtime) async fn write_whole(
        &self,
        path: &Path,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.delay().await;
        self.parent_must_exist(path)?;
        let content = Rc::new(RefCell::new(bytes.to_vec()));
        self.entries.borrow_mut().insert(path.into(), Entry::File(content));
        Ok(())
    }

    pub(in crate::runtime) async fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(1 << 40)
    }
}

impl SimFile {
    async fn delay(&self) {
        let options = self.core.options;
        self.core.delay(options.disk_latency_min, options.disk_latency_max).await;
    }

    fn put(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if !self.write {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let mut content = self.content.borrow_mut();
        let end = offset as usize + bytes.len();
        if content.len() < end {
            content.resize(end, 0);
        }
        content[offset as usize..end].copy_from_slice(bytes);
        self.core.note(b'w', offset);
        Ok(())
    }

    pub(in crate::runtime) async fn read_at(
        &self,
        mut buffer: AlignedBuf,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        self.delay().await;
        let content = self.content.borrow();
        let start = (offset as usize).min(content.len());
        let count = buffer.len().min(content.len() - start);
        buffer[..count].copy_from_slice(&content[start..start + count]);
        (buffer, Ok(count))
    }

    pub(in crate::runtime) async fn write_at(
        &self,
        pieces: Vec<Piece>,
        mut offset: u64,
    ) -> io::Result<()> {
        self.delay().await;
        for piece in pieces {
            self.put(&piece, offset)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    pub(in crate::runtime) async fn sync_data(&self) -> io::Result<()> {
        self.delay().await;
        self.core.note(b's', 0);
        Ok(())
    }

    pub(in crate::runtime) async fn commit(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> (AlignedBuf, io::Result<()>) {
        self.delay().await;
        let result = self.put(&buffer[..len], offset);
        (buffer, result)
    }

    pub(in crate::runtime) fn write_issued(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> Issued {
        let (accepted, was_accepted) = oneshot::channel();
        let (done, was_done) = oneshot::channel();
        let file = self.clone();
        self.core.spawn(Box::pin(async move {
            let result = file.put(&buffer[..len], offset);
            let _ = accepted.send(result.is_ok());
            file.delay().await;
            let _ = done.send((buffer, result));
        }));
        Issued {
            accepted: Box::pin(async move { was_accepted.await.unwrap_or(false) }),
            done: Box::pin(async move {
                was_done.await.expect("the write's task lives until it has sent its result")
            }),
        }
    }

    pub(in crate::runtime) async fn allocate(&self, _offset: u64, _len: u64) -> io::Result<()> {
        self.delay().await;
        Ok(())
    }

    pub(in crate::runtime) async fn set_len(&self, len: u64) -> io::Result<()> {
        self.delay().await;
        self.content.borrow_mut().resize(len as usize, 0);
        Ok(())
    }

    pub(in crate::runtime) async fn len(&self) -> io::Result<u64> {
        Ok(self.content.borrow().len() as u64)
    }
}
