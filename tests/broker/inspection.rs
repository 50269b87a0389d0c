//! What an operator is told: metrics, shards, slow requests, the doctor and the list of the configuration.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

use klamm::protocol::fetch_request::FetchRequest;

use crate::support::{Broker, klamm};
use crate::wire::{Wire, batch, fetch_request};

/// A page of the admin listener.
fn page(broker: &Broker, path: &str) -> String {
    let mut stream = TcpStream::connect(broker.admin_address()).expect("the admin listener");
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the admin listener reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the admin listener answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    body.to_owned()
}

/// The series of a metrics page.
fn series(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name, value.parse().expect("a number"))
        })
        .collect()
}

#[test]
fn the_metrics_follow_what_is_done() {
    let broker = Broker::start(&["num.shards=2", "connections.move.to.owner=false"]);
    let mut wire = Wire::connect(&broker);
    let id = wire.create_topic("t", 4, &[]);
    let records = batch(&["a", "b"]);
    for partition in 0..4 {
        assert_eq!(wire.produce("t", partition, &records, 9).error_code, 0);
    }
    assert_eq!(wire.produce("t", 9, &records, 9).error_code, 3);
    let fetch = FetchRequest { max_bytes: 1 << 20, ..fetch_request("t", id, 1, 0) };
    let fetched = wire.ask(&fetch, 12);
    assert_eq!(fetched.responses[0].partitions[0].high_watermark, 2);
    // This one waits for two seconds, which are not counted as its duration.
    let poll =
        FetchRequest { max_wait_ms: 2000, max_bytes: 1 << 20, ..fetch_request("t", id, 0, 2) };
    wire.ask(&poll, 12);

    let text = page(&broker, "/metrics");
    let series = series(&text);
    let of = |name: &str| *series.get(name).unwrap_or_else(|| panic!("no {name} in\n{text}"));
    let both =
        |name: &str| of(&format!("{name}{{shard=\"0\"}}")) + of(&format!("{name}{{shard=\"1\"}}"));
    assert_eq!(of("klamm_requests_total{api=\"Produce\",error=\"NONE\"}"), 4.0);
    assert_eq!(
        of("klamm_requests_total{api=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}"),
        1.0
    );
    assert_eq!(of("klamm_request_duration_seconds_count{api=\"Fetch\"}"), 2.0);
    assert!(of("klamm_request_duration_seconds_sum{api=\"Fetch\"}") < 1.5, "a poll is not counted");
    assert!(of("klamm_commit_size_bytes_count") >= 1.0);
    assert_eq!(both("klamm_appended_bytes_total"), 4.0 * records.len() as f64);
    assert_eq!(both("klamm_fetched_bytes_total"), records.len() as f64);
    assert_eq!(both("klamm_log_size_bytes"), 4.0 * records.len() as f64);
    assert_eq!((both("klamm_partitions"), both("klamm_connections")), (4.0, 1.0));
    assert_eq!((both("klamm_requests_in_progress"), both("klamm_fetches_waiting")), (0.0, 0.0));
    assert_eq!(both("klamm_log_directory_up"), 2.0);
    assert!(both("klamm_shard_cpu_seconds_total") > 0.0);
    let engines = ["dsync_write", "linked_sync", "thread"]
        .map(|engine| of(&format!("klamm_commit_engine{{shard=\"0\",engine=\"{engine}\"}}")));
    assert_eq!(engines.iter().sum::<f64>(), 1.0, "one engine is in use");
    assert!(of("klamm_memory_bytes{shard=\"0\",purpose=\"records\"}") >= 4096.0);
    assert_eq!(of("klamm_groups{shard=\"0\",state=\"Stable\"}"), 0.0);
    assert_eq!((of("klamm_shards"), of("klamm_shards_silent")), (2.0, 0.0));
    assert!(of("process_open_fds") > 10.0 && of("process_resident_memory_bytes") > 1e6);
    let readme = include_str!("../../README.md");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name");
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in README.md");
    }
}

