//! `connections.move.to.owner`: a connection goes on at the shard that owns what it asks for, as if nothing were.

use std::io::{Read, Write};
use std::net::TcpStream;

use klamm::protocol::frame;
use klamm::protocol::produce_request::ProduceRequest;

use crate::support::Broker;
use crate::wire::{Ask, Wire, batch, produce_request, request_frame};

/// Connections for each of two partitions. The kernel puts each on either shard, so that none of all moves
/// once in 2^32 runs.
const CONNECTIONS: usize = 16;
/// Requests of one connection, in bursts: some windows of those after which it may move.
const BURSTS: i32 = 20;
const BURST: i32 = 16;

/// The sum over the shards of one of the broker's figures.
fn figure(broker: &Broker, name: &str) -> usize {
    let mut stream = TcpStream::connect(broker.admin_address()).expect("the admin listener");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .expect("the admin listener reads");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("the admin listener answers");
    let values = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    values.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

#[test]
fn connections_move_between_requests_and_nobody_notices() {
    let broker = Broker::start(&["num.shards=2", "connections.move.to.owner=true"]);
    let mut control = Wire::connect(&broker);
    control.create_topic("moving", 2, &[]);
    let before = figure(&broker, "klamm_connections_opened_total");
    let mut connections: Vec<Wire> = (0..2 * CONNECTIONS).map(|_| Wire::connect(&broker)).collect();
    let records = batch(&["moved"]);
    let mut last = [-1; 2];
    for burst in 0..BURSTS {
        for (index, wire) in connections.iter_mut().enumerate() {
            let partition = index % 2;
            let request = produce_request("moving", partition as i32, &records);
            let numbers = burst * BURST..(burst + 1) * BURST;
            let frames = numbers.clone().flat_map(|number| request_frame(&request, 9, number));
            wire.send_bytes(&frames.collect::<Vec<u8>>());
            for number in numbers {
                let bytes = wire.receive_frame().expect("an answer, not a closed connection");
                let (correlation_id, body) =
                    frame::response(bytes, ProduceRequest::KEY, 9).expect("a header");
                assert_eq!(correlation_id, number, "the answers come in order");
                let answer = ProduceRequest::read(body, 9).expect("a body");
                let done = &answer.responses[0].partition_responses[0];
                assert_eq!((done.error_code, done.base_offset), (0, last[partition] + 1));
                last[partition] = done.base_offset;
            }
        }
    }
    let each = i64::from(BURSTS * BURST) * CONNECTIONS as i64;
    assert_eq!([0, 1].map(|partition| control.end_offset("moving", partition)), [each; 2]);
    let opened = figure(&broker, "klamm_connections_opened_total") - before;
    assert!(opened > connections.len(), "no connection has moved");
    assert_eq!(figure(&broker, "klamm_connections"), connections.len() + 1, "none was lost");
    // A connection that has moved is closed like any other.
    let moved = connections.iter_mut();
    moved.for_each(|wire| wire.send_bytes(&i32::MAX.to_be_bytes()));
    connections.iter_mut().for_each(|wire| wire.assert_closed("a frame of 2 GiB"));
}
