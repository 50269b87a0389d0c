//! Starts of a system: `startup` to the first acknowledgement, `recovery` after a `kill -9`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use klamm::client::Address;

use crate::clock::{Clock, Nanos, SECOND};
use crate::compare::Durability;
use crate::knobs::Knobs;
use crate::outcome::Outcome;
use crate::probe::{First, first_acknowledgement};
use crate::run::{Setting, run};
use crate::systems::{Place, Server, System};
use crate::workload::{Kind, Workload};

/// How long a start may take.
const START_WITHIN: Duration = Duration::from_secs(120);

/// Milliseconds from exec to the first acknowledgement, for each of some starts.
pub fn startup(
    clock: Clock,
    system: System,
    place: &Place,
    repetitions: usize,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<f64>> {
    ensure!(repetitions > 0, "repetitions: at least 1");
    let mut found = Vec::new();
    for repetition in 0..repetitions {
        let mut server =
            Server::set_up(system, Durability::Durable, place, &format!("startup-{repetition}"))?;
        let address = server.address().clone();
        let began = clock.now();
        server.spawn()?;
        let first = First { protocol: system.protocol(), address: &address, topic: "startup" };
        let at = first_acknowledgement(clock, &first, START_WITHIN, &mut || server.check_alive())?;
        found.push((at - began) as f64 / 1e6);
        progress(&format!("start {}: {:.1} ms", repetition + 1, (at - began) as f64 / 1e6));
    }
    Ok(found)
}

/// What a recovery took and kept.
pub struct Recovery {
    /// From the exec after the kill to the first acknowledgement.
    pub first_ack_ms: f64,
    /// The load that was cut in two, with its verdict.
    pub outcome: Outcome,
}

/// Kills a system in the middle of a load, starts it again, and reads everything back.
pub fn recovery(
    system: System,
    place: &Place,
    knobs: &Knobs,
    kill_after: Duration,
    setting: &mut Setting<'_>,
) -> Result<Recovery> {
    let clock = setting.clock;
    let mut server = Server::set_up(system, Durability::Durable, place, "recovery")?;
    server.start(clock)?;
    let mut knobs = knobs.clone();
    knobs.bootstrap_server = Some(server.address().to_string());
    knobs.protocol = Some(system.protocol().name().to_owned());
    knobs.verify = Some(true);
    let mut workload = Workload::new(Kind::Produce, &knobs)?;
    workload.reconnects = true;
    let address = server.address().clone();
    let kill_at = clock.now() + u64::try_from(kill_after.as_nanos())?;
    let killer = std::thread::spawn(move || kill_and_restart(clock, server, &address, kill_at));
    let outcome = run(&workload, setting);
    let killed = killer.join().map_err(|_| anyhow!("the killing thread panicked"))?;
    let (first_ack_ms, _server) = killed.context("restarting")?;
    Ok(Recovery { first_ack_ms, outcome: outcome? })
}

fn kill_and_restart(
    clock: Clock,
    mut server: Server,
    address: &Address,
    kill_at: Nanos,
) -> Result<(f64, Server)> {
    clock.sleep_until(kill_at);
    server.kill()?;
    let began = clock.now();
    server.spawn()?;
    let protocol = server.system().protocol();
    let first = First { protocol, address, topic: "after-recovery" };
    let at = first_acknowledgement(clock, &first, START_WITHIN, &mut || server.check_alive())?;
    Ok(((at - began) as f64 / SECOND as f64 * 1000.0, server))
}
