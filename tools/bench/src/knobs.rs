//! Every knob of a workload, by Kafka's name where Kafka has one; on the command line and in workload files alike.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Deserializer, Serialize};

/// What a user may set; what is not set has the default of [`Knobs::defaults`].
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Knobs {
    /// Brokers to begin with [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT,…", help_heading = "Cluster")]
    pub bootstrap_server: Option<String>,
    /// What they speak: kafka, or nats for JetStream, where each record is a message [default: kafka]
    #[arg(long, help_heading = "Cluster")]
    pub protocol: Option<String>,
    /// Topic; created if it is not there, and kept [default: a fresh one, deleted at the end]
    #[arg(long, help_heading = "Cluster")]
    pub topic: Option<String>,
    /// Partitions of the topic [default: 1, or what the topic has]
    #[arg(long, value_name = "N", help_heading = "Cluster")]
    pub partitions: Option<i32>,
    /// Replication factor of a topic that is created [default: 1]
    #[arg(long, value_name = "N", help_heading = "Cluster")]
    pub replication_factor: Option<i16>,
    /// Config of a topic that is created; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Cluster")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topic_config: Vec<String>,

    /// Records a second of all producers, or bytes as in 20MB/s; -1 is as fast as answers come [default: -1]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, help_heading = "Load")]
    #[serde(deserialize_with = "text")]
    pub throughput: Option<String>,
    /// How intended send times follow each other: constant or poisson [default: constant]
    #[arg(long, help_heading = "Load")]
    pub arrival: Option<String>,
    /// How long is measured: 30s, 5m, 500ms [default: 10s, or what the workload or its file says]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    #[serde(deserialize_with = "text")]
    pub duration: Option<String>,
    /// How long is not measured before that [default: 3s, or what the workload or its file says; consume: 0s]
    #[arg(long, value_name = "TIME", help_heading = "Load")]
    #[serde(deserialize_with = "text")]
    pub warm_up: Option<String>,
    /// End after so many records, warm-up included
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub num_records: Option<u64>,
    /// Bytes of a value: 1024, uniform:100-1000, normal:1024,200, lognormal:512,1, 100@9,10000@1 [default: 1024]
    #[arg(long, value_name = "SIZES", help_heading = "Load")]
    #[serde(deserialize_with = "text")]
    pub record_size: Option<String>,
    /// Keys: none, sequential:1000, uniform:1000, zipf:1000, zipf:1000,1.2 [default: none]
    #[arg(long, value_name = "KEYS", help_heading = "Load")]
    pub key_distribution: Option<String>,
    /// Partition of a record without key: own (each connection has its own), round-robin, random [default: own]
    #[arg(long, help_heading = "Load")]
    pub partitioner: Option<String>,
    /// Share of each value that repeats, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "SHARE", help_heading = "Load")]
    pub compressibility: Option<f64>,
    /// Of keys, sizes and arrivals: the same seed sends the same [default: 1]
    #[arg(long, help_heading = "Load")]
    pub seed: Option<u64>,

    /// Who produces: own, or librdkafka to see what an application sees (a cargo feature) [default: own]
    #[arg(long, help_heading = "Producers")]
    pub client: Option<String>,
    /// Producing connections [default: 1]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub connections: Option<usize>,
    /// all (-1), 1 or 0 [default: all]
    #[arg(long, allow_hyphen_values = true, help_heading = "Producers")]
    #[serde(deserialize_with = "text")]
    pub acks: Option<String>,
    /// Most bytes of a batch; 1 is one record a batch [default: 16384]
    #[arg(long, value_name = "BYTES", help_heading = "Producers")]
    #[serde(deserialize_with = "text")]
    pub batch_size: Option<String>,
    /// How long a batch waits to be filled [default: 0; Kafka's clients: 5]
    #[arg(long, value_name = "MS", help_heading = "Producers")]
    pub linger_ms: Option<f64>,
    /// none, gzip, snappy, lz4, zstd [default: none]
    #[arg(long, value_name = "CODEC", help_heading = "Producers")]
    pub compression_type: Option<String>,
    /// On the codec's own scale
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Producers")]
    pub compression_level: Option<i32>,
    /// Requests in flight on a connection; for NATS and librdkafka as many records as those carry [default: 5]
    #[arg(long, value_name = "N", help_heading = "Producers")]
    pub max_in_flight_requests_per_connection: Option<usize>,
    /// Most bytes of a request [default: 1048576]
    #[arg(long, value_name = "BYTES", help_heading = "Producers")]
    #[serde(deserialize_with = "text")]
    pub max_request_size: Option<String>,
    /// How long an answer may take [default: 30000]
    #[arg(long, value_name = "MS", help_heading = "Producers")]
    pub request_timeout_ms: Option<u64>,

    /// Consuming connections of each copy; they share its partitions [default: 1]
    #[arg(long, value_name = "N", help_heading = "Consumers")]
    pub consumers: Option<usize>,
    /// How often every record is consumed [default: 1; fanout: 4]
    #[arg(long, value_name = "COPIES", help_heading = "Consumers")]
    pub fan_out: Option<usize>,
    /// First write so many bytes, then read them with one more connection beside the load
    #[arg(long, value_name = "BYTES", help_heading = "Consumers")]
    #[serde(deserialize_with = "text")]
    pub backlog: Option<String>,
    /// Fewest bytes of an answer, unless the wait is over [default: 1]
    #[arg(long, value_name = "BYTES", help_heading = "Consumers")]
    pub fetch_min_bytes: Option<i32>,
    /// Most bytes of an answer [default: 52428800]
    #[arg(long, value_name = "BYTES", help_heading = "Consumers")]
    pub fetch_max_bytes: Option<i32>,
    /// Most bytes of a partition in an answer [default: 1048576]
    #[arg(long, value_name = "BYTES", help_heading = "Consumers")]
    pub max_partition_fetch_bytes: Option<i32>,
    /// How long a broker waits for the fewest bytes [default: 500]
    #[arg(long, value_name = "MS", help_heading = "Consumers")]
    pub fetch_max_wait_ms: Option<i32>,

    /// Threads of the tool [default: half of the CPUs]
    #[arg(long, value_name = "N", help_heading = "Tool")]
    pub threads: Option<usize>,
    /// CPUs that the threads are pinned to, as 0,2
    #[arg(long, value_name = "CPUS", help_heading = "Tool")]
    #[serde(deserialize_with = "text")]
    pub pin: Option<String>,
    /// Never sleep: exact to the microsecond, and a core for each thread
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Tool")]
    pub spin: Option<bool>,
    /// Read everything back after producing, and compare [default: true]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Tool")]
    pub verify: Option<bool>,
    /// How long answers and overdue records are waited for at the end [default: 10s, or what the workload or its file says]
    #[arg(long, value_name = "TIME", help_heading = "Tool")]
    #[serde(deserialize_with = "text")]
    pub drain: Option<String>,
    /// Process of the server, to account for; may be repeated
    #[arg(long, value_name = "PID", help_heading = "Server")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_pid: Vec<u32>,
    /// Control group of the server, to account for
    #[arg(long, value_name = "PATH", help_heading = "Server")]
    pub server_cgroup: Option<PathBuf>,
}

