//! Kafka's client properties as options of our client; what is not known is said, and does nothing.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use tracing::warn;

use super::tool::Stop;
use crate::client::{ClientOptions, ConsumerOptions, GroupOptions, ProducerOptions, StartAt};
use crate::record::Compression;

/// Properties by name; what is used is taken out.
pub type Properties = BTreeMap<String, String>;

fn invalid(name: &str, value: &str, reason: &str) -> Stop {
    Stop::Failed(format!("Invalid value {value} for configuration {name}: {reason}"))
}

fn number<T: FromStr>(properties: &mut Properties, name: &str) -> Result<Option<T>, Stop> {
    let Some(value) = properties.remove(name) else { return Ok(None) };
    value.trim().parse().map(Some).map_err(|_| invalid(name, &value, "Not a number of its type"))
}

fn set<T: FromStr>(properties: &mut Properties, name: &str, target: &mut T) -> Result<(), Stop> {
    if let Some(value) = number(properties, name)? {
        *target = value;
    }
    Ok(())
}

fn set_ms(properties: &mut Properties, name: &str, target: &mut Duration) -> Result<(), Stop> {
    if let Some(value) = number(properties, name)? {
        *target = Duration::from_millis(value);
    }
    Ok(())
}

/// What all clients know.
pub fn client(
    mut options: ClientOptions,
    properties: &mut Properties,
) -> Result<ClientOptions, Stop> {
    if let Some(protocol) = properties.remove("security.protocol")
        && protocol != "PLAINTEXT"
    {
        let reason = "this version speaks PLAINTEXT only";
        return Err(invalid("security.protocol", &protocol, reason));
    }
    if let Some(client_id) = properties.remove("client.id") {
        options.client_id = client_id;
    }
    set_ms(properties, "socket.connection.setup.timeout.ms", &mut options.connect_timeout)?;
    set_ms(properties, "request.timeout.ms", &mut options.request_timeout)?;
    set_ms(properties, "default.api.timeout.ms", &mut options.api_timeout)?;
    set_ms(properties, "max.block.ms", &mut options.api_timeout)?;
    set_ms(properties, "retry.backoff.ms", &mut options.retry_backoff)?;
    set_ms(properties, "retry.backoff.max.ms", &mut options.retry_backoff_max)?;
    set_ms(properties, "metadata.max.age.ms", &mut options.metadata_age_max)?;
    Ok(options)
}

/// What producers know; idempotence ends silently with acks other than all, unless it was asked for.
pub fn producer(properties: &mut Properties) -> Result<ProducerOptions, Stop> {
    let mut options = ProducerOptions::default();
    if let Some(acks) = properties.remove("acks") {
        options.acks = match acks.as_str() {
            "all" | "-1" => -1,
            "0" => 0,
            "1" => 1,
            _ => return Err(invalid("acks", &acks, "String must be one of: all, -1, 0, 1")),
        };
    }
    if let Some(codec) = properties.remove("compression.type") {
        options.compression = Compression::from_name(&codec).ok_or_else(|| {
            invalid("compression.type", &codec, "it is none, gzip, snappy, lz4 or zstd")
        })?;
    }
    for codec in ["gzip", "lz4", "zstd"] {
        let level = number(properties, &format!("compression.{codec}.level"))?;
        if options.compression.name() == codec {
            options.compression_level = level;
        }
    }
    set_ms(properties, "linger.ms", &mut options.linger)?;
    set_ms(properties, "delivery.timeout.ms", &mut options.delivery_timeout)?;
    set(properties, "batch.size", &mut options.batch_bytes)?;
    set(properties, "buffer.memory", &mut options.buffer_bytes)?;
    set(properties, "max.request.size", &mut options.request_bytes_max)?;
    set(properties, "retries", &mut options.retries)?;
    options.idempotent = options.acks == -1;
    if let Some(wanted) = properties.remove("enable.idempotence") {
        if wanted == "true" && options.acks != -1 {
            let message = "Must set acks to all in order to use the idempotent producer. \
                           Otherwise we cannot guarantee idempotence.";
            return Err(Stop::Failed(message.to_owned()));
        }
        options.idempotent = wanted == "true";
    }
    if let Some(id) = properties.remove("transactional.id") {
        return Err(invalid("transactional.id", &id, "transactions arrive with a later version"));
    }
    Ok(options)
}

