//! Connections that ask for nothing, for too much, or never listen: bounded, and nobody else notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm::protocol::metadata_request::MetadataRequest;
use klamm::runtime::process::raise_open_files_limit;

use crate::healthy::Healthy;
use crate::load::now;
use crate::support::Broker;
use crate::vitals::{descriptors, resident_bytes};
use crate::wire::{Wire, batch, fetch_request, request_frame};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn address(broker: &Broker) -> SocketAddr {
    broker.bootstrap().parse().expect("an address")
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// True when the broker ends the connection, which has asked for nothing.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) => panic!("neither bytes nor the end: {error}"),
    }
}

/// Waits until `fits` holds; each look is a round trip of a client.
fn await_that(broker: &Broker, what: &str, mut fits: impl FnMut() -> bool) {
    let mut wire = Wire::connect(broker);
    let began = now();
    while !fits() {
        wire.ask(&ApiVersionsRequest::default(), 0);
        assert!(began.elapsed() < PATIENCE, "{what}\n{}", broker.log());
    }
}

#[test]
fn ten_thousand_connections_that_send_nothing_cost_little() {
    const WANTED: usize = 10_000;
    const BYTES_EACH_MAX: usize = 8 << 10;
    let limit = raise_open_files_limit().expect("it can be raised") as usize;
    let count = WANTED.min(limit.saturating_sub(4096));
    if count < WANTED {
        println!("{limit} open files are too few for {WANTED} connections: {count} are made");
    }
    let broker = Broker::start(&["num.shards=2"]);
    let healthy = Healthy::start(&broker);
    assert!(broker.log().contains(" open files, "), "the limit is said: {}", broker.log());
    let (address, before) = (address(&broker), descriptors(&broker).len());
    // What a few connections touch for the first time is not theirs alone.
    let warm: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    let all_open = |more: usize| descriptors(&broker).len() >= before + more;
    await_that(&broker, "all are accepted", || all_open(warm.len()));
    let resident = resident_bytes(&broker);
    let mut idle: Vec<TcpStream> = (0..count).map(|_| connect(address)).collect();
    await_that(&broker, "all are accepted", || all_open(warm.len() + count));
    let each = resident_bytes(&broker).saturating_sub(resident) / count.max(1);
    println!("{count} idle connections: {each} bytes resident each");
    assert!(each <= BYTES_EACH_MAX, "{each} bytes for each idle connection");
    healthy.assert_beating();
    // They are as good as any other.
    for stream in idle.iter_mut().step_by(997) {
        stream.write_all(&request_frame(&ApiVersionsRequest::default(), 0, 1)).expect("sent");
        stream.read_exact(&mut [0; 4]).expect("an answer");
    }
    drop((warm, idle));
    await_that(&broker, "all are closed", || descriptors(&broker).len() <= before + 8);
    healthy.stop_and_check();
}

#[test]
fn a_flood_of_connections_leaves_nothing_behind() {
    const THREADS: usize = 4;
    const EACH: usize = 2_500;
    let broker = Broker::start(&[]);
    let healthy = Healthy::start(&broker);
    let (address, before) = (address(&broker), descriptors(&broker).len());
    let flood = |kind: usize| {
        for number in 0..EACH {
            let mut stream = connect(address);
            match (number + kind) % 3 {
                0 => {}
                1 => drop(stream.write_all(b"GET / HTTP/1.1\r\n\r\n")),
                _ => drop(stream.write_all(&[0, 0, 0, 9, 0, 18])),
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|kind| scope.spawn(move || flood(kind))).collect();
        healthy.assert_beating();
        threads.into_iter().for_each(|thread| thread.join().expect("every connect is accepted"));
    });
    healthy.assert_beating();
    await_that(&broker, "all are closed", || descriptors(&broker).len() <= before + 8);
    let lines = broker.log().lines().filter(|line| line.contains("closed a connection")).count();
    assert!((1..2_000).contains(&lines), "{lines} lines for {} bad peers", THREADS * EACH / 3);
    assert!(broker.log().contains("the peer speaks HTTP"), "{}", broker.log());
    healthy.stop_and_check();
}

#[test]
fn the_limits_of_connections_hold() {
    for (setting, key) in [
        ("max.connections=3", "max.connections"),
        ("max.connections.per.ip=3", "max.connections.per.ip"),
    ] {
        let broker = Broker::start(&[setting]);
        let mut kept: Vec<Wire> = (0..3).map(|_| Wire::connect(&broker)).collect();
        for wire in &mut kept {
            wire.ask(&ApiVersionsRequest::default(), 0);
        }
        for _ in 0..20 {
            Wire::connect(&broker).assert_closed(key);
        }
        for wire in &mut kept {
            wire.ask(&ApiVersionsRequest::default(), 0);
        }
        assert!(broker.log().contains(&format!("{key} is reached")), "{}", broker.log());
        // A place that is free again is given again.
        kept.pop();
        let again = (0..10_000).any(|_| {
            let mut stream = connect(address(&broker));
            let sent = stream.write_all(&request_frame(&ApiVersionsRequest::default(), 0, 1));
            sent.is_ok() && stream.read_exact(&mut [0; 4]).is_ok()
        });
        assert!(again, "{key}: {}", broker.log());
    }
}

