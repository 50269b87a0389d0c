//! The broker as a process, seen by healthy, hostile and half-dead clients, and after any end of its own.

#[path = "../support/mod.rs"]
mod support;

mod compression;
mod connections;
mod damage;
mod deletion;
mod disk_full;
mod fetch;
mod few_files;
mod frames;
mod group_abuse;
mod group_floods;
mod group_kills;
mod group_rules;
mod groups;
mod healthy;
mod idempotence;
mod inspection;
mod kafka;
mod kill_loop;
mod ledger;
mod load;
mod lookups;
mod member;
mod moves;
mod offsets;
mod pressure;
mod produce;
mod relaxed;
mod reshard;
mod restarts;
mod retention;
mod start_stop;
mod torture;
mod versions;
mod vitals;
mod wire;
