//! A well-behaved client that works beside the hostile ones and must notice nothing.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::Broker;

const TOPIC: &str = "healthy";
/// A record that takes longer is a client disturbed: a debug build on a busy machine needs some.
const BEAT_MAX: Duration = Duration::from_secs(20);
/// More than any test waits for.
const BEATS_MAX: usize = 1 << 16;

/// librdkafka producing one record after another, idempotently, on its own thread.
pub struct Healthy {
    bootstrap: String,
    thread: JoinHandle<usize>,
    beats: Receiver<i64>,
    stop: SyncSender<()>,
}

impl Healthy {
    /// Starts producing to a topic of its own.
    pub fn start(broker: &Broker) -> Healthy {
        let bootstrap = broker.bootstrap();
        let (beat, beats) = sync_channel(BEATS_MAX);
        let (stop, stopped) = sync_channel(1);
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("message.timeout.ms", "60000")
            .create()
            .expect("librdkafka takes this configuration");
        let thread = thread::spawn(move || produce(&producer, &beat, &stopped));
        let healthy = Healthy { bootstrap, thread, beats, stop };
        healthy.assert_beating();
        healthy
    }

    /// Insists that records sent from now on are acknowledged.
    pub fn assert_beating(&self) {
        while self.beats.try_recv().is_ok() {}
        for _ in 0..2 {
            self.beats.recv_timeout(BEAT_MAX).expect("the healthy client is not disturbed");
        }
    }

    /// Stops and insists that every acknowledged record can be read once, in order.
    pub fn stop_and_check(self) {
        self.stop.send(()).expect("the healthy client runs");
        let sent = self.thread.join().expect("the healthy client has not failed");
        assert_eq!(read_all(&self.bootstrap, sent), (0..sent).collect::<Vec<_>>());
    }
}

fn produce(producer: &FutureProducer, beat: &SyncSender<i64>, stopped: &Receiver<()>) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut sent = 0;
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        let value = sent.to_string();
        let record = FutureRecord::<(), _>::to(TOPIC).payload(&value);
        let delivered = runtime.block_on(producer.send(record, Duration::from_secs(30)));
        let delivery = delivered.map_err(|(error, _)| error).expect("the record is delivered");
        assert_eq!(delivery.offset, sent as i64, "each record is there once");
        sent += 1;
        // Nobody waits for more beats than fit.
        let _ = beat.try_send(delivery.offset);
    }
    sent
}

/// The values of the first `count` records.
fn read_all(bootstrap: &str, count: usize) -> Vec<usize> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .create()
        .expect("librdkafka takes this configuration");
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(TOPIC, 0, Offset::Beginning)
        .expect("a partition can be assigned");
    consumer.assign(&assignment).expect("the assignment is taken");
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        let message = consumer.poll(BEAT_MAX).expect("there are more records");
        let message = message.expect("a record, not an error");
        let text = message.payload_view::<str>().expect("a value").expect("text");
        values.push(text.parse().expect("a number"));
    }
    values
}
