//! `kill -9` under load, over and over: nothing that was acknowledged is lost, and nothing is there twice.

use crate::kafka;
use crate::load::{Kind, Load, Plan};
use crate::support::Broker;

/// `KLAMM_KILLS=1000` makes the loop a long one.
const KILLS_VARIABLE: &str = "KLAMM_KILLS";
const KILLS: usize = 20;

/// Rounds of a loop: `default`, or what the environment asks for.
pub fn kills(default: usize) -> usize {
    let asked = std::env::var(KILLS_VARIABLE).ok();
    asked.map_or(default, |text| text.parse().expect("KLAMM_KILLS is a number"))
}

/// A different moment for each round: so many acknowledgements after the broker is back.
pub fn moment(round: usize, most: usize) -> usize {
    1 + round * 7919 % most
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled() {
    // The smallest journal, so that its files are recycled while the loop runs.
    let mut broker = Broker::start(&["num.shards=2", "journal.bytes=16777216"]);
    let topic = "kills";
    let partitions = 6;
    kafka::create_topic(&broker.bootstrap(), topic, partitions, &[]);
    let kinds = [Kind::Idempotent, Kind::Plain, Kind::Idempotent, Kind::Single];
    let plan =
        Plan { topic, partitions, kinds: &kinds, first_producer: 0, window: 100, large_every: 50 };
    let mut load = Load::start(&broker.bootstrap(), plan);
    for round in 0..kills(KILLS) {
        load.await_acknowledged(moment(round, 800));
        broker.kill();
        broker.restart();
    }
    load.await_acknowledged(1);
    let ledger = load.finish();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
    // What was served is also what lies in the segments and the journal.
    broker.kill();
    broker.restart();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
    broker.stop();
    broker.restart();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, partitions));
}
