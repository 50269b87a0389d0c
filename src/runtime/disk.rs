//! Files and directories, real or simulated; every call waits without blocking the thread.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;

use super::commit::Engine;
use super::memory::{AlignedBuf, Piece};
use super::sim;
use super::uring::{self, UringDisk, UringFile, UringMapping};

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenMode {
    /// Writing is allowed, besides reading.
    pub write: bool,
    /// The file is made if it does not exist.
    pub create: bool,
    /// The file must not exist yet.
    pub exclusive: bool,
    /// The page cache is passed by; offsets, lengths and memory are whole blocks.
    pub direct: bool,
}

impl OpenMode {
    /// Reading through the page cache.
    pub const READ: OpenMode =
        OpenMode { write: false, create: false, exclusive: false, direct: false };
    /// Reading past the page cache.
    pub const READ_DIRECT: OpenMode = OpenMode { direct: true, ..OpenMode::READ };
    /// Reading and writing past the page cache.
    pub const WRITE_DIRECT: OpenMode = OpenMode { write: true, ..OpenMode::READ_DIRECT };
    /// As [`OpenMode::WRITE_DIRECT`], making the file if there is none.
    pub const CREATE_DIRECT: OpenMode = OpenMode { create: true, ..OpenMode::WRITE_DIRECT };
    /// Reading and writing through the page cache, making the file if there is none.
    pub const CREATE: OpenMode = OpenMode { direct: false, ..OpenMode::CREATE_DIRECT };
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory (a link is not followed).
    pub is_dir: bool,
    /// A file's length in bytes.
    pub len: u64,
}

/// The bytes of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// All of them.
    pub total_bytes: u64,
    /// Those that an ordinary user may still use.
    pub free_bytes: u64,
}

/// The file systems of the machine.
#[derive(Clone)]
pub enum Disk {
    /// The machine's own.
    Uring(UringDisk),
    /// Simulated.
    Sim(sim::SimDisk),
}

/// A file's lock, held until this is dropped or the process ends.
pub enum FileLock {
    /// By the kernel, for as long as the descriptor is open.
    Uring(std::fs::File),
    /// Simulated.
    Sim(sim::SimLock),
}

/// An open file; clones are the same file, closed with the last of them.
#[derive(Clone, Debug)]
pub enum File {
    /// On the ring of its thread.
    Uring(UringFile),
    /// Simulated.
    Sim(sim::SimFile),
}

/// A small file that is memory as well: what is stored in it survives the end of the process at once, and that of the
/// machine once the kernel has written it, page by page and in any order.
pub enum MappedFile {
    /// Mapped by the kernel.
    Uring(UringMapping),
    /// Simulated.
    Sim(sim::SimFile),
}

/// Whether an error says that the process or the machine had no descriptor or no memory for what
/// was asked, which was then not begun.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

/// Whether an error says that the disk, or what the user may have of it, is used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a failed sync is told as: without its number, so that nobody takes it for what may be tried
/// again.
pub fn sync_failed(error: io::Error) -> io::Error {
    io::Error::other(format!("syncing: {error}"))
}

/// A future on this thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A write that need not be durable: two futures for its two stages.
pub struct Issued {
    /// True once the kernel has consumed the write, so that it survives the end of the process;
    /// false if that cannot be told before `done`.
    pub accepted: LocalFuture<bool>,
    /// The write's end: the buffer back, and whether every byte was written.
    pub done: LocalFuture<(AlignedBuf, io::Result<()>)>,
}

impl Disk {
    /// Opens a file.
    ///
    /// # Errors
    /// Where there is no such file and it is not to be made, there is one and it must not be, or no descriptor is free
    /// ([`is_shortage`]).
    pub async fn open(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        match self {
            Disk::Uring(disk) => disk.open(path, mode).await.map(File::Uring),
            Disk::Sim(disk) => disk.open(path, mode).await.map(File::Sim),
        }
    }

