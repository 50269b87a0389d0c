//! NATS JetStream by its own protocol (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
//!
//! A topic's partitions are streams, each with one subject; an offset is a sequence in the stream. A record is a
//! message: `PUB subject inbox size`, and its acknowledgement comes to the inbox once the stream has stored it.
//! Readers are push consumers without acknowledgements, held back by JetStream's own flow control.
//!
//! Deliberately absent: headers on what is published, keys (they choose the partition and do not travel), TLS,
//! accounts, clusters.

pub mod parser;
pub mod publisher;
pub mod socket;
pub mod steward;
pub mod subscriber;

/// The stream of a partition.
pub fn stream(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Its one subject.
pub fn subject(topic: &str, partition: i32) -> String {
    format!("{topic}.{partition}")
}
