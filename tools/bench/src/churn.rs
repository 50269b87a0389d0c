//! Connections that come and go: each is opened when it is due, greeted (ApiVersions; INFO and CONNECT for NATS), and closed.
//!
//! A thread opens one connection at a time and blocks meanwhile, so the rate that can be reached is that of
//! its threads; latency counts from when the connection was due, as everywhere.

use std::time::Duration;

use anyhow::Result;
use klamm::client::Address;

use crate::chance::Chance;
use crate::clock::{Clock, Nanos};
use crate::links::{self, Links, cut, cut_if_due};
use crate::measure::{Ended, Message, Meter};
use crate::producer::note;
use crate::wire::greet;
use crate::worker::{Pace, schedule};
use crate::workload::Protocol;

/// How often an idle thread looks for commands.
const LOOK_EVERY: Nanos = 100_000_000;

/// What a thread is to do.
pub struct ChurnPlan {
    /// The run's clock.
    pub clock: Clock,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where connections go.
    pub address: Address,
    /// When they are opened.
    pub pace: Pace,
    /// How long one may take.
    pub timeout: Duration,
    /// Of a Poisson schedule.
    pub seed: u64,
}

/// Runs a thread from its start to its last message.
pub fn run(plan: ChurnPlan, links: Links) {
    links::run(links, |links| churn(&plan, links));
}

fn churn(plan: &ChurnPlan, mut links: Links) -> Result<Ended> {
    let first = greet(plan.protocol, &plan.address, plan.timeout).map(drop);
    let Some(((), window)) = links.begin(first)? else { return Ok(Ended::default()) };
    let clock = plan.clock;
    let mut chance = Chance::new(plan.seed);
    let mut times = schedule(&plan.pace, window, &mut chance);
    let mut meter = Meter::new(window);
    let mut next_cut = window.first_cut();
    let mut waited = 0;
    let mut ended = Ended::default();
    while let Some(due) = times.next_due(clock.now().max(window.begin)) {
        let now = clock.now();
        cut_if_due(&links.out, &mut meter, &mut next_cut, now);
        if links.is_told_to_stop() || now >= window.until.saturating_add(window.patience) {
            times.end_at(now);
            continue;
        }
        if due > now {
            let wake = due.min(next_cut).min(now + LOOK_EVERY);
            clock.sleep_until(wake);
            waited += window.part_of(now, clock.now());
            continue;
        }
        times.advance(&mut chance);
        open_one(plan, due, &mut meter, &mut ended.failures);
    }
    cut(&links.out, &mut meter, clock.now());
    let _ = links.out.send(Message::ProducersDone);
    ended.busy = window.busy(waited, clock.now());
    Ok(ended)
}

fn open_one(plan: &ChurnPlan, due: Nanos, meter: &mut Meter, failures: &mut Vec<String>) {
    let began = plan.clock.now();
    match greet(plan.protocol, &plan.address, plan.timeout) {
        Ok(connection) => {
            let now = plan.clock.now();
            meter.acknowledged(now, 1, 0, &[due]);
            meter.answered(now, began);
            drop(connection);
        }
        Err(error) => {
            meter.counts.failed += 1;
            note(failures, format!("{error:#}"));
        }
    }
}
