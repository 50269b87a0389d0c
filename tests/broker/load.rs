//! Producers that send without end, each on its own thread, and what they are told.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use crate::kafka;
use crate::ledger::{Ledger, Sent, Told};

/// Longer than any restart takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Reports that wait for the test to take them.
const REPORTS_WAITING_MAX: usize = 1 << 14;

/// How a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Idempotent: it resends until it is answered.
    Idempotent,
    /// Sends each batch once: what it loses sight of, it reports as failed.
    Plain,
    /// Like `Plain`, with a batch for each record, many in flight, and compressed.
    Single,
}

/// Who sends what.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    pub topic: &'a str,
    pub partitions: i32,
    pub kinds: &'a [Kind],
    /// The number of the first of them, which no other load of the topic may have.
    pub first_producer: usize,
    /// Records that each producer has waiting or in flight at most.
    pub window: usize,
    pub large_every: usize,
}

struct Report {
    sent: Sent,
    told: Told,
    at: Instant,
}

/// What librdkafka calls with each answer.
struct Answers {
    producer: usize,
    to: SyncSender<Report>,
}

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let told = match result {
            Ok(message) => Ok(Some(message.offset()).filter(|offset| *offset >= 0)),
            Err((KafkaError::MessageProduction(code), _)) => Err(*code),
            Err((error, _)) => panic!("not an answer: {error}"),
        };
        let sent = Sent { producer: self.producer, number };
        // The test may be over.
        let _ = self.to.send(Report { sent, told, at: now() });
    }
}

#[expect(clippy::disallowed_methods, reason = "the clients run outside of any runtime")]
pub fn now() -> Instant {
    Instant::now()
}

/// Producers at work. They outlive kills of the broker.
pub struct Load {
    kinds: Vec<Kind>,
    first_producer: usize,
    stops: Vec<SyncSender<()>>,
    threads: Vec<JoinHandle<()>>,
    reports: Receiver<Report>,
    ledger: Ledger,
    /// When the last acknowledgements came, newest last.
    recent: Vec<Instant>,
}

impl Load {
    pub fn start(bootstrap: &str, plan: Plan<'_>) -> Load {
        let (to, reports) = sync_channel(REPORTS_WAITING_MAX);
        let mut stops = Vec::new();
        let mut threads = Vec::new();
        for (kind, producer) in plan.kinds.iter().zip(plan.first_producer..) {
            let answers = Answers { producer, to: to.clone() };
            let client = make(bootstrap, *kind, plan.window, answers);
            let (stop, stopped) = sync_channel(1);
            let topic = plan.topic.to_owned();
            let (partitions, large_every) = (plan.partitions, plan.large_every);
            threads.push(thread::spawn(move || {
                send(&client, producer, &topic, partitions, large_every, &stopped);
            }));
            stops.push(stop);
        }
        let ledger = Ledger::new(plan.partitions, plan.large_every);
        let (kinds, first_producer) = (plan.kinds.to_vec(), plan.first_producer);
        Load { kinds, first_producer, stops, threads, reports, ledger, recent: Vec::new() }
    }

    /// Waits until so many more records are acknowledged.
    pub fn await_acknowledged(&mut self, more: usize) {
        self.recent.clear();
        let enough = self.ledger.acknowledged() + more;
        while self.ledger.acknowledged() < enough {
            match self.reports.recv_timeout(PATIENCE) {
                Ok(report) => self.take(report),
                Err(error) => panic!("the producers are told nothing any more: {error}"),
            }
        }
    }

    /// How many were acknowledged since then, of those that were reported so far.
    pub fn acknowledged_since(&mut self, then: Instant) -> usize {
        while let Ok(report) = self.reports.try_recv() {
            self.take(report);
        }
        self.recent.iter().filter(|at| **at >= then).count()
    }

    /// Stops sending, waits for the last answers, and gives what was told.
    pub fn finish(mut self) -> Ledger {
        self.stops.clear();
        loop {
            match self.reports.recv_timeout(2 * PATIENCE) {
                Ok(report) => self.take(report),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the producers do not end"),
            }
        }
        for thread in self.threads {
            thread.join().expect("a producer does not panic");
        }
        self.ledger
    }

    fn take(&mut self, report: Report) {
        let Report { sent, told, at } = report;
        if told.is_ok() {
            self.recent.push(at);
        } else {
            let kind = self.kinds[sent.producer - self.first_producer];
            assert_ne!(kind, Kind::Idempotent, "{sent:?} was given up: {told:?}");
        }
        self.ledger.note(sent, told);
    }
}

fn make(bootstrap: &str, kind: Kind, window: usize, answers: Answers) -> BaseProducer<Answers> {
    let mut config = kafka::client(bootstrap);
    config
        .set("queue.buffering.max.messages", window.to_string())
        .set("queue.buffering.max.kbytes", "65536")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        .set("retry.backoff.ms", "10")
        .set("retry.backoff.max.ms", "100")
        .set("acks", "all");
    match kind {
        Kind::Idempotent => config.set("enable.idempotence", "true").set("linger.ms", "1"),
        Kind::Plain => config.set("message.send.max.retries", "0").set("linger.ms", "1"),
        Kind::Single => config
            .set("message.send.max.retries", "0")
            .set("linger.ms", "0")
            .set("batch.num.messages", "1")
            .set("compression.type", "lz4"),
    };
    config.create_with_context(answers).expect("the settings are valid")
}

fn send(
    client: &BaseProducer<Answers>,
    producer: usize,
    topic: &str,
    partitions: i32,
    large_every: usize,
    stopped: &Receiver<()>,
) {
    let mut number = 0;
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        let sent = Sent { producer, number };
        let (key, payload) = (sent.key(), sent.payload(large_every));
        let record = BaseRecord::with_opaque_to(topic, number)
            .partition(sent.partition(partitions))
            .timestamp(sent.timestamp_ms())
            .key(&key)
            .payload(&payload);
        match client.send(record) {
            Ok(()) => {
                number += 1;
                client.poll(Duration::ZERO);
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                client.poll(Duration::from_millis(5));
            }
            Err((error, _)) => panic!("the client takes no record: {error}"),
        }
    }
    client.flush(PATIENCE).expect("the broker is there when the load ends");
}
