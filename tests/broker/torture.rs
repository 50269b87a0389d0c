//! Mutated requests by the million against the live port: no panic, bounded memory, nobody else notices.
//!
//! Every frame is looked at with the broker's own codec first, so that a frame that ends its connection is
//! the last one on it: each frame that is sent is taken in. The client then says that it will send no
//! more, which ends whatever waits (long polls, rebalances) when all frames have been begun.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use klamm::api::versions;
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::frame;
use klamm::protocol::rewrite::{MESSAGES, MessageKind};
use klamm_fuzz::{mutation, seeds};
use mutation::Random;

use crate::healthy::Healthy;
use crate::load::now;
use crate::support::Broker;
use crate::vitals::{descriptors, resident_bytes};
use crate::wire::{Wire, batch, produce_request, request_frame};

/// Frames of a usual run; `KLAMM_TORTURE_FRAMES` says how many a long one sends.
const FRAMES: u64 = 1_000_000;
/// Most of them wait for an end at any time.
const THREADS: u64 = 16;
/// A connection that is refused ends when what was asked before is answered, which may be seconds later
/// than anybody here waits: all of its frames have been begun by then.
const END_WAITED_FOR: Duration = Duration::from_millis(300);
/// Fewer than the broker reads before it waits for answers to leave.
const FRAMES_PER_CONNECTION_MAX: usize = 100;
const PATIENCE: Duration = Duration::from_secs(60);
/// What the broker may grow by, whatever is sent: its memory for records is bounded beside this.
const GROWTH_BYTES_MAX: usize = 160 << 20;
/// The header of the seeds: key, version, correlation id and a client id of one letter.
const HEADER_BYTES: usize = 11;

/// What one thread has sent and seen.
#[derive(Default)]
struct Seen {
    frames: u64,
    connections: u64,
    refused: u64,
    answer_bytes: u64,
}

/// Frames of one kind after the other, each the same for the same number.
struct Source {
    requests: Vec<(ApiKey, i16, Vec<u8>)>,
    batches: Vec<Vec<u8>>,
    number: u64,
}

impl Source {
    fn new(first: u64) -> Source {
        let mut requests = seeds::requests();
        // Long seeds are mutated in vain: most of their bytes are one string.
        requests.retain(|(_, _, bytes)| bytes.len() <= 512);
        Source { requests, batches: seeds::batches(), number: first << 40 }
    }

    fn next_frame(&mut self) -> Vec<u8> {
        self.number += 1;
        let mut random = Random::new(self.number);
        if random.below(5) == 0 {
            return self.produce(&mut random);
        }
        let mut bytes = self.requests[random.below(self.requests.len())].2.clone();
        let other = &self.requests[random.below(self.requests.len())].2;
        // One in eight has its header changed as well.
        let kept = if random.below(8) == 0 { 0 } else { HEADER_BYTES };
        for _ in 0..=random.below(3) {
            mutation::mutate(&mut random, &mut bytes, other, kept);
        }
        bytes
    }

    /// A produce request that is right, around a mutated batch whose checksum mostly is.
    fn produce(&self, random: &mut Random) -> Vec<u8> {
        let mut records = self.batches[random.below(self.batches.len())].clone();
        let other = &self.batches[random.below(self.batches.len())];
        for _ in 0..=random.below(3) {
            mutation::mutate(random, &mut records, other, 0);
        }
        if random.below(8) > 0 && records.len() > 21 {
            let crc = crc32c::crc32c(&records[21..]);
            records[17..21].copy_from_slice(&crc.to_be_bytes());
        }
        let topic = ["torture", "torture-compacted"][random.below(2)];
        let mut request = produce_request(topic, random.below(4) as i32, &records);
        request.acks = [-1, 0, 1][random.below(3)];
        request_frame(&request, 3 + random.below(10) as i16, 1).split_off(4)
    }
}

/// Whether the broker goes on with the connection behind this frame, as far as its bytes say.
fn parses(bytes: &[u8]) -> bool {
    let Ok((header, body)) = frame::request(bytes) else { return false };
    let (api, version) = (header.api_key, header.api_version);
    let served = versions::answered(api).is_some_and(|range| range.contains(version));
    let message = MESSAGES
        .iter()
        .find(|message| message.kind == MessageKind::Request && message.key == api.wire());
    served && message.is_some_and(|message| (message.rewrite)(body, version, version).is_ok())
}

