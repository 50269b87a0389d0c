//! One run from the first connection to the verdict: topic, load, read-back, outcome.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use klamm::client::{Address, NewTopic, chance};
use rustc_hash::FxHashMap;

use crate::accounting::Accounts;
use crate::churn::ChurnPlan;
use crate::clock::{Clock, SECOND};
use crate::cluster::{Steward, Topic, meaning};
use crate::consumer::ConsumerPlan;
use crate::keys::Chooser;
use crate::ledger::{Checker, Sent, StreamId};
use crate::live::Live;
use crate::measure::Ended;
use crate::outcome::{Environment, Flow, Outcome, Percentiles, Second, Verification};
use crate::producer::ProducerPlan;
use crate::session::{Interrupts, Interval, Load, Session, Times, session};
use crate::verdict;
use crate::worker::{Pace, WorkerPlan};
use crate::workload::{Kind, Workload};

/// How long a read-back may take.
const READ_BACK_MAX: Duration = Duration::from_secs(3600);

/// What a run is told besides its workload.
pub struct Setting<'a> {
    /// The program's clock.
    pub clock: Clock,
    /// Ctrl-C.
    pub interrupts: &'a mut Interrupts,
    /// Where seconds are shown.
    pub live: &'a mut Live,
    /// The workload's name.
    pub name: String,
    /// Its step.
    pub step: Option<String>,
    /// The system, in a comparison.
    pub system: Option<String>,
}

/// Runs a producing workload against the floor's server, which keeps nothing: there is nothing to read back.
pub fn run_floor(
    workload: &Workload,
    setting: &mut Setting<'_>,
    topic: &Topic,
    accounts: Accounts,
) -> Result<Outcome> {
    let producers = producer_plans(workload, topic, 0)?;
    let plans = worker_plans(workload, setting.clock, producers, Vec::new());
    let began_unix = unix_seconds() + workload.warm_up.as_secs();
    let (measured, timeline) = measure(workload, setting, plans, accounts)?;
    let mut outcome = Outcome {
        began_unix,
        durability: "none: the server keeps nothing and acknowledges at once".to_owned(),
        failures: measured.ended.iter().flat_map(|ended| ended.failures.clone()).collect(),
        timeline,
        verification: Verification {
            how: "nothing is kept, so nothing is read back".to_owned(),
            ..Verification::default()
        },
        ..named(setting, workload, &measured)?
    };
    // The server is a thread of this process.
    if let Some(server) = &outcome.uses.server {
        outcome.uses.tool.cpu_seconds -= server.cpu_seconds;
        outcome.uses.tool.cores -= server.cores;
    }
    verdict::judge(&mut outcome);
    Ok(outcome)
}

/// Runs a workload.
pub fn run(workload: &Workload, setting: &mut Setting<'_>) -> Result<Outcome> {
    let mut steward = Steward::connect(&workload.bootstrap)?;
    let run_id = (chance() >> 32) as u32;
    let topic = find_topic(workload, run_id, &mut steward)?;
    let outcome = run_on(workload, setting, run_id, &topic, &mut steward);
    if topic.is_new
        && workload.knobs.topic.is_none()
        && let Err(error) = steward.delete(&topic)
    {
        eprintln!("topic {} was not deleted: {error}", topic.name);
    }
    outcome
}

fn find_topic(workload: &Workload, run_id: u32, steward: &mut Steward) -> Result<Topic> {
    let knobs = &workload.knobs;
    let named = knobs.topic.is_some();
    ensure!(named || workload.kind != Kind::Consume, "topic: which one is consumed?");
    let wanted = NewTopic {
        name: knobs.topic.clone().unwrap_or_else(|| format!("klamm-bench-{run_id:08x}")),
        partitions: knobs.partitions.or((!named).then_some(1)),
        replication_factor: knobs.replication_factor,
        configs: workload.topic_configs.clone(),
        ..NewTopic::default()
    };
    steward.topic(&wanted, workload.kind != Kind::Consume)
}

