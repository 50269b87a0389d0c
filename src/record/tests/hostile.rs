//! Bytes that nobody vouches for: cut at every place, flipped, inflated.

use super::{CAPS, TIME, sample};
use crate::record::batch::set_crc;
use crate::record::compression::{compress, decompress};
use crate::record::header::ATTRIBUTES_AT;
use crate::record::{
    BatchError, BatchOptions, BatchView, Compression, DecompressionCaps, DecompressionError,
    ProduceRules, Records, validate,
};

fn rules(compacted: bool) -> ProduceRules {
    ProduceRules {
        batch_size_bytes_max: usize::MAX,
        compacted,
        log_append_time: false,
        now_ms: TIME,
        timestamp_before_ms_max: u64::MAX,
        timestamp_after_ms_max: u64::MAX,
        zstd_permitted: true,
        transactional_permitted: true,
        decompression: CAPS,
    }
}

fn samples() -> impl Iterator<Item = Vec<u8>> {
    Compression::ALL
        .into_iter()
        .map(|compression| sample(BatchOptions { compression, ..BatchOptions::default() }))
}

#[test]
fn a_batch_cut_at_every_byte_is_truncated() {
    for bytes in samples() {
        for end in 0..bytes.len() {
            match BatchView::parse(&bytes[..end]) {
                Err(BatchError::Truncated { size_bytes, needed_bytes }) => {
                    assert_eq!(size_bytes, end);
                    assert!(needed_bytes > end);
                }
                other => panic!("{end}: {other:?}"),
            }
        }
    }
}

#[test]
fn records_cut_at_every_byte_are_an_error() {
    for bytes in samples() {
        let batch = BatchView::parse(&bytes).unwrap();
        let opened = batch.open(CAPS).unwrap();
        assert!(batch.records(&opened).all(|record| record.is_ok()));
        for end in 0..opened.len() {
            let last = Records::new(batch.header(), &opened[..end]).last();
            assert!(matches!(last, Some(Err(_))), "{end}");
        }
    }
}

#[test]
fn a_compressed_block_cut_at_every_byte_never_yields_the_whole() {
    let records: Vec<u8> = (0..3000_u32).flat_map(|i| (i / 7).to_be_bytes()).collect();
    for codec in &Compression::ALL[1..] {
        let block = compress(*codec, None, &records);
        assert_eq!(decompress(*codec, &block, CAPS).unwrap(), records, "{codec:?}");
        for end in 0..block.len() {
            if let Ok(opened) = decompress(*codec, &block[..end], CAPS) {
                // A frame's trailing mark may be missing; then validation counts the records.
                assert!(opened.len() <= records.len() && records.starts_with(&opened));
            }
        }
    }
}

#[test]
fn one_flipped_bit_after_the_crc_is_always_refused() {
    for bytes in samples() {
        for at in ATTRIBUTES_AT..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(validate(&flipped, &rules(false)).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

/// A small generator, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn mutated_batches_with_a_right_crc_meet_no_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut refused = 0;
    for bytes in samples() {
        for _ in 0..4000 {
            let mut mutated = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(mutated.len());
                mutated[at] = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
            }
            set_crc(&mut mutated);
            refused += usize::from(validate(&mutated, &rules(false)).is_err());
            refused += usize::from(validate(&mutated, &rules(true)).is_err());
            // What is stored unopened is opened by others later.
            if let Ok(batch) = BatchView::parse(&mutated)
                && let Ok(opened) = batch.open(CAPS)
            {
                assert!(batch.records(&opened).count() <= opened.len() + 1);
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn bombs_stop_at_the_caps() {
    let zeros = vec![0_u8; 8 << 20];
    for codec in &Compression::ALL[1..] {
        let bomb = compress(*codec, None, &zeros);
        let by_size = DecompressionCaps { size_bytes_max: 1 << 20, ratio_max: usize::MAX };
        let by_ratio = DecompressionCaps { size_bytes_max: usize::MAX, ratio_max: 8 };
        for caps in [by_size, by_ratio] {
            let error = decompress(*codec, &bomb, caps).unwrap_err();
            assert!(matches!(error, DecompressionError::TooLarge(_)), "{codec:?}: {error}");
        }
        let exact = DecompressionCaps { size_bytes_max: zeros.len(), ratio_max: usize::MAX };
        assert_eq!(decompress(*codec, &bomb, exact).unwrap().len(), zeros.len());
    }
}

#[test]
fn snappy_lengths_are_not_believed() {
    let raw = |block: &[u8]| {
        let length = (block.len() as u32).to_be_bytes();
        [b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01", length.as_slice(), block].concat()
    };
    // Declares 1 MiB in 3 bytes of varint and has one literal byte.
    let liar = [0x80, 0x80, 0x40, 0x00, b'x'];
    let past_the_end = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff";
    let short_header = b"\x82SNAPPY\x00\x00";
    for block in [&liar[..], &raw(&liar), past_the_end, short_header] {
        let error = decompress(Compression::Snappy, block, CAPS).unwrap_err();
        assert!(matches!(error, DecompressionError::Malformed { .. }), "{error}");
    }
    // Some clients send one raw block without the framing.
    let bare = snap::raw::Encoder::new().compress_vec(b"records").unwrap();
    assert_eq!(decompress(Compression::Snappy, &bare, CAPS).unwrap(), &b"records"[..]);
}
