//! What waiting consumers and members cost, and how long a large group takes to balance.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::errors::EncodeError;
use klamm::protocol::frame;
use klamm::protocol::heartbeat_request::HeartbeatRequest;
use klamm::protocol::heartbeat_response::HeartbeatResponse;
use klamm::protocol::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm::protocol::join_group_response::JoinGroupResponse;
use klamm::protocol::reader::Reader;
use klamm::protocol::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm::protocol::sync_group_response::SyncGroupResponse;
use klamm::protocol::writer::Writer;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use super::client::{Connection, await_coordinator, fetch_request};
use super::wire::{create_topic, request};
use super::{Workload, cpu_time};

const IDLE_TOPIC: &str = "bench-idle";
const IDLE_PARTITIONS: i32 = 100;
/// The versions before a member has to ask for its id first, so that a join is one request.
const JOIN_VERSION: i16 = 3;
const SYNC_VERSION: i16 = 2;
const HEARTBEAT_VERSION: i16 = 2;
const REBALANCE_IN_PROGRESS: i16 = 27;

fn run(what: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(what))
}

/// Prints the CPU time that the broker takes from now on for the workload's seconds.
async fn print_cpu(workload: &Workload, expected: &str, count: impl Fn() -> u64) -> Result<()> {
    let before = (workload.pid.map(cpu_time).transpose()?, count(), Instant::now());
    sleep(Duration::from_secs(workload.seconds)).await;
    let (took, done) = (before.2.elapsed().as_secs_f64(), (count() - before.1) as f64);
    println!("{:.0} requests/s", done / took);
    if let (Some(pid), Some(cpu)) = (workload.pid, before.0) {
        let cpu = (cpu_time(pid)? - cpu).as_secs_f64();
        println!(
            "broker's CPU: {:.2} % of a core, {:.1} µs a request; expected {expected}",
            cpu / took * 100.0,
            cpu / done * 1e6
        );
    }
    Ok(())
}

/// Consumers of a topic into which nobody writes.
pub fn long_polls(workload: &Workload) -> Result<()> {
    create_topic(&workload.bootstrap, IDLE_TOPIC, IDLE_PARTITIONS)?;
    run(async {
        let done = Rc::new(Cell::new(0));
        for index in 0..workload.consumers {
            let mut connection = Connection::open(&workload.bootstrap).await?;
            let fetch = fetch_request(IDLE_TOPIC, index as i32 % IDLE_PARTITIONS, 0)?;
            let done = done.clone();
            spawn_local(async move {
                while connection.call(&fetch).await.is_ok() {
                    done.set(done.get() + 1);
                }
            });
        }
        sleep(Duration::from_secs(2)).await;
        print_cpu(workload, "<= 4 % with 1,000 consumers", || done.get()).await
    })
}

/// Groups whose members do nothing but tell that they live.
pub fn heartbeats(workload: &Workload) -> Result<()> {
    await_coordinator(&workload.bootstrap)?;
    run(async {
        let (done, stable) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        for group in 0..workload.groups {
            for _ in 0..workload.members {
                let member = Member::open(workload, &format!("bench-heartbeats-{group}")).await?;
                let (done, stable) = (done.clone(), stable.clone());
                let interval = Duration::from_secs(3);
                spawn_local(async move {
                    let ended = member.live(interval, &done, &stable, &Times::default()).await;
                    panic!("a member ended: {ended:?}");
                });
            }
        }
        while stable.get() < (workload.groups * workload.members) as u64 {
            sleep(Duration::from_millis(100)).await;
        }
        // What joined together beats together: a few rounds spread them over the interval.
        sleep(Duration::from_secs(6)).await;
        print_cpu(workload, "<= 3 % with 1,000 groups of 10", || done.get()).await
    })
}

