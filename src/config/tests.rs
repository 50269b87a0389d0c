//! Tests of the room as a whole: files and overrides in, values, remarks and errors out.

use std::path::PathBuf;

use super::disposition::{Disposition, disposition};
use super::settings::BROKER_KEYS;
use super::*;
use crate::model::BrokerId;
use crate::model::config_key::{ConfigEntry, ConfigSource};
use crate::model::topic_config::{TOPIC_KEYS, TopicConfig, TopicOverrides, describe_topic};

const GIB: u64 = 1 << 30;

fn machine() -> Machine {
    Machine { cpus: vec![0, 1, 2], parallelism: 3, memory_bytes: 4 * GIB, host_name: "here".into() }
}

fn load_file(text: &str, overrides: &[&str]) -> Result<(BrokerConfig, Vec<Remark>), ConfigError> {
    let file = ConfigFile { name: "server.properties", bytes: text.as_bytes() };
    BrokerConfig::load(Some(file), &owned(overrides), &machine())
}

fn load(overrides: &[&str]) -> Result<BrokerConfig, ConfigError> {
    BrokerConfig::load(None, &owned(overrides), &machine()).map(|(config, _)| config)
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn address(host: &str, port: u16) -> HostPort {
    HostPort { host: host.into(), port }
}

fn remarks(text: &str) -> Vec<String> {
    let (_, remarks) = load_file(text, &[]).unwrap();
    remarks.iter().map(Remark::to_string).collect()
}

#[test]
fn nothing_given_is_a_durable_broker_for_this_machine() {
    let config = load(&[]).unwrap();
    let local = address("127.0.0.1", 9092);
    let listener = Listener { name: "PLAINTEXT".into(), address: local.clone(), advertised: local };
    assert_eq!(config.listeners, [listener]);
    assert_eq!(config.node_id, BrokerId(1));
    assert_eq!(config.data_dir, PathBuf::from("./data"));
    assert_eq!(config.topic_defaults.config(), &TopicConfig::default());
    assert!(config.topic_defaults.config().is_durable());
    assert_eq!(config.shard_cpus, [0, 1]);
    assert_eq!(config.control_cpu, None);
    assert_eq!((config.memory_bytes, config.journal_bytes), (GIB, GIB / 4));
    assert_eq!(config.admin_listener, address("127.0.0.1", 9644));
    assert_eq!(config.connection_idle_ms_max, Some(600_000));
    assert_eq!(config.groups.offsets_topic_replication_factor, None);
    assert!(config.move_connections_to_owner && config.auto_create_topics && config.delete_topics);
}

#[test]
fn kafkas_stock_file_starts() {
    let (config, remarks) = load_file(include_str!("stock-server.properties"), &[]).unwrap();
    let listener = Listener {
        name: "PLAINTEXT".into(),
        address: address("", 9092),
        advertised: address("localhost", 9092),
    };
    assert_eq!(config.listeners, [listener]);
    assert_eq!(config.data_dir, PathBuf::from("/tmp/kraft-combined-logs"));
    assert_eq!(config.groups.offsets_topic_replication_factor, Some(1));
    assert_eq!(config.topic_defaults.config(), &TopicConfig::default());
    let unknown = |remark: &&Remark| matches!(remark, Remark::UnknownKey { .. });
    assert_eq!(remarks.iter().find(unknown), None);
    assert!(remarks.iter().any(|remark| {
        remark.to_string()
            == "server.properties:37: num.network.threads has no effect: num.shards and shard.cpus \
                say which cores work"
    }));
}

#[test]
fn the_shipped_file_shows_defaults_of_keys_that_act() {
    let shipped = include_str!("../../config/server.properties");
    let (config, remarks) = load_file(shipped, &[]).unwrap();
    assert_eq!(remarks, []);
    assert_eq!(format!("{:?}", values(config)), format!("{:?}", values(load(&[]).unwrap())));
    let mut key_count = 0;
    for line in shipped.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.contains(' '))
        else {
            continue;
        };
        key_count += 1;
        assert_eq!(disposition(name), Disposition::Implemented, "{name}");
        let key = BROKER_KEYS.find(name).unwrap_or_else(|| panic!("{name} is unknown"));
        assert!(load(&[line]).is_ok(), "{line}");
        if name != "listeners" && name != "log.dirs" && key.default.is_some() {
            assert_eq!(key.default, Some(value), "{name}");
        }
    }
    assert_eq!(key_count, 20);
}

