//! Klamm: a Kafka-compatible broker for Linux, one shard per core, every acknowledged record on disk.
//!
//! This page is the map of the house. A room imports the rooms of the floors below it and nothing
//! else, but for the two of the client side, which have a list of their own; `config/layers.toml`
//! states the floors and `cargo run -p klamm-tidy` checks them. From the ground up:
//!
//! | floor | rooms |
//! |---|---|
//! | words | [`model`] |
//! | machine | [`runtime`], [`metrics`] |
//! | pure meaning | [`record`], [`protocol`], [`metadata`] |
//! | durable meaning | [`storage`], then [`replication`], then [`coordinator`] |
//! | two worlds that never import each other | [`shard`], [`controller`] |
//! | requests | [`api`] |
//! | doors | [`server`], [`admin`]; [`client`], then [`cli`], which share nothing with the broker but words, wire and records |
//! | the whole | [`config`], [`broker`], [`doctor`] |
//!
//! **The way of a produced batch**, one file a step: `server/decoder` cuts the frame,
//! `server/dispatch` finds the handler, `api/produce` has `record/validate` check the batch,
//! `shard/router` finds the owner, where needed `shard/mailbox` takes it on the owning core,
//! `replication/leader` gives it its turn, `storage/log` its offset and its place in memory,
//! `storage/journal` commits it with all batches of the same tick (a large one goes to its segment beside that,
//! by `storage/log/bypass`), and `server/pipeline` answers in request order. A fetch goes the same way, by `shard/fetch_router`, and comes back as leases on that
//! memory.
//!
//! **Threads.** One thread a shard, pinned to a core, runs everything of its partitions; the control
//! thread runs the metadata quorum; the admin thread serves HTTP. Nothing mutable is shared: values
//! and leases cross between cores over `runtime::mesh`.

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

/// The in-sync-replica protocol: what a partition's leader promises.
pub mod replication;

/// Consumer groups: membership, assignments and committed offsets, as pure state machines.
pub mod coordinator;

/// What runs on a data core: routing, the mailbox and the partitions that the shard leads.
pub mod shard;

/// The control thread: the metadata quorum, its log, and commands made durable as records.
pub mod controller;

/// Kafka's APIs: one file per family, from a decoded request to an answer.
pub mod api;

/// The door for Kafka clients: listeners, connections, framing, responses in order.
pub mod server;

/// The operator's HTTP door: health, readiness and metrics.
pub mod admin;

/// The small Kafka client of the command-line tools and the bench tool; never on a shard.
pub mod client;

/// The command-line tools, with the flags, the output and the exit codes of Kafka's scripts.
pub mod cli;

/// Options parsed once: the configuration file, the overrides, and what becomes of each key.
pub mod config;

/// What this machine lacks to run a broker, and the remedy for each.
pub mod doctor;

/// The composition root: threads, start-up and shutdown.
pub mod broker;