fn run_on(
    workload: &Workload,
    setting: &mut Setting<'_>,
    run_id: u32,
    topic: &Topic,
    steward: &mut Steward,
) -> Result<Outcome> {
    let durability_configs = steward.durability(topic);
    let backlog = match workload.backlog_bytes {
        Some(bytes) => write_backlog(workload, setting, topic, bytes, steward)?,
        None => Vec::new(),
    };
    let ends = steward.ends(topic)?;
    let mut consumers = match workload.kind {
        Kind::Produce | Kind::Churn => Vec::new(),
        Kind::Idle => consumer_plans(workload, topic, &ends, None, None),
        Kind::EndToEnd => consumer_plans(workload, topic, &ends, None, Some(run_id)),
        Kind::Consume => {
            let starts = steward.starts(topic)?;
            consumer_plans(workload, topic, &starts, Some(&ends), None)
        }
    };
    consumers.extend(backlog);
    let plans = if workload.kind == Kind::Churn {
        churn_plans(workload, setting.clock, topic)
    } else {
        let producers = producer_plans(workload, topic, run_id)?;
        worker_plans(workload, setting.clock, producers, consumers)
    };
    let accounts = Accounts {
        pids: workload.knobs.server_pid.clone(),
        cgroup: workload.knobs.server_cgroup.clone(),
        thread: None,
    };
    let began_unix = unix_seconds() + workload.warm_up.as_secs();
    let (measured, timeline) = measure(workload, setting, plans, accounts)?;
    let mut readers = readers(&measured.ended);
    let mut failures: Vec<String> =
        measured.ended.iter().flat_map(|ended| ended.failures.clone()).collect();
    let mut how = match workload.kind {
        Kind::Produce => "not read back (verify=false)".to_owned(),
        Kind::EndToEnd => "by the run's own consumers".to_owned(),
        Kind::Idle | Kind::Churn => "there is nothing to verify".to_owned(),
        Kind::Consume => "as far as it was read: order, repetition and checksums".to_owned(),
    };
    if workload.reads_back() && !measured.ended.iter().all(|ended| ended.sent.is_empty()) {
        let read = read_back(workload, setting, topic, run_id, (&ends, &steward.ends(topic)?))?;
        failures.extend(read.ended.iter().flat_map(|ended| ended.failures.clone()));
        readers = self::readers(&read.ended);
        how = "everything was read back after the run".to_owned();
        if read.interrupted {
            readers.clear();
            how = "not verified: interrupted while it was read back".to_owned();
        }
    }
    let sent = sent(&measured.ended);
    let verification = verify(how, &sent, readers, &mut failures);
    let mut outcome = Outcome {
        began_unix,
        durability: meaning(&durability_configs, workload.acks),
        durability_configs,
        timeline,
        verification,
        failures,
        ..named(setting, workload, &measured)?
    };
    verdict::judge(&mut outcome);
    Ok(outcome)
}

/// The measured session, with its seconds.
fn measure(
    workload: &Workload,
    setting: &mut Setting<'_>,
    plans: Vec<Load>,
    accounts: Accounts,
) -> Result<(Session, Vec<Second>)> {
    let (warm_up, duration, drain) = (workload.warm_up, workload.duration, workload.drain);
    let times = Times { warm_up, duration, drain };
    let mut timeline = Vec::new();
    setting.live.begin(&title(setting), workload);
    let live = &mut *setting.live;
    let mut watch = |interval: Interval<'_>| {
        let second = second(&interval);
        timeline.push(second);
        live.second(&second, &interval);
    };
    let measured = session(setting.clock, plans, times, accounts, setting.interrupts, &mut watch)?;
    setting.live.end();
    Ok((measured, timeline))
}

fn named(setting: &Setting<'_>, workload: &Workload, measured: &Session) -> Result<Outcome> {
    Ok(Outcome {
        name: setting.name.clone(),
        step: setting.step.clone(),
        system: setting.system.clone(),
        configuration: serde_json::to_value(&workload.knobs)?,
        environment: Environment::here(),
        ..outcome(workload, measured)
    })
}