    /// Makes a directory and those above it.
    pub async fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, |path| std::fs::create_dir_all(path)).await,
            Disk::Sim(disk) => disk.create_dir_all(path).await,
        }
    }

    /// Removes a file or a link.
    ///
    /// # Errors
    /// Where it is not there, or is a directory.
    pub async fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, |path| std::fs::remove_file(path)).await,
            Disk::Sim(disk) => disk.remove_file(path).await,
        }
    }

    /// Removes a directory with nothing in it.
    ///
    /// # Errors
    /// Where it is not there, or something is in it.
    pub async fn remove_dir(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, |path| std::fs::remove_dir(path)).await,
            Disk::Sim(disk) => disk.remove_dir(path).await,
        }
    }

    /// Removes a directory with all that is in it.
    pub async fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, |path| std::fs::remove_dir_all(path)).await,
            Disk::Sim(disk) => disk.remove_dir_all(path).await,
        }
    }

    /// Renames, replacing a file of the new name.
    ///
    /// # Errors
    /// Where the old name is not there.
    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.rename(from, to).await,
            Disk::Sim(disk) => disk.rename(from, to).await,
        }
    }

    /// Makes a link `link` that points at `target`.
    pub async fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.symlink(target, link).await,
            Disk::Sim(disk) => disk.symlink(target, link).await,
        }
    }

    /// Makes the entries of a directory durable. Where it cannot even be opened, the error is one of
    /// that ([`is_shortage`]).
    pub async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, uring::sync_dir).await,
            Disk::Sim(disk) => disk.sync_dir(path).await,
        }
    }

    /// Makes everything in the file system of `path` durable (`syncfs`).
    pub async fn sync_filesystem(&self, path: &Path) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, uring::sync_filesystem).await,
            Disk::Sim(disk) => disk.sync_filesystem(path).await,
        }
    }

    /// The entries of a directory, sorted by name; those whose names are not UTF-8 are left out.
    pub async fn list_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, uring::list_dir).await,
            Disk::Sim(disk) => disk.list_dir(path).await,
        }
    }

    /// A whole file; an error if it is longer than `len_max` bytes.
    ///
    /// # Errors
    /// Where it cannot be read, or is longer than that.
    pub async fn read_whole(&self, path: &Path, len_max: usize) -> io::Result<Vec<u8>> {
        match self {
            Disk::Uring(disk) => disk.read_whole(path, len_max).await,
            Disk::Sim(disk) => disk.read_whole(path, len_max).await,
        }
    }

    /// Replaces a whole file durably and atomically: after a crash it is the old one or the new.
    ///
    /// # Errors
    /// Where any step fails: the old file is still there then, or the new one.
    pub async fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self {
            Disk::Uring(disk) => disk.write_whole(path, bytes).await,
            Disk::Sim(disk) => disk.write_whole(path, bytes).await,
        }
    }

    /// Locks a file against other processes, making it if there is none; `WouldBlock` while another
    /// one holds it. The file then holds the process id of its owner, in decimal.
    ///
    /// # Errors
    /// Where another process holds it.
    pub async fn lock(&self, path: &Path) -> io::Result<FileLock> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, uring::lock).await.map(FileLock::Uring),
            Disk::Sim(disk) => disk.lock(path).await.map(FileLock::Sim),
        }
    }

    /// Makes a file of so many zeros, whatever was in it, and maps it into memory. The file should be small: its
    /// pages are taken at once.
    ///
    /// # Errors
    /// Where it cannot be made or has no space, and where the file system cannot map files.
    pub async fn map(&self, path: &Path, bytes: usize) -> io::Result<MappedFile> {
        match self {
            Disk::Uring(disk) => disk
                .with_path(path, move |path| uring::map(path, bytes))
                .await
                .map(MappedFile::Uring),
            Disk::Sim(disk) => disk.map(path, bytes).await.map(MappedFile::Sim),
        }
    }

    /// How large the file system of `path` is, and what of it is free.
    pub async fn space(&self, path: &Path) -> io::Result<Space> {
        match self {
            Disk::Uring(disk) => disk.with_path(path, uring::space).await,
            Disk::Sim(disk) => disk.space(path).await,
        }
    }
}

