//! Newtypes for every id, offset and epoch that crosses a room's border.

use std::fmt;

/// Declares a transparent integer newtype that orders, hashes and prints as its number.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Kafka's `node.id`: a broker or controller of the cluster.
    BrokerId(i32)
}
number! {
    /// A partition's index inside its topic, counted from 0.
    PartitionIndex(i32)
}
number! {
    /// A record's logical position in its partition, counted from 0; `-1` where Kafka says "none".
    Offset(i64)
}
number! {
    /// The number of a leader's term for one partition; rises with every change (KIP-101).
    LeaderEpoch(i32)
}
number! {
    /// The number of a journal's term as owner of one partition; rises with every move.
    OwnerEpoch(u32)
}
number! {
    /// An idempotent producer's id, given out in blocks by the controller (KIP-98).
    ProducerId(i64)
}
number! {
    /// The fencing epoch of a producer id.
    ProducerEpoch(i16)
}
number! {
    /// A shard of this process, counted from 0; each is pinned to one core.
    ShardId(u16)
}

impl Offset {
    /// The offset after this one, saturating at the largest.
    pub const fn next(self) -> Offset {
        Offset(self.0.saturating_add(1))
    }
}

impl ProducerId {
    /// What a batch carries when its producer is not idempotent.
    pub const NONE: ProducerId = ProducerId(-1);
}

/// A topic's unique id (KIP-516): a recreated name gets a new one and never sees old bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// Kafka's zero UUID: "no topic id".
    pub const ZERO: TopicId = TopicId([0; 16]);
    /// The id that Kafka reserves for the metadata log (`Uuid.METADATA_TOPIC_ID`).
    pub const METADATA: TopicId = TopicId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Makes an id from 128 random bits, as a version 4 UUID that Kafka would accept: never one of
    /// the reserved ids, and its text never starts with a dash.
    pub fn from_random(high: u64, low: u64) -> TopicId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..].copy_from_slice(&low.to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        // The text's first character holds the first six bits: 62 is '-' and 63 is '_'.
        if bytes[0] >> 2 >= 62 {
            bytes[0] &= 0x7f;
        }
        TopicId(bytes)
    }

    /// True for Kafka's zero UUID.
    pub fn is_zero(self) -> bool {
        self == TopicId::ZERO
    }

    /// Parses Kafka's text form: 22 characters of URL-safe base64 without padding.
    pub fn parse(text: &str) -> Option<TopicId> {
        let text = text.as_bytes();
        if text.len() != 22 {
            return None;
        }
        let mut bits: u32 = 0;
        let mut bit_count = 0;
        let mut bytes = [0u8; 16];
        let mut filled = 0;
        for &symbol in text {
            let value = ALPHABET.iter().position(|&letter| letter == symbol)? as u32;
            bits = (bits << 6) | value;
            bit_count += 6;
            if bit_count >= 8 && filled < 16 {
                bit_count -= 8;
                bytes[filled] = (bits >> bit_count) as u8;
                bits &= (1 << bit_count) - 1;
                filled += 1;
            }
        }
        (bits == 0).then_some(TopicId(bytes))
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 22];
        for (index, symbol) in text.iter_mut().enumerate() {
            let bit = index * 6;
            let first = u32::from(self.0[bit / 8]);
            let second = u32::from(*self.0.get(bit / 8 + 1).unwrap_or(&0));
            let window = (first << 8) | second;
            *symbol = ALPHABET[(window >> (10 - bit % 8)) as usize & 63];
        }
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One partition of one incarnation of a topic: the identity of a log, never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// The topic's id.
    pub topic: TopicId,
    /// The partition inside that topic.
    pub partition: PartitionIndex,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, bytes: [u8; 16]) {
        assert_eq!(TopicId(bytes).to_string(), text);
        assert_eq!(TopicId::parse(text), Some(TopicId(bytes)));
    }

    #[test]
    fn text_form_is_kafkas() {
        check("AAAAAAAAAAAAAAAAAAAAAA", [0; 16]);
        check("AAAAAAAAAAAAAAAAAAAAAQ", TopicId::METADATA.0);
        check("_____________________w", [255; 16]);
        check("AQIDBAUGBwgJCgsMDQ4PEA", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    }

    #[test]
    fn parse_refuses_what_is_not_an_id() {
        for text in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAR",
            "AAAAAAAAAAAAAAAAAAAAA=",
            "+AAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(TopicId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn random_ids_are_version_4_and_never_start_with_a_dash() {
        for high in [0, u64::MAX, 0xf8ff_ffff_ffff_ffff, 0x1234_5678_9abc_def0] {
            let id = TopicId::from_random(high, !high);
            assert_eq!(id.0[6] >> 4, 4);
            assert!(!id.to_string().starts_with('-'));
            assert_eq!(TopicId::parse(&id.to_string()), Some(id));
        }
    }
}