fn title(setting: &Setting<'_>) -> String {
    let parts = [Some(&setting.name), setting.step.as_ref(), setting.system.as_ref()];
    parts.into_iter().flatten().cloned().collect::<Vec<_>>().join(" · ")
}

fn second(interval: &Interval<'_>) -> Second {
    let counts = interval.counts;
    let spans = if counts.end_to_end.is_empty() { &counts.latency } else { &counts.end_to_end };
    let spans = if spans.is_empty() { &counts.service } else { spans };
    // An empty histogram gives its smallest unit.
    let at = |share: f64| match spans.is_empty() {
        true => 0.0,
        false => spans.value_at_quantile(share) as f64 / 1000.0,
    };
    Second {
        at: (interval.end as f64 - interval.window.from as f64) / SECOND as f64,
        records: counts.records,
        bytes: if counts.records > 0 { counts.bytes } else { counts.read_bytes },
        read_records: counts.read_records,
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
        max: at(1.0),
    }
}

/// What the measured session says by itself.
fn outcome(workload: &Workload, measured: &Session) -> Outcome {
    let counts = &measured.counts;
    let seconds = measured.seconds();
    let consuming = workload.consumers * workload.copies;
    Outcome {
        name: String::new(),
        step: None,
        system: None,
        began_unix: 0,
        configuration: serde_json::Value::Null,
        durability: String::new(),
        durability_configs: Vec::new(),
        environment: Environment::default(),
        seconds,
        is_idle: workload.kind == Kind::Idle,
        interrupted: measured.interrupted,
        rate_wanted: workload.rate.filter(|_| workload.producers > 0),
        produced: Flow::new(workload.producers, counts.records, counts.bytes, seconds),
        consumed: Flow::new(consuming, counts.read_records, counts.read_bytes, seconds),
        cold: Flow::new(
            usize::from(workload.backlog_bytes.is_some()),
            counts.cold_records,
            counts.cold_bytes,
            seconds,
        ),
        requests: counts.requests,
        failed: counts.failed,
        never_acknowledged: measured.ended.iter().map(|ended| ended.never_acknowledged).sum(),
        latency: Percentiles::of(&counts.latency),
        service: Percentiles::of(&counts.service),
        end_to_end: Percentiles::of(&counts.end_to_end),
        lag: Percentiles::of(&counts.lag),
        tool_busy: measured.ended.iter().map(|ended| ended.busy).fold(0.0, f64::max),
        timeline: Vec::new(),
        uses: measured.uses.clone(),
        verification: Verification::default(),
        warnings: Vec::new(),
        failures: Vec::new(),
    }
}

/// The plan of each producer: partitions of one leader each.
fn producer_plans(
    workload: &Workload,
    topic: &Topic,
    run: u32,
) -> Result<Vec<(ProducerPlan, Pace, Chooser)>> {
    let count = workload.producers;
    let mut brokers: Vec<&Address> = topic.leaders.iter().collect();
    brokers.sort();
    brokers.dedup();
    let mut plans = Vec::with_capacity(count);
    for index in 0..count {
        let broker = brokers[index % brokers.len()];
        let led: Vec<i32> = (0..)
            .zip(&topic.leaders)
            .filter(|(_, leader)| *leader == broker)
            .map(|(partition, _)| partition)
            .collect();
        // Connections to one broker share out its partitions, or have one each where there are more of them.
        let (place, sharing) = (index / brokers.len(), count.div_ceil(brokers.len()));
        let own: Vec<i32> = if workload.spread == crate::keys::Spread::Own
            && matches!(workload.keys, crate::keys::Keys::None)
        {
            if sharing >= led.len() {
                vec![led[place % led.len()]]
            } else {
                led.iter().copied().skip(place).step_by(sharing).collect()
            }
        } else {
            led
        };
        let chooser = Chooser::new(
            workload.keys.clone(),
            workload.spread,
            &own,
            topic.leaders.len(),
            index as u64,
        );
        ensure!(
            chooser.is_satisfiable(),
            "none of the keys belongs to a partition that connection {index} can reach"
        );
        let pace = Pace {
            arrival: workload.arrival,
            rate: workload.rate,
            place: (index, count),
            count_max: workload.knobs.num_records.map_or(u64::MAX, |all| share(all, index, count)),
        };
        let plan = ProducerPlan {
            id: index as u16,
            run,
            address: broker.clone(),
            topic: topic.name.clone(),
            partitions: own,
            acks: workload.acks,
            in_flight_max: workload.in_flight_max(),
            timeout: workload.timeout(),
            rules: workload.rules,
            sizes: workload.sizes.clone(),
            reconnects: workload.reconnects,
        };
        plans.push((plan, pace, chooser));
    }
    Ok(plans)
}

