//! The command-line tools against a real broker, with the output and the exit codes of Kafka's.

#[path = "../support/mod.rs"]
mod support;

mod goldens;
mod scripts;

use std::process::Output;

use support::{Broker, klamm};

/// Groups form without waiting for more members.
const AT_ONCE: &str = "group.initial.rebalance.delay.ms=0";

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

#[test]
fn the_quickstart_works() {
    let broker = Broker::start(&[AT_ONCE]);
    let run = |arguments: &str, input: &str| tool(&broker, arguments, input);
    check(
        &run("topics --create --topic quickstart-events", ""),
        0,
        "Created topic quickstart-events.\n",
        "",
    );
    let described = run("topics --describe --topic quickstart-events", "");
    let text = String::from_utf8_lossy(&described.stdout).into_owned();
    let (head, partition) = text.split_once('\n').expect("a topic has two lines at least");
    assert!(head.starts_with("Topic: quickstart-events\tTopicId: "), "{text}");
    assert!(head.contains("\tPartitionCount: 1\tReplicationFactor: 1\tConfigs: "), "{text}");
    assert!(partition.starts_with(
        "\tTopic: quickstart-events\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: "
    ));
    check(&run("console-producer --topic quickstart-events", "first\nsecond\n\nlast"), 0, "", "");
    check(
        &run("console-consumer --topic quickstart-events --from-beginning --max-messages 4", ""),
        0,
        "first\nsecond\n\nlast\n",
        "Processed a total of 4 messages",
    );
    check(
        &run(
            "console-consumer --topic quickstart-events --partition 0 --offset 3 --timeout-ms 500",
            "",
        ),
        0,
        "last\n",
        "Processed a total of 1 messages",
    );
}

#[test]
fn topics_are_created_changed_and_deleted() {
    let broker = Broker::start(&[]);
    let run = |arguments: &str| tool(&broker, arguments, "");
    let failed = |said: &str| format!("Error while executing topic command : {said}\n");
    check(&run("topics --list"), 0, "\n", "");
    check(&run("topics --create --topic b --partitions 3"), 0, "Created topic b.\n", "");
    check(&run("topics --create --topic a"), 0, "Created topic a.\n", "");
    check(&run("topics --create --topic b"), 1, &failed("Topic 'b' already exists."), "");
    check(&run("topics --create --topic b --if-not-exists"), 0, "", "");
    check(&run("topics --list"), 0, "a\nb\n", "");
    check(&run("topics --list --topic b.*"), 0, "b\n", "");
    check(&run("topics --describe --unavailable-partitions"), 0, "", "");
    let missing = failed("Topic 'nope' does not exist as expected");
    check(&run("topics --describe --topic nope"), 1, &missing, "");
    check(&run("topics --delete --topic nope"), 1, &missing, "");
    check(&run("topics --delete --topic nope --if-exists"), 0, "", "");
    check(&run("topics --alter --topic b --partitions 5"), 0, "", "");
    let fewer = failed("The topic b currently has 5 partition(s); 2 would not be an increase.");
    check(&run("topics --alter --topic b --partitions 2"), 1, &fewer, "");
    let at_min = run(
        "topics --describe --topic b --at-min-isr-partitions --partition-size-limit-per-response 2",
    );
    assert_eq!(String::from_utf8_lossy(&at_min.stdout).lines().count(), 5);
    let unknown = failed("Unknown topic config name: nonsense");
    check(&run("topics --create --topic c --config nonsense=1"), 1, &unknown, "");
    let usage = "Command must include exactly one action";
    check(&run("topics --list --create"), 1, "", usage);
    check(&run("topics --delete --topic a|b"), 0, "", "");
    check(&run("topics --list"), 0, "\n", "");
}

#[test]
fn keys_headers_and_every_codec_come_back() {
    let broker = Broker::start(&["num.partitions=3", AT_ONCE]);
    let line = "h1:v1,h2:v2\tkey\tvalue\n";
    let read =
        "--property print.key=true --property print.headers=true --property print.offset=true";
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let parse = "--reader-property parse.key=true --reader-property parse.headers=true";
        let produce =
            format!("console-producer --topic {codec} --compression-codec {codec} --sync {parse}");
        check(&tool(&broker, &produce, line), 0, "", "");
        let consume =
            format!("console-consumer --topic {codec} --from-beginning --max-messages 1 {read}");
        let deprecated = "Option --property is deprecated and will be removed in a future version. \
                          Use --formatter-property instead.\n";
        let expected = format!("{deprecated}Offset:0\th1:v1,h2:v2\tkey\tvalue\n");
        check(&tool(&broker, &consume, ""), 0, &expected, "Processed a total of 1 messages");
    }
}

#[test]
fn what_was_acknowledged_is_there_after_kill() {
    let mut broker = Broker::start(&[AT_ONCE]);
    let lines: String = (0..5000).map(|number| format!("record {number}\n")).collect();
    check(&tool(&broker, "console-producer --topic kept --batch-size 2000", &lines), 0, "", "");
    broker.kill();
    broker.restart();
    let consume = "console-consumer --topic kept --from-beginning --max-messages 5000";
    check(&tool(&broker, consume, ""), 0, &lines, "Processed a total of 5000 messages");
    assert!(broker.stop().success(), "{}", broker.log());
}

#[test]
fn readers_of_a_group_go_on_where_it_has_come() {
    let broker = Broker::start(&[AT_ONCE, "num.partitions=2"]);
    let lines = |numbers: std::ops::Range<u32>| -> String {
        numbers.map(|number| format!("record {number}\n")).collect()
    };
    let produce = |numbers| {
        check(&tool(&broker, "console-producer --topic t", &lines(numbers)), 0, "", "");
    };
    let consume = |more: &str| {
        tool(&broker, &format!("console-consumer --topic t --timeout-ms 30000 {more}"), "")
    };
    let read = |output: &Output| {
        let mut read: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.strip_prefix("record ").map(str::to_owned))
            .collect();
        read.sort_by_key(|number| number.parse::<u32>().expect("a number of this test"));
        read
    };
    let numbers = |range: std::ops::Range<u32>| -> Vec<String> {
        range.map(|number| number.to_string()).collect()
    };
    produce(0..50);
    let part = consume("--group g --from-beginning --max-messages 20");
    assert_eq!(read(&part).len(), 20);
    let rest = consume("--group g --from-beginning --max-messages 30");
    let mut both = [read(&part), read(&rest)].concat();
    both.sort_by_key(|number| number.parse::<u32>().expect("a number of this test"));
    assert_eq!(both, numbers(0..50), "what one has not printed the next one does");
    produce(50..60);
    assert_eq!(read(&consume("--group g --max-messages 10")), numbers(50..60));
    // A reader without a group leaves nothing behind.
    assert_eq!(read(&consume("--from-beginning --max-messages 60")), numbers(0..60));
    assert_eq!(read(&consume("--from-beginning --max-messages 60")), numbers(0..60));
    let include = "console-consumer --include t|u --group h --from-beginning --max-messages 60 \
                   --timeout-ms 30000";
    assert_eq!(read(&tool(&broker, include, "")), numbers(0..60));
}