#[test]
fn the_list_has_every_key_and_can_be_started_with() {
    let text =
        "num.partitions=7\nbroker.rack=\\ a\\\\b\nssl.key.password=geheim\nnum.network.threads=3";
    let file = ConfigFile { name: "server.properties", bytes: text.as_bytes() };
    let overrides = owned(&["memory.bytes=100000000"]);
    let listed = list(Some(file), &overrides, &machine()).unwrap();
    for key in BROKER_KEYS.keys() {
        let line = |line: &&str| {
            let line = line.strip_prefix('#').unwrap_or(line);
            line.strip_prefix(key.name).is_some_and(|rest| rest.starts_with('='))
        };
        assert_eq!(listed.lines().filter(line).count(), 1, "{}", key.name);
    }
    assert!(!listed.contains("geheim"));
    for said in [
        "# Default: '1'; it takes an integer of at least 1; set by server.properties:1.\nnum.partitions=7\n",
        "set by --override.\nmemory.bytes=100000000\n",
        "not set.\n# In force: 2.\n#num.shards=\n",
        "# No effect: num.shards and shard.cpus say which cores work.\nnum.network.threads=3\n",
        "\n#ssl.key.password=[hidden]\n",
        "not set.\n#fetch.max.bytes=57671680\n",
    ] {
        assert!(listed.contains(said), "{said} is not in the list");
    }
    let (config, _) = load_file(&listed, &[]).unwrap();
    let (given, _) = BrokerConfig::load(Some(file), &overrides, &machine()).unwrap();
    assert_eq!(format!("{:?}", values(config)), format!("{:?}", values(given)));
}

#[test]
fn the_readme_names_keys_that_exist_and_all_of_our_own() {
    let readme = include_str!("../../README.md");
    let is_key = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() > 1
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    const OTHERS: [&str; 3] = ["server.properties", "meta.properties", "group.protocol"];
    for word in readme.split('`').skip(1).step_by(2).filter(is_key) {
        let known = BROKER_KEYS.find(word).is_some() || TOPIC_KEYS.find(word).is_some();
        assert!(known || OTHERS.contains(&word), "{word} is no key");
    }
    for line in super::settings::OWN_KEYS.lines() {
        let name = line.split('\t').next().unwrap();
        let row = readme.lines().find(|row| row.starts_with(&format!("| `{name}` | ")));
        let cell = row.and_then(|row| row.split(" | ").nth(1));
        let cell = cell.unwrap_or_else(|| panic!("{name} is not in the table of our own keys"));
        let Some(default) = BROKER_KEYS.find(name).and_then(|key| key.default) else { continue };
        let in_units = [(" KiB", 10), (" MiB", 20)]
            .iter()
            .find_map(|(unit, shift)| Some(cell.strip_suffix(unit)?.parse::<u64>().ok()? << shift));
        let written = in_units.map_or(cell.to_owned(), |bytes| bytes.to_string());
        assert_eq!(written, default, "{name}");
    }
}

/// What a configuration says, without the texts that DescribeConfigs repeats.
fn values(mut config: BrokerConfig) -> (BrokerConfig, TopicConfig) {
    let topic = config.topic_defaults.config().clone();
    config.topic_defaults = Default::default();
    config.entries.clear();
    (config, topic)
}

