//! What the machine's own operations cost: echo, round trip, mesh hop, commits by engine.
//!
//! Expected on the reference machine (2 cores, ext4 on virtio without FUA), and why:
//!
//! - **Echo**, 64 connections of 128 bytes: 5.9–6.6 µs of server CPU a message; 5.7 is the floor of a bare
//!   ring, two system calls' worth of TCP each way.
//! - **Round trip**, one connection: 68–71 µs when the server sleeps (two wake-ups of 25 µs), 24 spinning.
//! - **Mesh**, there and back: 49–53 µs sleeping, 1–4 spinning with `sched_yield` in each turn.
//! - **Commit** of 4 KiB to a zeroed file, p50: write with DSYNC 111–114 µs on the disk interrupt's CPU and
//!   175–203 on the other; with the interrupt's CPU hogged 4,000, by linked fdatasync 141, by thread 153.
//!   `auto` starts with the first and must end with what is quick.

mod machine;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use klamm::model::units::{BLOCK, MIB};
use klamm::runtime::disk::{File, OpenMode};
use klamm::runtime::memory::{AlignedBuf, Piece};
use klamm::runtime::mesh::mesh;
use klamm::runtime::net::Stream;
use klamm::runtime::sync::{join_all, oneshot};
use klamm::runtime::{Engine, Lane, Runtime};

use machine::{Options, micros, thread};

const CONNECTIONS: usize = 64;
const MESSAGE: usize = 128;
const SPIN: Duration = Duration::from_micros(50);

fn main() -> io::Result<()> {
    let options = Options::from_arguments();
    if options.wants("echo") {
        for spin in [Duration::ZERO, SPIN] {
            echo(&options, spin, CONNECTIONS)?;
            echo(&options, spin, 1)?;
        }
    }
    if options.wants("mesh") {
        for spin in [Duration::ZERO, SPIN] {
            mesh_hop(&options, spin)?;
        }
    }
    if options.wants("commit") {
        commits(&options)?;
    }
    Ok(())
}

/// CPU time of the calling thread in nanoseconds, as the scheduler counts it.
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

async fn echo_stream(stream: Stream) {
    loop {
        let Ok(bytes) = stream.recv().await else { return };
        if bytes.is_empty() {
            return;
        }
        let answer = bytes.to_vec();
        drop(bytes);
        if stream.send(vec![Piece::Vec(answer)]).await.is_err() {
            return;
        }
    }
}

fn echo(options: &Options, spin: Duration, connections: usize) -> io::Result<()> {
    let rounds = options.rounds(64_000 / connections.max(8));
    let (address_sender, address) = sync_channel::<SocketAddr>(1);
    let server = thread(0, spin, MIB, move |runtime| async move {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = runtime.net().listen(any, false).expect("a port is free");
        address_sender.send(listener.local_addr().expect("bound")).expect("somebody waits");
        let (mut ends, mut before) = (Vec::new(), 0);
        for _ in 0..connections {
            let (stream, _) = listener.accept().await.expect("somebody connects");
            let (done, end) = oneshot::channel();
            ends.push(end);
            runtime.spawn(Lane::Hot, async move {
                echo_stream(stream).await;
                done.send(()).ok();
            });
            before = cpu_nanos();
        }
        join_all(ends).await;
        cpu_nanos() - before
    })?;
    let address = address.recv().expect("the server listens");
    let client = thread(1, spin, MIB, move |runtime| async move {
        let began = runtime.now();
        let clients = (0..connections).map(|_| ping(runtime.clone(), address, rounds));
        let mut times = join_all(clients).await.concat();
        times.sort_unstable();
        (runtime.now().saturating_since(began), times)
    })?;
    let (took, times) = client.join()?;
    let cpu = server.join()?;
    let messages = (rounds * connections) as f64;
    println!(
        "echo, {connections:2} connections, spin {:2} us: server CPU {:5.2} us a message, round trip p50 \
         {:6.1} p99 {:6.1} us, {:8.0}/s   expected: 5.9-6.6 us CPU with 64; 70 us, 24 spinning with 1",
        spin.as_micros(),
        cpu as f64 / 1000.0 / messages,
        micros(&times, 0.5),
        micros(&times, 0.99),
        messages / took.as_secs_f64(),
    );
    Ok(())
}

async fn ping(runtime: Runtime, address: SocketAddr, rounds: usize) -> Vec<Duration> {
    let stream = runtime.net().connect(address).await.expect("the server listens");
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let before = runtime.now();
        stream.send(vec![Piece::Vec(vec![7; MESSAGE])]).await.expect("the server receives");
        let mut received = 0;
        while received < MESSAGE {
            received += stream.recv().await.expect("the server answers").len();
        }
        times.push(runtime.now().saturating_since(before));
    }
    times
}

