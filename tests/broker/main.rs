//! The broker as a process, seen by healthy, hostile and half-dead clients.

#[path = "../support/mod.rs"]
mod support;

mod fetch;
mod frames;
mod healthy;
mod idempotence;
mod lookups;
mod produce;
mod versions;
mod wire;