/// A file's number is as good as its text.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Text(String),
        Whole(i64),
        Real(f64),
    }
    Ok(Option::<Scalar>::deserialize(deserializer)?.map(|scalar| match scalar {
        Scalar::Text(text) => text,
        Scalar::Whole(number) => number.to_string(),
        Scalar::Real(number) => number.to_string(),
    }))
}

impl Knobs {
    /// What holds where nothing is set; a partition count is left to the topic.
    pub fn defaults() -> Knobs {
        let text = |text: &str| Some(text.to_owned());
        Knobs {
            bootstrap_server: text("localhost:9092"),
            protocol: text("kafka"),
            replication_factor: Some(1),
            throughput: text("-1"),
            arrival: text("constant"),
            duration: text("10s"),
            warm_up: text("3s"),
            record_size: text("1024"),
            key_distribution: text("none"),
            partitioner: text("own"),
            compressibility: Some(0.5),
            seed: Some(1),
            client: text("own"),
            connections: Some(1),
            acks: text("all"),
            batch_size: text("16384"),
            linger_ms: Some(0.0),
            compression_type: text("none"),
            max_in_flight_requests_per_connection: Some(5),
            max_request_size: text("1048576"),
            request_timeout_ms: Some(30_000),
            consumers: Some(1),
            fetch_min_bytes: Some(1),
            fetch_max_bytes: Some(52_428_800),
            max_partition_fetch_bytes: Some(1_048_576),
            fetch_max_wait_ms: Some(500),
            spin: Some(false),
            verify: Some(true),
            drain: text("10s"),
            ..Knobs::default()
        }
    }

