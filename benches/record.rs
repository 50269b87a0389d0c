//! What a produced batch costs before it is appended: checksum, validation, copy.
//!
//! Expected on the reference machine (2 cores, EPYC, 2 MiB of L2 and shared L3), and why:
//!
//! - **Checksum**: 50 GB/s warm from 64 KiB on, 25 cold. Carry-less multiplication folds 64 bytes or more
//!   a cycle at 3 GHz, so warm bytes are bound by loads from L2 and cold ones by one core's share of DRAM
//!   (12–17 GB/s, more while the prefetcher runs ahead).
//! - **Copy**: 50 GB/s warm; a cold copy moves each byte three times (read, read for ownership, write).
//!   `rep movsb`, which the C library likes for long ones, depends on where they lie; pieces do not.
//! - **Validation, one large record or a compressed batch**: the checksum and about 40 ns.
//! - **Validation, many records**: 14 ns a record on top, 45 cycles: seven varints of one or two bytes,
//!   each with its compares, shift and bound, and the record's own struct of 80 bytes.
//! - **Counting a request**: 15 ns: two map look-ups of few entries and one histogram slot.

mod harness;

use std::hint::black_box;
use std::time::Duration;

use harness::Bench;
use klamm::metrics::ShardMetrics;
use klamm::model::ErrorCode;
use klamm::record::checksum::crc32c;
use klamm::record::{
    BatchBuilder, BatchOptions, Compression, DecompressionCaps, ProduceRules, validate,
};
use klamm::runtime::memory;

const KIB: usize = 1024;
const PAGE: usize = 4 * KIB;
const TIME: i64 = 1_700_000_000_000;
/// Larger than any cache here, so that walking through it finds every byte cold.
const COLD_BYTES: usize = 256 * KIB * KIB;

fn main() {
    let bench = Bench::from_arguments();
    warm(&bench);
    cold(&bench);
    validation(&bench);
    metrics(&bench);
}

fn warm(bench: &Bench) {
    for (size, checksum, copy) in [
        (100, "7 GB/s", "30 GB/s"),
        (4 * KIB, "40 GB/s", "40 GB/s"),
        (64 * KIB, "50 GB/s", "50 GB/s"),
        (1024 * KIB, "50 GB/s", "45 GB/s"),
    ] {
        let source = vec![0x5a_u8; size];
        let mut target = vec![0_u8; size];
        bench.case(&format!("checksum, warm, {size} B"), checksum, size, || {
            black_box(crc32c(black_box(&source)));
        });
        bench.case(&format!("copy, warm, {size} B"), copy, size, || {
            black_box(&mut target).copy_from_slice(black_box(&source));
        });
        let mut pages = vec![0_u8; size + 2 * PAGE];
        // A target that begins 16 bytes further in its page than the source does in its own.
        let apart = source.as_ptr().addr().wrapping_sub(pages.as_ptr().addr());
        let target = &mut pages[apart.wrapping_add(16) % PAGE..][..size];
        bench.case(&format!("copy by pieces, 16 B behind, warm, {size} B"), copy, size, || {
            memory::copy(black_box(&mut *target), black_box(&source));
        });
    }
}

fn cold(bench: &Bench) {
    let source = vec![0x5a_u8; COLD_BYTES];
    let mut target = vec![1_u8; COLD_BYTES];
    let size = 64 * KIB;
    let mut at = 0;
    // A prime step, so that neighbours are not read one after the other.
    let mut next = || {
        at = (at + 7919 * size) % COLD_BYTES;
        at..at + size
    };
    bench.case("checksum, cold, 65536 B", "24 GB/s", size, || {
        black_box(crc32c(&source[next()]));
    });
    bench.case("checksum then copy, cold, 65536 B", "9 GB/s", size, || {
        let range = next();
        black_box(crc32c(&source[range.clone()]));
        target[range.clone()].copy_from_slice(&source[range]);
    });
    bench.case("copy then checksum, cold, 65536 B", "9 GB/s", size, || {
        let range = next();
        target[range.clone()].copy_from_slice(&source[range.clone()]);
        black_box(crc32c(&target[range]));
    });
}

fn validation(bench: &Bench) {
    for (name, record_count, value_size, compression, expected) in [
        ("validate 1 record of 100 B", 1, 100, Compression::None, "70 ns"),
        ("validate 1 record of 1 KiB", 1, KIB, Compression::None, "90 ns"),
        ("validate 64 records of 1 KiB", 64, KIB, Compression::None, "2 us"),
        ("validate 256 records of 1 KiB", 256, KIB, Compression::None, "8 us"),
        ("validate 600 records of 100 B", 600, 100, Compression::None, "10 us"),
        ("validate 64 KiB of lz4", 640, 100, Compression::Lz4, "1.3 us at 50 GB/s"),
    ] {
        let batch = batch(record_count, value_size, compression);
        bench.case(name, expected, batch.len(), || {
            black_box(validate(black_box(&batch), &RULES).expect("the batch is sound"));
        });
    }
}

fn metrics(bench: &Bench) {
    let metrics = ShardMetrics::new();
    bench.case("count a request", "15 ns", 0, || {
        metrics.answered(black_box(0), ErrorCode::None, Duration::from_micros(150));
    });
    bench.case("count received bytes", "1 ns", 0, || metrics.received(black_box(100)));
}

const RULES: ProduceRules = ProduceRules {
    batch_size_bytes_max: 1024 * KIB,
    compacted: false,
    log_append_time: false,
    now_ms: TIME,
    timestamp_before_ms_max: u64::MAX,
    timestamp_after_ms_max: 3_600_000,
    zstd_permitted: true,
    transactional_permitted: false,
    decompression: DecompressionCaps { size_bytes_max: 1 << 20, ratio_max: 2048 },
};

/// Values that no codec makes smaller.
fn batch(record_count: usize, value_size: usize, compression: Compression) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut builder = BatchBuilder::new(BatchOptions { compression, ..BatchOptions::default() });
    for _ in 0..record_count {
        let value: Vec<u8> = (0..value_size)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        builder.append(TIME, Some(b"key-1234"), Some(&value), &[]);
    }
    builder.finish()
}
