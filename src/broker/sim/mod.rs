//! The whole broker in the simulator: the real control thread, shards, listeners, connections,
//! handlers and storage under simulated clients that speak Kafka's protocol over a simulated
//! network, with every promise checked against a model.
//!
//! One seed is one data directory that several processes use one after the other, with another
//! number of shards each; clients outlive them and try again, as Kafka's do. Disks fail, fill up
//! and are slow, connections are cut and slow, cores and clients stand still, clocks jump, and
//! processes are stopped, killed or lose their power. Invariants: the same seed gives the same
//! trace; a client learns nothing but what the broker tells it, except where acknowledged records
//! that were never promised to survive are gone. Deliberately absent: several brokers.

mod admin;
mod consumer;
mod fetching;
mod greeter;
mod groups;
mod link;
mod lookups;
/// Many seeds.
pub mod many;
mod process;
mod producer;
mod run;
mod site;
#[cfg(test)]
mod tests;
mod topics;
mod verify;

/// The bytes of what producers send.
pub(in crate::broker) mod batches;
/// What clients were promised and have seen.
pub(in crate::broker) mod model;
/// What a seed has been through.
pub mod tally;

pub use run::{Telling, run};