/// What consumers know.
pub fn consumer(properties: &mut Properties) -> Result<ConsumerOptions, Stop> {
    let mut options = ConsumerOptions::default();
    set_ms(properties, "fetch.max.wait.ms", &mut options.fetch_wait)?;
    set(properties, "fetch.min.bytes", &mut options.fetch_bytes_min)?;
    set(properties, "fetch.max.bytes", &mut options.fetch_bytes_max)?;
    set(properties, "max.partition.fetch.bytes", &mut options.partition_bytes_max)?;
    if let Some(level) = properties.remove("isolation.level") {
        options.read_committed = match level.as_str() {
            "read_committed" => true,
            "read_uncommitted" => false,
            _ => {
                let reason = "String must be one of: read_committed, read_uncommitted";
                return Err(invalid("isolation.level", &level, reason));
            }
        };
    }
    if let Some(reset) = properties.remove("auto.offset.reset") {
        options.reset = match reset.as_str() {
            "earliest" => StartAt::Earliest,
            "latest" => StartAt::Latest,
            _ => return Err(invalid("auto.offset.reset", &reset, "it is earliest or latest")),
        };
    }
    Ok(options)
}

/// What members of a group know; nothing is committed unless `commits` or the properties say so.
pub fn group(id: &str, commits: bool, properties: &mut Properties) -> Result<GroupOptions, Stop> {
    let mut options = GroupOptions::new(id);
    set_ms(properties, "session.timeout.ms", &mut options.session_timeout)?;
    set_ms(properties, "max.poll.interval.ms", &mut options.rebalance_timeout)?;
    set_ms(properties, "heartbeat.interval.ms", &mut options.heartbeat_interval)?;
    let mut interval = options.commit_interval.unwrap_or_default();
    set_ms(properties, "auto.commit.interval.ms", &mut interval)?;
    let mut commits = commits;
    set(properties, "enable.auto.commit", &mut commits)?;
    options.commit_interval = commits.then_some(interval);
    if let Some(protocol) = properties.remove("group.protocol")
        && !protocol.eq_ignore_ascii_case("classic")
    {
        return Err(invalid("group.protocol", &protocol, "this version knows classic groups only"));
    }
    Ok(options)
}

/// Says which properties did nothing.
pub fn warn_unused(properties: &Properties) {
    for name in properties.keys() {
        warn!("the property {name} is not used");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(texts: &[(&str, &str)]) -> Properties {
        texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn known_properties_are_taken_and_others_left() {
        let mut given = properties(&[
            ("acks", "1"),
            ("linger.ms", "7"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "9"),
            ("compression.gzip.level", "1"),
            ("client.id", "me"),
            ("request.timeout.ms", "1500"),
            ("interceptor.classes", "x"),
        ]);
        let producer = producer(&mut given).expect("the values are valid");
        assert_eq!((producer.acks, producer.idempotent), (1, false));
        assert_eq!(
            (producer.compression, producer.compression_level),
            (Compression::Zstd, Some(9))
        );
        assert_eq!(producer.linger, Duration::from_millis(7));
        let client =
            client(ClientOptions::new(Vec::new(), "default"), &mut given).expect("they are valid");
        assert_eq!(client.client_id, "me");
        assert_eq!(client.request_timeout, Duration::from_millis(1500));
        assert_eq!(given, properties(&[("interceptor.classes", "x")]));
    }

    #[test]
    fn wrong_values_are_named() {
        for (name, value) in [
            ("acks", "2"),
            ("linger.ms", "soon"),
            ("compression.type", "brotli"),
            ("transactional.id", "t"),
        ] {
            let said =
                producer(&mut properties(&[(name, value)])).map(|_| ()).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("Invalid value {value} for configuration {name}")),
                "{said}"
            );
        }
        let said = producer(&mut properties(&[("acks", "1"), ("enable.idempotence", "true")]));
        assert!(said.map(|_| ()).unwrap_err().to_string().starts_with("Must set acks to all"));
        assert!(consumer(&mut properties(&[("isolation.level", "some")])).is_err());
        let security = &mut properties(&[("security.protocol", "SSL")]);
        assert!(client(ClientOptions::new(Vec::new(), "x"), security).is_err());
    }
}
