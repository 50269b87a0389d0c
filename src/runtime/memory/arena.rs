//! One shard's chunk memory: a memory file that is mapped once, with a hard cap.
//!
//! Address space is reserved for the whole cap, pages come when they are first written, and
//! regions that stay free for a while are punched out of the file again. No ring ever has this
//! memory registered: after a punch a fixed write would send the old page.
//!
//! Fresh pages cost more than anything that is done with them (the kernel clears them, and under a
//! hypervisor the host has to find them first), so an arena takes them only up to a quota, which whoever
//! can give memory back instead raises with [`Arena::extend`].

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::rc::Rc;

use super::chunk::Chunk;
use super::free_blocks::{FreeBlocks, REGION_BYTES};
use super::mapping::Mapping;
use crate::model::limits::{CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
use crate::runtime::sync::Event;

/// Regions that one [`Arena::trim`] gives back at most: a punch of one costs about 0.1 ms.
const TRIM_REGIONS_MAX: usize = 8;

/// A shard's memory for chunks; clones are the same arena.
#[derive(Clone)]
pub struct Arena(Rc<ArenaCore>);

pub(super) struct ArenaCore {
    mapping: Mapping,
    bytes_used: Cell<usize>,
    /// The quota that the arena never falls below.
    quota_min: Cell<usize>,
    /// Up to here fresh memory is taken without further ado.
    quota: Cell<usize>,
    blocks: RefCell<FreeBlocks>,
    freed: Event,
    file: OwnedFd,
}

impl Arena {
    /// Maps an arena of at most `bytes_max` bytes, rounded down to whole MiB.
    ///
    /// Fails where the kernel refuses the memory file or the address space.
    pub fn new(bytes_max: usize) -> io::Result<Arena> {
        let regions = bytes_max / REGION_BYTES;
        if regions == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{bytes_max} bytes of chunk memory are less than {REGION_BYTES}"),
            ));
        }
        let bytes_max = regions * REGION_BYTES;
        let file = memory_file(bytes_max)?;
        let mapping = Mapping::shared(&file, bytes_max, libc::MAP_NORESERVE)?;
        Ok(Arena(Rc::new(ArenaCore {
            mapping,
            bytes_used: Cell::new(0),
            quota_min: Cell::new(bytes_max),
            quota: Cell::new(bytes_max),
            blocks: RefCell::new(FreeBlocks::new(regions)),
            freed: Event::new(),
            file,
        })))
    }

    /// Takes a chunk of `bytes`, a power of two from [`CHUNK_BYTES_MIN`] to [`CHUNK_BYTES_MAX`];
    /// none if the quota is used up or no free piece is that large (a smaller one may be there).
    pub fn alloc(&self, bytes: usize) -> Option<Chunk> {
        assert!(
            bytes.is_power_of_two() && (CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX).contains(&bytes),
            "{bytes} is not a chunk's size"
        );
        let fresh = self.bytes_touched() + REGION_BYTES <= self.0.quota.get();
        let at = self.0.blocks.borrow_mut().take(bytes, fresh)?;
        self.0.bytes_used.set(self.0.bytes_used.get() + bytes);
        Some(Chunk::new(self.0.clone(), at, bytes))
    }

    /// Notified when memory has come back.
    pub fn freed(&self) -> &Event {
        &self.0.freed
    }

    /// Bytes that chunks hold now.
    pub fn bytes_used(&self) -> usize {
        self.0.bytes_used.get()
    }

    /// The cap.
    pub fn bytes_max(&self) -> usize {
        self.0.mapping.bytes()
    }

    /// Bytes of regions that hold memory, whether chunks use it or not.
    pub fn bytes_touched(&self) -> usize {
        self.bytes_max() - self.0.blocks.borrow().untouched_regions() * REGION_BYTES
    }

    /// Up to here, in bytes, fresh memory is taken; without [`Arena::limit`] that is the cap.
    pub fn quota(&self) -> usize {
        self.0.quota.get()
    }

    /// Sets the quota, and what it falls back to, to `bytes` or the cap.
    pub fn limit(&self, bytes: usize) {
        let quota = bytes.next_multiple_of(REGION_BYTES).clamp(REGION_BYTES, self.bytes_max());
        self.0.quota_min.set(quota);
        self.0.quota.set(quota);
    }

    /// Raises the quota by `bytes`, as far as the cap allows; `false` if it is there already.
    ///
    /// What is not used until the next [`Arena::trim`] is forfeited.
    pub fn extend(&self, bytes: usize) -> bool {
        let quota = self.0.quota.get();
        let more = bytes.min(self.bytes_max() - quota);
        self.0.quota.set(quota + more);
        more > 0
    }

    /// Raises the quota by as much as the largest chunk may need.
    pub fn extend_once(&self) -> bool {
        self.extend(REGION_BYTES)
    }

    /// Gives memory that no chunk used since the last call back to the kernel, a few MiB at most;
    /// returns whether there may be more to give later.
    ///
    /// To be called about once a second while it returns true.
    pub fn trim(&self) -> bool {
        let mut blocks = self.0.blocks.borrow_mut();
        for _ in 0..TRIM_REGIONS_MAX {
            let Some(at) = blocks.take_idle() else { break };
            if self.0.punch(at).is_ok() {
                blocks.give_back_untouched(at);
            } else {
                blocks.give_back_idle(at);
                break;
            }
        }
        blocks.begin_idle_period();
        let has_idle = blocks.idle_regions() > 0;
        drop(blocks);
        // What was given back has to be asked for anew.
        self.0.quota.set(self.bytes_touched().max(self.0.quota_min.get()));
        has_idle
    }

    /// Bytes of the memory file that are resident.
    #[cfg(test)]
    fn resident_bytes(&self) -> u64 {
        use std::os::unix::fs::MetadataExt;
        let file = std::fs::File::from(self.0.file.try_clone().expect("the descriptor is open"));
        file.metadata().expect("a memory file has metadata").blocks() * 512
    }
}

