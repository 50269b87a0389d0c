//! `console-consumer`: records to standard output (`ConsoleConsumer`), as a member of a group, which gets
//! a name of its own where none is given, or from the one partition of `--partition`.

mod deserializer;
mod formatter;

use std::io::{self, BufWriter, Stdout, Write};
use std::process::ExitCode;
use std::time::Duration;

use regex::Regex;
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout};

use self::formatter::{FormatError, Formatter};
use super::client_options::{self, Properties};
use super::options::Options;
use super::tool::{
    Help, INTERRUPTED, Stop, TERMINATED, block_on, bootstrap, complain, key_values,
    load_properties, print,
};
use super::tools::Tool;
use crate::client::{
    ClientError, ClientOptions, Cluster, Consumer, ConsumerOptions, Fetched, GroupConsumer,
    GroupOptions, StartAt, chance,
};

const HELP: Help = Help {
    purpose: "This tool helps to read data from Kafka topics and outputs it to standard output.",
    options: include_str!("../help/console-consumer.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "console-consumer",
    about: "Read records and print them to standard output",
    help: HELP,
    run: run_tool,
};

/// Options that have a newer name.
const RENAMED: [(&str, &str); 2] =
    [("consumer-property", "command-property"), ("consumer.config", "command-config")];

/// The group of a reader that names none, with a number behind it.
const GENERATED_GROUP: &str = "console-consumer-";
const GENERATED_GROUPS: u64 = 100_000;

const DEFAULT_FORMATTER: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

/// What to read.
#[derive(Debug)]
enum Wanted {
    Topic(String),
    Partition(String, i32),
    Matching {
        pattern: Regex,
        /// `exclude.internal.topics=false`.
        with_internal: bool,
    },
}

/// What the arguments ask for.
struct Setup {
    wanted: Wanted,
    start: StartAt,
    messages_max: Option<u64>,
    patience: Option<Duration>,
    skip_on_error: bool,
    systest_events: bool,
    formatter: Formatter,
    client: ClientOptions,
    consumer: ConsumerOptions,
    /// `None` reads one partition.
    group: Option<GroupOptions>,
}

/// Why reading ended.
#[derive(Debug, Error)]
enum End {
    #[error("all messages were read")]
    Done,
    #[error("interrupted")]
    Signal(u8),
    #[error("Unable to write to standard out, closing consumer.")]
    OutputClosed,
    #[error("ERROR Error processing message, terminating consumer process: {0}")]
    Receive(String),
    #[error("ERROR Unknown error when running consumer: {0}")]
    Format(FormatError),
}

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let setup = setup(arguments)?;
    block_on(run(setup)).map_err(|error| Stop::Failed(error.to_string()))
}

fn usage(error: impl ToString) -> Stop {
    Stop::Usage(error.to_string())
}

fn setup(arguments: &[String]) -> Result<Setup, Stop> {
    let options = Options::parse(HELP.options, arguments).map_err(usage)?;
    HELP.check(arguments, &options)?;
    check_together(&options)?;
    for (old, new) in RENAMED {
        Help::refuse_both(&options, old, new)?;
    }
    for (old, new) in RENAMED {
        deprecated(&options, old, new);
    }
    let group_id = group_id(&options)?;
    let mut properties = consumer_properties(&options)?;
    let start = start(&options)?;
    let formatter = formatter(&options)?;
    let servers = options.one("bootstrap-server")?.unwrap_or_default();
    let failed = |error| Stop::Failed(format!("Failed to construct kafka consumer: {error}"));
    let servers = bootstrap(servers).map_err(failed)?;
    let consumer = client_options::consumer(&mut properties)?;
    let group = match options.has("partition") {
        true => {
            properties.remove("enable.auto.commit");
            None
        }
        false => {
            let (id, commits) = match &group_id {
                Some(id) => (id.clone(), true),
                None => (format!("{GENERATED_GROUP}{}", chance() % GENERATED_GROUPS), false),
            };
            Some(client_options::group(&id, commits, &mut properties)?)
        }
    };
    let with_internal = properties
        .remove("exclude.internal.topics")
        .is_some_and(|excluded| excluded.trim().eq_ignore_ascii_case("false"));
    let client =
        client_options::client(ClientOptions::new(servers, "console-consumer"), &mut properties)?;
    client_options::warn_unused(&properties);
    let messages_max: Option<i32> = options.number("max-messages")?;
    let patience: Option<i64> = options.number("timeout-ms")?;
    Ok(Setup {
        wanted: wanted(&options, with_internal)?,
        start: if options.has("partition") { start } else { consumer.reset },
        // -1 is no bound, and any other negative number has been reached already.
        messages_max: messages_max
            .filter(|count| *count != -1)
            .map(|count| u64::try_from(count).unwrap_or(0)),
        patience: patience.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        skip_on_error: options.has("skip-message-on-error"),
        systest_events: options.has("enable-systest-events"),
        formatter,
        client,
        consumer,
        group,
    })
}

