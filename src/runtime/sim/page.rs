//! The bytes of a simulated file: pages shared between every image that holds them.

use std::hash::Hasher;
use std::ops::Range;
use std::rc::Rc;

use rustc_hash::FxHasher;

use crate::runtime::random::mixed;

pub(super) const PAGE: usize = 4096;
/// Pages that one copy of a file's table shares or copies together.
const FANOUT: usize = 64;

static ZERO: [u8; PAGE] = [0; PAGE];

/// A page that is not all zeros; those are absent instead.
#[derive(Clone)]
pub(super) struct Page {
    hash: u64,
    bytes: [u8; PAGE],
}

pub(super) type MaybePage = Option<Rc<Page>>;

impl Page {
    /// The page of these bytes, the rest of it zero.
    pub(super) fn of(bytes: &[u8]) -> MaybePage {
        if bytes == &ZERO[..bytes.len()] {
            return None;
        }
        let mut page = Page { hash: 0, bytes: ZERO };
        page.bytes[..bytes.len()].copy_from_slice(bytes);
        let mut hasher = FxHasher::default();
        hasher.write(&page.bytes);
        page.hash = hasher.finish();
        Some(Rc::new(page))
    }

    pub(super) fn bytes(page: &MaybePage) -> &[u8; PAGE] {
        page.as_ref().map_or(&ZERO, |page| &page.bytes)
    }
}

#[derive(Clone)]
struct Group {
    pages: [MaybePage; FANOUT],
}

/// A file's bytes. A clone shares all pages; a write copies what it touches.
#[derive(Clone, Default)]
pub(super) struct FileData {
    len: u64,
    groups: Vec<Option<Rc<Group>>>,
    /// The sum of a hash of each page and its place.
    pages_hash: u64,
    on_disk: OnDisk,
}

/// Which pages of a file have disk of their own, a bit each: what lies between two of them may not.
#[derive(Clone, Default)]
struct OnDisk {
    words: Vec<u64>,
    count: u64,
}

impl OnDisk {
    fn has(&self, page: usize) -> bool {
        self.words.get(page / 64).is_some_and(|word| word & (1 << (page % 64)) != 0)
    }

    fn set(&mut self, page: usize) {
        if self.words.len() <= page / 64 {
            self.words.resize(page / 64 + 1, 0);
        }
        self.count += u64::from(!self.has(page));
        self.words[page / 64] |= 1 << (page % 64);
    }

    fn cut(&mut self, pages: usize) {
        self.words.truncate(pages.div_ceil(64));
        if let Some(last) = self.words.get_mut(pages / 64) {
            *last &= (1 << (pages % 64)) - 1;
        }
        self.count = self.words.iter().map(|word| u64::from(word.count_ones())).sum();
    }
}

impl FileData {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Equal for equal bytes, and hardly ever otherwise.
    pub(super) fn hash(&self) -> u64 {
        mixed(self.pages_hash ^ mixed(self.len))
    }

    fn page(&self, index: usize) -> &MaybePage {
        match self.groups.get(index / FANOUT) {
            Some(Some(group)) => &group.pages[index % FANOUT],
            _ => &None,
        }
    }

    pub(super) fn set_page(&mut self, index: usize, page: MaybePage) {
        let hash_of = |page: &MaybePage| {
            page.as_ref().map_or(0, |page| mixed(page.hash ^ mixed(index as u64)))
        };
        let old = self.page(index);
        if old.is_none() && page.is_none() {
            return;
        }
        self.pages_hash = self.pages_hash.wrapping_sub(hash_of(old)).wrapping_add(hash_of(&page));
        let group = index / FANOUT;
        if self.groups.len() <= group {
            self.groups.resize(group + 1, None);
        }
        let group = self.groups[group]
            .get_or_insert_with(|| Rc::new(Group { pages: [const { None }; FANOUT] }));
        Rc::make_mut(group).pages[index % FANOUT] = page;
    }

    /// Copies the bytes from `offset` on; returns how many there were.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let count = self.len.saturating_sub(offset).min(into.len() as u64) as usize;
        let mut done = 0;
        while done < count {
            let at = offset as usize + done;
            let within = at % PAGE;
            let part = (PAGE - within).min(count - done);
            let page = Page::bytes(self.page(at / PAGE));
            into[done..done + part].copy_from_slice(&page[within..within + part]);
            done += part;
        }
        count
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset as usize + done;
            let within = at % PAGE;
            let part = (PAGE - within).min(bytes.len() - done);
            let mut page = *Page::bytes(self.page(at / PAGE));
            page[within..within + part].copy_from_slice(&bytes[done..done + part]);
            self.set_page(at / PAGE, Page::of(&page));
            done += part;
        }
        self.allocate(offset, bytes.len() as u64);
        self.grow(offset + bytes.len() as u64);
    }

    /// Makes the file at least `len` bytes long.
    pub(super) fn grow(&mut self, len: u64) {
        self.len = self.len.max(len);
    }

    /// Gives each page of a range disk of its own.
    pub(super) fn allocate(&mut self, offset: u64, len: u64) {
        pages(offset, len).for_each(|page| self.on_disk.set(page));
    }

    /// How many of `len` bytes at `offset` can be written where so many pages of disk are free.
    pub(super) fn room(&self, offset: u64, len: usize, mut free: u64) -> usize {
        for page in pages(offset, len as u64) {
            if !self.on_disk.has(page) {
                if free == 0 {
                    return (page as u64 * PAGE as u64).saturating_sub(offset) as usize;
                }
                free -= 1;
            }
        }
        len
    }

    /// Bytes of disk that the file occupies.
    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.on_disk.count * PAGE as u64
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let first = len as usize / PAGE;
            let within = len as usize % PAGE;
            let mut page = *Page::bytes(self.page(first));
            page[within..].fill(0);
            self.set_page(first, Page::of(&page));
            let last = (self.len as usize).div_ceil(PAGE);
            for index in first + 1..last {
                self.set_page(index, None);
            }
            self.on_disk.cut((len as usize).div_ceil(PAGE));
        }
        self.len = len;
    }
}

