//! Klamm.

/// Ids, offsets, epochs, units, limits and Kafka's error codes.
pub mod model;

/// The machine below everything: the only room that knows glommio, io_uring and libc.
pub mod runtime;

/// What each shard counts about itself, and the page that Prometheus reads.
pub mod metrics;

/// Kafka's record batches as checked views: parsing, validation, building, compression.
pub mod record;

/// The Kafka wire protocol: messages as plain values, bytes in and out.
pub mod protocol;

/// The cluster's metadata: commands, the records that they yield, and the image of all records.
pub mod metadata;

/// What is durable: the journal, the partition logs behind it, checkpoints and recovery.
pub mod storage;

/// The control thread: the metadata quorum, its log, and commands made durable as records.
pub mod controller;

/// Options parsed once: the configuration file, the overrides, and what becomes of each key.
pub mod config;