impl MappedFile {
    /// Stores bytes at an offset; never waits for the disk. When the process ends, all stores before some moment are
    /// there and none after it.
    ///
    /// # Panics
    /// Where they would reach beyond the file.
    pub fn store(&mut self, offset: usize, bytes: &[u8]) {
        match self {
            MappedFile::Uring(mapping) => mapping.store(offset, bytes),
            MappedFile::Sim(file) => file.store(offset, bytes),
        }
    }
}

impl File {
    /// Reads into the buffer; fewer bytes than it has only at the end of the file.
    pub async fn read_at(
        &self,
        buffer: AlignedBuf,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        match self {
            File::Uring(file) => file.read_at(buffer, offset).await,
            File::Sim(file) => file.read_at(buffer, offset).await,
        }
    }

    /// Writes all pieces one behind the other; not durable before a sync.
    ///
    /// # Errors
    /// Where not all was written: a full disk ([`is_full`]) among others. What there is of it then is not known.
    pub async fn write_at(&self, pieces: Vec<Piece>, offset: u64) -> io::Result<()> {
        match self {
            File::Uring(file) => file.write_at(pieces, offset).await,
            File::Sim(file) => file.write_at(pieces, offset).await,
        }
    }

    /// Makes the file's bytes and its length durable (`fdatasync`).
    ///
    /// # Errors
    /// Where the device or the file system failed: what was written since the last sync may be lost, whatever a later
    /// sync says.
    pub async fn sync_data(&self) -> io::Result<()> {
        match self {
            File::Uring(file) => file.sync_data().await,
            File::Sim(file) => file.sync_data().await,
        }
    }

    /// Writes the first `len` bytes of the buffer; durable when it completes.
    ///
    /// # Errors
    /// As [`File::write_at`] and [`File::sync_data`].
    pub async fn commit(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> (AlignedBuf, io::Result<()>) {
        match self {
            File::Uring(file) => file.commit(buffer, len, offset).await,
            File::Sim(file) => file.commit(buffer, len, offset).await,
        }
    }

    /// Fixes how this file's commits become durable, for measurements and tests; otherwise it is
    /// chosen by how long they take. The simulator has one way only.
    pub fn fix_engine(&self, engine: Engine) {
        match self {
            File::Uring(file) => file.fix_engine(engine),
            File::Sim(_) => {}
        }
    }

    /// How this file's commits become durable at the moment; none in the simulator.
    pub fn engine(&self) -> Option<Engine> {
        match self {
            File::Uring(file) => Some(file.engine()),
            File::Sim(_) => None,
        }
    }

    /// Writes the first `len` bytes of the buffer without making them durable.
    pub fn write_issued(&self, buffer: AlignedBuf, len: usize, offset: u64) -> Issued {
        match self {
            File::Uring(file) => file.write_issued(buffer, len, offset),
            File::Sim(file) => file.write_issued(buffer, len, offset),
        }
    }

    /// Reserves space without changing the file's length (`FALLOC_FL_KEEP_SIZE`).
    ///
    /// # Errors
    /// Where the disk is full, or the file system has no way to do that (`Unsupported`).
    pub async fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        match self {
            File::Uring(file) => file.allocate(offset, len).await,
            File::Sim(file) => file.allocate(offset, len).await,
        }
    }

    /// Cuts or extends the file.
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        match self {
            File::Uring(file) => file.set_len(len).await,
            File::Sim(file) => file.set_len(len).await,
        }
    }

    /// Whether somebody else has the file open, too; true where that cannot be told.
    pub fn is_shared(&self) -> bool {
        match self {
            File::Uring(file) => file.is_shared(),
            File::Sim(file) => file.is_shared(),
        }
    }

    /// The file's length in bytes.
    pub async fn len(&self) -> io::Result<u64> {
        match self {
            File::Uring(file) => file.len(),
            File::Sim(file) => file.len().await,
        }
    }
}
