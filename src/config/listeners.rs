//! Where clients connect: `listeners`, their protocols, and what is advertised of them.

use super::broker_config::Machine;
use super::settings::{ConfigError, Settings};

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, an IPv6 address without its brackets; empty for all interfaces.
    pub host: String,
    /// The port; 0 lets the kernel choose one.
    pub port: u16,
}

impl HostPort {
    /// Parses `host:port` and `[address]:port`.
    pub fn parse(text: &str) -> Option<HostPort> {
        let (host, port) = text.rsplit_once(':')?;
        let host = match host.strip_prefix('[') {
            Some(address) => address.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        if !host.chars().all(allowed) || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(HostPort { host: host.into(), port: port.parse().ok()? })
    }
}

/// A listener for clients; all of them speak PLAINTEXT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, `PLAINTEXT` unless the operator chose others.
    pub name: String,
    /// Where it listens.
    pub address: HostPort,
    /// What clients are told to connect to. A port of 0 stands for the one that the kernel chose.
    pub advertised: HostPort,
}

/// The protocols of `listener.security.protocol.map`.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// The listeners for clients. Those of the controller are checked and left out: a quorum of one
/// voter talks to nobody.
///
/// # Errors
/// For whatever is no listener, stands twice, has no protocol, or speaks another than PLAINTEXT.
pub fn listeners(settings: &Settings, machine: &Machine) -> Result<Vec<Listener>, ConfigError> {
    let texts = settings.list("listeners");
    let controllers = settings.list("controller.listener.names");
    let protocols = protocol_map(settings)?;
    let mut all: Vec<(String, HostPort)> = Vec::new();
    for text in &texts {
        let refuse = |reason: String| settings.invalid("listeners", reason);
        let (name, address) = parse_listener(text).map_err(refuse)?;
        if all.iter().any(|(other, _)| *other == name) {
            return Err(refuse(format!("the listener name {name} stands in it twice")));
        }
        let taken = |(_, other): &(String, HostPort)| other.port == address.port;
        if address.port != 0 && all.iter().any(taken) {
            return Err(refuse(format!("the port {} stands in it twice", address.port)));
        }
        check_protocol(settings, &protocols, &controllers, &name)?;
        all.push((name, address));
    }
    let advertised = advertised(settings)?;
    if let Some((name, _)) = advertised.iter().find(|(name, _)| !all.iter().any(|(n, _)| n == name))
    {
        let reason = format!("there is no listener {name} in listeners");
        return Err(settings.invalid("advertised.listeners", reason));
    }
    let for_clients = all.into_iter().filter(|(name, _)| !controllers.contains(name));
    let listeners: Vec<Listener> = for_clients
        .map(|(name, address)| {
            let given = advertised.iter().find(|(other, _)| *other == name);
            let advertised = match given {
                Some((_, advertised)) => advertised.clone(),
                None => reachable(&address, machine),
            };
            Listener { name, address, advertised }
        })
        .collect();
    match listeners.is_empty() {
        true => Err(settings.invalid("listeners", "no listener is left for clients")),
        false => Ok(listeners),
    }
}

/// What to advertise of an address when the operator did not say: an address that means "all
/// interfaces" helps no client, so the machine's name stands for it, as in Kafka.
fn reachable(address: &HostPort, machine: &Machine) -> HostPort {
    let everywhere = matches!(address.host.as_str(), "" | "0.0.0.0" | "::");
    let host = if everywhere { &machine.host_name } else { &address.host };
    HostPort { host: host.clone(), port: address.port }
}

fn parse_listener(text: &str) -> Result<(String, HostPort), String> {
    let parsed = text.split_once("://").and_then(|(name, address)| {
        let letters = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let named = !name.is_empty() && name.chars().all(letters);
        // Kafka takes names in any case and compares them in upper case.
        named.then_some((name.to_ascii_uppercase(), HostPort::parse(address)?))
    });
    parsed.ok_or_else(|| format!("`{text}` is not of the form NAME://host:port"))
}

fn advertised(settings: &Settings) -> Result<Vec<(String, HostPort)>, ConfigError> {
    const KEY: &str = "advertised.listeners";
    let mut all: Vec<(String, HostPort)> = Vec::new();
    for text in settings.list(KEY) {
        let (name, address) =
            parse_listener(&text).map_err(|reason| settings.invalid(KEY, reason))?;
        if matches!(address.host.as_str(), "" | "0.0.0.0" | "::") {
            let reason = format!("clients cannot connect to the host of `{text}`, name one");
            return Err(settings.invalid(KEY, reason));
        }
        if all.iter().any(|(other, _)| *other == name) {
            let reason = format!("the listener name {name} stands in it twice");
            return Err(settings.invalid(KEY, reason));
        }
        all.push((name, address));
    }
    Ok(all)
}

fn protocol_map(settings: &Settings) -> Result<Vec<(String, String)>, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    let parse = |part: &str| {
        let (name, protocol) = part.trim().split_once(':')?;
        let protocol = protocol.trim().to_ascii_uppercase();
        PROTOCOLS
            .contains(&protocol.as_str())
            .then_some((name.trim().to_ascii_uppercase(), protocol))
    };
    let text = settings.text(KEY).unwrap_or_default();
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts
        .map(|part| {
            parse(part).ok_or_else(|| {
                let reason =
                    format!("`{part}` is not NAME:PROTOCOL, with {}", PROTOCOLS.join(", "));
                settings.invalid(KEY, reason)
            })
        })
        .collect()
}

fn check_protocol(
    settings: &Settings,
    protocols: &[(String, String)],
    controllers: &[String],
    name: &str,
) -> Result<(), ConfigError> {
    let protocol = protocols.iter().find(|(listener, _)| listener == name);
    let protocol = protocol.map(|(_, protocol)| protocol.as_str());
    // Kafka gives PLAINTEXT to a controller's listener where the map was left alone.
    let left_alone = settings.given("listener.security.protocol.map").is_none();
    let is_controller = left_alone && controllers.iter().any(|controller| controller == name);
    match protocol {
        Some("PLAINTEXT") => Ok(()),
        None if is_controller => Ok(()),
        Some(protocol) => {
            let reason = format!(
                "the listener {name} speaks {protocol}, but this version has no TLS and no SASL, \
                 and serving it in plain text would expose it: use PLAINTEXT listeners"
            );
            Err(settings.invalid("listeners", reason))
        }
        None => {
            let reason = format!(
                "the listener {name} has no protocol, add {name}:PLAINTEXT to \
                 listener.security.protocol.map"
            );
            Err(settings.invalid("listeners", reason))
        }
    }
}
