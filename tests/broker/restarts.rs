//! Starts, stops and kills one after the other on one directory, and a long time at half load: nothing
//! piles up.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::kafka;
use crate::load::{Kind, Load, Plan, now};
use crate::support::Broker;
use crate::vitals::{descriptors, resident_bytes, thread_count};
use crate::wire::{Wire, batch};

/// Rounds of a usual run end after this time; `KLAMM_RESTARTS` says how many a long one makes.
const ROUNDS_TIME: Duration = Duration::from_secs(40);
/// Fewer rounds than this show nothing, however slow the machine is.
const ROUNDS_MIN: u32 = 10;
/// What the memory of two starts may differ by.
const RESIDENT_SLACK_BYTES: usize = 8 << 20;

/// Every file and directory below `path`, numbers left out of their names.
fn tree(path: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(path).expect("the directory is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let name: String = name.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(tree(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        }
        found.insert(name);
    }
    found
}

fn file_count(path: &Path) -> usize {
    let entries = fs::read_dir(path).expect("the directory is there").flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => file_count(&entry.path()),
            _ => 1,
        })
        .sum()
}

/// What a broker that has just begun and served a little has of everything.
#[derive(Debug)]
struct Vitals {
    descriptors: Vec<String>,
    threads: usize,
    resident: usize,
    files: usize,
}

fn vitals(broker: &Broker) -> Vitals {
    Vitals {
        descriptors: descriptors(broker),
        threads: thread_count(broker),
        resident: resident_bytes(broker),
        files: file_count(&broker.data_dir()),
    }
}

#[test]
fn a_loop_of_starts_and_stops_leaves_nothing_behind() {
    let rounds = std::env::var("KLAMM_RESTARTS");
    let rounds: Option<u32> = rounds.ok().map(|text| text.parse().expect("a number of rounds"));
    let mut broker = Broker::start(&["num.shards=2"]);
    Wire::connect(&broker).create_topic("kept", 4, &[]);
    let began = now();
    let mut first: Option<Vitals> = None;
    let mut names = BTreeSet::new();
    let mut round = 0;
    let wanted = |round| match rounds {
        Some(rounds) => round < rounds,
        None => round < ROUNDS_MIN || began.elapsed() < ROUNDS_TIME,
    };
    while wanted(round) {
        let mut wire = Wire::connect(&broker);
        let (partition, base) = ((round % 4) as i32, i64::from(round / 4));
        let answer = wire.produce("kept", partition, &batch(&["one"]), 9);
        assert_eq!((answer.error_code, answer.base_offset), (0, base), "round {round}");
        drop(wire);
        // Every third start comes after a kill.
        if round % 3 == 2 {
            broker.kill();
        } else {
            assert_eq!(broker.stop().code(), Some(0));
        }
        broker.restart();
        round += 1;
        if round < 6 {
            names.extend(tree(&broker.data_dir()));
            first = Some(vitals(&broker));
            continue;
        }
        let (first, now) = (first.as_ref().expect("it was taken"), vitals(&broker));
        assert!(now.descriptors.len() <= first.descriptors.len() + 8, "{first:?}\n{now:?}");
        assert!(now.threads <= first.threads + 2, "{first:?}\n{now:?}");
        assert!(now.resident <= first.resident + RESIDENT_SLACK_BYTES, "{first:?}\n{now:?}");
        assert!(now.files <= first.files + 8, "{first:?}\n{now:?}");
        let new: Vec<String> = tree(&broker.data_dir()).difference(&names).cloned().collect();
        assert!(new.len() <= 8, "new files in round {round}: {new:?}");
    }
    let last = vitals(&broker);
    println!(
        "{round} rounds in {} s: {} descriptors, {} threads, {} files, {} KiB resident after the last",
        began.elapsed().as_secs(),
        last.descriptors.len(),
        last.threads,
        last.files,
        last.resident >> 10
    );
    broker.stop();
    let said = broker.log();
    assert!(!said.contains("panicked"), "{said}");
    // The lock is free, and says so to the next one.
    broker.restart();
}

/// `KLAMM_SOAK_SECONDS` says how long; a usual run only shows that it works.
#[test]
fn half_load_keeps_memory_and_latency_flat() {
    const SECONDS: u64 = 8;
    /// Where the load has settled.
    const SETTLED: u64 = 4;
    let seconds = std::env::var("KLAMM_SOAK_SECONDS");
    let seconds: u64 = seconds.map_or(SECONDS, |text| text.parse().expect("a number of seconds"));
    let broker = Broker::start(&["num.shards=2", "memory.bytes=134217728"]);
    kafka::create_topic(&broker.bootstrap(), "soak", 8, &[]);
    let mut load = Load::start(
        &broker.bootstrap(),
        Plan {
            topic: "soak",
            partitions: 8,
            kinds: &[Kind::Idempotent, Kind::Plain],
            first_producer: 0,
            window: 50,
            large_every: 200,
        },
    );
    let mut wire = Wire::connect(&broker);
    let (probe, began) = (batch(&["probe"]), now());
    wire.create_topic("probe", 1, &[]);
    let mut periods: Vec<(Duration, usize)> = Vec::new();
    for period in 0..8u64 {
        let mut times = Vec::new();
        let until = Duration::from_millis(seconds * 1000 * (period + 1) / 8);
        while began.elapsed() < until {
            let asked = now();
            assert_eq!(wire.produce("probe", 0, &probe, 9).error_code, 0);
            times.push(asked.elapsed());
            load.await_acknowledged(20);
        }
        times.sort_unstable();
        periods.push((times[times.len() * 99 / 100], resident_bytes(&broker)));
        println!(
            "{:>4} s: p99 of a probe {:?}, {} KiB resident",
            until.as_secs(),
            times[times.len() * 99 / 100],
            resident_bytes(&broker) >> 10
        );
    }
    let (settled, last) = (periods[SETTLED as usize].1, periods[7].1);
    // What is in memory is bounded, and by then all of it has been used.
    if seconds > 60 {
        assert!(last < settled + (16 << 20), "{settled} bytes became {last}");
    } else {
        assert!(last < settled + (96 << 20), "{settled} bytes became {last}");
    }
    let ledger = load.finish();
    ledger.check(&kafka::read_all(&broker.bootstrap(), "soak", 8));
}