/// The group that is named, in however many places.
fn group_id(options: &Options) -> Result<Option<String>, Stop> {
    let mut named: Vec<String> = options.one("group")?.map(str::to_owned).into_iter().collect();
    let path = options.one("command-config")?.or(options.one("consumer.config")?);
    let file = path.map(load_properties).transpose()?.unwrap_or_default();
    named.extend(file.get("group.id").cloned());
    let given: Properties = key_values(options.all("command-property"))
        .into_iter()
        .chain(key_values(options.all("consumer-property")))
        .collect();
    named.extend(given.get("group.id").cloned());
    named.sort();
    named.dedup();
    if named.len() > 1 {
        let named: Vec<String> = named.iter().map(|id| format!("'{id}'")).collect();
        return Err(usage(format!(
            "The group ids provided in different places (directly using '--group', via \
             '--consumer-property', or via '--consumer.config') do not match. Detected group ids: {}",
            named.join(", ")
        )));
    }
    if !named.is_empty() && options.has("partition") {
        return Err(usage("Options group and partition cannot be specified together."));
    }
    Ok(named.pop())
}

fn deprecated(options: &Options, old: &str, new: &str) {
    if options.has(old) {
        print(&format!(
            "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead.\n"
        ));
    }
}

fn check_together(options: &Options) -> Result<(), Stop> {
    if options.has("topic") == options.has("include") {
        return Err(usage(
            "Exactly one of the following arguments is required: [topic], [include]",
        ));
    }
    if options.has("partition") {
        if !options.has("topic") {
            return Err(usage("The topic is required when partition is specified."));
        }
        if options.has("from-beginning") && options.has("offset") {
            return Err(usage("Options from-beginning and offset cannot be specified together."));
        }
    } else if options.has("offset") {
        return Err(usage("The partition is required when offset is specified."));
    }
    Help::require(options, &["bootstrap-server"])
}

fn wanted(options: &Options, with_internal: bool) -> Result<Wanted, Stop> {
    if let Some(pattern) = options.one("include")? {
        let regex = Regex::new(&format!("^(?:{pattern})$"));
        let pattern = regex.map_err(|error| Stop::Failed(error.to_string()))?;
        return Ok(Wanted::Matching { pattern, with_internal });
    }
    let topic = options.one("topic")?.unwrap_or_default().to_owned();
    Ok(match options.number("partition")? {
        Some(partition) => Wanted::Partition(topic, partition),
        None => Wanted::Topic(topic),
    })
}

fn start(options: &Options) -> Result<StartAt, Stop> {
    let Some(text) = options.one("offset")? else {
        let from_beginning = options.has("from-beginning");
        return Ok(if from_beginning { StartAt::Earliest } else { StartAt::Latest });
    };
    match (text.to_lowercase().as_str(), text.parse::<i64>()) {
        ("earliest", _) => Ok(StartAt::Earliest),
        ("latest", _) => Ok(StartAt::Latest),
        (_, Ok(offset)) if offset >= 0 => Ok(StartAt::Offset(offset)),
        _ => Err(usage(format!(
            "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', \
             or a non-negative long."
        ))),
    }
}

