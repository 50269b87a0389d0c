//! The broker as a process, seen by healthy, hostile and half-dead clients, and after any end of its own.

#[path = "../support/mod.rs"]
mod support;

mod deletion;
mod fetch;
mod frames;
mod group_abuse;
mod group_floods;
mod group_kills;
mod group_rules;
mod groups;
mod healthy;
mod idempotence;
mod kafka;
mod kill_loop;
mod ledger;
mod load;
mod lookups;
mod member;
mod moves;
mod offsets;
mod produce;
mod relaxed;
mod reshard;
mod start_stop;
mod versions;
mod wire;