/// Each key that is said to act, with overrides of which the first is decisive.
const ACTING: &[(&str, &[&str])] = &[
    ("admin.listener", &["admin.listener=127.0.0.1:1"]),
    ("advertised.listeners", &["advertised.listeners=PLAINTEXT://other:1"]),
    ("auto.create.topics.enable", &["auto.create.topics.enable=false"]),
    ("broker.id", &["broker.id=7"]),
    ("broker.rack", &["broker.rack=r"]),
    ("compression.gzip.level", &["compression.gzip.level=7"]),
    ("compression.type", &["compression.type=gzip"]),
    ("compression.zstd.level", &["compression.zstd.level=7"]),
    ("connections.max.idle.ms", &["connections.max.idle.ms=-1"]),
    ("connections.move.to.owner", &["connections.move.to.owner=false"]),
    ("control.cpu", &["control.cpu=1"]),
    (
        "controller.listener.names",
        &["controller.listener.names=C", "listeners=PLAINTEXT://:1,C://:2"],
    ),
    ("controller.quorum.voters", &["controller.quorum.voters=1@a:1,2@b:1"]),
    ("default.replication.factor", &["default.replication.factor=3"]),
    ("delete.topic.enable", &["delete.topic.enable=false"]),
    ("fetch.max.bytes", &["fetch.max.bytes=1024"]),
    ("group.initial.rebalance.delay.ms", &["group.initial.rebalance.delay.ms=5"]),
    ("group.max.session.timeout.ms", &["group.max.session.timeout.ms=7000"]),
    ("group.max.size", &["group.max.size=5"]),
    ("group.min.session.timeout.ms", &["group.min.session.timeout.ms=5"]),
    ("journal.bypass.bytes", &["journal.bypass.bytes=5"]),
    ("journal.bytes", &["journal.bytes=16777216"]),
    (
        "listener.security.protocol.map",
        &["listener.security.protocol.map=A:PLAINTEXT", "listeners=A://:1"],
    ),
    ("listeners", &["listeners=PLAINTEXT://:1"]),
    ("log.cleanup.policy", &["log.cleanup.policy=compact"]),
    ("log.dir", &["log.dir=d"]),
    ("log.dirs", &["log.dirs=d"]),
    ("log.flush.interval.messages", &["log.flush.interval.messages=5"]),
    ("log.flush.interval.ms", &["log.flush.interval.ms=5"]),
    ("log.flush.scheduler.interval.ms", &["log.flush.scheduler.interval.ms=5"]),
    ("log.initial.task.delay.ms", &["log.initial.task.delay.ms=5"]),
    ("log.message.timestamp.after.max.ms", &["log.message.timestamp.after.max.ms=5"]),
    ("log.message.timestamp.before.max.ms", &["log.message.timestamp.before.max.ms=5"]),
    ("log.message.timestamp.type", &["log.message.timestamp.type=LogAppendTime"]),
    ("log.retention.bytes", &["log.retention.bytes=5"]),
    ("log.retention.check.interval.ms", &["log.retention.check.interval.ms=5"]),
    ("log.retention.hours", &["log.retention.hours=5"]),
    ("log.retention.minutes", &["log.retention.minutes=5"]),
    ("log.retention.ms", &["log.retention.ms=5"]),
    ("log.roll.hours", &["log.roll.hours=5"]),
    ("log.roll.jitter.hours", &["log.roll.jitter.hours=5"]),
    ("log.roll.jitter.ms", &["log.roll.jitter.ms=5"]),
    ("log.roll.ms", &["log.roll.ms=5"]),
    ("log.segment.bytes", &["log.segment.bytes=1048577"]),
    ("log.segment.delete.delay.ms", &["log.segment.delete.delay.ms=5"]),
    ("max.connections", &["max.connections=5"]),
    ("max.connections.per.ip", &["max.connections.per.ip=5"]),
    ("max.incremental.fetch.session.cache.slots", &["max.incremental.fetch.session.cache.slots=5"]),
    ("max.request.partition.size.limit", &["max.request.partition.size.limit=5"]),
    ("memory.bytes", &["memory.bytes=100000000"]),
    ("message.max.bytes", &["message.max.bytes=5"]),
    ("min.insync.replicas", &["min.insync.replicas=5"]),
    ("node.id", &["node.id=5"]),
    ("num.partitions", &["num.partitions=5"]),
    ("num.shards", &["num.shards=1"]),
    ("offset.metadata.max.bytes", &["offset.metadata.max.bytes=5"]),
    ("offsets.retention.check.interval.ms", &["offsets.retention.check.interval.ms=5"]),
    ("offsets.retention.minutes", &["offsets.retention.minutes=5"]),
    ("offsets.topic.num.partitions", &["offsets.topic.num.partitions=5"]),
    ("offsets.topic.replication.factor", &["offsets.topic.replication.factor=2"]),
    ("offsets.topic.segment.bytes", &["offsets.topic.segment.bytes=1048576"]),
    ("process.roles", &["process.roles=broker"]),
    ("producer.id.expiration.ms", &["producer.id.expiration.ms=5"]),
    ("shard.cpus", &["shard.cpus=1"]),
    ("shard.spin.us", &["shard.spin.us=5"]),
    ("slow.request.ms", &["slow.request.ms=5"]),
    ("socket.request.max.bytes", &["socket.request.max.bytes=5"]),
];

