//! Batches in another codec than their producer's.

use super::{CAPS, TIME, sample};
use crate::model::topic_config::{CompressionType, TopicConfig};
use crate::record::batch::{set_crc, set_max_timestamp};
use crate::record::header::{LAST_OFFSET_DELTA_AT, RECORD_COUNT_AT};
use crate::record::{
    BatchOptions, BatchView, Compression, InvalidBatch, ProduceRules, StoredAs, recompress,
    validate,
};

fn rules() -> ProduceRules {
    let rules = ProduceRules::of_topic(&TopicConfig::default(), TIME);
    ProduceRules { decompression: CAPS, ..rules }
}

fn sent(compression: Compression) -> Vec<u8> {
    sample(BatchOptions { compression, ..BatchOptions::default() })
}

fn stored_as(codec: Compression) -> StoredAs {
    StoredAs { codec, level: None }
}

#[test]
fn only_the_block_and_what_describes_it_changes() {
    let plain = sent(Compression::None);
    for from in Compression::ALL {
        for to in Compression::ALL {
            let bytes = recompress(&sent(from), &rules(), stored_as(to)).expect("accepted");
            let accepted = validate(&bytes, &rules()).expect("a valid batch");
            assert_eq!(accepted.header.compression, to);
            let batch = BatchView::parse(&bytes).expect("a batch");
            let opened = batch.open(CAPS).expect("it opens").into_owned();
            let original = BatchView::parse(&plain).expect("a batch");
            assert_eq!(opened, original.payload(), "{from:?} to {to:?}");
            let back = recompress(&bytes, &rules(), stored_as(Compression::None));
            assert_eq!(back.expect("accepted"), plain, "{from:?} to {to:?}");
        }
    }
}

#[test]
fn a_lying_max_timestamp_is_corrected() {
    let mut batch = sent(Compression::Gzip);
    set_max_timestamp(&mut batch, 5);
    let bytes = recompress(&batch, &rules(), stored_as(Compression::Zstd)).expect("accepted");
    assert_eq!(BatchView::parse(&bytes).expect("a batch").max_timestamp, TIME + 2);
}

#[test]
fn a_lying_block_is_refused() {
    let mut count = sent(Compression::Gzip);
    count[RECORD_COUNT_AT + 3] = 2;
    count[LAST_OFFSET_DELTA_AT + 3] = 1;
    set_crc(&mut count);
    let refused = recompress(&count, &rules(), stored_as(Compression::Lz4));
    assert!(matches!(refused, Err(InvalidBatch::Malformed { .. })), "{refused:?}");
    let mut cut = sent(Compression::Zstd);
    let last = cut.len() - 1;
    cut[last] ^= 0xff;
    cut[last - 20] ^= 0xff;
    set_crc(&mut cut);
    let refused = recompress(&cut, &rules(), stored_as(Compression::None));
    assert!(matches!(refused, Err(InvalidBatch::Compressed(_))), "{refused:?}");
}

#[test]
fn the_result_has_to_fit() {
    let batch = sent(Compression::Gzip);
    let rules = ProduceRules { batch_size_bytes_max: batch.len(), ..rules() };
    let refused = recompress(&batch, &rules, stored_as(Compression::None));
    assert!(matches!(refused, Err(InvalidBatch::TooLarge { .. })), "{refused:?}");
}

#[test]
fn a_topics_config_names_codec_and_level() {
    let of = |compression_type| {
        let config = TopicConfig {
            compression_type,
            compression_gzip_level: Some(4),
            compression_zstd_level: 7,
            ..TopicConfig::default()
        };
        StoredAs::of_topic(&config).map(|stored| (stored.codec, stored.level))
    };
    assert_eq!(of(CompressionType::Producer), None);
    assert_eq!(of(CompressionType::Uncompressed), Some((Compression::None, None)));
    assert_eq!(of(CompressionType::Gzip), Some((Compression::Gzip, Some(4))));
    assert_eq!(of(CompressionType::Snappy), Some((Compression::Snappy, None)));
    assert_eq!(of(CompressionType::Lz4), Some((Compression::Lz4, None)));
    assert_eq!(of(CompressionType::Zstd), Some((Compression::Zstd, Some(7))));
}