fn torture(address: SocketAddr, first: u64, frames: u64) -> Seen {
    let mut source = Source::new(first);
    let mut seen = Seen::default();
    let mut random = Random::new(first);
    while seen.frames < frames {
        let wanted = 1 + random.below(FRAMES_PER_CONNECTION_MAX);
        let (mut bytes, mut is_refused) = (Vec::new(), false);
        for _ in 0..wanted {
            let frame = source.next_frame();
            bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&frame);
            seen.frames += 1;
            if !parses(&frame) {
                seen.refused += 1;
                is_refused = true;
                break;
            }
        }
        seen.connections += 1;
        seen.answer_bytes += send(address, &bytes, is_refused);
    }
    seen
}

/// Sends all of `bytes` on a connection of their own; gives how many bytes were answered.
fn send(address: SocketAddr, bytes: &[u8], is_refused: bool) -> u64 {
    let mut stream = TcpStream::connect(address).expect("the broker accepts");
    let wait = if is_refused { END_WAITED_FOR } else { PATIENCE };
    stream.set_read_timeout(Some(wait)).expect("a timeout can be set");
    // The broker may have closed already.
    if stream.write_all(bytes).is_err() || stream.shutdown(Shutdown::Write).is_err() {
        return 0;
    }
    let mut buffer = [0; 32 << 10];
    let mut answered = 0;
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answered,
            Ok(count) => answered += count as u64,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return answered,
            Err(_) if is_refused => return answered,
            Err(error) => panic!("the broker neither answers nor closes: {error}"),
        }
    }
}

/// What the broker has open beside segments, some of which it keeps open, however the frames fall.
fn open_beside_segments(broker: &Broker) -> usize {
    descriptors(broker).iter().filter(|name| !name.ends_with(".log")).count()
}

#[test]
fn a_million_mutated_frames_disturb_nobody() {
    let frames = std::env::var("KLAMM_TORTURE_FRAMES");
    let frames = frames.map_or(FRAMES, |text| text.parse().expect("a number of frames"));
    let mut broker = Broker::start(&[
        "auto.create.topics.enable=false",
        "memory.bytes=67108864",
        "group.initial.rebalance.delay.ms=0",
        "offsets.topic.num.partitions=4",
    ]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("healthy", 1, &[]);
    wire.create_topic("torture", 4, &[]);
    wire.create_topic("torture-compacted", 4, &[("cleanup.policy", "compact")]);
    let healthy = Healthy::start(&broker);
    let address: SocketAddr = broker.bootstrap().parse().expect("an address");
    let (before, open) = (resident_bytes(&broker), open_beside_segments(&broker));
    let began = now();
    let seen: Vec<Seen> = thread::scope(|scope| {
        let each = frames.div_ceil(THREADS);
        let threads: Vec<_> =
            (1..=THREADS).map(|first| scope.spawn(move || torture(address, first, each))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the broker lives")).collect()
    });
    let grown = resident_bytes(&broker).saturating_sub(before);
    let sum = |field: fn(&Seen) -> u64| seen.iter().map(field).sum::<u64>();
    println!(
        "{} frames on {} connections, {} of them ended by the last frame, {} KiB answered, in {} s; \
         {} KiB more resident",
        sum(|seen| seen.frames),
        sum(|seen| seen.connections),
        sum(|seen| seen.refused),
        sum(|seen| seen.answer_bytes) >> 10,
        began.elapsed().as_secs(),
        grown >> 10
    );
    assert!(grown < GROWTH_BYTES_MAX, "the broker grew by {grown} bytes");
    assert!(sum(|seen| seen.answer_bytes) > frames, "most frames are answered");
    healthy.assert_beating();
    // A long run has left the first connection idle for longer than `connections.max.idle.ms`.
    let mut wire = Wire::connect(&broker);
    let left = (0..20_000).any(|_| {
        wire.end_offset("healthy", 0);
        open_beside_segments(&broker) <= open + 16
    });
    assert!(left, "descriptors stay behind: {:?}", descriptors(&broker));
    healthy.stop_and_check();
    // What was taken is served after a kill, and what comes next as well.
    let ends: Vec<i64> = (0..4).map(|partition| wire.end_offset("torture", partition)).collect();
    broker.kill();
    broker.restart();
    let mut wire = Wire::connect(&broker);
    for (partition, end) in (0..4).zip(ends) {
        assert_eq!(wire.end_offset("torture", partition), end);
        assert_eq!(wire.produce("torture", partition, &batch(&["after"]), 9).base_offset, end);
    }
    assert!(!broker.log().contains("panicked"), "{}", broker.log());
}