#[test]
fn every_key_that_is_said_to_act_acts() {
    let acting: Vec<&str> = ACTING.iter().map(|(name, _)| *name).collect();
    let mut said: Vec<&str> = BROKER_KEYS.keys().iter().map(|key| key.name).collect();
    said.retain(|name| disposition(name) == Disposition::Implemented);
    said.sort_unstable();
    assert_eq!(acting, said);
    for (name, overrides) in ACTING {
        let outcome = |overrides| format!("{:?}", load(overrides).map(values));
        assert_ne!(outcome(overrides), outcome(&overrides[1..]), "{name}");
    }
}

#[test]
fn a_weakened_set_up_does_not_start() {
    let mut refused_count = 0;
    for key in BROKER_KEYS.keys() {
        let Disposition::Refused(reason) = disposition(key.name) else { continue };
        refused_count += 1;
        let value = match key.name {
            "max.connection.creation.rate" => "10",
            "remote.log.storage.system.enable" => "true",
            "security.inter.broker.protocol" => "SSL",
            _ => "x",
        };
        let line = format!("{}={value}", key.name);
        let message = format!("server.properties:1: {line} is refused: {reason}");
        assert_eq!(load_file(&line, &[]).unwrap_err().to_string(), message);
        let harmless = format!("{}={}", key.name, key.default.unwrap_or_default());
        assert!(load_file(&harmless, &[]).is_ok(), "{harmless}");
    }
    assert_eq!(refused_count, 11);
    let error = load_file("listener.name.plaintext.max.connections=5", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "server.properties:1: listener.name.plaintext.max.connections=... is refused: settings of \
         a single listener (its limits, TLS or SASL) are not supported yet, remove the line"
    );
}

