//! Any bytes as a produced record batch: accepted by the rules of some topic, or refused.
//!
//! The first byte chooses the rules, and whether the batch gets a checksum that is right.

#![no_main]

use klamm::model::topic_config::TopicConfig;
use klamm::record::{BatchView, DecompressionCaps, ProduceRules, validate};
use libfuzzer_sys::fuzz_target;

/// Where the CRC-32C of a batch of magic 2 is.
const CRC_AT: usize = 17;
const TIME: i64 = 1_700_000_000_000;
const CAPS: DecompressionCaps = DecompressionCaps { size_bytes_max: 1 << 20, ratio_max: 1000 };

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, batch)) = bytes.split_first() else { return };
    let mut batch = batch.to_vec();
    if choice & 1 != 0
        && let Some(crc) = BatchView::parse(&batch).ok().map(|view| view.crc_computed())
    {
        batch[CRC_AT..][..4].copy_from_slice(&crc.to_be_bytes());
    }
    let rules = ProduceRules {
        compacted: choice & 2 != 0,
        log_append_time: choice & 4 != 0,
        zstd_permitted: choice & 8 != 0,
        transactional_permitted: choice & 16 != 0,
        decompression: CAPS,
        ..ProduceRules::of_topic(&TopicConfig::default(), TIME)
    };
    let accepted = validate(&batch, &rules).is_ok();
    let Ok(view) = BatchView::parse(&batch) else {
        assert!(!accepted, "what does not parse is refused");
        return;
    };
    // Whoever opens a stored batch treats it as hostile.
    if let Ok(opened) = view.open(CAPS) {
        assert!(opened.len() <= CAPS.size_bytes_max.max(batch.len()));
        view.records(&opened).for_each(drop);
    }
});
