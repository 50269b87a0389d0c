//! `klamm-bench`: a load tester for every broker of the Kafka protocol, with latencies that can be believed.
//!
//! - [`options`], [`knobs`], [`workload`]: what a user may ask for.
//! - [`run`]: one run, from topic to verdict; [`session`] its threads; [`worker`] one of them, over a [`poller`]
//!   with many [`producer`]s and [`consumer`]s as [`plans`] share them out; [`churn`] is the other kind of thread.
//! - [`links`]: what ties threads to the main one; `library`: producers that are librdkafka's (a feature).
//! - [`connection`]: bytes; [`socket`] and [`nats`]: what is spoken over it; [`wire`]: a producer's choice of them.
//! - [`schedule`], [`sizes`], [`keys`], [`payload`], [`batches`], [`chance`]: what is sent, and when.
//! - [`measure`], [`ledger`], [`accounting`], [`verdict`]: what is found.
//! - [`outcome`], [`table`], [`live`], [`report`]: how it is told.
//! - [`mod@file`]: saved workloads; [`ramp`], [`soak`], [`floor`], [`lifecycle`] (with its [`probe`]): other measurements.
//! - [`systems`], [`contest`], [`compare`]: systems that the tool starts itself, side by side.
//! - [`commands`]: the command line's words, carried out; [`steward`] with [`cluster`]: what is asked around a run.
//!
//! Invariants: latency counts from the intended send time, and what was due but never sent counts as well;
//! nothing is shared between threads, which talk over bounded channels; no record is sent that cannot be
//! recognised and checked when it is read.
//!
//! Deliberately absent: TLS, SASL, transactions, consumer groups, and retries, which would hide what is measured.

mod accounting;
mod batches;
mod chance;
mod churn;
mod clock;
mod cluster;
mod commands;
mod compare;
mod connection;
mod consumer;
mod contest;
mod file;
mod floor;
mod keys;
mod knobs;
mod ledger;
#[cfg(feature = "librdkafka")]
mod library;
mod lifecycle;
mod links;
mod live;
mod measure;
mod nats;
mod options;
mod outcome;
mod payload;
mod plans;
mod poller;
mod probe;
mod producer;
mod ramp;
mod reading;
mod report;
mod run;
mod schedule;
mod session;
mod sizes;
mod soak;
mod socket;
mod steward;
mod systems;
mod table;
mod verdict;
mod wire;
mod worker;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use options::Options;

fn main() -> ExitCode {
    match commands::execute(Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("klamm-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