fn check_error(text: &str, overrides: &[&str], message: &str) {
    let error = load_file(text, overrides).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn errors_name_file_line_key_value_and_what_is_allowed() {
    for (text, message) in [
        ("num.partitions=0", "=0 is not valid: it takes an integer of at least 1"),
        ("num.partitions=many", "=many is not valid: it takes an integer of at least 1"),
        ("fetch.max.bytes=", "= is not valid: it takes an integer of at least 1024"),
        ("delete.topic.enable=yes", "=yes is not valid: it takes true or false"),
        ("log.cleanup.policy=drop", "=drop is not valid: it takes a list of compact, delete"),
        (
            "log.message.timestamp.type=x",
            "=x is not valid: it takes one of CreateTime, LogAppendTime",
        ),
        ("compression.gzip.level=0", "=0 is not valid: it takes an integer from 1 to 9, or -1"),
        ("node.id=-1", "=-1 is not valid: it takes an integer of at least 0"),
        ("max.connections=0", "=0 is not valid: it takes an integer of at least 1"),
        (
            "log.retention.minutes=0",
            "=0 is not valid: it takes an integer of at least 1, or -1 for ever",
        ),
        (
            "log.flush.interval.ms=-5",
            "=-5 is not valid: as flush.ms it takes an integer of at least 0",
        ),
        ("log.roll.ms=0", "=0 is not valid: as segment.ms it takes an integer of at least 1"),
        (
            "log.dirs=/a,/b",
            "=/a,/b is not valid: this version keeps its data in one directory, name one",
        ),
        ("log.dirs=", "= is not valid: it takes a directory"),
        (
            "process.roles=broker",
            "=broker is not valid: this version is always both, write broker,controller",
        ),
        (
            "controller.quorum.voters=1@a:9093,2@b:9093",
            "=1@a:9093,2@b:9093 is not valid: the metadata quorum of this version has one voter, \
             list this node alone",
        ),
        ("shard.cpus=0-4", "=0-4 is not valid: the process may not use CPU 3, it may use 0,1,2"),
        ("shard.cpus=x", "=x is not valid: `x` is no CPU and no range of CPUs like 0-3"),
        ("control.cpu=9", "=9 is not valid: the process may not use that CPU, it may use 0,1,2"),
        ("num.shards=129", "=129 is not valid: it takes an integer from 1 to 128"),
        (
            "memory.bytes=33554432",
            "=33554432 is not valid: 2 shards need at least 67108864, or give fewer shards",
        ),
        (
            "memory.bytes=99999999999",
            "=99999999999 is not valid: the process may use 4294967296 in all",
        ),
        (
            "journal.bytes=8388608",
            "=8388608 is not valid: 2 shards need at least 16777216, or give fewer shards",
        ),
        ("admin.listener=9644", "=9644 is not valid: it takes host:port"),
        (
            "listeners=PLAINTEXT",
            "=PLAINTEXT is not valid: `PLAINTEXT` is not of the form NAME://host:port",
        ),
        (
            "listeners=PLAINTEXT://:99999",
            "=PLAINTEXT://:99999 is not valid: `PLAINTEXT://:99999` is not of the form NAME://host:port",
        ),
        (
            "listeners=PLAINTEXT://:1,plaintext://:2",
            "=PLAINTEXT://:1,plaintext://:2 is not valid: the listener name PLAINTEXT stands in it twice",
        ),
        (
            "listeners=SASL_SSL://:9092",
            "=SASL_SSL://:9092 is not valid: the listener SASL_SSL speaks SASL_SSL, but this \
             version has no TLS and no SASL, and serving it in plain text would expose it: use \
             PLAINTEXT listeners",
        ),
        (
            "listeners=INSIDE://:9092",
            "=INSIDE://:9092 is not valid: the listener INSIDE has no protocol, add \
             INSIDE:PLAINTEXT to listener.security.protocol.map",
        ),
        (
            "advertised.listeners=PLAINTEXT://0.0.0.0:9092",
            "=PLAINTEXT://0.0.0.0:9092 is not valid: clients cannot connect to the host of \
             `PLAINTEXT://0.0.0.0:9092`, name one",
        ),
        (
            "advertised.listeners=OTHER://a:9092",
            "=OTHER://a:9092 is not valid: there is no listener OTHER in listeners",
        ),
        (
            "broker.id=2\nnode.id=3",
            "=2 is not valid: node.id=3 says otherwise, and both name this broker",
        ),
    ] {
        let key = text.split('=').next().unwrap();
        let message = format!("server.properties:2: {key}{message}");
        check_error(&format!("# first\n{text}"), &[], &message);
    }
}

#[test]
fn other_errors_are_one_sentence_too() {
    check_error("", &["node.id"], "--override node.id: it has to be key=value");
    check_error("", &["nod.id=1"], "--override nod.id: no such key, did you mean node.id?");
    check_error("", &["foo=1"], "--override foo: no such key");
    check_error(
        "node.id=1",
        &["node.id=x"],
        "--override: node.id=x is not valid: it takes an integer of at least 0",
    );
    check_error("a=1\nb=\\u1", &[], "server.properties:2: malformed \\uxxxx encoding");
    check_error(
        "log.cleaner.min.compaction.lag.ms=9\nlog.cleaner.max.compaction.lag.ms=8",
        &[],
        "server.properties:1: log.cleaner.min.compaction.lag.ms=9 is not valid: conflict topic \
         config setting min.compaction.lag.ms (9) > max.compaction.lag.ms (8)",
    );
    check_error(
        "controller.listener.names=PLAINTEXT",
        &[],
        "the default listeners=PLAINTEXT://:9092: no listener is left for clients",
    );
    let small = Machine { memory_bytes: 1 << 20, ..machine() };
    assert_eq!(
        BrokerConfig::load(None, &[], &small).map(|_| ()).unwrap_err().to_string(),
        "2 shards need at least 67108864 bytes of memory and the process may use 1048576: set \
         num.shards lower"
    );
}

#[test]
fn secrets_are_never_shown() {
    let text = "ssl.key.password=geheim\nsasl.jaas.config=geheim";
    let (config, remarks) = load_file(text, &[]).unwrap();
    let shown = format!("{remarks:?} {:?}", config.entries);
    assert!(!shown.contains("geheim"), "{shown}");
}

#[test]
fn remarks_help_with_typing_errors() {
    assert_eq!(
        remarks("num.partition=3\nzookeeper.connect=a"),
        [
            "server.properties:1: unknown key num.partition, did you mean num.partitions?",
            "server.properties:2: unknown key zookeeper.connect",
        ]
    );
    assert_eq!(
        remarks("offsets.load.buffer.size=3"),
        ["server.properties:1: offsets.load.buffer.size has no effect: the coordinator reads in \
          pieces of its own size, and its records are not compressed"]
    );
    assert_eq!(
        remarks("log.cleanup.policy=compact,delete"),
        [
            "server.properties:1: log.cleanup.policy=compact,delete acts in part: compact keeps every \
          record until a later version compacts"
        ]
    );
    assert_eq!(remarks("log.cleanup.policy=delete"), [""; 0]);
}

#[test]
fn the_last_of_a_key_wins() {
    let text = "num.partitions=2\nnum.partitions=3";
    let partitions = |overrides: &[&str]| load_file(text, overrides).unwrap().0.num_partitions;
    assert_eq!(partitions(&[]), 3);
    assert_eq!(partitions(&["num.partitions=4"]), 4);
    assert_eq!(partitions(&["num.partitions=4", " num.partitions = 5"]), 5);
}

#[test]
fn listeners_are_named_and_advertised() {
    let map = "listener.security.protocol.map=IN:PLAINTEXT,OUT:PLAINTEXT,C:PLAINTEXT";
    let listeners = "listeners=IN://[::1]:9092,out://0.0.0.0:0,C://:9093";
    let overrides = [map, listeners, "controller.listener.names=C"];
    let listener = |name: &str, address: HostPort, advertised| Listener {
        name: name.into(),
        advertised,
        address,
    };
    assert_eq!(
        load(&overrides).unwrap().listeners,
        [
            listener("IN", address("::1", 9092), address("::1", 9092)),
            listener("OUT", address("0.0.0.0", 0), address("here", 0)),
        ]
    );
    let advertised = "advertised.listeners=OUT://example.org:19092";
    let overrides = [&overrides[..], &[advertised]].concat();
    let out = &load(&overrides).unwrap().listeners[1];
    assert_eq!(out.advertised, address("example.org", 19092));
}

#[test]
fn shards_are_spread_over_cpus() {
    let cpus = |overrides: &[&str]| load(overrides).unwrap().shard_cpus;
    assert_eq!(cpus(&[]), [0, 1], "one CPU is left to the kernel");
    assert_eq!(cpus(&["num.shards=1"]), [0]);
    assert_eq!(cpus(&["shard.cpus=0-2"]), [0, 1, 2]);
    assert_eq!(cpus(&["num.shards=4"]), [0, 1, 2, 0]);
    assert_eq!(cpus(&["shard.cpus=1,0"]), [1, 0]);
    assert_eq!(cpus(&["shard.cpus=1", "num.shards=2"]), [1, 1]);
    let limited = Machine { cpus: vec![0, 2, 1, 3], parallelism: 3, ..machine() };
    let cpus = |overrides: &[&str]| {
        BrokerConfig::load(None, &owned(overrides), &limited).unwrap().0.shard_cpus
    };
    assert_eq!(cpus(&[]), [0, 2], "the quota says how many, the cores which");
    assert_eq!(cpus(&["num.shards=4"]), [0, 2, 1, 3]);
    assert_eq!(cpus(&["shard.cpus=0-3"]), [0, 1, 2, 3]);
    let single = Machine { cpus: vec![3], parallelism: 1, ..machine() };
    assert_eq!(BrokerConfig::load(None, &[], &single).unwrap().0.shard_cpus, [3]);
}

fn line_of(kind: &str, entry: &ConfigEntry) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or("null".into());
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|one| format!("{}={}@{}", one.name, text(&one.value), one.source.code()))
        .collect();
    [
        kind,
        entry.key.name,
        &text(&entry.value),
        &entry.source.code().to_string(),
        &entry.key.sensitive().to_string(),
        &entry.read_only.to_string(),
        &entry.key.kind.code().to_string(),
        &synonyms.join(";"),
    ]
    .join("\t")
}

