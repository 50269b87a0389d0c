//! The tool as its users run it: against its own floor, and against a real broker of this project.
//!
//! Cargo builds the broker with the tests of the whole workspace; where only this package is tested and it is
//! not there yet, the test asks cargo for it.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Tries to connect before a broker counts as not starting, each after a look at whether it still lives.
const TRIES: usize = 100_000_000;

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klamm-bench"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Output, Value) {
    let output = bench(arguments).args(["--json", "-q"]).output().expect("the tool runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    (output, value)
}

fn number(value: &Value, path: &str) -> f64 {
    let found = value.pointer(path).unwrap_or_else(|| panic!("no {path} in {value}"));
    found.as_f64().unwrap_or_else(|| panic!("{path} is {found}"))
}

/// A broker in a directory below cargo's, gone when dropped.
struct Broker {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Broker {
    fn start() -> Broker {
        let binary = broker_binary();
        let directory =
            tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory is made");
        let port = free_port();
        let settings = [
            format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
            format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
            format!("admin.listener=127.0.0.1:{}", free_port()),
            format!("log.dirs={}", directory.path().join("data").display()),
        ];
        let mut command = Command::new(binary);
        command.arg("start");
        for setting in &settings {
            command.args(["--override", setting]);
        }
        let log = std::fs::File::create(directory.path().join("log")).expect("a log is made");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log)
            .spawn()
            .expect("the broker runs");
        for _ in 0..TRIES {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Broker { child, port, _directory: directory };
            }
            assert!(
                child.try_wait().expect("a child can be asked").is_none(),
                "the broker has ended"
            );
        }
        panic!("the broker does not listen");
    }

    fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broker_binary() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_klamm-bench")).with_file_name("klamm");
    if !binary.exists() {
        let built =
            Command::new(env!("CARGO")).args(["build", "-p", "klamm", "--bin", "klamm"]).status();
        assert!(built.is_ok_and(|status| status.success()), "the broker cannot be built");
    }
    binary
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

#[test]
fn the_floor_needs_no_broker() {
    let (output, found) = run(&["floor", "--duration", "500ms", "--warm-up", "100ms"]);
    assert!(output.status.success(), "{found}");
    assert!(number(&found, "/runs/0/produced/records") > 100.0, "{found}");
    assert!(number(&found, "/runs/0/latency/p50") > 0.0);
}

#[test]
fn a_broker_that_is_not_there_is_said_in_plain_words() {
    let address = format!("127.0.0.1:{}", free_port());
    let output = bench(&["produce", "--bootstrap-server", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains(&format!("no broker answers at {address}")), "{error}");
}

#[test]
fn records_go_round_and_are_all_accounted_for() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let pid = broker.child.id().to_string();
    let report = tempfile::NamedTempFile::new().unwrap();
    let short = ["--duration", "1s", "--bootstrap-server", &bootstrap];
    let with = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().chain(&short).copied().collect();
        let (output, found) = run(&arguments);
        assert!(output.status.success(), "{found:#}");
        assert_eq!(number(&found, "/runs/0/verification/lost"), 0.0);
        found
    };

    // Open loop, read back afterwards, into a topic that stays.
    let report_path = report.path().to_str().unwrap();
    let found = with(&[
        "produce",
        "--warm-up",
        "200ms",
        "--topic",
        "kept",
        "--partitions",
        "3",
        "--connections",
        "2",
        "--throughput",
        "500",
        "--key-distribution",
        "zipf:100",
        "--record-size",
        "uniform:40-400",
        "--server-pid",
        &pid,
        "--report",
        report_path,
    ]);
    let run = "/runs/0";
    let acknowledged = number(&found, "/runs/0/verification/acknowledged");
    assert_eq!(acknowledged, 600.0 - 1.0, "the schedule decides how many: {found:#}");
    assert_eq!(number(&found, "/runs/0/verification/tally/read"), acknowledged);
    assert!(number(&found, "/runs/0/latency/p50") >= number(&found, "/runs/0/latency/min"));
    assert!(number(&found, "/runs/0/uses/server/cpu_seconds") > 0.0, "{found:#}");
    assert!(found.pointer(run).unwrap()["durability"].as_str().unwrap().starts_with("durable"));
    let page = std::fs::read_to_string(report.path()).unwrap();
    assert!(page.contains("Latency by percentile") && page.contains("1 of 1 runs passed"));

    // What is there can be consumed and checked by itself.
    let found = with(&["consume", "--topic", "kept", "--consumers", "2"]);
    assert_eq!(number(&found, "/runs/0/verification/tally/read"), acknowledged);

    // Producers and two copies of consumers at once, compressed, several requests in flight.
    let found = with(&[
        "fanout",
        "--fan-out",
        "2",
        "--consumers",
        "2",
        "--connections",
        "2",
        "--partitions",
        "4",
        "--throughput",
        "2000",
        "--arrival",
        "poisson",
        "--compression-type",
        "lz4",
        "--linger-ms",
        "2",
    ]);
    let acknowledged = number(&found, "/runs/0/verification/acknowledged");
    assert_eq!(number(&found, "/runs/0/verification/tally/read"), 2.0 * acknowledged);
    assert!(number(&found, "/runs/0/end_to_end/p50") > 0.0);

    // A topic that is not there is not made by a consumer.
    let output =
        bench(&["consume", "--topic", "nowhere", "--bootstrap-server", &bootstrap]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("topic nowhere is not there"));
}