/// The pages that a range touches.
fn pages(offset: u64, len: u64) -> Range<usize> {
    let end = if len == 0 { offset } else { (offset + len).next_multiple_of(PAGE as u64) };
    (offset / PAGE as u64) as usize..(end / PAGE as u64) as usize
}

/// What a write carries: whole pages, made once for all images, or bytes at any place.
pub(super) enum Payload {
    Pages(Vec<MaybePage>),
    Bytes(Vec<u8>),
}

impl Payload {
    pub(super) fn new(offset: u64, bytes: Vec<u8>) -> Payload {
        let aligned = offset.is_multiple_of(PAGE as u64) && bytes.len().is_multiple_of(PAGE);
        if !aligned || bytes.is_empty() {
            return Payload::Bytes(bytes);
        }
        Payload::Pages(bytes.chunks_exact(PAGE).map(Page::of).collect())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Payload::Pages(pages) => pages.len() * PAGE,
            Payload::Bytes(bytes) => bytes.len(),
        }
    }

    /// All bytes.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        match self {
            Payload::Pages(pages) => {
                let mut bytes = Vec::with_capacity(self.len());
                pages.iter().for_each(|page| bytes.extend_from_slice(Page::bytes(page)));
                bytes
            }
            Payload::Bytes(bytes) => bytes.clone(),
        }
    }

    pub(super) fn write_to(&self, file: &mut FileData, offset: u64) {
        match self {
            Payload::Pages(pages) => {
                let first = offset as usize / PAGE;
                for (index, page) in pages.iter().enumerate() {
                    file.set_page(first + index, page.clone());
                }
                file.allocate(offset, self.len() as u64);
                file.grow(offset + self.len() as u64);
            }
            Payload::Bytes(bytes) => file.write(offset, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_allocated_is_on_the_disk() {
        let page = PAGE as u64;
        let mut file = FileData::default();
        file.allocate(70 * page, 2 * page);
        file.write(3 * page + 5, &[1; PAGE]);
        assert_eq!((file.bytes_on_disk(), file.len()), (4 * page, 4 * page + 5));
        assert_eq!(file.room(3 * page, 2 * PAGE, 0), 2 * PAGE);
        assert_eq!(file.room(2 * page, 3 * PAGE, 0), 0);
        assert_eq!(file.room(2 * page + 5, 4 * PAGE, 1), 3 * PAGE - 5);
        assert_eq!(file.room(69 * page, 9, 1), 9);
        file.set_len(3 * page + 6);
        assert_eq!(file.bytes_on_disk(), page);
        file.set_len(0);
        assert_eq!((file.bytes_on_disk(), file.room(0, 1, 0)), (0, 0));
    }

    #[test]
    fn a_file_holds_what_was_written_and_copies_share() {
        let mut file = FileData::default();
        let mut model = vec![0; 700_000];
        let mut seed = 1;
        for _ in 0..200 {
            seed = mixed(seed);
            let offset = (seed % 600_000) as usize;
            let bytes = vec![(seed >> 32) as u8; ((seed >> 40) % 9000) as usize];
            file.write(offset as u64, &bytes);
            model[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
        let before = file.clone();
        file.set_len(5000);
        file.set_len(700_000);
        let mut read = vec![1; 700_000];
        assert_eq!(file.read(0, &mut read), 700_000);
        assert_eq!(read[..5000], model[..5000]);
        assert!(read[5000..].iter().all(|byte| *byte == 0));
        let len = before.len() as usize;
        assert_eq!(before.read(0, &mut read), len);
        assert_eq!(read[..len], model[..len]);
        assert_eq!(before.read(before.len(), &mut read), 0);
    }

    #[test]
    fn equal_bytes_have_equal_hashes_whatever_their_history() {
        let page = vec![3; PAGE];
        let mut one = FileData::default();
        Payload::new(0, [page.clone(), vec![0; PAGE]].concat()).write_to(&mut one, 0);
        let mut two = FileData::default();
        two.write(0, &vec![9; 2 * PAGE]);
        assert_ne!(one.hash(), two.hash());
        two.set_len(0);
        two.set_len(2 * PAGE as u64);
        two.write(0, &page);
        assert_eq!(one.hash(), two.hash());
        two.write(PAGE as u64, &page);
        assert_ne!(one.hash(), two.hash());
    }
}
