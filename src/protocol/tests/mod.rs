//! Proof of the codec: Kafka's own bytes, another codec's bytes, and broken bytes.

mod bounds;
mod foreign;
mod mutation;
pub(crate) mod vectors;
