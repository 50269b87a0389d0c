//! Idempotent producers: duplicates, gaps and fenced epochs, across restarts too.

use klamm::model::{ErrorCode, ProducerEpoch, ProducerId};
use klamm::protocol::init_producer_id_request::InitProducerIdRequest;
use klamm::protocol::produce_response::PartitionProduceResponse;
use klamm::record::{BatchOptions, ProducerFields};

use crate::support::Broker;
use crate::wire::{Wire, batch_of};

/// Epoch, first sequence and number of records of a batch.
type Sent = (i16, i32, usize);
/// The error and the offset that the broker answers.
type Told = (ErrorCode, i64);

/// A producer of one partition; epochs and sequences are what a test says.
struct Producer {
    wire: Wire,
    id: i64,
}

impl Producer {
    fn new(broker: &Broker) -> Producer {
        let mut wire = Wire::connect(broker);
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..InitProducerIdRequest::default()
        };
        let answer = wire.ask(&request, 4);
        assert_eq!(answer.error_code, 0);
        Producer { wire, id: answer.producer_id }
    }

    /// Sends a batch of `count` records; the error and the base offset.
    fn send(&mut self, epoch: i16, base_sequence: i32, count: usize) -> (ErrorCode, i64) {
        let answer = self.ask("t", epoch, base_sequence, count);
        (ErrorCode::from_code(answer.error_code), answer.base_offset)
    }

    fn ask(
        &mut self,
        topic: &str,
        epoch: i16,
        base_sequence: i32,
        count: usize,
    ) -> PartitionProduceResponse<'static> {
        let (id, epoch) = (ProducerId(self.id), ProducerEpoch(epoch));
        let producer = Some(ProducerFields { id, epoch, base_sequence });
        let values = vec!["v"; count];
        let bytes = batch_of(BatchOptions { producer, ..BatchOptions::default() }, &values);
        self.wire.produce(topic, 0, &bytes, 9)
    }

    fn check(&mut self, steps: &[(Sent, Told)]) {
        for &((epoch, sequence, count), expected) in steps {
            let told = self.send(epoch, sequence, count);
            assert_eq!(told, expected, "epoch {epoch}, sequence {sequence}, {count} records");
        }
    }
}

use ErrorCode::{InvalidProducerEpoch, None as Ok, OutOfOrderSequenceNumber};

#[test]
fn duplicates_get_their_offset_and_gaps_are_refused() {
    let broker = Broker::start(&[]);
    let mut producer = Producer::new(&broker);
    producer.wire.create_topic("t", 1, &[]);
    producer.check(&[
        ((0, 0, 2), (Ok, 0)),
        ((0, 0, 2), (Ok, 0)),
        ((0, 2, 1), (Ok, 2)),
        ((0, 2, 1), (Ok, 2)),
        ((0, 0, 2), (Ok, 0)),
        ((0, 4, 1), (OutOfOrderSequenceNumber, -1)),
        ((0, 3, 1), (Ok, 3)),
        ((0, 4, 1), (Ok, 4)),
        ((0, 5, 1), (Ok, 5)),
        ((0, 6, 3), (Ok, 6)),
        // Only the last five are known: those of 2, 3, 4, 5 and 6.
        ((0, 2, 1), (Ok, 2)),
        ((0, 0, 2), (OutOfOrderSequenceNumber, -1)),
        // The same sequence and another length is no duplicate.
        ((0, 6, 2), (OutOfOrderSequenceNumber, -1)),
    ]);
    assert_eq!(producer.wire.end_offset("t", 0), 9);
}

#[test]
fn a_retry_hears_the_time_of_its_first_append() {
    let broker = Broker::start(&[]);
    let mut producer = Producer::new(&broker);
    producer.wire.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let first = producer.ask("stamped", 0, 0, 2);
    let now = crate::wire::now_ms();
    while crate::wire::now_ms() == now {}
    let again = producer.ask("stamped", 0, 0, 2);
    assert!(first.log_append_time_ms > 0);
    assert_eq!((again.error_code, again.base_offset), (0, first.base_offset));
    assert_eq!(again.log_append_time_ms, first.log_append_time_ms);
}

#[test]
fn a_new_epoch_begins_at_0_and_fences_the_old_one() {
    let broker = Broker::start(&[]);
    let mut producer = Producer::new(&broker);
    producer.wire.create_topic("t", 1, &[]);
    producer.check(&[
        ((3, 0, 1), (Ok, 0)),
        ((4, 1, 1), (OutOfOrderSequenceNumber, -1)),
        ((4, 0, 1), (Ok, 1)),
        ((3, 1, 1), (InvalidProducerEpoch, -1)),
        ((3, 0, 1), (InvalidProducerEpoch, -1)),
        ((4, 1, 1), (Ok, 2)),
    ]);
    assert_eq!(producer.wire.end_offset("t", 0), 3);
}

#[test]
fn an_unknown_producer_may_begin_anywhere_and_sequences_wrap() {
    let broker = Broker::start(&[]);
    let mut producer = Producer::new(&broker);
    producer.wire.create_topic("t", 1, &[]);
    producer.check(&[
        ((0, i32::MAX - 1, 2), (Ok, 0)),
        ((0, 0, 1), (Ok, 2)),
        ((0, i32::MAX - 1, 2), (Ok, 0)),
        ((0, 1, 1), (Ok, 3)),
        // The wrap lies inside of this batch.
    ]);
    producer.id += 1_000_000;
    producer.check(&[
        ((0, i32::MAX, 3), (Ok, 4)),
        ((0, 2, 1), (Ok, 7)),
        ((0, i32::MAX, 3), (Ok, 4)),
    ]);
}

#[test]
fn what_is_known_of_a_producer_survives_a_stop_and_a_kill() {
    let mut broker = Broker::start(&[]);
    let mut producer = Producer::new(&broker);
    producer.wire.create_topic("t", 1, &[]);
    producer.check(&[((1, 0, 2), (Ok, 0)), ((1, 2, 1), (Ok, 2)), ((1, 3, 1), (Ok, 3))]);
    let mut next = 4;
    for round in 0..4 {
        if round % 2 == 0 {
            broker.kill();
        } else {
            assert!(broker.stop().success());
        }
        broker.restart();
        producer.wire = Wire::connect(&broker);
        producer.check(&[
            ((1, next - 1, 1), (Ok, i64::from(next - 1))),
            ((1, next + 1, 1), (OutOfOrderSequenceNumber, -1)),
            ((0, next, 1), (InvalidProducerEpoch, -1)),
            ((1, next, 1), (Ok, i64::from(next))),
        ]);
        let fresh = Producer::new(&broker);
        assert!(fresh.id > producer.id, "ids are never given twice");
        next += 1;
    }
    assert_eq!(producer.wire.end_offset("t", 0), i64::from(next));
}