fn mesh_hop(options: &Options, spin: Duration) -> io::Result<()> {
    let rounds = options.rounds(5_000);
    let mut ports = mesh::<usize>(2);
    let (far, near) = (ports.pop().expect("two"), ports.pop().expect("two"));
    let echo = thread(1, spin, MIB, move |runtime| async move {
        let mesh = far.attach(&runtime);
        for _ in 0..rounds {
            let (from, number) = mesh.recv().await;
            mesh.send(from, number);
        }
    })?;
    let near = thread(0, spin, MIB, move |runtime| async move {
        let mesh = near.attach(&runtime);
        let mut times = Vec::with_capacity(rounds);
        for number in 0..rounds {
            let before = runtime.now();
            mesh.send(1, number);
            assert_eq!(mesh.recv().await, (1, number));
            times.push(runtime.now().saturating_since(before));
        }
        times.sort_unstable();
        times
    })?;
    let times = near.join()?;
    echo.join()?;
    println!(
        "mesh, there and back, spin {:2} us: p50 {:6.2} p99 {:6.2} us   expected: 49-53 us, 1-4 spinning",
        spin.as_micros(),
        micros(&times, 0.5),
        micros(&times, 0.99),
    );
    Ok(())
}

fn commits(options: &Options) -> io::Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let path = directory.path().join("journal");
    let cpus = core_affinity::get_core_ids().map_or(1, |cores| cores.len());
    let engines = [
        ("write with DSYNC", Some(Engine::DsyncWrite)),
        ("linked fdatasync", Some(Engine::LinkedSync)),
        ("thread", Some(Engine::Thread)),
        ("auto", None),
    ];
    for hog in std::iter::once(None).chain((0..cpus).map(Some)) {
        let hog = hog.map(Hog::start);
        for cpu in 0..cpus {
            for (name, engine) in engines {
                let times = commit_times(options, &path, cpu, engine)?;
                let whose =
                    hog.as_ref().map_or("no hog  ".to_owned(), |hog| format!("hog on {}", hog.cpu));
                println!(
                    "commit 4 KiB, {name:16}, shard on {cpu}, {whose}: p50 {:6.0} p99 {:6.0} us, last \
                     quarter p50 {:6.0}   expected: 111-203 us; a tick (4000) by DSYNC with the interrupt's \
                     CPU hogged, 141-153 by the others",
                    micros(&sorted(&times), 0.5),
                    micros(&sorted(&times), 0.99),
                    micros(&sorted(&times[times.len() * 3 / 4..]), 0.5),
                );
            }
        }
    }
    Ok(())
}

fn commit_times(
    options: &Options,
    path: &Path,
    cpu: usize,
    engine: Option<Engine>,
) -> io::Result<Vec<Duration>> {
    let (count, limit) = if options.smoke { (4, 1) } else { (2000, 800) };
    let path: PathBuf = path.to_owned();
    thread(cpu, Duration::ZERO, MIB, move |runtime| async move {
        let file = zeroed_file(&runtime, &path).await?;
        if let Some(engine) = engine {
            file.fix_engine(engine);
        }
        let file = Rc::new(file);
        let began = runtime.now();
        let mut times = Vec::new();
        let mut buffer = AlignedBuf::zeroed(BLOCK);
        for number in 0..count {
            let before = runtime.now();
            let result;
            (buffer, result) = file.commit(buffer, BLOCK, number % 256 * BLOCK as u64).await;
            result?;
            let now = runtime.now();
            times.push(now.saturating_since(before));
            if now.saturating_since(began) > Duration::from_millis(limit) && times.len() >= 4 {
                break;
            }
        }
        Ok(times)
    })?
    .join()?
}

async fn zeroed_file(runtime: &Runtime, path: &Path) -> io::Result<File> {
    let file = runtime.disk().open(path, OpenMode::CREATE_DIRECT).await?;
    if file.len().await? == 0 {
        let zeros = Piece::Aligned(AlignedBuf::zeroed(MIB), 0..MIB);
        file.write_at(vec![zeros], 0).await?;
        file.sync_data().await?;
    }
    Ok(file)
}

/// A thread that computes on one CPU until it is dropped.
struct Hog {
    cpu: usize,
    stop: Option<std::sync::mpsc::SyncSender<()>>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

impl Hog {
    fn start(cpu: usize) -> Hog {
        let (stop, stopped) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let cores = core_affinity::get_core_ids().unwrap_or_default();
            assert!(core_affinity::set_for_current(cores[cpu]), "CPU {cpu} can be used");
            let mut spun = 0u64;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                for _ in 0..10_000 {
                    spun = std::hint::black_box(spun.wrapping_mul(31) + 1);
                }
            }
            spun
        });
        Hog { cpu, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            std::hint::black_box(thread.join().expect("a hog does not panic"));
        }
    }
}

fn sorted(times: &[Duration]) -> Vec<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times
}