#[test]
fn who_waits_for_nothing_waits_the_whole_window() {
    let broker = Broker::start();
    let bootstrap = broker.bootstrap();
    let times = ["--duration", "700ms", "--warm-up", "100ms", "--fetch-max-wait-ms", "100"];
    let clients = ["idle", "--consumers", "3", "--bootstrap-server", &bootstrap];
    let (output, found) = run(&[&clients[..], &times[..]].concat());
    assert!(output.status.success(), "{found}");
    assert!(number(&found, "/runs/0/seconds") >= 0.7, "{found}");
}

#[cfg(feature = "librdkafka")]
#[test]
fn librdkafka_produces_the_same_workload() {
    let broker = Broker::start();
    for arguments in [
        &["produce", "--throughput", "500", "--batch-size", "1"][..],
        &["produce", "--connections", "2", "--partitions", "4", "--compression-type", "lz4"],
        &["end-to-end", "--throughput", "500", "--key-distribution", "uniform:100"],
    ] {
        let bootstrap = broker.bootstrap();
        let mut all = arguments.to_vec();
        all.extend(["--client", "librdkafka", "--bootstrap-server", &bootstrap]);
        all.extend(["--duration", "1s", "--warm-up", "200ms"]);
        let (output, found) = run(&all);
        assert!(output.status.success(), "{found:#}");
        let acknowledged = number(&found, "/runs/0/verification/acknowledged");
        assert!(acknowledged > 0.0, "{found:#}");
        assert_eq!(number(&found, "/runs/0/verification/tally/read"), acknowledged);
        assert!(number(&found, "/runs/0/latency/p50") > 0.0, "{found:#}");
    }
}

#[cfg(not(feature = "librdkafka"))]
#[test]
fn without_librdkafka_the_tool_says_how_to_have_it() {
    let output = bench(&["produce", "--client", "librdkafka"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("--features librdkafka"), "{error}");
}

#[test]
fn an_interrupt_prints_what_was_measured_so_far() {
    let broker = Broker::start();
    let mut child =
        bench(&["produce", "--throughput", "200", "--duration", "10m", "--warm-up", "0s"])
            .args(["--bootstrap-server", &broker.bootstrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let live = lines.find(|line| line.as_ref().unwrap().contains("records/s"));
    assert!(live.is_some(), "a line is printed each second");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("interrupted: this is what was measured so far"), "{table}");
    assert!(table.contains("everything was read back") && table.contains(" 0 lost"), "{table}");
    assert_eq!(output.status.code(), Some(130), "{table}");
}