fn consumer_properties(options: &Options) -> Result<Properties, Stop> {
    let path = options.one("command-config")?.or(options.one("consumer.config")?);
    let mut properties = path.map(load_properties).transpose()?.unwrap_or_default();
    properties.extend(key_values(options.all("command-property")));
    properties.extend(key_values(options.all("consumer-property")));
    for fixed in ["bootstrap.servers", "group.id", "key.deserializer", "value.deserializer"] {
        properties.remove(fixed);
    }
    let from_beginning = options.has("from-beginning");
    let reset = properties.entry("auto.offset.reset".to_owned());
    let reset =
        reset.or_insert_with(|| if from_beginning { "earliest" } else { "latest" }.to_owned());
    if from_beginning && reset != "earliest" {
        return Err(Stop::Failed(format!(
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', \
             please remove one option"
        )));
    }
    if let Some(level) = options.one("isolation-level")? {
        properties.insert("isolation.level".to_owned(), level.to_owned());
    }
    Ok(properties)
}

fn formatter(options: &Options) -> Result<Formatter, Stop> {
    let class = options.one("formatter")?.unwrap_or(DEFAULT_FORMATTER);
    Help::refuse_both(options, "property", "formatter-property")?;
    deprecated(options, "property", "formatter-property");
    let mut properties =
        options.one("formatter-config")?.map(load_properties).transpose()?.unwrap_or_default();
    for (option, property) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = options.one(option)? {
            properties.insert(property.to_owned(), class.to_owned());
        }
    }
    properties.extend(key_values(options.all("formatter-property")));
    properties.extend(key_values(options.all("property")));
    Formatter::new(class, &properties).map_err(usage)?.ok_or_else(|| usage(class))
}

/// The output and what went to it.
struct Printer {
    out: BufWriter<Stdout>,
    count: u64,
}

async fn run(setup: Setup) -> ExitCode {
    let mut printer = Printer { out: BufWriter::new(io::stdout()), count: 0 };
    let consumer = Consumer::new(Cluster::new(setup.client.clone()), setup.consumer);
    let mut source = match setup.group.clone() {
        Some(group) => {
            Source::Group(Box::new(GroupConsumer::new(consumer, group, setup.consumer.reset)))
        }
        None => Source::Partition(Box::new(consumer)),
    };
    let end = tokio::select! {
        end = read(&setup, &mut source, &mut printer) => end,
        end = signalled() => end,
    };
    if let Source::Group(group) = source {
        group.close().await;
    }
    let flushed = printer.out.flush();
    match (&end, flushed) {
        (End::Done | End::Signal(_), Ok(())) => {}
        (End::Done | End::Signal(_), Err(_)) => complain(&End::OutputClosed.to_string()),
        (end, _) => complain(&end.to_string()),
    }
    complain(&format!("Processed a total of {} messages", printer.count));
    if setup.systest_events {
        print("shutdown_complete\n");
    }
    match end {
        End::Signal(code) => ExitCode::from(code),
        End::Format(_) => ExitCode::FAILURE,
        End::Done | End::OutputClosed | End::Receive(_) => ExitCode::SUCCESS,
    }
}

async fn signalled() -> End {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without a handler a signal ends the process at once.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => End::Signal(INTERRUPTED),
        _ = terminate.recv() => End::Signal(TERMINATED),
    }
}