#[test]
fn the_shards_are_described() {
    let broker = Broker::start(&["num.shards=2"]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("spread", 3, &[]);
    let describe = |server: &str| klamm(&["shards", "--describe", "--admin-server", server], "");
    let output = describe(&broker.admin_address());
    let text = said(&output, 0);
    let mut lines = text.lines();
    let head = lines.next().expect("a line for the broker");
    assert!(head.starts_with("Broker: 1\tShards: 2\tCpus: "), "{text}");
    let shards: Vec<&str> = lines.clone().filter(|line| line.starts_with("Shard: ")).collect();
    assert_eq!(shards.len(), 2, "{text}");
    assert!(
        shards.iter().all(|line| line.contains("\tLoad: ") && line.contains("\tCpu: ")),
        "{text}"
    );
    let mut partitions: Vec<&str> = lines
        .filter_map(|line| line.strip_prefix("\tTopic: spread\tPartition: ")?.split('\t').next())
        .collect();
    partitions.sort_unstable();
    assert_eq!(partitions, ["0", "1", "2"], "{text}");
    let nobody =
        TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let output = describe(&nobody.to_string());
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("is the broker running"), "{text}");
}

/// What a command has printed.
fn said(output: &Output, code: i32) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let text = format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[test]
fn a_slow_request_is_logged_with_where_its_time_went() {
    let broker = Broker::start(&["num.shards=1", "slow.request.ms=1"]);
    let mut wire = Wire::connect(&broker);
    wire.create_topic("t", 1, &[]);
    let values: Vec<String> = (0..1000).map(|number| format!("{number:0>500}")).collect();
    let records = batch(&values.iter().map(String::as_str).collect::<Vec<_>>());
    let is_told = || {
        let log = broker.log();
        let line =
            log.lines().find(|line| line.contains("slow") && line.contains("api=\"Produce\""));
        line.is_some_and(|line| {
            ["ms=", "queue_ms=", "hop_ms=0", "journal_ms=", "network_ms=", "peer=127.0.0.1:"]
                .iter()
                .all(|field| line.contains(field))
        })
    };
    // Half a megabyte takes a debug build longer than a millisecond, whatever the disk.
    for _ in 0..200 {
        assert_eq!(wire.produce("t", 0, &records, 9).error_code, 0);
        if is_told() {
            return;
        }
    }
    panic!("no slow request was logged");
}

#[test]
fn the_doctor_says_what_is_fine_and_what_is_not() {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on a disk");
    let doctor = |directory: &str, listener: &str| {
        let overrides = [
            format!("log.dirs={directory}"),
            format!("listeners=PLAINTEXT://{listener}"),
            "admin.listener=127.0.0.1:0".to_owned(),
            "journal.bytes=16777216".to_owned(),
            "num.shards=1".to_owned(),
        ];
        let mut arguments = vec!["doctor"];
        overrides.iter().for_each(|one| arguments.extend(["--override", one.as_str()]));
        klamm(&arguments, "")
    };
    let data = root.path().join("not/yet").display().to_string();
    let text = said(&doctor(&data, "127.0.0.1:0"), 0);
    for subject in ["fine      io_uring ", "fine      data directory ", "sync latency ", "CPUs "] {
        assert!(text.contains(subject), "{subject} is not in\n{text}");
    }
    assert!(text.contains("µs (p99)"), "{text}");
    let left: Vec<_> = root.path().read_dir().expect("it can be listed").collect();
    assert!(left.is_empty(), "{left:?}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let taken = taken.local_addr().expect("a bound socket has an address").to_string();
    let text = said(&doctor("/dev/shm/klamm", &taken), 1);
    assert!(text.contains("NOT FINE  data directory    /dev/shm is on tmpfs"), "{text}");
    assert!(text.contains("set log.dirs to a directory on ext4 or xfs"), "{text}");
    assert!(text.contains(&format!("NOT FINE  listener          {taken} is in use")), "{text}");
    assert!(
        text.ends_with("findings are not fine: a broker cannot run here, or not safely.\n"),
        "{text}"
    );
}

#[test]
fn the_configuration_is_listed_and_nothing_is_started() {
    let output = klamm(&["start", "--list-config", "--override", "num.partitions=3"], "");
    let text = said(&output, 0);
    assert!(text.contains("set by --override.\nnum.partitions=3\n"), "{text}");
    assert!(text.contains("\n#slow.request.ms=500\n"), "{text}");
}