/// The part of `all` that falls to one of `count`.
fn share(all: u64, index: usize, count: usize) -> u64 {
    let (index, count) = (index as u64, count as u64);
    all / count + u64::from(index < all % count)
}

fn consumer_plans(
    workload: &Workload,
    topic: &Topic,
    starts: &[i64],
    ends: Option<&[i64]>,
    run: Option<u32>,
) -> Vec<ConsumerPlan> {
    let mut plans = Vec::new();
    for copy in 0..workload.copies.max(1) {
        for index in 0..workload.consumers.max(1) {
            let mut by_leader: FxHashMap<&Address, Vec<i32>> = FxHashMap::default();
            let mine = (0..topic.leaders.len()).skip(index).step_by(workload.consumers.max(1));
            for partition in mine {
                by_leader.entry(&topic.leaders[partition]).or_default().push(partition as i32);
            }
            for (address, partitions) in by_leader {
                let offset = |offsets: &[i64], partition: &i32| offsets[*partition as usize];
                plans.push(ConsumerPlan {
                    id: plans.len(),
                    copy,
                    run,
                    address: address.clone(),
                    topic: topic.name.clone(),
                    ends: ends.map(|ends| partitions.iter().map(|p| offset(ends, p)).collect()),
                    partitions: partitions.iter().map(|p| (*p, offset(starts, p))).collect(),
                    bytes_min: workload.knobs.fetch_min_bytes.unwrap_or(1),
                    bytes_max: workload.knobs.fetch_max_bytes.unwrap_or(50 << 20),
                    partition_bytes_max: workload
                        .knobs
                        .max_partition_fetch_bytes
                        .unwrap_or(1 << 20),
                    wait_ms_max: workload.knobs.fetch_max_wait_ms.unwrap_or(500),
                    timeout: workload.timeout(),
                    is_timed: workload.kind == Kind::EndToEnd,
                    is_cold: false,
                    ends_with_window: matches!(workload.kind, Kind::Consume | Kind::Idle),
                });
            }
        }
    }
    plans
}

/// Shares connections out among the threads.
fn worker_plans(
    workload: &Workload,
    clock: Clock,
    producers: Vec<(ProducerPlan, Pace, Chooser)>,
    consumers: Vec<ConsumerPlan>,
) -> Vec<Load> {
    let seed = workload.knobs.seed.unwrap_or(1);
    let mut plans: Vec<WorkerPlan> = (0..workload.threads)
        .map(|index| WorkerPlan {
            clock,
            cpu: (!workload.pin.is_empty()).then(|| workload.pin[index % workload.pin.len()]),
            spins: workload.knobs.spin.unwrap_or(false),
            producers: Vec::new(),
            consumers: Vec::new(),
            seed: seed.wrapping_add(index as u64 * 1_000_003),
            compressibility: workload.knobs.compressibility.unwrap_or(0.5),
        })
        .collect();
    let threads = plans.len();
    let producing = producers.len();
    for (index, producer) in producers.into_iter().enumerate() {
        plans[index % threads].producers.push(producer);
    }
    for (index, consumer) in consumers.into_iter().enumerate() {
        plans[(producing + index) % threads].consumers.push(consumer);
    }
    plans.into_iter().map(Load::Traffic).collect()
}

