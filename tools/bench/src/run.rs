//! One run from the first connection to the verdict: topic, load, read-back, outcome.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use klamm::client::{NewTopic, chance};
use rustc_hash::FxHashMap;

use crate::accounting::Accounts;
use crate::clock::{Clock, SECOND};
use crate::cluster::Topic;
use crate::ledger::{Checker, Sent, StreamId};
use crate::live::Live;
use crate::measure::Ended;
use crate::outcome::{Environment, Flow, Outcome, Percentiles, Second, Verification};
use crate::plans::{churn_plans, consumer_plans, load_plans, producer_plans, worker_plans};
use crate::reading::ConsumerPlan;
use crate::session::{Interrupts, Interval, Load, Session, Times, session};
use crate::steward::Steward;
use crate::verdict;
use crate::workload::{Client, Kind, Protocol, Workload};

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
    ensure!(
        workload.client == Client::Own && workload.protocol == Protocol::Kafka,
        "the floor is that of the tool's own client of the Kafka protocol"
    );
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
    let mut steward = Steward::connect(workload.protocol, &workload.bootstrap)?;
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
    let durability = steward.durability(topic, workload.acks);
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
        load_plans(workload, setting.clock, producers, consumers)
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
        durability: durability.meaning,
        durability_configs: durability.configs,
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
        is_churn: workload.kind == Kind::Churn,
        survives_a_kill: workload.reconnects,
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
    filling.client = Client::Own;
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