async fn read(setup: &Setup, source: &mut Source, printer: &mut Printer) -> End {
    let began = Instant::now();
    let out_of_patience = |patience: Duration| {
        End::Receive(format!("no message within {} ms (--timeout-ms)", patience.as_millis()))
    };
    let assigned = match setup.patience {
        None => assign(setup, source).await,
        Some(patience) => match timeout(patience, assign(setup, source)).await {
            Ok(assigned) => assigned,
            Err(_) => return out_of_patience(patience),
        },
    };
    if let Err(error) = assigned {
        return End::Receive(error.to_string());
    }
    let mut waited_from = began;
    while setup.messages_max.is_none_or(|max| printer.count < max) {
        let patience =
            setup.patience.map(|patience| patience.saturating_sub(waited_from.elapsed()));
        match source.poll(patience.unwrap_or(Duration::MAX)).await {
            Ok(Some(fetched)) => {
                let (next, printed) = printer.print(setup, &fetched);
                source.used(&fetched, next);
                if let Err(end) = printed {
                    return end;
                }
                waited_from = Instant::now();
            }
            Ok(None) => return out_of_patience(setup.patience.unwrap_or_default()),
            Err(error) => return End::Receive(error.to_string()),
        }
    }
    End::Done
}

async fn assign(setup: &Setup, source: &mut Source) -> Result<(), ClientError> {
    loop {
        let assigned = match (&setup.wanted, &mut *source) {
            (Wanted::Partition(topic, partition), Source::Partition(consumer)) => {
                consumer.assign_partition(topic, *partition, setup.start).await
            }
            (Wanted::Topic(topic), Source::Group(group)) => {
                let found = group.cluster().wait_for_topic(topic).await;
                found.map(|()| group.subscribe(vec![topic.clone()]))
            }
            (Wanted::Matching { pattern, with_internal }, Source::Group(group)) => {
                matching(group, pattern, *with_internal).await
            }
            _ => unreachable!("only one partition is read without a group"),
        };
        match assigned {
            // Somebody may create it yet.
            Err(ClientError::NotInMetadata { .. }) => {}
            other => return other,
        }
    }
}

async fn matching(
    group: &mut GroupConsumer,
    pattern: &Regex,
    with_internal: bool,
) -> Result<(), ClientError> {
    group.cluster().refresh(None, false).await?;
    let topics = group.cluster().topics().iter();
    let topics = topics.filter(|(_, view)| with_internal || !view.is_internal);
    let mut names: Vec<String> =
        topics.map(|(name, _)| name.clone()).filter(|name| pattern.is_match(name)).collect();
    if names.is_empty() {
        let topic = format!("matching {pattern}");
        tokio::time::sleep(group.cluster().options().retry_backoff_max).await;
        return Err(ClientError::NotInMetadata { topic, waited_ms: 0 });
    }
    names.sort();
    group.subscribe(names);
    Ok(())
}

/// Where the records come from.
enum Source {
    Group(Box<GroupConsumer>),
    Partition(Box<Consumer>),
}

impl Source {
    async fn poll(&mut self, patience: Duration) -> Result<Option<Fetched>, ClientError> {
        match self {
            Source::Group(group) => group.poll(patience).await,
            Source::Partition(consumer) => consumer.poll(patience).await,
        }
    }

    /// What was printed of a batch, up to `next`, is what a group may commit.
    fn used(&mut self, fetched: &Fetched, next: Option<i64>) {
        if let (Source::Group(group), Some(next)) = (self, next) {
            group.used(&fetched.topic, fetched.partition, next);
        }
    }
}

impl Printer {
    /// Prints what was fetched, up to the last message that is wanted; gives the offset behind it.
    fn print(&mut self, setup: &Setup, fetched: &Fetched) -> (Option<i64>, Result<(), End>) {
        let mut next = None;
        let printed = self.print_up_to(setup, fetched, &mut next);
        (next, printed)
    }

