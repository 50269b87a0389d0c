//! What a disk may hold after a crash at any moment of a recorded run.
//!
//! A recording is the state of the disk at its start and the steps since: the kernel took a change,
//! a sync made changes durable, the test noted a number. For the moment behind each step, the
//! images are: the durable state, with every subset of the changes that are not durable (sampled
//! where there are too many), with writes torn at sectors of 512 bytes, garbage in their last
//! sector, or only their length. Images with equal files, notes and kind come once.

use std::path::Path;
use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::device::{Device, Platter};
use super::file_system::{Change, FileSystem};
use super::page::Payload;
use crate::runtime::random::{Random, mixed};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// What becomes of a change that is not durable.
pub(super) enum Fate {
    Lost,
    Whole,
    Torn(Torn),
}

/// How a write survives in part.
pub(super) enum Torn {
    /// The sectors before this one.
    Prefix(usize),
    /// The sectors from this one on.
    Suffix(usize),
    /// Each sector or not, by this seed.
    Sparse(u64),
    /// All of it, but garbage of this seed in the last sector.
    Garbage(u64),
    /// The file's length and none of the bytes.
    Length,
}

impl Fate {
    /// A seeded way to survive in part; what cannot be torn survives whole.
    pub(super) fn torn(change: &Change, random: &Random) -> Fate {
        let Change::Write { payload, .. } = change else { return Fate::Whole };
        let sectors = payload.len().div_ceil(SECTOR) as u64;
        let cut = |random: &Random| random.below(sectors.max(2) - 1) as usize + 1;
        Fate::Torn(match random.below(5) {
            0 if sectors > 1 => Torn::Prefix(cut(random)),
            1 if sectors > 1 => Torn::Suffix(cut(random)),
            2 if sectors > 2 => Torn::Sparse(random.next()),
            3 => Torn::Length,
            _ => Torn::Garbage(random.next()),
        })
    }

    pub(super) fn apply(&self, files: &mut FileSystem, change: &Change) {
        match (self, change) {
            (Fate::Lost, _) => {}
            (Fate::Torn(torn), Change::Write { inode, offset, payload }) => {
                torn.apply(files, *inode, *offset, payload);
            }
            _ => files.apply(change),
        }
    }
}

impl Torn {
    fn apply(&self, files: &mut FileSystem, inode: usize, offset: u64, payload: &Payload) {
        let file = files.file_mut(inode);
        let mut bytes = payload.to_vec();
        let end = offset + bytes.len() as u64;
        match self {
            Torn::Prefix(sectors) => {
                bytes.truncate(sectors * SECTOR);
                file.write(offset, &bytes);
            }
            Torn::Suffix(sectors) => {
                let start = (sectors * SECTOR).min(bytes.len());
                file.write(offset + start as u64, &bytes[start..]);
            }
            Torn::Sparse(seed) => {
                for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                    if mixed(seed ^ index as u64) & 1 == 1 {
                        file.write(offset + (index * SECTOR) as u64, sector);
                    }
                }
                file.grow(end);
            }
            Torn::Garbage(seed) => {
                let last = bytes.len().saturating_sub(1) / SECTOR * SECTOR;
                for (index, byte) in bytes[last..].iter_mut().enumerate() {
                    *byte = mixed(seed ^ index as u64) as u8;
                }
                file.write(offset, &bytes);
            }
            Torn::Length => file.grow(end),
        }
    }
}

/// Everything that a disk holds; cheap to copy.
#[derive(Clone)]
pub struct DiskImage {
    files: FileSystem,
    hash: u64,
}

impl DiskImage {
    pub(super) fn new(mut files: FileSystem) -> Self {
        let hash = files.prune();
        DiskImage { files, hash }
    }

    pub(super) fn device(&self) -> Device {
        Device::of(self.files.clone())
    }

    /// Equal for equal files and names.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The bytes of a file, if it exists.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let file = self.files.file(self.files.find(path, true).ok()?)?;
        let mut bytes = vec![0; file.len() as usize];
        file.read(0, &mut bytes);
        Some(bytes)
    }
}

pub(super) enum Step {
    Take(u64, Rc<Change>),
    Settle(Vec<u64>),
    Note(u64),
}

/// A stretch of a disk's life.
pub struct Recording {
    start: Platter,
    pub(super) steps: Vec<Step>,
}

impl Recording {
    pub(super) fn new(start: Platter) -> Self {
        Recording { start, steps: Vec::new() }
    }

    /// Steps recorded.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The images that a crash at any moment of the recording may leave.
    pub fn crash_images(&self, policy: ImagePolicy) -> CrashImages<'_> {
        CrashImages::new(self, policy)
    }
}

/// How many images are made of each moment.
#[derive(Clone, Debug)]
pub struct ImagePolicy {
    /// Subsets of the changes that are not durable: all of them where there are no more than this,
    /// otherwise a seeded sample of this size.
    pub subsets_max: usize,
    /// Images for each write that is not durable in which that write is torn.
    pub torn_per_write: usize,
    /// Looks at every n-th moment only; 1 for all.
    pub stride: usize,
    /// Only what `kill -9` leaves: every change that the kernel has taken.
    pub kill_only: bool,
    /// Of the samples.
    pub seed: u64,
}

impl Default for ImagePolicy {
    fn default() -> Self {
        ImagePolicy { subsets_max: 1024, torn_per_write: 4, stride: 1, kill_only: false, seed: 1 }
    }
}

