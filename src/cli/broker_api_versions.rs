//! `broker-api-versions`: what each broker speaks, as `kafka-broker-api-versions` prints it.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use super::java_order::{combined, hash_code, sort_by_hash};
use super::options::Options;
use super::tool::{Help, Stop, block_on, bootstrap, load_properties, print};
use super::tools::Tool;
use crate::client::{Admin, ApiVersions, BrokerNode, ClientOptions, Cluster};
use crate::protocol::api_key::ApiKey;

const HELP: Help = Help {
    purpose: "This tool helps to retrieve broker version information.",
    options: include_str!("help/broker-api-versions.txt"),
};

/// The tool.
pub const TOOL: Tool = Tool {
    name: "broker-api-versions",
    about: "Print which versions of which APIs each broker speaks",
    help: HELP,
    run: run_tool,
};

/// The tool's own default of `request.timeout.ms`, shorter than that of an admin client.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// APIs that Kafka 4 dropped and still knows by name.
const DROPPED: [(i16, &str); 4] =
    [(4, "LeaderAndIsr"), (5, "StopReplica"), (6, "UpdateMetadata"), (7, "ControlledShutdown")];

/// `Boolean.hashCode` of false: whether a broker is fenced, which Metadata does not say.
const FALSE_HASH_CODE: u32 = 1237;

/// Runs the tool.
fn run_tool(arguments: &[String]) -> ExitCode {
    HELP.end(begin(arguments))
}

fn begin(arguments: &[String]) -> Result<ExitCode, Stop> {
    let options = Options::parse(HELP.options, arguments)?;
    HELP.check(arguments, &options)?;
    Help::require(&options, &["bootstrap-server"])?;
    let mut properties =
        options.one("command-config")?.map(load_properties).transpose()?.unwrap_or_default();
    let servers = bootstrap(options.one("bootstrap-server")?.unwrap_or_default())?;
    let mut client = ClientOptions::new(servers, "admin-1");
    client.request_timeout = REQUEST_TIMEOUT;
    client.api_timeout = REQUEST_TIMEOUT;
    let client = super::client_options::client(client, &mut properties)?;
    super::client_options::warn_unused(&properties);
    let admin = Admin::new(Cluster::new(client));
    block_on(run(admin)).map_err(|error| Stop::Failed(error.to_string()))??;
    Ok(ExitCode::SUCCESS)
}

async fn run(mut admin: Admin) -> Result<(), Stop> {
    let mut brokers = admin.brokers().await?;
    sort_by_hash(&mut brokers, 16, node_hash_code);
    for broker in brokers {
        let mut text = described(&broker);
        match admin.api_versions(&broker.address).await {
            Ok(versions) => write_versions(&mut text, &versions),
            Err(error) => text.push_str(&format!("ERROR: {error}")),
        }
        text.push('\n');
        print(&text);
    }
    Ok(())
}

fn node_hash_code(broker: &BrokerNode) -> u32 {
    combined([
        1,
        hash_code(&broker.address.host),
        broker.id as u32,
        u32::from(broker.address.port),
        broker.rack.as_deref().map_or(0, hash_code),
        FALSE_HASH_CODE,
    ])
}

fn described(broker: &BrokerNode) -> String {
    let (address, id) = (&broker.address, broker.id);
    let rack = broker.rack.as_deref().unwrap_or("null");
    format!("{}:{} (id: {id} rack: {rack} isFenced: false) -> ", address.host, address.port)
}

/// What a broker speaks, and of the rest what clients may ask brokers for (`NodeApiVersions.toString`).
fn write_versions(text: &mut String, versions: &[ApiVersions]) {
    let mut lines: Vec<(i16, String)> =
        versions.iter().map(|spoken| (spoken.key, spoken_line(spoken))).collect();
    for api in ApiKey::ALL.into_iter().filter(|api| api.is_on_broker()) {
        if !versions.iter().any(|spoken| spoken.key == api.wire()) {
            lines.push((api.wire(), format!("{}({}): UNSUPPORTED", api.name(), api.wire())));
        }
    }
    lines.sort();
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    // A string takes everything.
    let _ = write!(text, "(\n\t{}\n)", lines.join(",\n\t"));
}

fn spoken_line(spoken: &ApiVersions) -> String {
    let ApiVersions { key, min, max } = *spoken;
    let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
    let dropped = DROPPED.iter().find(|(dropped, _)| *dropped == key).map(|(_, name)| *name);
    match (ApiKey::from_wire(key), dropped) {
        (Some(api), _) => {
            let ours = api.versions();
            let usable = if ours.max < min {
                "unusable: node too new".to_owned()
            } else if max < ours.min {
                "unusable: node too old".to_owned()
            } else {
                format!("usable: {}", ours.max.min(max))
            };
            format!("{}({key}): {range} [{usable}]", api.name())
        }
        (None, Some(name)) => format!("{name}({key}): {range} [unusable: node too new]"),
        (None, None) => format!("UNKNOWN({key}): {range}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Address;

    /// What Kafka 4.4.0's `NodeApiVersions` prints for `SPOKEN`.
    const EXPECTED: &str = include_str!("kafka-4.4.0-node-api-versions.txt");

    const SPOKEN: [(i16, i16, i16); 10] = [
        (0, 0, 12),
        (1, 4, 99),
        (3, 20, 21),
        (4, 0, 7),
        (5, 1, 1),
        (18, 0, 5),
        (22, 0, 6),
        (52, 0, 0),
        (999, 1, 2),
        (57, 0, 2),
    ];

    #[test]
    fn the_list_is_kafkas() {
        let versions = SPOKEN.map(|(key, min, max)| ApiVersions { key, min, max });
        let mut text = String::new();
        write_versions(&mut text, &versions);
        assert_eq!(text + "\n", EXPECTED);
        let old = spoken_line(&ApiVersions { key: 0, min: 0, max: 2 });
        assert_eq!(old, "Produce(0): 0 to 2 [unusable: node too old]");
    }

    #[test]
    fn a_broker_is_described_as_kafka_describes_it() {
        let address = Address { host: "127.0.0.1".to_owned(), port: 23100 };
        let broker = BrokerNode { id: 1, address, rack: None };
        assert_eq!(described(&broker), "127.0.0.1:23100 (id: 1 rack: null isFenced: false) -> ");
        let broker = BrokerNode { rack: Some("r".to_owned()), ..broker };
        assert_eq!(described(&broker), "127.0.0.1:23100 (id: 1 rack: r isFenced: false) -> ");
    }
}