    /// These, where they are set, and `base` where they are not.
    pub fn over(&self, base: &Knobs) -> Result<Knobs> {
        let mut merged = serde_json::to_value(base)?;
        let mine = serde_json::to_value(self)?;
        let (Some(merged_map), Some(mine)) = (merged.as_object_mut(), mine.as_object()) else {
            bail!("knobs are a map");
        };
        for (name, value) in mine.iter().filter(|(_, value)| !value.is_null()) {
            merged_map.insert(name.clone(), value.clone());
        }
        Ok(serde_json::from_value(merged)?)
    }
}

/// Parses `30s`, `5m`, `1h`, `500ms`, `2.5s`; a plain number is seconds.
pub fn duration(name: &str, text: &str) -> Result<Duration> {
    let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, unit) = unit.unwrap_or((text, 1.0));
    let number: f64 = number
        .trim()
        .parse()
        .with_context(|| format!("{name} {text}: a time as 30s, 5m or 500ms"))?;
    let seconds = number * unit;
    ensure!((0.0..=1e7).contains(&seconds), "{name} {text}: a time from 0 to some months");
    Ok(Duration::from_secs_f64(seconds))
}

/// Parses a rate in records a second, or in bytes as `20MB/s`, `500k/s` for records; `None` is as fast as answers come.
pub fn rate(text: &str, mean_size: f64) -> Result<Option<f64>> {
    let bare = text.trim().trim_end_matches("/s");
    let upper = bare.to_ascii_uppercase();
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0)];
    let in_bytes =
        units.iter().find_map(|(unit, factor)| Some((upper.strip_suffix(unit)?, *factor)));
    let in_records = [("K", 1e3), ("M", 1e6)]
        .iter()
        .find_map(|(unit, factor)| Some((upper.strip_suffix(unit)?, *factor)));
    let (number, factor) = match (in_bytes, in_records) {
        (Some((number, factor)), _) => (number, factor / mean_size),
        (None, Some((number, factor))) => (number, factor),
        (None, None) => (upper.as_str(), 1.0),
    };
    let number: f64 = number
        .trim()
        .parse()
        .with_context(|| format!("throughput {text}: records a second, 20MB/s, or -1"))?;
    if number < 0.0 {
        return Ok(None);
    }
    ensure!(number > 0.0 && number.is_finite(), "throughput {text}: more than 0, or -1");
    Ok(Some(number * factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_a_file_and_a_file_over_the_defaults() {
        let file: Knobs = toml::from_str(
            "throughput = 1000\nrecord-size = 100\nduration = '5s'\ntopic-config = ['a=b']",
        )
        .unwrap();
        let line = Knobs { duration: Some("2s".into()), spin: Some(true), ..Knobs::default() };
        let merged = line.over(&file.over(&Knobs::defaults()).unwrap()).unwrap();
        assert_eq!(merged.duration.as_deref(), Some("2s"));
        assert_eq!(merged.throughput.as_deref(), Some("1000"));
        assert_eq!(merged.record_size.as_deref(), Some("100"));
        assert_eq!(merged.acks.as_deref(), Some("all"));
        assert_eq!(merged.topic_config, ["a=b"]);
        assert_eq!(merged.spin, Some(true));
    }

    #[test]
    fn a_word_that_is_no_knob_is_refused() {
        assert!(toml::from_str::<Knobs>("batchsize = 1").is_err());
    }

    #[test]
    fn times_and_rates_are_parsed() {
        for (text, expected) in [
            ("30s", 30.0),
            ("500ms", 0.5),
            ("2m", 120.0),
            ("1h", 3600.0),
            ("7", 7.0),
            ("1.5s", 1.5),
        ] {
            assert_eq!(duration("x", text).unwrap().as_secs_f64(), expected, "{text}");
        }
        for text in ["", "s", "-1s", "5 parsecs", "inf"] {
            assert!(duration("x", text).is_err(), "{text}");
        }
        for (text, expected) in [
            ("1000", Some(1000.0)),
            ("-1", None),
            ("20MB/s", Some(20_000.0)),
            ("1KB", Some(1.0)),
            ("5k/s", Some(5000.0)),
            ("2M", Some(2e6)),
        ] {
            assert_eq!(rate(text, 1000.0).unwrap(), expected, "{text}");
        }
        for text in ["", "0", "x", "nan", "MB"] {
            assert!(rate(text, 1000.0).is_err(), "{text}");
        }
    }
}
