//! Another number of shards at a start, after a kill and with kills while it starts: the data is the same.

use std::time::Duration;

use crate::kafka;
use crate::load::{self, Kind, Load, Plan};
use crate::support::Broker;

/// Starts that are killed at an even distance from each other, before one may be ready.
const STARTS_KILLED: u32 = 6;

#[test]
fn any_number_of_shards_finds_the_same_data() {
    let settings =
        |shards: u32| vec![format!("num.shards={shards}"), "journal.bytes=33554432".to_owned()];
    let mut broker = Broker::start(&["num.shards=1", "journal.bytes=33554432"]);
    let topic = "reshard";
    let partitions = 7;
    kafka::create_topic(&broker.bootstrap(), topic, partitions, &[]);
    let kinds = [Kind::Idempotent, Kind::Plain];
    let plan =
        Plan { topic, partitions, kinds: &kinds, first_producer: 0, window: 100, large_every: 60 };
    let mut load = Load::start(&broker.bootstrap(), plan);
    let mut took = Duration::from_secs(1);
    for (round, shards) in [4, 2, 1, 3].into_iter().enumerate() {
        load.await_acknowledged(400 + 100 * round);
        broker.kill();
        for part in 1..=STARTS_KILLED {
            broker.restart_and_kill(&settings(shards), took * part / STARTS_KILLED);
        }
        let began = load::now();
        broker.restart_with(&settings(shards));
        took = began.elapsed();
    }
    load.await_acknowledged(400);
    let ledger = load.finish();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
    broker.stop();
    broker.restart_with(&settings(4));
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
}
