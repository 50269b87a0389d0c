//! A clean stop and the start after it, and the starts that are refused in one sentence.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::kafka;
use crate::load::{Kind, Load, Plan};
use crate::support::{self, Broker};
use crate::wire::{Wire, batch};

/// The most that a clean stop may take.
const STOP_MS_MAX: u64 = 2000;

/// The number in the last `<before><number> ms` of a log.
fn last_ms(log: &str, before: &str) -> u64 {
    let (_, rest) = log.rsplit_once(before).unwrap_or_else(|| panic!("no '{before}' in {log}"));
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    number.parse().expect("a number of milliseconds")
}

#[test]
fn a_clean_stop_under_load_is_quick_and_leaves_nothing_to_recover() {
    let mut broker = Broker::start(&["num.shards=2"]);
    let topic = "stops";
    kafka::create_topic(&broker.bootstrap(), topic, 4, &[]);
    let kinds = [Kind::Idempotent, Kind::Plain];
    let plan = Plan {
        topic,
        partitions: 4,
        kinds: &kinds,
        first_producer: 0,
        window: 100,
        large_every: 50,
    };
    let mut load = Load::start(&broker.bootstrap(), plan);
    for _ in 0..3 {
        load.await_acknowledged(300);
        let status = broker.stop();
        assert_eq!(status.code(), Some(0), "SIGTERM is how a broker is stopped");
        assert!(last_ms(&broker.log(), "shut down in ") < STOP_MS_MAX);
        broker.restart();
        let log = broker.log();
        let recovered = log.rsplit_once("storage recovered ").expect("each start says so").1;
        assert!(recovered.contains("clean=true"), "{recovered}");
        assert!(recovered.contains("applied=0 "), "{recovered}");
    }
    load.await_acknowledged(100);
    let ledger = load.finish();
    broker.stop();
    broker.restart();
    ledger.check(&kafka::read_all(&broker.bootstrap(), topic, 4));
}

#[test]
fn a_directory_has_one_broker() {
    let broker = Broker::start(&["num.shards=1"]);
    let said = broker.refusal_to_restart(&[]);
    let expected = format!("is in use by process {}", broker.pid());
    assert!(said.contains(&expected), "{said}");
    kafka::create_topic(&broker.bootstrap(), "undisturbed", 1, &[]);
}

#[test]
fn a_port_has_one_broker() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let address = taken.local_addr().expect("a bound socket has an address");
    let directory = on_disk();
    let data = format!("log.dirs={}", directory.path().join("data").display());
    for (setting, name) in [
        (format!("listeners=PLAINTEXT://{address}"), "'listeners'"),
        (format!("admin.listener={address}"), "'admin.listener'"),
    ] {
        let said = support::refusal(&[data.clone(), setting]);
        assert!(said.contains(&address.to_string()) && said.contains(name), "{said}");
    }
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let directory = on_disk();
    let file = directory.path().join("file");
    fs::write(&file, "in the way").expect("the target directory takes a file");
    let path = file.join("data");
    let said = support::refusal(&[format!("log.dirs={}", path.display())]);
    assert!(said.contains(&path.display().to_string()), "{said}");
    assert!(said.contains("may this user write to it?"), "{said}");
}

#[test]
fn a_directory_in_memory_is_refused_unless_it_is_asked_for() {
    let shm = Path::new("/dev/shm");
    let Ok(directory) = tempfile::tempdir_in(shm) else {
        return println!("skipped: this machine has no /dev/shm");
    };
    let setting = format!("log.dirs={}", directory.path().join("data").display());
    let said = support::refusal(std::slice::from_ref(&setting));
    assert!(said.contains("is on tmpfs") && said.contains("--unsafe"), "{said}");
    assert!(!directory.path().join("data/superblock").exists(), "nothing was begun");
    let mut child = Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(["start", "--unsafe", "--override", &setting, "--override", "num.shards=1"])
        .args(["--override", "listeners=PLAINTEXT://127.0.0.1:0"])
        .args(["--override", "admin.listener=127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary was built with this test");
    let output = BufReader::new(child.stdout.take().expect("the output is piped"));
    let mut lines = output.lines().map_while(Result::ok);
    let ready = lines.any(|line| line.contains("ready in "));
    child.kill().expect("it is a child of this process");
    child.wait().expect("a killed child can be waited for");
    assert!(ready, "it did not start with --unsafe");
}

#[test]
fn lost_metadata_deletes_no_topic() {
    let mut broker = Broker::start(&["num.shards=1"]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("kept", 1, &[]);
    assert_eq!(wire.produce("kept", 0, &batch(&["a", "b"]), 9).error_code, 0);
    let (metadata, aside) = (broker.data_dir().join("metadata"), broker.data_dir().join("aside"));
    for clean in [true, false] {
        if clean {
            broker.stop();
        } else {
            broker.kill();
        }
        fs::rename(&metadata, &aside).expect("nobody uses the directory");
        let said = broker.refusal_to_restart(&[]);
        let checkpoint = metadata.join("checkpoint").display().to_string();
        assert!(said.contains(&format!("{checkpoint} is missing")), "{said}");
        assert!(said.contains("restore it from a copy"), "{said}");
        assert!(!metadata.exists(), "nothing was begun");
        fs::rename(&aside, &metadata).expect("the name is free");
        broker.restart();
        assert_eq!(Wire::connect(&broker).end_offset("kept", 0), 2);
    }
}

fn on_disk() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the target directory takes another")
}