/// A group of many members that one more joins.
pub fn rebalance(workload: &Workload) -> Result<()> {
    await_coordinator(&workload.bootstrap)?;
    run(async {
        let times = Rc::new(Times::default());
        let (done, stable) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let members = workload.members as u64;
        for round in 0..workload.members {
            let member = Member::open(workload, "bench-rebalance").await?;
            let (times, done, stable) = (times.clone(), done.clone(), stable.clone());
            // All but the last come together.
            if round + 1 == workload.members {
                while stable.get() < members - 1 {
                    sleep(Duration::from_millis(10)).await;
                }
                sleep(Duration::from_secs(1)).await;
                stable.set(0);
            }
            spawn_local(async move {
                let interval = Duration::from_millis(100);
                let ended = member.live(interval, &done, &stable, &times).await;
                panic!("a member ended: {ended:?}");
            });
        }
        while stable.get() < members {
            sleep(Duration::from_millis(1)).await;
        }
        let (join, sync) = (times.join.get(), times.sync.get());
        let took = sync.zip(join).map(|(sync, join)| sync.saturating_duration_since(join));
        println!(
            "{members} members: {:.1} ms from the last join to the last assignment; expected <= 200",
            took.unwrap_or_default().as_secs_f64() * 1000.0
        );
        Ok(())
    })
}

/// When the last join was sent, and the last assignment received.
#[derive(Default)]
struct Times {
    join: Cell<Option<Instant>>,
    sync: Cell<Option<Instant>>,
}

struct Member {
    connection: Connection,
    group: String,
    id: String,
}

impl Member {
    async fn open(workload: &Workload, group: &str) -> Result<Member> {
        let connection = Connection::open(&workload.bootstrap).await?;
        Ok(Member { connection, group: group.to_owned(), id: String::new() })
    }

    /// Joins, takes its assignment and sends heartbeats; joins again when it has to.
    async fn live(
        mut self,
        interval: Duration,
        done: &Cell<u64>,
        stable: &Cell<u64>,
        times: &Times,
    ) -> Result<()> {
        loop {
            let generation = loop {
                times.join.set(Some(Instant::now()));
                if let Some(generation) = self.join_and_sync().await? {
                    break generation;
                }
            };
            times.sync.set(Some(Instant::now()));
            stable.set(stable.get() + 1);
            loop {
                sleep(interval).await;
                let code = self.beat(generation).await?;
                done.set(done.get() + 1);
                if code == REBALANCE_IN_PROGRESS {
                    break;
                }
                ensure!(code == 0, "a heartbeat failed: error {code}");
            }
        }
    }

    /// The generation, or nothing if the group has gone on meanwhile.
    async fn join_and_sync(&mut self) -> Result<Option<i32>> {
        let join = JoinGroupRequest {
            group_id: self.group.clone().into(),
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone().into(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".into(),
                metadata: vec![0; 32].into(),
                ..JoinGroupRequestProtocol::default()
            }],
            ..JoinGroupRequest::default()
        };
        let key = ApiKey::JoinGroup;
        let body = self.call(key, JOIN_VERSION, |w| join.encode(w, JOIN_VERSION)).await?;
        let joined = JoinGroupResponse::decode(&mut Reader::new(&body), JOIN_VERSION)?;
        if joined.error_code == REBALANCE_IN_PROGRESS {
            return Ok(None);
        }
        ensure!(joined.error_code == 0, "a join failed: error {}", joined.error_code);
        self.id = joined.member_id.to_string();
        let assignments = joined.members.iter().map(|member| SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: vec![0; 64].into(),
            ..SyncGroupRequestAssignment::default()
        });
        let sync = SyncGroupRequest {
            group_id: self.group.clone().into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        let key = ApiKey::SyncGroup;
        let body = self.call(key, SYNC_VERSION, |w| sync.encode(w, SYNC_VERSION)).await?;
        let synced = SyncGroupResponse::decode(&mut Reader::new(&body), SYNC_VERSION)?;
        if synced.error_code == REBALANCE_IN_PROGRESS {
            return Ok(None);
        }
        ensure!(synced.error_code == 0, "a sync failed: error {}", synced.error_code);
        Ok(Some(joined.generation_id))
    }

    async fn beat(&mut self, generation: i32) -> Result<i16> {
        let beat = HeartbeatRequest {
            group_id: self.group.clone().into(),
            generation_id: generation,
            member_id: self.id.clone().into(),
            ..HeartbeatRequest::default()
        };
        let version = HEARTBEAT_VERSION;
        let body = self.call(ApiKey::Heartbeat, version, |w| beat.encode(w, version)).await?;
        Ok(HeartbeatResponse::decode(&mut Reader::new(&body), version)?.error_code)
    }

    async fn call(
        &mut self,
        key: ApiKey,
        version: i16,
        encode: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<Vec<u8>> {
        let request = request(key, version, encode)?;
        let response = self.connection.call(&request).await?;
        Ok(frame::response(response, key, version)?.1.to_vec())
    }
}