/// A thread each for connections that come and go.
fn churn_plans(workload: &Workload, clock: Clock, topic: &Topic) -> Vec<Load> {
    let plan = |index: usize| ChurnPlan {
        clock,
        address: topic.leaders[index % topic.leaders.len()].clone(),
        pace: Pace {
            arrival: workload.arrival,
            rate: workload.rate,
            place: (index, workload.threads),
            count_max: workload
                .knobs
                .num_records
                .map_or(u64::MAX, |all| share(all, index, workload.threads)),
        },
        timeout: workload.timeout(),
        seed: workload.knobs.seed.unwrap_or(1).wrapping_add(index as u64),
    };
    (0..workload.threads).map(|index| Load::Churn(plan(index))).collect()
}

/// Writes a backlog as fast as answers come, and gives the plans of those who read it beside the load.
fn write_backlog(
    workload: &Workload,
    setting: &mut Setting<'_>,
    topic: &Topic,
    bytes: usize,
    steward: &mut Steward,
) -> Result<Vec<ConsumerPlan>> {
    setting.live.note(&format!("writing a backlog of {}", crate::table::size(bytes as u64)));
    let starts = steward.ends(topic)?;
    let mut filling = workload.clone();
    filling.rate = None;
    filling.rules.size_bytes = filling.rules.size_bytes.max(256 << 10);
    filling.knobs.num_records = Some((bytes as f64 / workload.sizes.mean()).ceil() as u64);
    let producers = producer_plans(&filling, topic, (chance() >> 32) as u32)?;
    let plans = worker_plans(&filling, setting.clock, producers, Vec::new());
    let times = Times { warm_up: Duration::ZERO, duration: READ_BACK_MAX, drain: workload.drain };
    let accounts = Accounts::default();
    let filled = session(setting.clock, plans, times, accounts, setting.interrupts, &mut |_| {})?;
    let failure = filled.ended.iter().flat_map(|ended| &ended.failures).next();
    ensure!(failure.is_none(), "writing the backlog: {}", failure.map_or("", String::as_str));
    ensure!(!filled.interrupted, "interrupted while the backlog was written");
    let ends = steward.ends(topic)?;
    let mut reading = workload.clone();
    (reading.copies, reading.consumers) = (1, 1);
    let mut plans = consumer_plans(&reading, topic, &starts, Some(&ends), None);
    for plan in &mut plans {
        plan.copy = workload.copies;
        (plan.is_timed, plan.is_cold, plan.ends_with_window) = (false, true, true);
    }
    Ok(plans)
}

/// Reads what the run has written, from the offsets before it to those after it.
fn read_back(
    workload: &Workload,
    setting: &mut Setting<'_>,
    topic: &Topic,
    run_id: u32,
    (starts, ends): (&[i64], &[i64]),
) -> Result<Session> {
    let records: i64 = ends.iter().zip(starts).map(|(end, start)| end - start).sum();
    setting.live.note(&format!("reading {records} records back"));
    let mut reading = workload.clone();
    (reading.copies, reading.consumers) = (1, workload.threads.min(topic.leaders.len()));
    let mut plans = consumer_plans(&reading, topic, starts, Some(ends), Some(run_id));
    for plan in &mut plans {
        // An interrupt ends it where it is.
        plan.ends_with_window = true;
    }
    let plans = worker_plans(&reading, setting.clock, Vec::new(), plans);
    let times = Times { warm_up: Duration::ZERO, duration: READ_BACK_MAX, drain: workload.drain };
    let accounts = Accounts::default();
    session(setting.clock, plans, times, accounts, setting.interrupts, &mut |_| {})
        .context("reading back")
}

