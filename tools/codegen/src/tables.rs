//! The files over all messages: the API keys, the module list, the table for tests.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use crate::emit::header;
use crate::model::{Kind, Message};
use crate::names::snake;
use crate::versions::Versions;

/// One API: a request and its response.
pub struct Api {
    pub key: i16,
    pub name: String,
    pub versions: Versions,
    pub latest_stable: i16,
    pub on_broker: bool,
    pub request_flexible: Versions,
    pub response_flexible: Versions,
}

/// Pairs requests with responses, in the order of their keys.
pub fn apis(messages: &[Message]) -> Result<Vec<Api>> {
    let mut apis = Vec::new();
    for request in messages.iter().filter(|message| message.kind == Kind::Request) {
        let key = request.key.with_context(|| format!("{} has no key", request.name))?;
        let response = messages
            .iter()
            .find(|message| message.kind == Kind::Response && message.key == Some(key))
            .with_context(|| format!("{} has no response", request.name))?;
        ensure!(response.versions == request.versions, "versions of {} differ", request.name);
        apis.push(Api {
            key,
            name: request.name.trim_end_matches("Request").to_owned(),
            versions: request.versions,
            latest_stable: request.versions.max - i16::from(request.latest_unstable),
            on_broker: request.on_broker,
            request_flexible: request.flexible,
            response_flexible: response.flexible,
        });
    }
    apis.sort_by_key(|api| api.key);
    Ok(apis)
}

/// The file with the enum of API keys.
pub fn api_keys(apis: &[Api], source: &str) -> String {
    let mut text = header("The API keys", source);
    text += "use crate::protocol::api_key::ApiVersionInfo;\nuse crate::protocol::types::VersionRange;\n\n";
    text += "/// An API of the Kafka protocol.\n";
    text += "#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(i16)]\n";
    text += "pub enum ApiKey {\n";
    for api in apis {
        let _ = writeln!(text, "{} = {},", api.name, api.key);
    }
    text += "}\n\nimpl ApiKey {\n/// Every API, in the order of the keys.\n";
    let _ = writeln!(text, "pub const ALL: [ApiKey; {}] = [", apis.len());
    for api in apis {
        let _ = writeln!(text, "ApiKey::{},", api.name);
    }
    text += "];\n\n/// The API of a key on the wire.\n";
    text += "pub const fn from_wire(key: i16) -> Option<ApiKey> {\nSome(match key {\n";
    for api in apis {
        let _ = writeln!(text, "{} => ApiKey::{},", api.key, api.name);
    }
    text += "_ => return None,\n})\n}\n\n/// What is known of the API's versions.\n";
    text += "pub const fn info(self) -> ApiVersionInfo {\nmatch self {\n";
    for api in apis {
        let _ = writeln!(
            text,
            "ApiKey::{} => info({:?}, {}, {}, {}, {}, {}, {}),",
            api.name,
            api.name,
            api.versions.min,
            api.versions.max,
            api.latest_stable,
            api.on_broker,
            flexible_from(api.request_flexible),
            flexible_from(api.response_flexible)
        );
    }
    text += "}\n}\n}\n\n";
    text + "const fn info(name: &'static str, min: i16, max: i16, latest_stable: i16, \
           on_broker: bool, request_flexible_from: i16, response_flexible_from: i16) -> ApiVersionInfo {\n\
           ApiVersionInfo { name, versions: VersionRange { min, max }, latest_stable, \
           on_broker, request_flexible_from, response_flexible_from }\n}\n"
}

fn flexible_from(flexible: Versions) -> String {
    if flexible.is_empty() { "i16::MAX".into() } else { flexible.min.to_string() }
}

/// The list of modules.
pub fn module(messages: &[Message], source: &str) -> String {
    let mut text = header("The messages", source);
    text += "pub mod api_keys;\n";
    for message in messages {
        let _ = writeln!(text, "pub mod {};", snake(&message.name));
    }
    text + "pub mod rewrite;\n"
}

/// The table of all messages, for tests and fuzzing.
pub fn rewrite(messages: &[Message], source: &str) -> String {
    let mut text = header("The table of all messages", source);
    text +=
        "use super::*;\nuse crate::protocol::rewrite::{MessageKind, MessageRewrite, entry};\n\n";
    text += "/// Every message.\n";
    let _ = writeln!(text, "pub static MESSAGES: [MessageRewrite; {}] = [", messages.len());
    for message in messages {
        let _ = writeln!(
            text,
            "entry!({}::{}, MessageKind::{:?}, {}),",
            snake(&message.name),
            message.name,
            message.kind,
            message.key.unwrap_or(-1)
        );
    }
    text + "];\n"
}
