//! `get-offsets`, `delete-records` and `broker-api-versions` against a real broker, with Kafka's output.

mod support;

use std::io::Write;
use std::process::Output;

use support::{Broker, klamm};

fn check(output: &Output, code: i32, stdout: &str, stderr_has: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "stderr: {said}");
    assert!(said.contains(stderr_has), "{said}");
    assert_eq!(output.status.code(), Some(code), "stderr: {said}");
}

/// Runs a tool against `broker`; the arguments have no spaces in them.
fn tool(broker: &Broker, arguments: &str, input: &str) -> Output {
    let server = broker.bootstrap();
    let mut words: Vec<&str> = arguments.split(' ').collect();
    words.extend(["--bootstrap-server", &server]);
    klamm(&words, input)
}

/// The topics that the outputs of Kafka's tool were recorded with.
fn broker() -> Broker {
    let broker = Broker::start(&[]);
    for (topic, partitions) in [("a", "3"), ("b.c", "1"), ("empty", "1")] {
        let create = format!("topics --create --topic {topic} --partitions {partitions}");
        assert_eq!(tool(&broker, &create, "").status.code(), Some(0));
    }
    let keyed = "console-producer --topic a --reader-property parse.key=true";
    check(&tool(&broker, keyed, "k1\tv1\nk2\tv2\nk3\tv3\nk4\tv4\n"), 0, "", "");
    let lines: String = (1..=20).map(|number| format!("{number}\n")).collect();
    check(&tool(&broker, "console-producer --topic b.c", &lines), 0, "", "");
    broker
}

#[test]
fn offsets_are_those_that_kafkas_tool_prints() {
    let broker = broker();
    let offsets = |arguments: &str| tool(&broker, &format!("get-offsets {arguments}"), "");
    let all = "a:0:1\na:1:2\na:2:1\nb.c:0:20\nempty:0:0\n";
    check(&offsets("--time latest"), 0, all, "");
    check(&offsets("--exclude-internal-topics"), 0, all, "");
    check(&offsets("--topic a|b.* --time -2"), 0, "a:0:0\na:1:0\na:2:0\nb.c:0:0\n", "");
    check(&offsets("--topic a --partitions 0,2 --time -4"), 0, "a:0:0\na:2:0\n", "");
    check(&offsets("--topic a --partitions 0,2 --time -6"), 0, "", "");
    check(
        &offsets("--topic-partitions a:1-,:0-1"),
        0,
        "a:0:1\na:1:2\na:2:1\nb.c:0:20\nempty:0:0\n",
        "",
    );
    check(&offsets("--topic-partitions a:-2,b.c:0-,:5-6"), 0, "a:0:1\na:1:2\nb.c:0:20\n", "");
    check(&offsets("--time 0"), 0, "a:0:0\na:1:0\na:2:0\nb.c:0:0\n", "");
    check(&offsets("--topic a --time 99999999999999"), 0, "", "");
    let first = offsets("--topic b.c --time max-timestamp");
    assert!(String::from_utf8_lossy(&first.stdout).starts_with("b.c:0:"), "{first:?}");
    let skipped = "Skip getting offsets for topic-partition a-0 due to error: \
                   org.apache.kafka.common.errors.UnsupportedVersionException: \
                   The version of API is not supported.";
    check(&offsets("--topic a --time -7"), 0, "", skipped);
    let none = "Error occurred: Could not match any topic-partitions with the specified filters\n";
    check(&offsets("--topic nope"), 1, "", none);
    check(&offsets("--nonsense"), 1, "", "Error occurred: nonsense is not a recognized option");
    let help = klamm(&["get-offsets", "--help"], "");
    check(&help, 1, "", "An interactive shell for getting topic-partition offsets.\nOption ");
}

#[test]
fn records_are_deleted_as_by_kafkas_tool() {
    let broker = broker();
    let delete = |json: &str| {
        let mut file = tempfile::NamedTempFile::new().expect("there is room for a file");
        file.write_all(json.as_bytes()).expect("there is room for a line");
        let path = file.path().display().to_string();
        tool(&broker, &format!("delete-records --offset-json-file {path}"), "")
    };
    let part = |topic: &str, index: i32, offset: i64| {
        format!(r#"{{"topic":"{topic}","partition":{index},"offset":{offset}}}"#)
    };
    let head = "Executing records delete operation\nRecords delete operation completed:\n";
    check(&delete(r#"{"partitions":[]}"#), 0, head, "");
    check(&delete("{"), 1, "", "The input string is not a valid JSON\n");
    let twice = format!("{{\"partitions\":[{0},{0}]}}", part("a", 0, 1));
    check(&delete(&twice), 1, "", "Offset json file contains duplicate topic partitions: a-0\n");
    let listed = [part("a", 0, 1), part("b.c", 0, 5000), part("a", 1, -1)].join(",");
    let output = delete(&format!(r#"{{"partitions":[{listed}],"version":1}}"#));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let serves = tool(&broker, "broker-api-versions", "");
    let serves =
        !String::from_utf8_lossy(&serves.stdout).contains("DeleteRecords(21): UNSUPPORTED");
    let range = "org.apache.kafka.common.errors.OffsetOutOfRangeException: The requested offset is \
                 not within the range of offsets maintained by the server.";
    let unsupported = "org.apache.kafka.common.errors.UnsupportedVersionException: \
                       The node does not support DELETE_RECORDS";
    let said = |done: &str, not: &str| {
        if serves { format!("{done}\n") } else { format!("error: {not}\n") }
    };
    let expected = format!(
        "{head}partition: a-0\t{}partition: b.c-0\t{}partition: a-1\t{}",
        said("low_watermark: 1", unsupported),
        said(&format!("error: {range}"), unsupported),
        said("low_watermark: 2", unsupported),
    );
    assert_eq!(stdout, expected);
}

/// One line of each API, in the order of their numbers, as recorded from Kafka's tool.
#[test]
fn versions_are_listed_as_by_kafkas_tool() {
    let broker = Broker::start(&[]);
    let output = tool(&broker, "broker-api-versions", "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let head = format!("{} (id: 1 rack: null isFenced: false) -> (\n", broker.bootstrap());
    let listed = stdout.strip_prefix(&head).and_then(|rest| rest.strip_suffix("\n)\n"));
    let listed = listed.unwrap_or_else(|| panic!("{stdout}"));
    let lines: Vec<&str> = listed.split(",\n").collect();
    assert_eq!(lines[0], "\tProduce(0): 0 to 13 [usable: 13]");
    assert!(lines.contains(&"\tListPartitionReassignments(46): 0 [usable: 0]"), "{stdout}");
    assert!(lines.contains(&"\tGetTelemetrySubscriptions(71): UNSUPPORTED"), "{stdout}");
    assert!(
        !stdout.contains("BrokerHeartbeat"),
        "what only controllers serve is left out: {stdout}"
    );
    let number = |line: &str| -> i32 {
        let (_, rest) = line.split_once('(').expect("a line has a number");
        rest.split(')').next().and_then(|text| text.parse().ok()).expect("a line has a number")
    };
    let numbers: Vec<i32> = lines.iter().map(|line| number(line)).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
    let nobody = klamm(&["broker-api-versions", "--bootstrap-server", "127.0.0.1:1"], "");
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
}
