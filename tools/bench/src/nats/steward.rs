//! What a run asks of JetStream outside of what it measures: streams, their sequences, their limits.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use klamm::client::{Address, NewTopic};
use serde_json::{Value, json};

use super::socket::NatsSocket;
use super::{stream, subject};
use crate::cluster::Topic;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Configs of Kafka's topics that say nothing to a stream: what they are about is the server's business.
const WITHOUT_MEANING: &[&str] = &["flush.messages", "flush.ms", "segment.bytes", "segment.ms"];

/// A connection for administration.
pub struct NatsSteward {
    socket: NatsSocket,
}

impl NatsSteward {
    /// Connects to the first server that answers.
    pub fn connect(bootstrap: &[Address]) -> Result<NatsSteward> {
        let mut last = None;
        for address in bootstrap {
            match NatsSocket::connect(address, PATIENCE) {
                Ok(socket) => return Ok(NatsSteward { socket }),
                Err(error) => last = Some(error),
            }
        }
        let list: Vec<String> = bootstrap.iter().map(Address::to_string).collect();
        let error = last.context("no server is named")?;
        Err(error.context(format!("no NATS server answers at {}", list.join(","))))
    }

    /// Finds the topic's streams, or makes them where `create` says so.
    pub fn topic(&mut self, wanted: &NewTopic, create: bool) -> Result<Topic> {
        let name = &wanted.name;
        let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        ensure!(
            !name.is_empty() && name.chars().all(is_plain),
            "topic {name}: letters, digits, - and _ make a stream and a subject of NATS"
        );
        let mut count = 0;
        while self.state(name, count)?.is_some() {
            count += 1;
        }
        let is_new = count == 0;
        if is_new {
            ensure!(create, "topic {name} is not there");
            count = wanted.partitions.unwrap_or(1);
            for partition in 0..count {
                let config = stream_config(wanted, partition)?;
                let api = format!("STREAM.CREATE.{}", stream(name, partition));
                self.ask(&api, &config)?.with_context(|| format!("{api} is not known"))?;
            }
        }
        if let Some(wanted) = wanted.partitions
            && wanted != count
        {
            bail!("topic {name} is there with {count} partitions, not {wanted}");
        }
        let leaders = vec![self.socket.connection.address().clone(); usize::try_from(count)?];
        Ok(Topic { name: name.clone(), leaders, is_new })
    }

    /// Asks on a new connection where the old one is of no use: the server may have been restarted meanwhile.
    fn ask(&mut self, api: &str, body: &Value) -> Result<Option<Value>> {
        match self.socket.ask(api, body) {
            Ok(answer) => Ok(answer),
            Err(_) => {
                let address = self.socket.connection.address().clone();
                self.socket = NatsSocket::connect(&address, PATIENCE)?;
                self.socket.ask(api, body)
            }
        }
    }

    fn state(&mut self, topic: &str, partition: i32) -> Result<Option<Value>> {
        let api = format!("STREAM.INFO.{}", stream(topic, partition));
        Ok(self.ask(&api, &json!({}))?.and_then(|answer| answer.get("state").cloned()))
    }

    /// The first sequence of each partition.
    pub fn starts(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        // An empty stream has none yet: its first one will be 1.
        self.sequences(topic, |state| state.get("first_seq")?.as_i64().map(|first| first.max(1)))
    }

    /// The sequence after the last record of each partition.
    pub fn ends(&mut self, topic: &Topic) -> Result<Vec<i64>> {
        self.sequences(topic, |state| Some(state.get("last_seq")?.as_i64()? + 1))
    }

    fn sequences(&mut self, topic: &Topic, one: fn(&Value) -> Option<i64>) -> Result<Vec<i64>> {
        let partitions = 0..i32::try_from(topic.leaders.len())?;
        let sequence = |partition| {
            let state = self.state(&topic.name, partition)?;
            let state = state.with_context(|| format!("a stream of {} is gone", topic.name))?;
            one(&state).context("a stream's state without sequences")
        };
        partitions.map(sequence).collect()
    }

    /// Deletes a topic's streams.
    pub fn delete(&mut self, topic: &Topic) -> Result<()> {
        for partition in 0..i32::try_from(topic.leaders.len())? {
            self.ask(&format!("STREAM.DELETE.{}", stream(&topic.name, partition)), &json!({}))?;
        }
        Ok(())
    }
}

/// A stream as Kafka's configs want the partition to be.
fn stream_config(wanted: &NewTopic, partition: i32) -> Result<Value> {
    let mut config = json!({
        "name": stream(&wanted.name, partition),
        "subjects": [subject(&wanted.name, partition)],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "num_replicas": wanted.replication_factor.unwrap_or(1),
    });
    for (name, value) in &wanted.configs {
        let number = || value.parse::<i64>().with_context(|| format!("{name}={value}: a number"));
        match name.as_str() {
            "retention.bytes" => config["max_bytes"] = json!(number()?),
            // -1 is without end for Kafka, 0 for JetStream, which counts nanoseconds.
            "retention.ms" => config["max_age"] = json!(number()?.max(0).saturating_mul(1_000_000)),
            _ if WITHOUT_MEANING.contains(&name.as_str()) => {}
            _ => bail!("topic-config {name}: NATS JetStream has nothing like it"),
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_the_topic_configs_say() {
        let config = |text: &str| {
            let configs = text.split_once('=').map(|(name, value)| (name.into(), value.into()));
            let wanted = NewTopic {
                name: "t".to_owned(),
                configs: configs.into_iter().collect(),
                ..NewTopic::default()
            };
            stream_config(&wanted, 3)
        };
        let plain = config("flush.messages=1").unwrap();
        assert_eq!((&plain["name"], &plain["subjects"]), (&json!("t-3"), &json!(["t.3"])));
        assert_eq!(config("retention.bytes=5").unwrap()["max_bytes"], 5);
        assert_eq!(config("retention.ms=5").unwrap()["max_age"], 5_000_000);
        assert_eq!(config("retention.ms=-1").unwrap()["max_age"], 0);
        assert!(config("retention.ms=x").is_err());
        assert!(config("cleanup.policy=compact").is_err());
    }
}
