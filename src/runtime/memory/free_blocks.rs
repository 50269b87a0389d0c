//! Which blocks of an arena are free: a buddy system over bitmaps, lowest address first.
//!
//! A region is [`REGION_BYTES`] long and is split into halves down to one block. Each order has a
//! bitmap in which a set bit is a free, whole, naturally aligned piece. Taking the lowest address
//! that fits keeps the used part of the arena dense; giving back merges a piece with its buddy at
//! once, so that fragmentation ends where the allocations end.

use crate::model::units::{BLOCK, MIB};

/// What free memory is merged up to and given back to the kernel in.
pub(super) const REGION_BYTES: usize = MIB;

/// Orders from one block to one region.
const ORDERS: usize = (REGION_BYTES / BLOCK).trailing_zeros() as usize + 1;
const TOP: usize = ORDERS - 1;

/// A set of small numbers that finds its least member by scanning two levels of words.
struct Bitmap {
    words: Vec<u64>,
    /// Bit `i` is set while `words[i]` has a set bit.
    summary: Vec<u64>,
    count: usize,
}

impl Bitmap {
    fn new(bits: usize) -> Bitmap {
        let words = bits.div_ceil(64);
        Bitmap { words: vec![0; words], summary: vec![0; words.div_ceil(64)], count: 0 }
    }