#[test]
fn connections_never_take_the_descriptors_of_the_log() {
    let under = ["prlimit", "--nofile=400:400"];
    // A small journal, so that segments are opened at once.
    let settings = ["num.shards=1", "journal.bytes=8388608"];
    let Some(broker) = Broker::start_under(&under, &settings) else {
        return println!("skipped: this machine has no prlimit");
    };
    let mut wire = Wire::connect(&broker);
    wire.create_topic("many", 40, &[("segment.bytes", "1048576")]);
    assert!(broker.log().contains("raise the limit"), "{}", broker.log());
    let address = address(&broker);
    let mut flood: Vec<TcpStream> = (0..600).map(|_| connect(address)).collect();
    let large = batch(&["x".repeat(100_000).as_str()]);
    for round in 0..5 {
        for partition in 0..40 {
            let answer = wire.produce("many", partition, &large, 9);
            assert_eq!((answer.error_code, answer.base_offset), (0, round), "{}", broker.log());
        }
    }
    let refused = flood.iter_mut().rev().take(100).filter(|stream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        match (&**stream).read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    });
    assert!(refused.count() > 50, "the last ones were refused: {}", broker.log());
    assert!(!broker.log().contains("has failed"), "{}", broker.log());
}

#[test]
fn the_idle_and_the_slow_are_ended_in_time() {
    let broker = Broker::start(&["connections.max.idle.ms=3000"]);
    let healthy = Healthy::start(&broker);
    let address = address(&broker);
    let mut idle: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
    let mut partial: Vec<TcpStream> = (0..20).map(|_| connect(address)).collect();
    // A request of 60 KB at one byte a second would take most of a day.
    let slow = thread::spawn(move || {
        let mut stream = connect(address);
        stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout can be set");
        let began = now();
        let frame = [&60_000_i32.to_be_bytes()[..], &[0; 60_000]].concat();
        for byte in frame.chunks(1) {
            let sent = stream.write_all(byte);
            let ended = match stream.read(&mut [0]) {
                Ok(count) => count == 0,
                Err(error) => error.kind() == ErrorKind::ConnectionReset,
            };
            if sent.is_err() || ended {
                return true;
            }
            if began.elapsed() > PATIENCE {
                return false;
            }
        }
        false
    });
    for stream in &mut partial {
        stream.write_all(&[0, 0, 4, 0, 0, 3, 0, 1]).expect("sent");
    }
    assert!(idle.iter_mut().all(is_closed) && partial.iter_mut().all(is_closed));
    assert!(slow.join().expect("it does not panic"), "a byte a second is no request");
    healthy.assert_beating();
    healthy.stop_and_check();
}

#[test]
fn who_never_reads_is_held_to_a_bound_and_ended() {
    const READERS: usize = 40;
    let broker =
        Broker::start(&["num.shards=1", "memory.bytes=67108864", "connections.max.idle.ms=15000"]);
    let healthy = Healthy::start(&broker);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("long", 4, &[("segment.bytes", "4194304")]);
    let large = batch(&["x".repeat(500_000).as_str()]);
    for number in 0..48 {
        assert_eq!(wire.produce("long", number % 4, &large, 9).error_code, 0);
    }
    for number in 0..60 {
        wire.create_topic(&format!("{}-{number}", "name".repeat(50)), 20, &[]);
    }
    let before = resident_bytes(&broker);
    let resource = |name: &'static str| DescribeConfigsResource {
        resource_type: 4,
        resource_name: name.into(),
        ..Default::default()
    };
    let configs = DescribeConfigsRequest {
        resources: vec![resource("1"), resource("1")],
        include_synonyms: true,
        include_documentation: true,
        ..Default::default()
    };
    let fetch = |partition| request_frame(&fetch_request("long", id, partition, 0), 12, 1);
    let all = request_frame(&MetadataRequest { topics: None, ..Default::default() }, 12, 1);
    let frames = [fetch(0), fetch(1), all, request_frame(&configs, 4, 1), fetch(3)].concat();
    let mut deaf: Vec<TcpStream> = (0..READERS).map(|_| connect(address(&broker))).collect();
    for stream in &mut deaf {
        stream.set_nonblocking(true).expect("it can be set");
        // As much as fits: the broker stops reading when nobody reads its answers.
        for _ in 0..100 {
            if stream.write(&frames).is_err() {
                break;
            }
        }
    }
    for _ in 0..5 {
        healthy.assert_beating();
        let grown = resident_bytes(&broker).saturating_sub(before);
        println!("{READERS} deaf clients: {} KiB more", grown >> 10);
        assert!(grown < 64 << 20, "the broker grew by {grown} bytes");
    }
    await_that(&broker, "who never reads is ended", || {
        // The healthy client's, the waiting one's and the test's own stay.
        descriptors(&broker).iter().filter(|name| *name == "socket").count() < READERS
    });
    drop(deaf);
    healthy.stop_and_check();
}