/// A disk after a crash, and what the test had noted before it.
pub struct CrashImage {
    /// The disk.
    pub image: DiskImage,
    /// The number of the step behind which the crash came.
    pub moment: usize,
    /// Nothing that the kernel had taken is lost: what `kill -9` leaves.
    pub killed: bool,
    /// No image before had the same files. The same files come again when more was noted since.
    pub is_new: bool,
    notes: Rc<Vec<u64>>,
}

impl CrashImage {
    /// The numbers noted before the crash, in order.
    pub fn notes(&self) -> &[u64] {
        &self.notes
    }
}

/// Iterates over the images of a recording.
pub struct CrashImages<'a> {
    steps: &'a [Step],
    policy: ImagePolicy,
    platter: Platter,
    notes: Rc<Vec<u64>>,
    moment: usize,
    /// The next image of this moment.
    next: usize,
    count: usize,
    moments_seen: usize,
    seen: FxHashSet<(u64, usize, bool)>,
    distinct: FxHashSet<u64>,
}

impl<'a> CrashImages<'a> {
    fn new(recording: &'a Recording, policy: ImagePolicy) -> Self {
        let mut images = CrashImages {
            steps: &recording.steps,
            policy,
            platter: recording.start.clone(),
            notes: Rc::default(),
            moment: 0,
            next: 0,
            count: 0,
            moments_seen: 0,
            seen: FxHashSet::default(),
            distinct: FxHashSet::default(),
        };
        images.count = images.count_here();
        images
    }

    /// Images with different files so far.
    pub fn distinct(&self) -> usize {
        self.distinct.len()
    }

    fn is_sampled(&self) -> bool {
        let pending = self.platter.pending.len();
        pending >= usize::BITS as usize || 1usize << pending > self.policy.subsets_max
    }

    fn subsets(&self) -> usize {
        if self.is_sampled() { self.policy.subsets_max } else { 1 << self.platter.pending.len() }
    }

    fn count_here(&self) -> usize {
        if self.policy.kill_only {
            return 1;
        }
        // Where the pending writes are many, only the youngest are torn one by one.
        let torn = self.platter.pending.len().min(self.policy.subsets_max.ilog2() as usize + 1);
        self.subsets() + torn * self.policy.torn_per_write
    }

    /// Goes to the next moment at which the disk or what was noted differs.
    fn advance(&mut self) -> bool {
        loop {
            let Some(step) = self.steps.get(self.moment) else { return false };
            self.moment += 1;
            match step {
                Step::Take(number, change) => self.platter.take(*number, Rc::clone(change)),
                Step::Settle(numbers) => self.platter.settle(numbers),
                Step::Note(number) => Rc::make_mut(&mut self.notes).push(*number),
            }
            // A crash behind the last note of several checks all that one before it would.
            if matches!(self.steps.get(self.moment), Some(Step::Note(_))) {
                continue;
            }
            self.moments_seen += 1;
            if self.moments_seen.is_multiple_of(self.policy.stride)
                || self.moment == self.steps.len()
            {
                self.next = 0;
                self.count = self.count_here();
                return true;
            }
        }
    }

    /// The files of the image of this number, and whether every change has survived whole.
    fn files(&self, index: usize) -> (FileSystem, bool) {
        let pending = &self.platter.pending;
        let mut files = self.platter.durable.clone();
        let subsets = self.subsets();
        let mix = mixed(self.policy.seed ^ mixed((self.moment << 20 | index) as u64));
        let random = Random::seeded(mix);
        let torn_one = (index >= subsets && !self.policy.kill_only)
            .then(|| pending.len() - 1 - (index - subsets) / self.policy.torn_per_write);
        // The others of a torn write: all, none, or by chance.
        let share = match (torn_one, index) {
            _ if self.policy.kill_only => 1.0,
            (Some(_), _) => [1.0, 0.0, 0.5][(index - subsets) % self.policy.torn_per_write % 3],
            (None, 0) => 0.0,
            (None, 1) => 1.0,
            (None, _) => [0.5, 0.1, 0.9][index % 3],
        };
        let sampled = torn_one.is_some() || self.is_sampled() || self.policy.kill_only;
        let mut whole = true;
        for (place, change) in pending.iter().enumerate() {
            let survives = if sampled { random.chance(share) } else { index >> place & 1 == 1 };
            let fate = match torn_one {
                Some(torn) if torn == place => Fate::torn(&change.change, &random),
                _ if survives => Fate::Whole,
                _ => Fate::Lost,
            };
            whole &= matches!(fate, Fate::Whole);
            fate.apply(&mut files, &change.change);
        }
        (files, whole)
    }
}

impl Iterator for CrashImages<'_> {
    type Item = CrashImage;

    fn next(&mut self) -> Option<CrashImage> {
        loop {
            while self.next == self.count {
                if !self.advance() {
                    return None;
                }
            }
            let (files, killed) = self.files(self.next);
            self.next += 1;
            let image = DiskImage::new(files);
            let is_new = self.distinct.insert(image.hash());
            if is_new || self.seen.insert((image.hash(), self.notes.len(), killed)) {
                self.seen.insert((image.hash(), self.notes.len(), killed));
                let (moment, notes) = (self.moment, Rc::clone(&self.notes));
                return Some(CrashImage { image, moment, killed, is_new, notes });
            }
        }
    }
}