    fn print_up_to(
        &mut self,
        setup: &Setup,
        fetched: &Fetched,
        next: &mut Option<i64>,
    ) -> Result<(), End> {
        let log_append_time = fetched.header().is_log_append_time();
        for record in fetched.records() {
            if setup.messages_max.is_some_and(|max| self.count >= max) {
                break;
            }
            let record = record.map_err(|error| End::Receive(error.to_string()))?;
            self.count += 1;
            *next = Some(record.offset.0 + 1);
            match setup.formatter.write(&mut self.out, fetched.partition, log_append_time, &record)
            {
                Ok(()) => {}
                Err(FormatError::Output(_)) => return Err(End::OutputClosed),
                Err(error) if setup.skip_on_error => {
                    complain(&format!(
                        "ERROR Error processing message, skipping this message: {error}"
                    ));
                }
                Err(error) => return Err(End::Format(error)),
            }
        }
        self.out.flush().map_err(|_| End::OutputClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Setup, Stop> {
        let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        setup(&arguments)
    }

    const BASE: &str = "--bootstrap-server 127.0.0.1:1 --topic t";

    fn check_start(text: &str, expected: StartAt) {
        let setup =
            parse(&format!("{BASE} {text}")).map_err(|stop| stop.to_string()).expect("it is valid");
        assert_eq!(setup.start, expected, "{text}");
    }

    #[test]
    fn the_start_is_kafkas() {
        check_start("", StartAt::Latest);
        check_start("--from-beginning", StartAt::Earliest);
        check_start("--partition 0", StartAt::Latest);
        check_start("--partition 0 --offset 7", StartAt::Offset(7));
        check_start("--partition 0 --offset EARLIEST", StartAt::Earliest);
        check_start("--command-property auto.offset.reset=earliest", StartAt::Earliest);
    }

    #[test]
    fn wrong_arguments_are_refused_in_kafkas_words() {
        let offset = "The provided offset value '-1' is incorrect. Valid values are 'earliest', 'latest', \
                      or a non-negative long.";
        let together = "Options --property and --formatter-property cannot be specified together.";
        for (text, expected) in [
            (
                "--bootstrap-server a:1",
                "Exactly one of the following arguments is required: [topic], [include]",
            ),
            ("--topic t", "Missing required argument \"[bootstrap-server]\""),
            ("--topic t --offset 3", "The partition is required when offset is specified."),
            ("--include t --partition 0", "The topic is required when partition is specified."),
            (
                "--topic t --partition 0 --offset 1 --from-beginning",
                "Options from-beginning and offset cannot be specified together.",
            ),
            ("--topic t --bootstrap-server 127.0.0.1:1 --partition 0 --offset -1", offset),
            (
                "--topic t --bootstrap-server 127.0.0.1:1 --property print.key=true --formatter-property a=b",
                together,
            ),
            (
                "--topic t --bootstrap-server 127.0.0.1:1 --formatter com.example.Mine",
                "com.example.Mine",
            ),
            (
                "--bootstrap-server 127.0.0.1:1 --topic t --partition 0 --group g",
                "Options group and partition cannot be specified together.",
            ),
            ("--nonsense", "nonsense is not a recognized option"),
        ] {
            match parse(text) {
                Err(Stop::Usage(said)) => assert_eq!(said, expected, "{text}"),
                other => panic!("{text}: {:?}", other.map(|_| ())),
            }
        }
    }

    fn check_group(text: &str, id: &str, commits: bool) {
        let parsed = parse(&format!("{BASE} {text}")).map_err(|stop| stop.to_string());
        let group = parsed.expect("it is valid").group.expect("it is read in a group");
        assert!(group.id.starts_with(id), "{}", group.id);
        assert_eq!(group.commit_interval.is_some(), commits, "{text}");
    }

    #[test]
    fn a_group_that_is_named_commits_and_one_that_is_not_has_a_name_of_its_own() {
        check_group("", "console-consumer-", false);
        check_group("--group g", "g", true);
        check_group("--command-property group.id=g", "g", true);
        check_group("--group g --consumer-property group.id=g", "g", true);
        check_group("--group g --command-property enable.auto.commit=false", "g", false);
        check_group("--command-property enable.auto.commit=true", "console-consumer-", true);
        let said = parse(&format!("{BASE} --group a --command-property group.id=b"));
        let said = said.map(|_| ()).unwrap_err().to_string();
        assert!(said.ends_with("do not match. Detected group ids: 'a', 'b'"), "{said}");
        let alone = parse(&format!("{BASE} --partition 0")).map_err(|stop| stop.to_string());
        assert_eq!(alone.expect("it is valid").group, None);
    }
}
