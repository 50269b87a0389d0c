//! `console-producer` and `console-consumer` in pipes and under signals, with every kind of output.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use support::{Broker, klamm};

/// Groups form without waiting for more members.
const AT_ONCE: &str = "group.initial.rebalance.delay.ms=0";

/// What a shell expects of a process that ended by SIGINT.
const INTERRUPTED: i32 = 130;

fn check(output: &Output, code: i32, stdout: &str, stderr_has: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "stderr: {said}");
    assert!(said.contains(stderr_has), "{said}");
    assert_eq!(output.status.code(), Some(code), "stderr: {said}");
}

fn words<'a>(arguments: &'a str, server: &'a str) -> Vec<&'a str> {
    arguments.split(' ').chain(["--bootstrap-server", server]).collect()
}

fn tool(broker: &Broker, arguments: &str, input: &str) -> Output {
    klamm(&words(arguments, &broker.bootstrap()), input)
}

fn spawn(broker: &Broker, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_klamm"))
        .args(words(arguments, &broker.bootstrap()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built with this test")
}

#[test]
fn a_reader_that_goes_ends_the_consumer() {
    let broker = Broker::start(&[AT_ONCE]);
    let lines: String =
        (0..40_000).map(|number| format!("a line with number {number}\n")).collect();
    check(&tool(&broker, "console-producer --topic t", &lines), 0, "", "");
    let mut child = spawn(&broker, "console-consumer --topic t --from-beginning");
    let mut stdout = BufReader::new(child.stdout.take().expect("the output is piped"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a pipe can be read");
    assert_eq!(first, "a line with number 0\n");
    drop(stdout);
    let output = child.wait_with_output().expect("a child can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("Unable to write to standard out, closing consumer.\n"), "{said}");
    assert!(said.contains("Processed a total of ") && said.lines().count() == 2, "{said}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_producer_that_is_interrupted_delivers_what_it_has_read() {
    let broker = Broker::start(&[AT_ONCE]);
    let arguments = "console-producer --topic t --timeout 0";
    let mut child = spawn(&broker, arguments);
    let mut input = child.stdin.take().expect("the input is piped");
    input.write_all(b"one\rtwo\r\n").expect("the producer reads");
    let consume = "console-consumer --topic t --from-beginning --max-messages 2 --timeout-ms 60000";
    check(&tool(&broker, consume, ""), 0, "one\ntwo\n", "Processed a total of 2 messages\n");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("a child can be waited for");
    assert_eq!(output.status.code(), Some(INTERRUPTED), "{output:?}");
    drop(input);
}

#[test]
fn what_is_printed_is_what_the_formatter_says() {
    let broker = Broker::start(&[AT_ONCE]);
    let line = "h1:v1,h2:NULL\tkey\tvalue\n";
    let produce = "console-producer --topic t --reader-property parse.key=true \
                   --reader-property parse.headers=true --reader-property null.marker=NULL";
    check(&tool(&broker, produce, line), 0, "", "");
    let consume = |more: &str| {
        let base = "console-consumer --topic t --partition 0 --offset 0 --max-messages 1";
        tool(&broker, &format!("{base} {more}"), "")
    };
    let total = "Processed a total of 1 messages\n";
    check(&consume(""), 0, "value\n", total);
    let all = "--formatter-property print.key=true --formatter-property print.headers=true \
               --formatter-property print.partition=true --formatter-property print.offset=true \
               --formatter-property print.delivery=true --formatter-property print.epoch=true \
               --formatter-property key.separator=| --formatter-property headers.separator=;";
    let expected =
        "Partition:0|Offset:0|Delivery:NOT_PRESENT|Epoch:NOT_PRESENT|h1:v1;h2:null|key|value\n";
    check(&consume(all), 0, expected, total);
    let class = "org.apache.kafka.tools.consumer.";
    check(&consume(&format!("--formatter {class}NoOpMessageFormatter")), 0, "", total);
    check(&consume(&format!("--formatter {class}LoggingMessageFormatter")), 0, "value\n", total);
    check(&consume("--formatter a.B"), 1, "", "a.B\nOption ");
    let bytes = "org.apache.kafka.common.serialization.BytesDeserializer";
    check(&consume(&format!("--value-deserializer {bytes}")), 0, "value\n", total);
    let long = "--value-deserializer org.apache.kafka.common.serialization.LongDeserializer";
    let wrong = "Size of data received by LongDeserializer is not 8";
    check(&consume(long), 1, "", wrong);
    check(&consume(&format!("{long} --skip-message-on-error")), 0, "", wrong);
    let none = "console-consumer --topic t --from-beginning --max-messages";
    for count in ["0", "-2"] {
        let output = tool(&broker, &format!("{none} {count}"), "");
        check(&output, 0, "", "Processed a total of 0 messages\n");
    }
    let late = tool(&broker, "console-consumer --topic t --partition 0 --timeout-ms 100", "");
    check(&late, 0, "", "ERROR Error processing message, terminating consumer process: ");
}

#[test]
fn the_offsets_topic_is_shown_as_json() {
    let broker = Broker::start(&[AT_ONCE, "offsets.topic.num.partitions=1"]);
    check(&tool(&broker, "console-producer --topic t", "a\nb\n"), 0, "", "");
    let consume = "console-consumer --topic t --group g --from-beginning --max-messages 2";
    check(&tool(&broker, consume, ""), 0, "a\nb\n", "Processed a total of 2 messages\n");
    let show = |formatter: &str| {
        let arguments = format!(
            "console-consumer --topic __consumer_offsets --partition 0 --offset earliest --timeout-ms 3000 \
             --formatter org.apache.kafka.tools.consumer.{formatter}"
        );
        let output = tool(&broker, &arguments, "");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let offsets = show("OffsetsMessageFormatter");
    let begins = r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":0}},"value":{"version":4,"data":{"offset":2,"leaderEpoch":-1,"metadata":"","commitTimestamp":"#;
    assert!(offsets.starts_with(begins), "{offsets}");
    let groups = show("GroupMetadataMessageFormatter");
    let begins = r#"{"key":{"type":2,"data":{"group":"g"}},"value":{"version":3,"data":{"protocolType":"consumer","generation":1,"#;
    assert!(groups.starts_with(begins), "{groups}");
}

#[test]
fn deprecated_options_work_and_say_so() {
    let broker = Broker::start(&[AT_ONCE]);
    let warning = |old: &str, new: &str, until: &str| {
        format!(
            "Warning: --{old} is deprecated and will be removed in {until}. Use --{new} instead.\n"
        )
    };
    let future = "a future version";
    let produce = "console-producer --topic t --producer-property acks=1 --property parse.key=true \
                   --max-partition-memory-bytes 99";
    let expected = warning("producer-property", "command-property", future)
        + &warning("property", "reader-property", future)
        + &warning("max-partition-memory-bytes", "batch-size", "Apache Kafka 5.0");
    check(&tool(&broker, produce, "k\tv\n"), 0, &expected, "");
    let option = |old: &str, new: &str| {
        format!(
            "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead.\n"
        )
    };
    let consume = "console-consumer --topic t --max-messages 1 --property print.key=true \
                   --consumer-property auto.offset.reset=earliest";
    let expected = option("consumer-property", "command-property")
        + &option("property", "formatter-property")
        + "k\tv\n";
    check(&tool(&broker, consume, ""), 0, &expected, "Processed a total of 1 messages\n");
    let both = "console-consumer --topic t --consumer-property a=b --command-property a=b";
    let refused =
        "Options --consumer-property and --command-property cannot be specified together.";
    check(&tool(&broker, both, ""), 1, "", refused);
}
