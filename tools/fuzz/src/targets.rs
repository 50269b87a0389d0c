//! The four targets: any bytes go in, and a broken promise is a panic.

use klamm::config::{BrokerConfig, ConfigFile, Machine, parse_properties};
use klamm::model::topic_config::TopicConfig;
use klamm::protocol::reader::Reader;
use klamm::protocol::rewrite::{MESSAGES, MessageKind, decode_any};
use klamm::record::{BatchView, DecompressionCaps, ProduceRules, validate};
use klamm::storage::journal::{entry, frame};

/// Where the CRC-32C of a batch of magic 2 is.
const CRC_AT: usize = 17;
const TIME: i64 = 1_700_000_000_000;
/// What a batch may open to here.
pub const OPENED_BYTES_MAX: usize = 1 << 20;
const CAPS: DecompressionCaps =
    DecompressionCaps { size_bytes_max: OPENED_BYTES_MAX, ratio_max: 1000 };

/// Any message of the protocol: decoded within the budget, or refused. The first two bytes choose the
/// message and its version.
pub fn message(bytes: &[u8]) {
    let Some((&[message, version], body)) = bytes.split_first_chunk::<2>() else { return };
    let message = &MESSAGES[usize::from(message) % MESSAGES.len()];
    let span = message.versions.max - message.versions.min + 1;
    let version = message.versions.min + i16::from(version) % span;
    let rewritten = match message.kind {
        MessageKind::Request | MessageKind::Response => {
            decode_any(message.kind, message.key, version, body)
        }
        MessageKind::Header | MessageKind::Data => (message.rewrite)(body, version, version),
    };
    let Ok(rewritten) = rewritten else { return };
    assert!(rewritten.allocated <= Reader::new(body).budget());
    // What was accepted is sayable again, and then means the same to the reader.
    let again = rewritten.bytes.expect("what was accepted can be said");
    let stable = (message.rewrite)(&again, version, version).expect("what was said can be read");
    assert_eq!(stable.bytes, Ok(again));
}

/// A produced record batch: accepted by the rules of some topic, or refused. The first byte chooses
/// the rules, and whether the batch gets a checksum that is right.
pub fn record_batch(bytes: &[u8]) {
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
}

/// A frame of the journal, and the entries inside one. Few inputs have the checksum of a frame, so
/// they are tried as its payload as well.
pub fn journal_frame(bytes: &[u8]) {
    let _ = frame::fuzz(bytes);
    let mut rest = bytes;
    while let Ok((_, left)) = entry::decode(rest) {
        assert!(left.len() < rest.len(), "an entry has a length");
        rest = left;
    }
}

/// A configuration file, and behind a NUL the overrides, one a line: a configuration that keeps its
/// bounds, or one sentence.
pub fn config_file(bytes: &[u8]) {
    let cut = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (file, overrides) = bytes.split_at(cut);
    let _ = parse_properties(file);
    let overrides = String::from_utf8_lossy(overrides.get(1..).unwrap_or_default());
    let overrides: Vec<String> = overrides.lines().map(str::to_owned).collect();
    let machine = Machine {
        cpus: vec![0, 1, 2, 5],
        parallelism: 4,
        memory_bytes: 8 << 30,
        host_name: "somewhere".to_owned(),
    };
    let file = ConfigFile { name: "server.properties", bytes: file };
    match BrokerConfig::load(Some(file), &overrides, &machine) {
        Ok((config, _)) => {
            let shards = config.shard_cpus.len();
            assert!((1..=128).contains(&shards), "{shards} shards");
            assert!(config.shard_cpus.iter().all(|cpu| machine.cpus.contains(cpu)));
            assert!(!config.listeners.is_empty(), "nobody could connect");
            assert!(config.memory_bytes >= 32 << 20, "{} bytes of memory", config.memory_bytes);
        }
        Err(refused) => {
            let said = refused.to_string();
            assert!(!said.is_empty() && !said.contains('\n'), "a refusal is one line: {said:?}");
        }
    }
}
