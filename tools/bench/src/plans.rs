//! Who does what in a run: the plans of its producers and consumers, and the threads that they are shared out among.

use anyhow::{Result, ensure};
use klamm::client::Address;
use rustc_hash::FxHashMap;

use crate::churn::ChurnPlan;
use crate::clock::Clock;
use crate::cluster::Topic;
use crate::keys::Chooser;
use crate::producer::ProducerPlan;
use crate::reading::ConsumerPlan;
use crate::session::Load;
use crate::worker::{Pace, WorkerPlan};
use crate::workload::{Client, Kind, Workload};

/// The plan of each producer: partitions of one leader each.
pub fn producer_plans(
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
        let plan = ProducerPlan {
            protocol: workload.protocol,
            id: index as u16,
            run,
            address: broker.clone(),
            topic: topic.name.clone(),
            partitions: own,
            acks: workload.acks,
            in_flight_max: in_flight_max(workload),
            timeout: workload.timeout(),
            rules: workload.rules,
            sizes: workload.sizes.clone(),
            reconnects: workload.reconnects,
        };
        plans.push((plan, pace(workload, index, count), chooser));
    }
    Ok(plans)
}

/// How much of a connection may be unanswered: requests, or where each record travels by itself as many records
/// as those requests would carry; the same of what librdkafka has not delivered yet.
fn in_flight_max(workload: &Workload) -> usize {
    let requests = workload.in_flight_max();
    if workload.rules.is_plain || workload.client == Client::Librdkafka {
        let each = workload.rules.size_bytes as f64 / workload.sizes.mean();
        requests.saturating_mul((each as usize).max(1))
    } else {
        requests
    }
}

/// When one of `count` sends.
fn pace(workload: &Workload, index: usize, count: usize) -> Pace {
    Pace {
        arrival: workload.arrival,
        rate: workload.rate,
        place: (index, count),
        count_max: workload.knobs.num_records.map_or(u64::MAX, |all| share(all, index, count)),
    }
}

/// The part of `all` that falls to one of `count`.
fn share(all: u64, index: usize, count: usize) -> u64 {
    let (index, count) = (index as u64, count as u64);
    all / count + u64::from(index < all % count)
}

/// The plans of consumers that read each partition from `starts` on, up to `ends` where they are given.
pub fn consumer_plans(
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
                    protocol: workload.protocol,
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

/// The threads of a run, by whoever produces.
pub fn load_plans(
    workload: &Workload,
    clock: Clock,
    producers: Vec<(ProducerPlan, Pace, Chooser)>,
    consumers: Vec<ConsumerPlan>,
) -> Vec<Load> {
    #[cfg(feature = "librdkafka")]
    if workload.client == Client::Librdkafka {
        return library_plans(workload, clock, producers, consumers);
    }
    worker_plans(workload, clock, producers, consumers)
}

/// Producers of librdkafka on threads of their own, consumers on others.
#[cfg(feature = "librdkafka")]
fn library_plans(
    workload: &Workload,
    clock: Clock,
    producers: Vec<(ProducerPlan, Pace, Chooser)>,
    consumers: Vec<ConsumerPlan>,
) -> Vec<Load> {
    use crate::library::LibraryPlan;
    let threads = workload.threads.min(producers.len());
    let mut plans: Vec<LibraryPlan> = (0..threads)
        .map(|index| LibraryPlan {
            clock,
            requests_in_flight_max: workload.in_flight_max(),
            producers: Vec::new(),
            seed: thread_seed(workload, index),
            compressibility: workload.compressibility(),
        })
        .collect();
    for (index, producer) in producers.into_iter().enumerate() {
        plans[index % threads].producers.push(producer);
    }
    let mut loads: Vec<Load> = plans.into_iter().map(Load::Library).collect();
    if !consumers.is_empty() {
        loads.extend(worker_plans(workload, clock, Vec::new(), consumers));
    }
    loads
}

/// Shares connections out among the threads.
pub fn worker_plans(
    workload: &Workload,
    clock: Clock,
    producers: Vec<(ProducerPlan, Pace, Chooser)>,
    consumers: Vec<ConsumerPlan>,
) -> Vec<Load> {
    let mut plans: Vec<WorkerPlan> = (0..workload.threads)
        .map(|index| WorkerPlan {
            clock,
            cpu: (!workload.pin.is_empty()).then(|| workload.pin[index % workload.pin.len()]),
            spins: workload.knobs.spin.unwrap_or(false),
            producers: Vec::new(),
            consumers: Vec::new(),
            seed: thread_seed(workload, index),
            compressibility: workload.compressibility(),
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

/// The seed of a thread's values; its producers' are close behind it.
fn thread_seed(workload: &Workload, index: usize) -> u64 {
    workload.seed().wrapping_add(index as u64 * 1_000_003)
}

/// A thread each for connections that come and go.
pub fn churn_plans(workload: &Workload, clock: Clock, topic: &Topic) -> Vec<Load> {
    let plan = |index: usize| ChurnPlan {
        clock,
        protocol: workload.protocol,
        address: topic.leaders[index % topic.leaders.len()].clone(),
        pace: pace(workload, index, workload.threads),
        timeout: workload.timeout(),
        seed: workload.seed().wrapping_add(index as u64),
    };
    (0..workload.threads).map(|index| Load::Churn(plan(index))).collect()
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