fn sent(ended: &[Ended]) -> FxHashMap<StreamId, Sent> {
    ended.iter().flat_map(|ended| ended.sent.iter().cloned()).collect()
}

/// Each copy's account, of all its consumers.
fn readers(ended: &[Ended]) -> Vec<Checker> {
    let mut copies: Vec<Checker> = Vec::new();
    let all = ended.iter().flat_map(|ended| &ended.checkers);
    for (copy, checker) in all {
        while copies.len() <= *copy {
            copies.push(Checker::new(checker.run()));
        }
        copies[*copy].absorb(checker);
    }
    copies
}

fn verify(
    how: String,
    sent: &FxHashMap<StreamId, Sent>,
    readers: Vec<Checker>,
    failures: &mut Vec<String>,
) -> Verification {
    let unacknowledged =
        sent.values().flat_map(|sent| &sent.unacknowledged).map(|range| range.end - range.start);
    let total: u64 = sent.values().map(|sent| sent.count).sum();
    let acknowledged = total - unacknowledged.sum::<u64>();
    let mut verification = Verification { how, acknowledged, ..Verification::default() };
    for (copy, checker) in readers.iter().enumerate() {
        verification.tally.add(&checker.tally);
        let of_copy = if readers.len() > 1 { format!(" (copy {copy})") } else { String::new() };
        if checker.run().is_none() {
            let gaps = checker.gaps();
            verification.lost += gaps;
            if gaps > 0 {
                failures.push(format!("{gaps} records are missing between others{of_copy}"));
            }
            continue;
        }
        let lost = checker.lost(sent);
        verification.lost += lost.count;
        if let Some((partition, producer, sequence)) = lost.first {
            failures.push(format!(
                "LOST: {} acknowledged records were not read{of_copy}; the first is number {sequence} of producer {producer} on partition {partition}",
                lost.count
            ));
        }
    }
    let tally = verification.tally;
    for (count, what) in [
        (tally.duplicates, "records were read twice"),
        (tally.reordered, "records came after one that was sent later"),
        (tally.corrupt, "records had wrong bytes or came from another partition"),
    ] {
        if count > 0 {
            failures.push(format!("{count} {what}"));
        }
    }
    verification
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a report says when it was made")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knobs::Knobs;

    fn plans(connections: usize, partitions: usize, leaders: &[u16], keys: &str) -> Vec<Vec<i32>> {
        let knobs = Knobs {
            connections: Some(connections),
            key_distribution: Some(keys.to_owned()),
            ..Knobs::default()
        };
        let workload = Workload::new(Kind::Produce, &knobs).unwrap();
        let address = |port: u16| Address { host: "x".to_owned(), port };
        let leaders =
            (0..partitions).map(|partition| address(leaders[partition % leaders.len()])).collect();
        let topic = Topic { name: "t".to_owned(), leaders, is_new: true };
        let plans = producer_plans(&workload, &topic, 1).unwrap();
        plans.into_iter().map(|(plan, _, _)| plan.partitions).collect()
    }

    #[test]
    fn connections_share_partitions_and_reach_all_of_them() {
        assert_eq!(plans(1, 1, &[1], "none"), [[0]]);
        assert_eq!(plans(2, 4, &[1], "none"), [[0, 2], [1, 3]]);
        assert_eq!(plans(4, 2, &[1], "none"), [[0], [1], [0], [1]]);
        assert_eq!(plans(2, 3, &[1], "uniform:100"), [[0, 1, 2], [0, 1, 2]]);
        assert_eq!(plans(4, 4, &[1, 2], "none"), [[0], [1], [2], [3]]);
        assert_eq!(plans(2, 4, &[1, 2], "zipf:100"), [[0, 2], [1, 3]]);
    }

    #[test]
    fn a_count_is_shared_out_to_the_last_record() {
        for (all, count) in [(10, 3), (0, 2), (7, 7), (5, 8)] {
            let sum: u64 = (0..count).map(|index| share(all, index, count)).sum();
            assert_eq!(sum, all);
        }
    }
}
