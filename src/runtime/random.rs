//! A small, fast, repeatable source of randomness (xoshiro256++ seeded by SplitMix64).

use std::cell::Cell;

/// A generator; not for secrets.
#[derive(Debug)]
pub struct Random {
    state: Cell<[u64; 4]>,
}

impl Random {
    /// A generator that repeats itself for the same seed.
    pub fn seeded(seed: u64) -> Random {
        let word = |index: u64| mixed(seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Random { state: Cell::new([word(0), word(1), word(2), word(3)]) }
    }

    /// The next 64 random bits.
    pub fn next(&self) -> u64 {
        let mut s = self.state.get();
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        self.state.set(s);
        result
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True in this share of all calls: never for 0, always from 1 on.
    pub fn chance(&self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

/// Mixes 64 bits well: the finish of SplitMix64, for hashes of hashes.
pub fn mixed(word: u64) -> u64 {
    let mut word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats() {
        let (first, second, other) = (Random::seeded(1), Random::seeded(1), Random::seeded(2));
        for _ in 0..100 {
            assert_eq!(first.next(), second.next());
        }
        assert_ne!(first.next(), other.next());
        assert!((0..1000).all(|_| first.below(7) < 7));
        assert!((0..100).all(|_| !first.chance(0.0) && first.chance(1.0)));
        let hits = (0..10_000).filter(|_| first.chance(0.25)).count();
        assert!((2_200..2_800).contains(&hits), "{hits}");
    }
}
