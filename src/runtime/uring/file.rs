//! Files on the shard's ring: direct and buffered reads, writes, syncs and commits.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;

use io_uring::opcode;
use io_uring::types::FsyncFlags;

use super::commit_thread::CommitThread;
use super::handle::UringHandle;
use super::net::{Descriptor, Holding, advance, fd};
use super::operation::Operation;
use super::ring::{Completion, Held};
use crate::model::units::BLOCK;
use crate::runtime::commit::{Engine, EngineChoice, SharedChoice};
use crate::runtime::disk::Issued;
use crate::runtime::memory::{AlignedBuf, Piece};
use crate::runtime::task::Lane;

/// Slices that one system call takes (Linux: UIO_MAXIOV).
const SLICES_MAX: usize = 1024;

/// Which signal says that somebody wants a lease back (`fcntl`, Linux).
const F_SETSIG: libc::c_int = 10;

/// An open file; clones are the same one, and the last of them closes it.
#[derive(Clone)]
pub struct UringFile(Rc<FileCore>);

struct FileCore {
    handle: UringHandle,
    descriptor: Descriptor,
    direct: bool,
    /// Unknown until the first commit.
    engines: RefCell<Option<SharedChoice>>,
}

/// What an operation on an aligned buffer holds.
struct Block {
    _file: Descriptor,
    buffer: AlignedBuf,
}

/// What a gathering write holds.
struct Gathered {
    file: Descriptor,
    slices: Vec<libc::iovec>,
    pieces: Vec<Piece>,
}

/// What a read into ordinary memory holds.
struct Scratch {
    _file: Descriptor,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for UringFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UringFile({})", self.0.descriptor.as_raw_fd())
    }
}

impl Held for Block {
    fn discard(self, _: Completion) {}
}
impl Held for Gathered {
    fn discard(self, _: Completion) {}
}
impl Held for Scratch {
    fn discard(self, _: Completion) {}
}

impl UringFile {
    pub(super) fn new(handle: UringHandle, descriptor: OwnedFd, direct: bool) -> UringFile {
        UringFile(Rc::new(FileCore {
            handle,
            descriptor: Rc::new(descriptor),
            direct,
            engines: RefCell::default(),
        }))
    }

    pub(super) fn descriptor(&self) -> &OwnedFd {
        &self.0.descriptor
    }

    /// Reads until `buffer` is full or the file ends.
    pub(in crate::runtime) async fn read_at(
        &self,
        mut buffer: AlignedBuf,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        if let Err(error) = self.check_aligned(buffer.as_ptr() as usize, buffer.len(), offset) {
            return (buffer, Err(error));
        }
        let mut read = 0;
        while read < buffer.len() {
            let rest = &mut buffer[read..];
            let bytes = u32::try_from(rest.len()).unwrap_or(1 << 30);
            let entry = opcode::Read::new(fd(&self.0.descriptor), rest.as_mut_ptr(), bytes)
                .offset(offset + read as u64)
                .build();
            let (completion, held) = self.submit_block(entry, buffer).await;
            buffer = held.buffer;
            match completion.value() {
                Ok(0) => break,
                Ok(bytes) => read += bytes as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (buffer, Err(error)),
            }
            // The rest of a direct read must start at a block; a part of one ends the file.
            if self.0.direct && !read.is_multiple_of(BLOCK) {
                break;
            }
        }
        (buffer, Ok(read))
    }

