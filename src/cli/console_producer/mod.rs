//! `console-producer`: each line of standard input becomes a record (`ConsoleProducer`).

mod line_reader;

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;
use std::thread;

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, sleep_until};

use self::line_reader::{Line, LineError, LineReader};
use super::client_options::{self, Properties};
use super::options::Options;
use super::tool::{
    Help, INTERRUPTED, Stop, TERMINATED, block_on, bootstrap, complain, key_values,
    load_properties, print, validated_bootstrap,
};
use super::tools::Tool;
use crate::client::{
    ClientError, ClientOptions, Cluster, Delivery, NewRecord, Producer, ProducerOptions, ToDeliver,
};
use crate::record::Header;

const HELP: Help = Help {
    purpose: "This tool helps to read data from standard input and publish it to Kafka.",
    options: include_str!("../help/console-producer.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "console-producer",
    about: "Read lines from standard input and publish each as a record",
    help: HELP,
    run: run_tool,
};

/// Lines that were read and wait for the producer: reading stops there.
const LINES_WAITING_MAX: usize = 4096;

/// The only reader that there is; others would be classes of Java's.
const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

/// What the arguments ask for.
struct Setup {
    topic: String,
    sync: bool,
    reader: LineReader,
    client: ClientOptions,
    producer: ProducerOptions,
}

/// Why the tool ends before its input does.
#[derive(Debug, Error)]
enum ProduceError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Line(#[from] LineError),
    #[error("cannot read standard input: {0}")]
    Input(#[from] io::Error),
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let setup = setup(arguments)?;
    let outcome = block_on(run(setup)).map_err(|error| Stop::Failed(error.to_string()))?;
    outcome.map_err(|error| Stop::Failed(error.to_string()))
}

fn usage(error: impl ToString) -> Stop {
    Stop::Usage(error.to_string())
}

fn setup(arguments: &[String]) -> Result<Setup, Stop> {
    let options = Options::parse(HELP.options, arguments).map_err(usage)?;
    HELP.check(arguments, &options)?;
    Help::require(&options, &["topic"])?;
    Help::refuse_both(&options, "command-config", "producer.config")?;
    Help::refuse_both(&options, "command-property", "producer-property")?;
    Help::refuse_both(&options, "reader-property", "property")?;
    for (old, new, until) in [
        ("producer-property", "command-property", "a future version"),
        ("producer.config", "command-config", "a future version"),
        ("property", "reader-property", "a future version"),
        ("max-partition-memory-bytes", "batch-size", "Apache Kafka 5.0"),
    ] {
        if options.has(old) {
            print(&format!(
                "Warning: --{old} is deprecated and will be removed in {until}. Use --{new} instead.\n"
            ));
        }
    }
    let servers = validated_bootstrap(options.one("bootstrap-server")?.unwrap_or_default())?;
    if options.one("line-reader")?.is_some_and(|class| class != LINE_READER) {
        return Err(Stop::Failed(format!(
            "--line-reader takes {LINE_READER} only: this tool runs no Java"
        )));
    }
    let topic = options.one("topic")?.unwrap_or_default().to_owned();
    let reader = LineReader::new(&reader_properties(&options)?)
        .map_err(|error| Stop::Failed(error.to_string()))?;
    let mut properties = producer_properties(&options)?;
    let failed = |error| Stop::Failed(format!("Failed to construct kafka producer: {error}"));
    let servers = bootstrap(servers).map_err(failed)?;
    let producer = client_options::producer(&mut properties)?;
    let client =
        client_options::client(ClientOptions::new(servers, "console-producer"), &mut properties)?;
    client_options::warn_unused(&properties);
    Ok(Setup { topic, sync: options.has("sync"), reader, client, producer })
}

fn reader_properties(options: &Options) -> Result<Properties, Stop> {
    let mut properties = match options.one("reader-config")? {
        Some(path) => load_properties(path)?,
        None => Properties::new(),
    };
    properties.extend(key_values(options.all("reader-property")));
    properties.extend(key_values(options.all("property")));
    Ok(properties)
}

/// What an option's value has to be.
#[derive(Clone, Copy)]
enum Takes {
    Text,
    Int,
    Long,
}

/// An option of the command line with what it takes, the property that it sets and its default.
const MERGED: [(&str, Takes, &str, &str); 11] = [
    ("timeout", Takes::Long, "linger.ms", "1000"),
    ("request-required-acks", Takes::Text, "acks", "-1"),
    ("request-timeout-ms", Takes::Int, "request.timeout.ms", "1500"),
    ("message-send-max-retries", Takes::Int, "retries", "3"),
    ("retry-backoff-ms", Takes::Long, "retry.backoff.ms", "100"),
    ("socket-buffer-size", Takes::Int, "send.buffer.bytes", "102400"),
    ("max-memory-bytes", Takes::Long, "buffer.memory", "33554432"),
    ("batch-size", Takes::Int, "batch.size", "16384"),
    ("max-partition-memory-bytes", Takes::Int, "batch.size", "16384"),
    ("metadata-expiry-ms", Takes::Long, "metadata.max.age.ms", "300000"),
    ("max-block-ms", Takes::Long, "max.block.ms", "60000"),
];

fn producer_properties(options: &Options) -> Result<Properties, Stop> {
    let path = options.one("command-config")?.or(options.one("producer.config")?);
    let mut properties = path.map(load_properties).transpose()?.unwrap_or_default();
    properties.extend(key_values(options.all("command-property")));
    properties.extend(key_values(options.all("producer-property")));
    // What the tool needs is not for the operator to set.
    for fixed in ["bootstrap.servers", "key.serializer", "value.serializer"] {
        properties.remove(fixed);
    }
    let codec = match options.one("compression-codec")? {
        Some(codec) if !codec.is_empty() => codec,
        _ if options.has("compression-codec") => "gzip",
        _ => "none",
    };
    properties.insert("compression.type".to_owned(), codec.to_owned());
    for (option, takes, property, default) in MERGED {
        match takes {
            Takes::Text => {}
            Takes::Int => options.number::<i32>(option).map(drop)?,
            Takes::Long => options.number::<i64>(option).map(drop)?,
        }
        match options.one(option)? {
            Some(value) => {
                properties.insert(property.to_owned(), value.to_owned());
            }
            None => {
                properties.entry(property.to_owned()).or_insert_with(|| default.to_owned());
            }
        }
    }
    // The kernel sizes its buffers well by itself.
    properties.remove("send.buffer.bytes");
    Ok(properties)
}

async fn run(setup: Setup) -> Result<ExitCode, ProduceError> {
    let mut producer = Producer::new(Cluster::new(setup.client.clone()), setup.producer.clone());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (sender, mut lines) = mpsc::channel(LINES_WAITING_MAX);
    let reader = setup.reader.clone();
    // It may wait for a line for ever, so it is a thread that the process does not wait for.
    thread::Builder::new().name("stdin".to_owned()).spawn(move || read_lines(reader, &sender))?;
    let ended = tokio::select! {
        ended = produce(&setup, &mut producer, &mut lines) => ended.map(|()| ExitCode::SUCCESS),
        _ = interrupt.recv() => Ok(ExitCode::from(INTERRUPTED)),
        _ = terminate.recv() => Ok(ExitCode::from(TERMINATED)),
    };
    report(&producer.deliver(ToDeliver::All).await);
    ended
}

/// Reads standard input to its end; a prompt is shown where somebody types.
fn read_lines(mut reader: LineReader, lines: &Sender<Result<Line, ProduceError>>) {
    let prompt = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut input = io::stdin().lock();
    let mut bytes = Vec::new();
    loop {
        if prompt {
            print(">");
        }
        bytes.clear();
        let read = match input.read_until(b'\n', &mut bytes) {
            Ok(0) => return,
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        };
        let parsed: Vec<Result<Line, ProduceError>> = match read {
            Ok(()) => split_lines(&bytes).map(|line| Ok(reader.parse(line)?)).collect(),
            Err(error) => vec![Err(error)],
        };
        for line in parsed {
            let ends = line.is_err();
            if lines.blocking_send(line).is_err() || ends {
                return;
            }
        }
    }
}

/// The lines of what ends at a line feed, or at the end of the input: a carriage return alone ends one too, as
/// Java reads lines.
fn split_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\r')
}

async fn produce(
    setup: &Setup,
    producer: &mut Producer,
    lines: &mut Receiver<Result<Line, ProduceError>>,
) -> Result<(), ProduceError> {
    loop {
        let due = producer.due_at();
        if producer.is_full() || due.is_some_and(|due| due <= Instant::now()) {
            report(&producer.deliver(ToDeliver::Due).await);
            continue;
        }
        let line = match due {
            None => lines.recv().await,
            Some(due) => tokio::select! {
                line = lines.recv() => line,
                () = sleep_until(due) => continue,
            },
        };
        let Some(line) = line else { return Ok(()) };
        append(setup, producer, &line?).await?;
        if setup.sync {
            for delivery in producer.deliver(ToDeliver::All).await {
                delivery.outcome?;
            }
        }
    }
}

async fn append(setup: &Setup, producer: &mut Producer, line: &Line) -> Result<(), ProduceError> {
    let headers: Vec<Header<'_>> =
        line.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
    let record = NewRecord {
        key: line.key.as_deref(),
        value: line.value.as_deref(),
        headers: &headers,
        ..NewRecord::default()
    };
    match producer.append(&setup.topic, &record).await {
        // As Kafka's: without --sync a record that cannot be sent is said, and the next one comes.
        Err(error) if !setup.sync => {
            complain_of(&setup.topic, 1, &error);
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

fn report(deliveries: &[Delivery]) {
    for delivery in deliveries {
        if let Err(error) = &delivery.outcome {
            complain_of(
                &format!("{}-{}", delivery.topic, delivery.partition),
                delivery.record_count,
                error,
            );
        }
    }
}

fn complain_of(place: &str, record_count: usize, error: &ClientError) {
    let records = if record_count == 1 { "message" } else { "messages" };
    complain(&format!(
        "ERROR Error when sending {record_count} {records} to topic {place}: {error}"
    ));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::record::Compression;

    fn parse(text: &str) -> Result<Setup, Stop> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        setup(&arguments)
    }

    const BASE: &str = "--bootstrap-server 127.0.0.1:1 --topic t";

    #[test]
    fn defaults_are_those_of_kafkas_tool() {
        let setup = parse(BASE).map_err(|stop| stop.to_string()).expect("the arguments are valid");
        assert_eq!(setup.topic, "t");
        assert!(!setup.sync);
        assert_eq!(setup.client.client_id, "console-producer");
        assert_eq!(setup.client.request_timeout, Duration::from_millis(1500));
        assert_eq!(setup.producer.linger, Duration::from_secs(1));
        assert_eq!(
            (setup.producer.acks, setup.producer.retries, setup.producer.idempotent),
            (-1, 3, true)
        );
        assert_eq!(setup.producer.compression, Compression::None);
    }

    #[test]
    fn options_go_over_properties_and_properties_over_defaults() {
        let text = "--request-required-acks 1 --command-property acks=0 --command-property linger.ms=3 \
                    --compression-codec --sync --batch-size 99";
        let setup = parse(&format!("{BASE} {text}"))
            .map_err(|stop| stop.to_string())
            .expect("they are valid");
        assert_eq!((setup.producer.acks, setup.producer.idempotent), (1, false));
        assert_eq!(setup.producer.linger, Duration::from_millis(3));
        assert_eq!(setup.producer.compression, Compression::Gzip);
        assert_eq!(setup.producer.batch_bytes, 99);
        assert!(setup.sync);
    }

    #[test]
    fn lines_end_as_in_java() {
        for (text, expected) in [
            ("a\n", vec!["a"]),
            ("a\r\n", vec!["a"]),
            ("a", vec!["a"]),
            ("\n", vec![""]),
            ("a\rb\n", vec!["a", "b"]),
            ("a\r\r\n", vec!["a", ""]),
        ] {
            let lines: Vec<&[u8]> = split_lines(text.as_bytes()).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(lines, expected, "{text:?}");
        }
    }

    #[test]
    fn numbers_are_checked_before_anything_is_sent() {
        for option in
            ["--batch-size", "--timeout", "--max-partition-memory-bytes", "--socket-buffer-size"]
        {
            let said = parse(&format!("{BASE} {option} x")).map(|_| ()).unwrap_err().to_string();
            let expected = format!("Cannot parse argument 'x' of option {}", &option[2..]);
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn wrong_arguments_are_refused_in_kafkas_words() {
        for (text, expected) in [
            ("--topic t", "Error while validating the bootstrap address\n"),
            ("--bootstrap-server a:1", "Missing required argument \"[topic]\""),
            (
                "--topic t --bootstrap-server a",
                "Please provide valid host:port like host1:9091,host2:9092\n",
            ),
            ("--nonsense", "nonsense is not a recognized option"),
            (
                "--topic t --property a=b --reader-property a=b",
                "Options --reader-property and --property cannot be specified together.",
            ),
            ("", "This tool helps to read data from standard input and publish it to Kafka."),
        ] {
            match parse(text) {
                Err(Stop::Usage(said)) => assert_eq!(said, expected, "{text}"),
                other => panic!("{text}: {:?}", other.map(|_| ())),
            }
        }
    }
}
