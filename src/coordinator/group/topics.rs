//! Which topics a consumer group reads, as its members' subscriptions tell it.

use std::collections::BTreeSet;

use crate::protocol::consumer_protocol_subscription::ConsumerProtocolSubscription;
use crate::protocol::reader::Reader;

/// The protocol type of consumers, whose subscriptions have a known form.
pub(super) const CONSUMER: &str = "consumer";

/// Adds a consumer's topics; false if the subscription cannot be read. Every version of it begins
/// with what version 0 has, so that is what is read.
pub(super) fn add_topics(subscription: &[u8], topics: &mut BTreeSet<String>) -> bool {
    let mut reader = Reader::new(subscription);
    if reader.i16().is_err() {
        return false;
    }
    let Ok(subscription) = ConsumerProtocolSubscription::decode(&mut reader, 0) else {
        return false;
    };
    for topic in subscription.topics {
        if !topics.contains(topic.as_ref()) {
            topics.insert(topic.into_owned());
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::writer::Writer;

    /// A subscription to two topics as a consumer of this version writes it.
    fn subscription(version: i16) -> Vec<u8> {
        let message = ConsumerProtocolSubscription {
            topics: vec!["a".into(), "bc".into()],
            user_data: Some(vec![7; 3].into()),
            ..ConsumerProtocolSubscription::default()
        };
        let mut writer = Writer::new(Vec::new());
        writer.i16(version);
        message.encode(&mut writer, version).expect("the message has what each version needs");
        writer.into_parts().0
    }

    #[test]
    fn every_version_is_read_and_a_cut_one_is_refused() {
        for version in 0..=3 {
            let bytes = subscription(version);
            let mut topics = BTreeSet::new();
            assert!(add_topics(&bytes, &mut topics));
            assert!(topics.iter().eq(["a", "bc"]));
        }
        let bytes = subscription(0);
        for end in 0..bytes.len() {
            assert!(!add_topics(&bytes[..end], &mut BTreeSet::new()), "cut at {end}");
        }
    }
}
