//! Klamm.

/// Ids, offsets, epochs, units, limits and Kafka's error codes.
pub mod model;
