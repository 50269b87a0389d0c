//! What is fuzzed, from which seeds, and how inputs are mutated where libFuzzer is not at hand.
//!
//! `targets` are four plain functions that panic when a promise is broken. libFuzzer drives them from
//! `libfuzzer/` (a crate of its own, for a nightly compiler); this crate's program drives the same
//! functions on the stable compiler, from the same seeds, and watches what each input allocates. The
//! mutations and the seeds serve the torture of a live broker, too. Deliberately absent: coverage.

pub mod mutation;
pub mod seeds;
pub mod targets;

/// One thing that is fuzzed.
pub struct Target {
    /// Its name, which is also that of libFuzzer's program.
    pub name: &'static str,
    /// Takes any bytes; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs that reach deep.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The most that an input of so many bytes may allocate at once, in bytes.
    pub memory_max: fn(usize) -> usize,
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target {
        name: "message",
        run: targets::message,
        seeds: seeds::messages,
        // Decoded (the reader's own budget), encoded, decoded and encoded again.
        memory_max: |bytes| (64 << 10) + 64 * bytes,
    },
    Target {
        name: "record_batch",
        run: targets::record_batch,
        seeds: seeds::record_batches,
        // What a batch may open to is capped, and some decoders keep a window of 8 MiB at most.
        memory_max: |bytes| targets::OPENED_BYTES_MAX * 4 + (16 << 20) + 16 * bytes,
    },
    Target {
        name: "journal_frame",
        run: targets::journal_frame,
        seeds: seeds::journal_frames,
        memory_max: |bytes| (4 << 10) + 4 * bytes,
    },
    Target {
        name: "config_file",
        run: targets::config_file,
        seeds: seeds::config_files,
        // Every known key has its entry, whatever the file says.
        memory_max: |bytes| (2 << 20) + 64 * bytes,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs of each target that a usual test run takes; the program takes them for a minute.
    const INPUTS: u64 = 400;

    #[test]
    fn every_target_keeps_its_promises() {
        for target in &TARGETS {
            let seeds = (target.seeds)();
            assert!(!seeds.is_empty(), "{}", target.name);
            for number in 0..INPUTS {
                (target.run)(&mutation::input(&seeds, number));
            }
        }
    }

    #[test]
    fn an_input_repeats_itself() {
        let seeds = seeds::journal_frames();
        for number in 0..50 {
            assert_eq!(mutation::input(&seeds, number), mutation::input(&seeds, number));
        }
        let different = (0..50).filter(|n| mutation::input(&seeds, *n) != seeds[0]).count();
        assert!(different > 40, "{different}");
    }
}
