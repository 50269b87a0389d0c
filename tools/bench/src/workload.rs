//! A workload with every knob understood and checked.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use klamm::client::Address;
use klamm::record::Compression;
use serde::{Deserialize, Serialize};

use crate::batches::BatchRules;
use crate::clock::nanos;
use crate::keys::{Keys, Spread};
use crate::knobs::{Knobs, duration, rate};
use crate::schedule::Arrival;
use crate::sizes::{Sizes, bytes};

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Producers alone.
    Produce,
    /// Consumers of what is already there.
    Consume,
    /// Producers, and consumers of what they write while they write it.
    EndToEnd,
    /// Consumers that wait for records which never come.
    Idle,
    /// Connections that come and go; what is counted as a record is one of them.
    Churn,
}

/// What brokers speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Kafka's.
    #[default]
    Kafka,
    /// That of NATS, for JetStream.
    Nats,
}

impl Protocol {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Kafka => "kafka",
            Protocol::Nats => "nats",
        }
    }
}

impl FromStr for Protocol {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Protocol> {
        match text {
            "kafka" => Ok(Protocol::Kafka),
            "nats" => Ok(Protocol::Nats),
            _ => bail!("protocol {text}: kafka or nats"),
        }
    }
}

/// Whose code produces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Client {
    /// This tool's.
    #[default]
    Own,
    /// librdkafka: what an application sees.
    Librdkafka,
}

impl FromStr for Client {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Client> {
        match text {
            "own" => Ok(Client::Own),
            "librdkafka" if cfg!(feature = "librdkafka") => Ok(Client::Librdkafka),
            "librdkafka" => bail!(
                "client librdkafka: this klamm-bench is built without it; with it: cargo build --release -p klamm-bench --features librdkafka"
            ),
            _ => bail!("client {text}: own or librdkafka"),
        }
    }
}

/// A workload that can be run.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What it does.
    pub kind: Kind,
    /// Everything as it was set or is by default, for reports.
    pub knobs: Knobs,
    /// What they speak.
    pub protocol: Protocol,
    /// Who produces.
    pub client: Client,
    /// Brokers to begin with.
    pub bootstrap: Vec<Address>,
    /// Configs of a topic that is created.
    pub topic_configs: Vec<(String, String)>,
    /// Records a second; `None` is closed loop.
    pub rate: Option<f64>,
    /// How intended send times follow each other.
    pub arrival: Arrival,
    /// How long is measured.
    pub duration: Duration,
    /// How long is not, before that.
    pub warm_up: Duration,
    /// How long is waited at the end.
    pub drain: Duration,
    /// Bytes of values.
    pub sizes: Sizes,
    /// Their keys.
    pub keys: Keys,
    /// Where records without keys go.
    pub spread: Spread,
    /// Producing connections.
    pub producers: usize,
    /// Consuming connections of each copy.
    pub consumers: usize,
    /// How often every record is consumed.
    pub copies: usize,
    /// 0, 1 or -1.
    pub acks: i16,
    /// How batches are made.
    pub rules: BatchRules,
    /// CPUs that threads are pinned to.
    pub pin: Vec<usize>,
    /// How many threads.
    pub threads: usize,
    /// Whether producers connect again when a connection breaks.
    pub reconnects: bool,
    /// Bytes to write before the run, and to read while it lasts.
    pub backlog_bytes: Option<usize>,
}

/// Threads that open connections, each one at a time.
const CHURN_THREADS: usize = 8;

/// The value of a knob that has a default.
fn set<T: Clone>(value: &Option<T>, name: &str) -> Result<T> {
    value.clone().with_context(|| format!("{name} is not set"))
}

