//! Kafka's bytes, damaged: any result but a panic or an allocation beyond the budget.

use super::vectors;
use crate::protocol::reader::Reader;
use crate::protocol::rewrite::decode_any;

const CASES: usize = 200_000;
const SEED: u64 = 0x4b6c_616d_6d03;

/// SplitMix64: the test must be the same everywhere and in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Bytes that lengths and counts are made of.
const EXTREMES: [&[u8]; 6] = [
    &[0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff],
    &[0, 0x0f, 0x42, 0x40],
];

/// Flips, overwrites, cuts or repeats some of the bytes.
pub(super) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            bytes.push(0);
        }
        let position = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[position] ^= 1 << random.below(8),
            1 => bytes[position] = random.next() as u8,
            2 => bytes.truncate(position),
            3 => {
                let extreme = EXTREMES[random.below(EXTREMES.len())];
                let end = bytes.len().min(position + extreme.len());
                bytes[position..end].copy_from_slice(&extreme[..end - position]);
            }
            _ => {
                let end = position + random.below(bytes.len() - position);
                let piece = bytes[position..end].to_vec();
                bytes.splice(position..position, piece);
            }
        }
    }
}

#[test]
fn damaged_messages_neither_panic_nor_allocate_beyond_the_budget() {
    let vectors: Vec<_> = vectors::all().iter().filter(|vector| !vector.is_translation()).collect();
    let mut random = Random(SEED);
    let (mut refused, mut accepted) = (0, 0);
    for _ in 0..CASES {
        let vector = vectors[random.below(vectors.len())];
        let mut bytes = vector.bytes.clone();
        damage(&mut bytes, &mut random);
        // Now and then another version of the same message.
        let versions = vector.message.versions;
        let span = (versions.max - versions.min + 1) as usize;
        let version = match random.below(4) {
            0 => versions.min + random.below(span) as i16,
            _ => vector.version,
        };
        let rewrite = match vector.message.key {
            -1 => (vector.message.rewrite)(&bytes, version, version),
            key => decode_any(vector.message.kind, key, version, &bytes),
        };
        match rewrite {
            Ok(rewritten) => {
                accepted += 1;
                assert!(rewritten.allocated <= Reader::new(&bytes).budget(), "{}", vector.title());
                // What was accepted is sayable again, and then means the same to the reader.
                let again = rewritten.bytes.unwrap_or_else(|e| panic!("{}: {e}", vector.title()));
                let stable = (vector.message.rewrite)(&again, version, version)
                    .unwrap_or_else(|error| panic!("{}: {error}", vector.title()));
                assert_eq!(stable.bytes, Ok(again), "{}", vector.title());
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > CASES / 4 && accepted > CASES / 20, "{refused} refused, {accepted} accepted");
}