    fn contains(&self, bit: usize) -> bool {
        self.words[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn insert(&mut self, bit: usize) {
        assert!(!self.contains(bit), "block {bit} is given back twice");
        self.words[bit / 64] |= 1 << (bit % 64);
        self.summary[bit / 64 / 64] |= 1 << (bit / 64 % 64);
        self.count += 1;
    }

    fn remove(&mut self, bit: usize) {
        debug_assert!(self.contains(bit));
        let word = &mut self.words[bit / 64];
        *word &= !(1 << (bit % 64));
        if *word == 0 {
            self.summary[bit / 64 / 64] &= !(1 << (bit / 64 % 64));
        }
        self.count -= 1;
    }

    fn take_lowest(&mut self) -> Option<usize> {
        let (outer, summary) = self.summary.iter().enumerate().find(|(_, word)| **word != 0)?;
        let inner = outer * 64 + summary.trailing_zeros() as usize;
        let bit = inner * 64 + self.words[inner].trailing_zeros() as usize;
        self.remove(bit);
        Some(bit)
    }

    fn take_highest(&mut self) -> Option<usize> {
        let (outer, summary) = self.summary.iter().enumerate().rfind(|(_, word)| **word != 0)?;
        let inner = outer * 64 + 63 - summary.leading_zeros() as usize;
        let bit = inner * 64 + 63 - self.words[inner].leading_zeros() as usize;
        self.remove(bit);
        Some(bit)
    }
}

/// The free pieces of one arena.
pub(super) struct FreeBlocks {
    /// Free pieces by order; the top one holds only regions that have been touched.
    free: Vec<Bitmap>,
    /// Free regions that hold no memory: never touched, or given back to the kernel.
    untouched: Bitmap,
    /// The fewest touched and wholly free regions since the last [`FreeBlocks::take_idle`].
    idle_low: usize,
}

impl FreeBlocks {
    pub(super) fn new(regions: usize) -> FreeBlocks {
        let free = (0..ORDERS).map(|order| Bitmap::new(regions << (TOP - order))).collect();
        let mut untouched = Bitmap::new(regions);
        for region in 0..regions {
            untouched.insert(region);
        }
        FreeBlocks { free, untouched, idle_low: 0 }
    }

    /// Takes `bytes` (a power of two of at least one block) and returns their place in the arena; of
    /// a region that holds no memory yet only where `fresh` allows it.
    pub(super) fn take(&mut self, bytes: usize, fresh: bool) -> Option<usize> {
        let order = order_of(bytes);
        let touched = (order..ORDERS)
            .find_map(|order| self.free[order].take_lowest().map(|piece| (order, piece)));
        let (mut have, mut piece) = match touched {
            Some(found) => found,
            None if fresh => (TOP, self.untouched.take_lowest()?),
            None => return None,
        };
        while have > order {
            have -= 1;
            piece *= 2;
            self.free[have].insert(piece + 1);
        }
        self.idle_low = self.idle_low.min(self.free[TOP].count);
        Some(piece * bytes)
    }

    /// Gives back what [`FreeBlocks::take`] returned.
    pub(super) fn give_back(&mut self, at: usize, bytes: usize) {
        let mut order = order_of(bytes);
        let mut piece = at / bytes;
        while order < TOP && self.free[order].contains(piece ^ 1) {
            self.free[order].remove(piece ^ 1);
            piece /= 2;
            order += 1;
        }
        self.free[order].insert(piece);
    }

    /// Regions that hold no memory.
    pub(super) fn untouched_regions(&self) -> usize {
        self.untouched.count
    }

    /// Regions that are free and hold memory.
    pub(super) fn idle_regions(&self) -> usize {
        self.free[TOP].count
    }

    /// Takes one region, the highest, that is free and holds memory, if some were free ever since
    /// the last [`FreeBlocks::begin_idle_period`]; [`FreeBlocks::give_back_untouched`] ends it.
    pub(super) fn take_idle(&mut self) -> Option<usize> {
        if self.idle_low == 0 {
            return None;
        }
        let region = self.free[TOP].take_highest()?;
        self.idle_low -= 1;
        Some(region * REGION_BYTES)
    }

    /// Starts to observe anew how many regions stay free.
    pub(super) fn begin_idle_period(&mut self) {
        self.idle_low = self.free[TOP].count;
    }

    /// Gives back a region whose memory the kernel has taken.
    pub(super) fn give_back_untouched(&mut self, at: usize) {
        self.untouched.insert(at / REGION_BYTES);
    }

    /// Gives back a region from [`FreeBlocks::take_idle`] whose memory the kernel did not take.
    pub(super) fn give_back_idle(&mut self, at: usize) {
        self.free[TOP].insert(at / REGION_BYTES);
    }
}

fn order_of(bytes: usize) -> usize {
    assert!(bytes.is_power_of_two() && (BLOCK..=REGION_BYTES).contains(&bytes));
    (bytes / BLOCK).trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_merges_again() {
        let mut blocks = FreeBlocks::new(3);
        let mut taken = Vec::new();
        while let Some(at) = blocks.take(BLOCK, true) {
            taken.push(at);
        }
        assert_eq!(taken, (0..3 * REGION_BYTES / BLOCK).map(|i| i * BLOCK).collect::<Vec<_>>());
        // Odd blocks first: nothing can merge until their buddies come.
        for at in taken.iter().filter(|at| !(*at / BLOCK).is_multiple_of(2)) {
            blocks.give_back(*at, BLOCK);
        }
        assert_eq!(blocks.take(2 * BLOCK, true), None);
        for at in taken.iter().filter(|at| (*at / BLOCK).is_multiple_of(2)) {
            blocks.give_back(*at, BLOCK);
        }
        assert_eq!(blocks.idle_regions(), 3);
        assert_eq!(blocks.take(REGION_BYTES, true), Some(0));
    }

    #[test]
    fn a_small_piece_is_cut_from_the_smallest_that_fits() {
        let mut blocks = FreeBlocks::new(2);
        assert_eq!(blocks.take(4 * BLOCK, true), Some(0));
        assert_eq!(blocks.take(BLOCK, true), Some(4 * BLOCK));
        assert_eq!(blocks.take(REGION_BYTES / 2, true), Some(REGION_BYTES / 2));
        blocks.give_back(0, 4 * BLOCK);
        assert_eq!(blocks.take(BLOCK, true), Some(5 * BLOCK));
        assert_eq!(blocks.take(4 * BLOCK, true), Some(0));
        assert_eq!(blocks.take(REGION_BYTES, true), Some(REGION_BYTES));
        assert_eq!(blocks.take(REGION_BYTES, true), None);
    }

    #[test]
    #[should_panic(expected = "given back twice")]
    fn giving_back_twice_is_noticed() {
        let mut blocks = FreeBlocks::new(1);
        let at = blocks.take(BLOCK, true).expect("the arena is empty");
        let _held = blocks.take(BLOCK, true);
        blocks.give_back(at, BLOCK);
        blocks.give_back(at, BLOCK);
    }

    #[test]
    fn only_what_stayed_idle_is_given_to_the_kernel() {
        let mut blocks = FreeBlocks::new(4);
        let all: Vec<_> = (0..4).filter_map(|_| blocks.take(REGION_BYTES, true)).collect();
        blocks.begin_idle_period();
        for at in &all {
            blocks.give_back(*at, REGION_BYTES);
        }
        assert_eq!(blocks.take_idle(), None, "none was idle when the period began");
        blocks.begin_idle_period();
        let one = blocks.take(REGION_BYTES, true).expect("four are free");
        blocks.give_back(one, REGION_BYTES);
        let taken: Vec<_> = std::iter::from_fn(|| blocks.take_idle()).collect();
        assert_eq!(taken, [3, 2, 1].map(|region| region * REGION_BYTES));
        for at in taken {
            blocks.give_back_untouched(at);
        }
        assert_eq!(blocks.idle_regions(), 1);
        assert_eq!(blocks.take(REGION_BYTES, true), Some(0), "a touched region is used first");
        assert_eq!(blocks.take(REGION_BYTES, true), Some(REGION_BYTES));
    }
}
