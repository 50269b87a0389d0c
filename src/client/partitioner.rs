//! Which partition a record goes to, as Kafka's producer decides it.
//!
//! A key's bytes decide by murmur2 (`Utils.murmur2`), so every client of a topic agrees. Records without a
//! key stay with one partition until a batch's worth of bytes went there (KIP-480, KIP-794).

use super::clock::random;

/// The partition of `key` among `partition_count`, which is not 0.
pub fn partition_of_key(key: &[u8], partition_count: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partition_count
}

/// MurmurHash2 with the seed of Kafka's Java client.
pub fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Where the records without a key of one topic go.
#[derive(Debug, Default)]
pub struct StickyPartition {
    current: Option<usize>,
    bytes: usize,
}

impl StickyPartition {
    /// The partition for the next record of `record_bytes`; `available` are those with a leader and not empty.
    pub fn choose(
        &mut self,
        available: &[usize],
        record_bytes: usize,
        batch_bytes: usize,
    ) -> usize {
        let stays = self.bytes < batch_bytes;
        let current = self.current.filter(|current| stays && available.contains(current));
        let chosen = current.unwrap_or_else(|| {
            self.bytes = 0;
            available[(random() % available.len() as u64) as usize]
        });
        self.current = Some(chosen);
        self.bytes += record_bytes;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `org.apache.kafka.common.utils.Utils.murmur2` (`UtilsTest.testMurmur2`).
    #[test]
    fn murmur2_is_kafkas() {
        for (key, expected) in [
            (&b"21"[..], -973_932_308_i32),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key) as i32, expected, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn a_key_has_one_partition_and_the_sign_is_dropped() {
        assert_eq!(partition_of_key(b"21", 10), ((-973_932_308_i32) & 0x7fff_ffff) as usize % 10);
        assert_eq!(partition_of_key(b"anything", 1), 0);
    }

    #[test]
    fn records_without_a_key_move_on_after_a_batch() {
        let mut sticky = StickyPartition::default();
        let first = sticky.choose(&[4], 10, 100);
        assert_eq!(first, 4);
        for _ in 0..9 {
            assert_eq!(sticky.choose(&[3, 4, 5], 10, 100), 4);
        }
        assert_eq!(sticky.choose(&[7], 10, 100), 7, "a batch's worth went to 4");
        assert_eq!(sticky.choose(&[8], 10, 100), 8, "7 has lost its leader");
    }
}