    /// Writes all of `pieces`, one behind the other.
    pub(in crate::runtime) async fn write_at(
        &self,
        pieces: Vec<Piece>,
        mut offset: u64,
    ) -> io::Result<()> {
        let mut slices = Vec::with_capacity(pieces.len());
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            self.check_aligned(piece.as_ptr() as usize, piece.len(), offset)?;
            slices.push(libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            });
        }
        let mut held = Gathered { file: self.0.descriptor.clone(), slices, pieces };
        while !held.slices.is_empty() {
            let count = held.slices.len().min(SLICES_MAX) as u32;
            let entry = opcode::Writev::new(fd(&held.file), held.slices.as_ptr(), count)
                .offset(offset)
                .build();
            // SAFETY: slices and pieces are heap memory that is held.
            let write = unsafe { self.0.handle.ring().submit(entry, held) }.uncancelled();
            let completion;
            (completion, held) = write.await;
            let written = written(completion, self.0.direct)?;
            offset += written as u64;
            advance(&mut held.slices, written);
        }
        held.pieces.clear();
        Ok(())
    }

    /// Makes the file's data durable.
    pub(in crate::runtime) async fn sync_data(&self) -> io::Result<()> {
        let entry = opcode::Fsync::new(fd(&self.0.descriptor)).flags(FsyncFlags::DATASYNC).build();
        self.plain(entry).await
    }

    /// Reserves space without changing the file's length.
    pub(in crate::runtime) async fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let entry = opcode::Fallocate::new(fd(&self.0.descriptor), bytes)
            .offset(offset)
            .mode(libc::FALLOC_FL_KEEP_SIZE)
            .build();
        self.plain(entry).await
    }

    /// Cuts or extends the file.
    pub(in crate::runtime) async fn set_len(&self, bytes: u64) -> io::Result<()> {
        let length = libc::off64_t::try_from(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a length beyond 2^63"))?;
        let held = self.0.descriptor.clone();
        let raw = held.as_raw_fd();
        let work = move || {
            // SAFETY: plain system call; the descriptor is held until the work is done.
            match unsafe { libc::ftruncate64(raw, length) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        self.0.handle.blocking_with(held, work).await
    }

    /// The file's length.
    pub(in crate::runtime) fn len(&self) -> io::Result<u64> {
        self.stat().map(|stat| stat.st_size as u64)
    }

    /// Whether somebody else has the file open, too; true where the kernel does not say.
    pub(in crate::runtime) fn is_shared(&self) -> bool {
        let raw = self.0.descriptor.as_raw_fd();
        // The kernel gives a write lease only on a file that nobody else has open. Who opens it before the lease is
        // given back has us sent a signal, which is to be one that does nothing.
        // SAFETY: plain system calls on our own descriptor.
        let is_alone = unsafe {
            libc::fcntl(raw, F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(raw, libc::F_SETLEASE, libc::F_WRLCK) == 0
        };
        if is_alone {
            // SAFETY: as above.
            unsafe { libc::fcntl(raw, libc::F_SETLEASE, libc::F_UNLCK) };
        }
        !is_alone
    }

    fn stat(&self) -> io::Result<libc::stat> {
        // SAFETY: all zeros is a valid stat.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: the structure is our own. It never waits: the inode of an open file is in memory.
        if unsafe { libc::fstat(self.0.descriptor.as_raw_fd(), &raw mut stat) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat)
    }

    /// Writes the first `len` bytes of `buffer`; they are durable when this completes well.
    pub(in crate::runtime) async fn commit(
        &self,
        mut buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> (AlignedBuf, io::Result<()>) {
        if let Err(error) = self.check_write(&buffer, len, offset) {
            return (buffer, Err(error));
        }
        let began = self.0.handle.now();
        let engines = self.engines();
        let mut engine = engines.borrow_mut().choose(began);
        let mut thread = None;
        if engine == Engine::Thread {
            thread = self.0.handle.commit_thread();
            if thread.is_none() {
                engine = engines.borrow_mut().without_thread();
            }
        }
        let mut done = 0;
        while done < len {
            let result;
            let part = done..len;
            (buffer, result) = match &thread {
                Some(thread) => self.thread_write(thread, buffer, part, offset).await,
                None if engine == Engine::LinkedSync => {
                    self.linked_sync(buffer, part, offset).await
                }
                None => self.dsync_write(buffer, part, offset).await,
            };
            match result {
                Ok(written) => done += written,
                Err(error) => return (buffer, Err(error)),
            }
        }
        let now = self.0.handle.now();
        engines.borrow_mut().completed(engine, now.saturating_since(began), now);
        (buffer, Ok(()))
    }

    /// How commits of this file become durable at the moment.
    pub(in crate::runtime) fn engine(&self) -> Engine {
        self.engines().borrow().current()
    }

    /// The choice that this file shares with all others of this thread on the same device.
    fn engines(&self) -> SharedChoice {
        let device = || self.stat().map_or(0, |stat| stat.st_dev);
        let mut engines = self.0.engines.borrow_mut();
        engines.get_or_insert_with(|| self.0.handle.engine_choice(device())).clone()
    }

    /// Fixes the engine of this file's commits, for measurements and tests.
    pub(in crate::runtime) fn fix_engine(&self, engine: Engine) {
        self.0.engines.replace(Some(Rc::new(RefCell::new(EngineChoice::fixed(engine)))));
    }

    async fn dsync_write(
        &self,
        buffer: AlignedBuf,
        part: std::ops::Range<usize>,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        let _yielding = self.0.handle.ring().commit_guard();
        let entry = self.write_entry(&buffer, part, offset).rw_flags(libc::RWF_DSYNC).build();
        let (completion, held) = self.submit_block(entry, buffer).uncancelled().await;
        (held.buffer, written(completion, self.0.direct))
    }

    async fn linked_sync(
        &self,
        buffer: AlignedBuf,
        part: std::ops::Range<usize>,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        let write = self.write_entry(&buffer, part, offset).build();
        let sync = opcode::Fsync::new(fd(&self.0.descriptor)).flags(FsyncFlags::DATASYNC).build();
        let held = Block { _file: self.0.descriptor.clone(), buffer };
        // SAFETY: the buffer is heap memory and held until the second completion, the last.
        let (write, sync) = unsafe { self.0.handle.ring().submit_linked(write, sync, held) };
        let (write, sync) = (write.uncancelled(), sync.uncancelled());
        let (wrote, ()) = write.await;
        let (synced, held) = sync.await;
        let result = written(wrote, self.0.direct).and_then(|bytes| match synced.value() {
            Ok(_) => Ok(bytes),
            // A short write breaks the chain: its part is made durable with the rest.
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => Ok(bytes),
            Err(error) => Err(error),
        });
        (held.buffer, result)
    }

    async fn thread_write(
        &self,
        thread: &Rc<CommitThread>,
        buffer: AlignedBuf,
        part: std::ops::Range<usize>,
        offset: u64,
    ) -> (AlignedBuf, io::Result<usize>) {
        let file = self.0.descriptor.clone();
        let (buffer, result) = thread.clone().write(file, buffer, part, offset).await;
        (buffer, result.and_then(|bytes| whole_blocks(bytes, self.0.direct)))
    }

    /// Writes without a flush, and tells when the kernel has consumed the write.
    pub(in crate::runtime) fn write_issued(
        &self,
        buffer: AlignedBuf,
        len: usize,
        offset: u64,
    ) -> Issued {
        if let Err(error) = self.check_write(&buffer, len, offset) {
            return Issued {
                accepted: Box::pin(std::future::ready(false)),
                done: Box::pin(std::future::ready((buffer, Err(error)))),
            };
        }
        let ring = self.0.handle.ring().clone();
        let entry = self.write_entry(&buffer, 0..len, offset).rw_flags(libc::RWF_NOWAIT).build();
        let write = self.submit_block(entry, buffer).uncancelled();
        let key = write.key();
        let inline = Rc::new(Cell::new(None));
        let verdict = inline.clone();
        let (sender, receiver) = crate::runtime::sync::oneshot::channel();
        let file = self.clone();
        self.0.handle.spawn(Lane::Hot, async move {
            let (completion, held) = write.await;
            inline.set(Some(is_inline(completion)));
            let written = match completion.value() {
                // It would wait, or the file system (tmpfs) does not know writes that may not.
                Err(error)
                    if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EOPNOTSUPP)) =>
                {
                    Ok(0)
                }
                _ => written(completion, file.0.direct),
            };
            let result = match written {
                Ok(bytes) => file.write_rest(held.buffer, bytes..len, offset).await,
                Err(error) => (held.buffer, Err(error)),
            };
            // Whoever does not wait for the end has dropped the receiver.
            drop(sender.send(result));
        });
        Issued {
            accepted: Box::pin(async move {
                ring.consumed().await;
                // The completion may be there although its task has not run yet.
                verdict.get().unwrap_or_else(|| ring.peek(key).is_none_or(is_inline))
            }),
            done: Box::pin(async move {
                match receiver.await {
                    Some(result) => result,
                    // The task above was dropped: the executor ends, and this future with it.
                    None => std::future::pending().await,
                }
            }),
        }
    }

    async fn write_rest(
        &self,
        mut buffer: AlignedBuf,
        part: std::ops::Range<usize>,
        offset: u64,
    ) -> (AlignedBuf, io::Result<()>) {
        let mut done = part.start;
        while done < part.end {
            let entry = self.write_entry(&buffer, done..part.end, offset).build();
            let (completion, held) = self.submit_block(entry, buffer).uncancelled().await;
            buffer = held.buffer;
            match written(completion, self.0.direct) {
                Ok(bytes) => done += bytes,
                Err(error) => return (buffer, Err(error)),
            }
        }
        (buffer, Ok(()))
    }

    /// Begins to read a range of a buffered file into the page cache, unless it is there.
    pub(super) async fn read_ahead(&self, offset: u64, bytes: u64) -> io::Result<()> {
        if self.0.direct {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "sendfile of a file that is open for direct I/O would block",
            ));
        }
        if is_cached(&self.0.descriptor, offset, bytes) {
            return Ok(());
        }
        let advice = opcode::Fadvise::new(
            fd(&self.0.descriptor),
            i64::try_from(bytes).unwrap_or(i64::MAX),
            libc::POSIX_FADV_WILLNEED,
        )
        .offset(offset)
        .build();
        self.plain(advice).await
    }

    /// Waits, without blocking this thread, until a range that is read ahead is in memory.
    ///
    /// The device reads it in a few pieces and about in order, so its first and its last byte tell of all of it; a
    /// copy of the whole only to see it arrive costs more than to send it.
    pub(super) async fn wait_resident(&self, offset: u64, bytes: u64) -> io::Result<()> {
        for position in [offset, offset + bytes - 1] {
            if is_ready(&self.0.descriptor, position) {
                continue;
            }
            let mut buffer = vec![0; 1];
            let entry = opcode::Read::new(fd(&self.0.descriptor), buffer.as_mut_ptr(), 1)
                .offset(position)
                .build();
            let held = Scratch { _file: self.0.descriptor.clone(), buffer };
            // SAFETY: the buffer is heap memory and held.
            let (completion, held) = unsafe { self.0.handle.ring().submit(entry, held) }.await;
            drop(held.buffer);
            completion.value()?;
        }
        Ok(())
    }

    fn submit_block(&self, entry: io_uring::squeue::Entry, buffer: AlignedBuf) -> Operation<Block> {
        let held = Block { _file: self.0.descriptor.clone(), buffer };
        // SAFETY: the entry points into the buffer, which is heap memory and held.
        unsafe { self.0.handle.ring().submit(entry, held) }
    }

    fn write_entry(
        &self,
        buffer: &AlignedBuf,
        part: std::ops::Range<usize>,
        offset: u64,
    ) -> opcode::Write {
        let offset = offset + part.start as u64;
        let bytes = &buffer[part];
        opcode::Write::new(fd(&self.0.descriptor), bytes.as_ptr(), bytes.len() as u32)
            .offset(offset)
    }

    async fn plain(&self, entry: io_uring::squeue::Entry) -> io::Result<()> {
        let held = Holding(self.0.descriptor.clone());
        // SAFETY: the entry holds no address.
        let operation = unsafe { self.0.handle.ring().submit(entry, held) }.uncancelled();
        operation.await.0.value().map(drop)
    }

    fn check_write(&self, buffer: &AlignedBuf, len: usize, offset: u64) -> io::Result<()> {
        assert!(len <= buffer.len(), "{len} bytes of a buffer of {}", buffer.len());
        self.check_aligned(buffer.as_ptr() as usize, len, offset)
    }

    fn check_aligned(&self, address: usize, len: usize, offset: u64) -> io::Result<()> {
        let aligned = address.is_multiple_of(BLOCK)
            && len.is_multiple_of(BLOCK)
            && offset.is_multiple_of(BLOCK as u64);
        if aligned || !self.0.direct {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("direct I/O of {len} bytes at {offset} from {address:#x} is not in blocks"),
        ))
    }
}