/// Kafka's line as ours has to be: other defaults, and no key of a broker changes while it runs.
fn ours(line: &str) -> String {
    let never = i64::MAX.to_string();
    let mut cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
    match cells[1].as_str() {
        "flush.messages" | "log.flush.interval.messages" => {
            let default = format!("log.flush.interval.messages={never}@5");
            cells[7] = cells[7].replace(&default, "log.flush.interval.messages=1@5");
            if cells[3] == ConfigSource::DefaultConfig.code().to_string() {
                cells[2] = "1".into();
            }
        }
        "log.dir" => {
            cells[2] = "./data".into();
            cells[7] = "log.dir=./data@5".into();
        }
        "node.id" => cells[7].push_str(";node.id=1@5"),
        "process.roles" => cells[7].push_str(";process.roles=broker,controller@5"),
        // Kafka copies node.id to its older name.
        "broker.id" => {
            cells[2] = "-1".into();
            cells[3] = "5".into();
            cells[7] = "broker.id=-1@5".into();
        }
        _ => {}
    }
    if cells[0] == "broker-entry" {
        cells[5] = "true".into();
    }
    cells.join("\t")
}

/// Kafka's own answers, from `tests/vectors/java/DescribeConfigsVectors.java`: which form of a key
/// wins, where a value comes from, and the order of the answer.
#[test]
fn configs_are_described_as_by_kafka() {
    let vectors = include_str!("../../tests/vectors/config/describe-configs.tsv");
    let cases: Vec<&str> = vectors.split("case\n").skip(1).collect();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let mut file = String::from(
            "node.id=1\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
             advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
             controller.quorum.bootstrap.servers=localhost:9093\n",
        );
        let mut overrides = TopicOverrides::new();
        let mut expected = Vec::new();
        for line in case.lines() {
            match line.split('\t').collect::<Vec<_>>().as_slice() {
                ["broker", key, value] => file.push_str(&format!("{key}={value}\n")),
                ["topic", key, value] => {
                    overrides.insert((*key).into(), (*value).into());
                }
                _ => expected.push(ours(line)),
            }
        }
        let (config, _) = load_file(&file, &[]).unwrap();
        let topic = describe_topic(&config.topic_defaults, &overrides);
        let mut described: Vec<String> =
            topic.iter().map(|entry| line_of("topic-entry", entry)).collect();
        if expected.len() > described.len() {
            let entries = config.entries.iter().map(|entry| line_of("broker-entry", entry));
            described.extend(entries);
            let own: Vec<String> = described.drain(expected.len()..).collect();
            assert_eq!(own.len(), 10);
            assert!(own[0].contains("num.shards"));
        }
        for (described, expected) in described.iter().zip(&expected) {
            assert_eq!(described, expected, "{file}");
        }
        assert_eq!(described.len(), expected.len());
    }
    let documentation = BROKER_KEYS.find("num.partitions").unwrap().documentation();
    assert!(documentation.starts_with("The default number of log partitions per topic. "));
}

#[test]
fn no_file_makes_it_panic() {
    let stock = include_bytes!("stock-server.properties");
    for size in (0..stock.len()).step_by(13) {
        let file = ConfigFile { name: "f", bytes: &stock[..size] };
        let _ = BrokerConfig::load(Some(file), &[], &machine());
    }
    let lines: &[u8] =
        b"listeners=A://[::1]:1,B://h:2\nlistener.security.protocol.map=A:PLAINTEXT\n\
        shard.cpus=0-1\nmemory.bytes=99999999\nlog.retention.hours=2147483647\nadmin.listener=a:1\n\
        node.id=1\nadvertised.listeners=A://x:1";
    for at in 0..lines.len() {
        for byte in *b"\\,9" {
            let mut mutated = lines.to_vec();
            mutated[at] = byte;
            let file = ConfigFile { name: "f", bytes: &mutated };
            let _ = BrokerConfig::load(Some(file), &[], &machine());
        }
    }
}