impl ArenaCore {
    /// The address of the piece at `at`.
    pub(super) fn address(&self, at: usize) -> NonNull<u8> {
        debug_assert!(at < self.mapping.bytes());
        // SAFETY: `at` came from the free blocks, so it lies inside the mapping.
        unsafe { self.mapping.base().add(at) }
    }

    pub(super) fn give_back(&self, at: usize, bytes: usize) {
        self.blocks.borrow_mut().give_back(at, bytes);
        self.bytes_used.set(self.bytes_used.get() - bytes);
        self.freed.notify_all();
    }

    fn punch(&self, at: usize) -> io::Result<()> {
        // SAFETY: the descriptor is our own memory file, and the region is free: no chunk, hence
        // no lease, points into it.
        let done = unsafe {
            libc::fallocate(
                self.file.as_raw_fd(),
                libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
                at as libc::off_t,
                REGION_BYTES as libc::off_t,
            )
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

fn memory_file(bytes: usize) -> io::Result<OwnedFd> {
    // SAFETY: the name is a C string and the flag is known to the kernel.
    let fd = unsafe { libc::memfd_create(c"klamm-chunks".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is fresh and owned by nobody else.
    let file = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: plain system call on our own descriptor.
    if unsafe { libc::ftruncate(file.as_raw_fd(), bytes as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::units::{KIB, MIB};

    #[test]
    fn the_cap_is_hard_and_comes_back() {
        let arena = Arena::new(2 * MIB + 5).expect("memory is there");
        assert_eq!(arena.bytes_max(), 2 * MIB);
        let all: Vec<_> = (0..8).filter_map(|_| arena.alloc(256 * KIB)).collect();
        assert_eq!((all.len(), arena.bytes_used()), (8, 2 * MIB));
        assert!(arena.alloc(4 * KIB).is_none());
        drop(all);
        assert_eq!(arena.bytes_used(), 0);
        assert!(arena.alloc(256 * KIB).is_some());
    }

    #[test]
    fn a_burst_does_not_stay_resident() {
        let arena = Arena::new(16 * MIB).expect("memory is there");
        assert_eq!(arena.resident_bytes(), 0, "nothing is touched before it is needed");
        let all: Vec<_> = (0..64).filter_map(|_| arena.alloc(256 * KIB)).collect();
        for chunk in &all {
            chunk.append_with(256 * KIB, |bytes| bytes.fill(7));
        }
        assert_eq!(arena.resident_bytes(), 16 * MIB as u64);
        drop(all);
        let mut trims = 0;
        while arena.trim() {
            trims += 1;
        }
        assert_eq!((arena.resident_bytes(), trims), (0, 2));
        let again = arena.alloc(4 * KIB).expect("all is free");
        again.append(b"fresh");
        assert_eq!(&*again.lease(0..5), b"fresh");
    }

    #[test]
    fn fresh_memory_is_taken_up_to_the_quota() {
        let arena = Arena::new(4 * MIB).expect("memory is there");
        arena.limit(MIB + 5);
        let mut all: Vec<_> = (0..16).filter_map(|_| arena.alloc(256 * KIB)).collect();
        assert_eq!((all.len(), arena.bytes_touched(), arena.quota()), (8, 2 * MIB, 2 * MIB));
        all.truncate(4);
        let again: Vec<_> = (0..16).filter_map(|_| arena.alloc(256 * KIB)).collect();
        assert_eq!((again.len(), arena.bytes_touched()), (4, 2 * MIB), "what is there is used");
        assert!(arena.extend(MIB - 1));
        assert!(arena.alloc(4 * KIB).is_none(), "a whole region is not allowed yet");
        assert!(arena.extend(1));
        all.extend(arena.alloc(4 * KIB));
        assert_eq!((all.len(), arena.bytes_touched()), (5, 3 * MIB));
        arena.trim();
        assert_eq!(arena.quota(), 3 * MIB, "what chunks use counts");
        drop((all, again));
        while arena.trim() {}
        assert_eq!((arena.bytes_touched(), arena.quota()), (0, 2 * MIB));
        assert!(arena.extend_once() && arena.extend(5 * MIB));
        assert_eq!((arena.quota(), arena.extend_once()), (4 * MIB, false));
    }

    #[test]
    fn too_small_an_arena_is_refused() {
        assert!(Arena::new(MIB - 1).is_err());
    }
}