impl Workload {
    /// Understands `knobs`, which may leave out what has a default.
    pub fn new(kind: Kind, knobs: &Knobs) -> Result<Workload> {
        let mut defaults = Knobs::defaults();
        if kind == Kind::Consume {
            // What is read while warming up is not there any more when it is measured.
            defaults.warm_up = Some("0s".to_owned());
        }
        let knobs = knobs.over(&defaults)?;
        let sizes: Sizes = set(&knobs.record_size, "record-size")?.parse()?;
        let rate = rate(&set(&knobs.throughput, "throughput")?, sizes.mean())?;
        let time = |value: &Option<String>, name: &str| duration(name, &set(value, name)?);
        let has_consumers = matches!(kind, Kind::Consume | Kind::EndToEnd | Kind::Idle);
        let protocol: Protocol = set(&knobs.protocol, "protocol")?.parse()?;
        let workload = Workload {
            kind,
            protocol,
            client: set(&knobs.client, "client")?.parse()?,
            bootstrap: Address::parse_list(&set(&knobs.bootstrap_server, "bootstrap-server")?)?,
            topic_configs: knobs
                .topic_config
                .iter()
                .map(|text| key_value(text))
                .collect::<Result<_>>()?,
            rate,
            arrival: set(&knobs.arrival, "arrival")?.parse()?,
            duration: time(&knobs.duration, "duration")?,
            warm_up: time(&knobs.warm_up, "warm-up")?,
            drain: time(&knobs.drain, "drain")?,
            sizes,
            keys: set(&knobs.key_distribution, "key-distribution")?.parse()?,
            spread: set(&knobs.partitioner, "partitioner")?.parse()?,
            producers: if matches!(kind, Kind::Consume | Kind::Idle) {
                0
            } else {
                set(&knobs.connections, "connections")?
            },
            consumers: if has_consumers { set(&knobs.consumers, "consumers")? } else { 0 },
            copies: if has_consumers { knobs.fan_out.unwrap_or(1) } else { 0 },
            acks: acks(&set(&knobs.acks, "acks")?)?,
            rules: BatchRules { is_plain: protocol == Protocol::Nats, ..rules(&knobs)? },
            pin: knobs.pin.as_deref().map_or(Ok(Vec::new()), cpus)?,
            threads: 0,
            reconnects: false,
            backlog_bytes: knobs.backlog.as_deref().map(bytes).transpose().context("backlog")?,
            knobs,
        };
        workload.checked()
    }

    fn checked(mut self) -> Result<Workload> {
        let connections = self.producers + self.consumers * self.copies;
        ensure!(connections > 0, "a run has at least one connection");
        ensure!(self.producers <= usize::from(u16::MAX), "connections: at most {}", u16::MAX);
        ensure!(
            self.backlog_bytes.is_none() || self.kind == Kind::EndToEnd,
            "backlog: read beside a load that has consumers (end-to-end, fanout)"
        );
        if let Some(lack) = self.lack_of(self.protocol) {
            bail!("{lack}");
        }
        ensure!(
            self.client == Client::Own || self.protocol == Protocol::Kafka,
            "client librdkafka: it speaks Kafka's protocol only"
        );
        ensure!(
            self.client == Client::Own || matches!(self.kind, Kind::Produce | Kind::EndToEnd),
            "client librdkafka: it produces (produce, end-to-end, fanout)"
        );
        ensure!(!self.duration.is_zero(), "duration: more than nothing");
        ensure!(self.in_flight_max() > 0, "max-in-flight-requests-per-connection: at least 1");
        let share = self.compressibility();
        ensure!((0.0..=1.0).contains(&share), "compressibility {share}: from 0 to 1");
        ensure!(self.knobs.partitions.is_none_or(|count| count > 0), "partitions: at least 1");
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.knobs.threads.unwrap_or(if self.kind == Kind::Churn {
            CHURN_THREADS
        } else if self.pin.is_empty() {
            (cpus / 2).max(1)
        } else {
            self.pin.len()
        });
        ensure!(threads > 0, "threads: at least 1");
        self.threads = if self.kind == Kind::Churn { threads } else { threads.min(connections) };
        Ok(self)
    }

    /// What the workload asks for and a protocol does not have.
    pub fn lack_of(&self, protocol: Protocol) -> Option<&'static str> {
        match protocol {
            Protocol::Kafka => None,
            Protocol::Nats if self.rules.compression != Compression::None => {
                Some("compression-type: clients of NATS JetStream do not compress")
            }
            Protocol::Nats if self.acks != -1 => {
                Some("acks: NATS JetStream acknowledges what is stored (all), nothing else")
            }
            Protocol::Nats => None,
        }
    }

    /// `max.in.flight.requests.per.connection`.
    pub fn in_flight_max(&self) -> usize {
        self.knobs.max_in_flight_requests_per_connection.unwrap_or(1)
    }

    /// `request.timeout.ms`.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.knobs.request_timeout_ms.unwrap_or(30_000))
    }

    /// Of everything random.
    pub fn seed(&self) -> u64 {
        self.knobs.seed.unwrap_or(1)
    }

    /// The share of each value that repeats, from 0 to 1.
    pub fn compressibility(&self) -> f64 {
        self.knobs.compressibility.unwrap_or(0.5)
    }

    /// Whether what was produced is read back.
    pub fn reads_back(&self) -> bool {
        self.kind == Kind::Produce && self.knobs.verify.unwrap_or(true)
    }
}

fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) =
        text.split_once('=').with_context(|| format!("topic-config {text}: KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn acks(text: &str) -> Result<i16> {
    Ok(match text {
        "all" | "-1" => -1,
        "1" => 1,
        "0" => 0,
        _ => bail!("acks {text}: all, 1 or 0"),
    })
}

fn rules(knobs: &Knobs) -> Result<BatchRules> {
    let linger_ms = set(&knobs.linger_ms, "linger-ms")?;
    ensure!((0.0..=1e6).contains(&linger_ms), "linger-ms {linger_ms}: from 0 to a million");
    let codec = set(&knobs.compression_type, "compression-type")?;
    let compression = Compression::from_name(&codec)
        .with_context(|| format!("compression-type {codec}: none, gzip, snappy, lz4 or zstd"))?;
    let size = |value: &Option<String>, name: &str| {
        bytes(&set(value, name)?).with_context(|| name.to_owned())
    };
    Ok(BatchRules {
        is_plain: false,
        size_bytes: size(&knobs.batch_size, "batch-size")?,
        linger: nanos(Duration::from_secs_f64(linger_ms / 1000.0)),
        request_bytes_max: size(&knobs.max_request_size, "max-request-size")?,
        compression,
        compression_level: knobs.compression_level,
    })
}

fn cpus(text: &str) -> Result<Vec<usize>> {
    let allowed = rustix::thread::sched_getaffinity(None).context("asking for the CPUs")?;
    let cpus = text.split(',').map(|part| {
        let cpu: usize =
            part.trim().parse().with_context(|| format!("pin {text}: CPUs, as 0,2"))?;
        ensure!(
            cpu < 1024 && allowed.is_set(cpu),
            "pin {text}: this process may not use CPU {cpu}"
        );
        Ok(cpu)
    });
    cpus.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, change: impl FnOnce(&mut Knobs), expected: Result<(), &str>) {
        let mut knobs = Knobs::default();
        change(&mut knobs);
        let found = Workload::new(kind, &knobs).map(|_| ()).map_err(|error| format!("{error:#}"));
        match (found, expected) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?} where {expected:?} was expected"),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_plain_words() {
        check(Kind::Produce, |_| {}, Ok(()));
        check(Kind::EndToEnd, |_| {}, Ok(()));
        check(Kind::Produce, |k| k.acks = Some("2".into()), Err("acks 2: all, 1 or 0"));
        check(Kind::Produce, |k| k.connections = Some(0), Err("at least one connection"));
        check(Kind::Produce, |k| k.record_size = Some("10".into()), Err("at least 32 bytes"));
        check(Kind::Produce, |k| k.compression_type = Some("rar".into()), Err("none, gzip"));
        check(Kind::Produce, |k| k.topic_config = vec!["x".into()], Err("KEY=VALUE"));
        check(Kind::Produce, |k| k.duration = Some("0".into()), Err("more than nothing"));
        check(Kind::Produce, |k| k.pin = Some("9999".into()), Err("may not use CPU 9999"));
        check(Kind::Produce, |k| k.bootstrap_server = Some("x".into()), Err("bootstrap.servers"));
        check(Kind::Produce, |k| k.client = Some("java".into()), Err("own or librdkafka"));
        check(
            Kind::Idle,
            |k| k.client = Some("librdkafka".into()),
            Err(if cfg!(feature = "librdkafka") { "it produces" } else { "--features librdkafka" }),
        );
        check(Kind::Produce, |k| k.protocol = Some("amqp".into()), Err("kafka or nats"));
        let nats = |k: &mut Knobs| k.protocol = Some("nats".into());
        check(Kind::EndToEnd, nats, Ok(()));
        check(
            Kind::Produce,
            |k| (nats(k), k.acks = Some("1".into())).1,
            Err("acks: NATS JetStream"),
        );
        check(
            Kind::Produce,
            |k| (nats(k), k.compression_type = Some("lz4".into())).1,
            Err("do not compress"),
        );
        check(
            Kind::Produce,
            |k| k.max_in_flight_requests_per_connection = Some(0),
            Err("at least 1"),
        );
    }
}