impl Drop for FileCore {
    fn drop(&mut self) {
        // Closing the last descriptor of a deleted file frees its blocks, which takes a while.
        if let Some(descriptor) = Rc::get_mut(&mut self.descriptor)
            && let Ok(copy) = descriptor.try_clone()
        {
            self.handle.close_elsewhere(copy);
        }
    }
}

/// Whether the kernel took a write that was not to wait.
fn is_inline(completion: Completion) -> bool {
    completion.value().is_ok()
}

/// Bytes that a write has written, as the next one has to go on; nothing at all is an error.
fn written(completion: Completion, direct: bool) -> io::Result<usize> {
    match completion.value() {
        Ok(bytes) => whole_blocks(bytes as usize, direct),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        Err(error) => Err(error),
    }
}

fn whole_blocks(bytes: usize, direct: bool) -> io::Result<usize> {
    // A direct write that ended inside a block goes on from the block's start.
    let bytes = if direct { bytes - bytes % BLOCK } else { bytes };
    if bytes == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(bytes) }
}

#[repr(C)]
struct CacheStatRange {
    offset: u64,
    bytes: u64,
}

#[repr(C)]
#[derive(Default)]
struct CacheStat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// cachestat(2), the same number on every architecture (Linux 6.5).
const SYS_CACHESTAT: libc::c_long = 451;

/// Whether every page of the range is in memory, or on its way there.
fn is_cached(file: &OwnedFd, offset: u64, bytes: u64) -> bool {
    let range = CacheStatRange { offset, bytes };
    let mut stat = CacheStat::default();
    // SAFETY: both structures are our own and laid out as the kernel's; an older kernel fails.
    let known = unsafe {
        libc::syscall(SYS_CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut stat, 0)
    };
    let page = BLOCK as u64;
    let pages = (offset + bytes).div_ceil(page) - offset / page;
    known == 0 && stat.cached >= pages
}

/// Whether the byte at `position` can be read without waiting for the disk.
fn is_ready(file: &OwnedFd, position: u64) -> bool {
    let mut byte = 0u8;
    let slice = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let position = position as libc::off_t;
    // SAFETY: one byte of our own; the flag forbids to wait.
    let read =
        unsafe { libc::preadv2(file.as_raw_fd(), &raw const slice, 1, position, libc::RWF_NOWAIT) };
    read == 1
}
