//! A shard's numbers, gathered beside its work and sent to whoever asks.

use std::rc::Rc;

use crate::coordinator::group::State;
use crate::metrics::{Metric, Reading, ShardSnapshot};
use crate::runtime::{Engine, Lane};
use crate::shard::message::Message;
use crate::shard::state::Shard;
use crate::storage::{StoreGauges, StoreStats};

/// Gathers the numbers in the background and sends them to `to`. `with_logs` adds the size of every log.
pub fn begin(shard: &Rc<Shard>, to: usize, round: u32, with_logs: bool) {
    // A shard that is ending answers no more, and whoever asks does not wait for long.
    let Some(guard) = shard.gate().enter() else { return };
    let measured = shard.clone();
    shard.runtime().spawn(Lane::Background, async move {
        let snapshot = measure(&measured, with_logs).await;
        measured.mesh().send(to, Message::Measured(round, Box::new(snapshot)));
        drop(guard);
    });
}

async fn measure(shard: &Shard, with_logs: bool) -> ShardSnapshot {
    let mut readings = Vec::with_capacity(Metric::ALL.len() + 16);
    let gauges = shard.store().gauges().await;
    let groups = shard.groups().figures(shard.runtime()).await;
    for (state, count) in State::ALL.iter().zip(groups.groups) {
        let (metric, label) = (Metric::Groups, state.name());
        readings.push(Reading { metric, label, value: count as f64 });
    }
    of_shard(shard, &mut readings);
    of_store(&gauges, &shard.store().stats(), &mut readings);
    of_memory(shard, &gauges, groups.bytes, &mut readings);
    let up = shard.store().failure().is_none();
    readings.push(Reading::new(Metric::LogDirectoryUp, f64::from(u8::from(up))));
    let mut snapshot = shard.metrics().snapshot(shard.id(), readings);
    if with_logs {
        snapshot.logs = gauges.logs;
    }
    snapshot
}

fn of_shard(shard: &Shard, readings: &mut Vec<Reading>) {
    let figures = shard.runtime().figures();
    for (label, count) in [("task", figures.stalls_held), ("cpu", figures.stalls_starved)] {
        readings.push(Reading { metric: Metric::Stalls, label, value: count as f64 });
    }
    let mut read = |metric, value| readings.push(Reading::new(metric, value));
    read(Metric::CpuSeconds, figures.cpu_time.as_secs_f64());
    read(Metric::Partitions, shard.leader_count() as f64);
    read(Metric::CallsWaiting, shard.calls().count() as f64);
    read(Metric::MessagesKeptBack, shard.mesh().kept_back() as f64);
}

fn of_store(gauges: &StoreGauges, stats: &StoreStats, readings: &mut Vec<Reading>) {
    let journal = &gauges.journal;
    for engine in Engine::ALL.into_iter().filter(|_| journal.engine.is_some()) {
        let in_use = u8::from(journal.engine == Some(engine));
        let (metric, label) = (Metric::CommitEngine, engine.name());
        readings.push(Reading { metric, label, value: f64::from(in_use) });
    }
    let waits =
        [("release", stats.journal.waits_for_release), ("zeros", stats.journal.waits_for_zeros)];
    for (label, count) in waits {
        readings.push(Reading { metric: Metric::JournalWaits, label, value: count as f64 });
    }
    let log_bytes: u64 = gauges.logs.iter().map(|(_, bytes)| bytes).sum();
    let mut read = |metric, value| readings.push(Reading::new(metric, value));
    read(Metric::LogBytes, log_bytes as f64);
    read(Metric::CommitsInFlight, journal.in_flight as f64);
    read(Metric::JournalStagedBytes, journal.staged_bytes as f64);
    read(Metric::JournalUsed, journal.used);
    read(Metric::JournalWrites, stats.journal.writes as f64);
    read(Metric::JournalSyncs, stats.journal.syncs as f64);
    read(Metric::BypassedBytes, stats.bypassed_bytes as f64);
    read(Metric::Checkpoints, stats.checkpoints as f64);
    read(Metric::OpenSegments, stats.open_segments as f64);
}

/// Memory by purpose. Chunks hold records that are not in their segments yet, and caches of those
/// that are.
fn of_memory(shard: &Shard, gauges: &StoreGauges, groups: usize, readings: &mut Vec<Reading>) {
    let arena = shard.runtime().arena();
    let cached = gauges.cached_bytes.min(arena.bytes_used());
    let by_purpose = [
        ("records", arena.bytes_used() - cached),
        ("cache", cached),
        ("index", gauges.index_bytes),
        ("journal", gauges.journal.buffer_bytes),
        ("receive", shard.runtime().figures().receive_bytes),
        ("groups", groups),
    ];
    for (label, bytes) in by_purpose {
        readings.push(Reading { metric: Metric::MemoryBytes, label, value: bytes as f64 });
    }
    readings.push(Reading::new(Metric::LentBytes, shard.lent().lent_bytes() as f64));
    readings.push(Reading::new(Metric::MemoryLimitBytes, arena.bytes_max() as f64));
}
