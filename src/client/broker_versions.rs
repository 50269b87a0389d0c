//! Which brokers there are, and which versions of which APIs each one speaks.

use super::address::Address;
use super::admin::Admin;
use super::error::ClientError;
use crate::model::ErrorCode;
use crate::protocol::api_versions_request::ApiVersionsRequest;
use crate::protocol::metadata_request::MetadataRequest;

/// A broker, as metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerNode {
    /// `node.id`.
    pub id: i32,
    /// Where it listens.
    pub address: Address,
    /// `broker.rack`.
    pub rack: Option<String>,
}

/// An API by its number, with the versions that a broker speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersions {
    /// The number on the wire.
    pub key: i16,
    /// The oldest version.
    pub min: i16,
    /// The newest version.
    pub max: i16,
}

impl Admin {
    /// Every broker of the cluster.
    pub async fn brokers(&mut self) -> Result<Vec<BrokerNode>, ClientError> {
        // No topic at all, not every topic.
        let request = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
        let answer = self.cluster.call(&request).await?;
        let nodes = answer.decode()?.brokers.into_iter().filter_map(|broker| {
            Some(BrokerNode {
                id: broker.node_id,
                address: Address {
                    host: broker.host.to_string(),
                    port: u16::try_from(broker.port).ok()?,
                },
                rack: broker.rack.map(|rack| rack.into_owned()),
            })
        });
        Ok(nodes.collect())
    }

    /// What the broker at `address` says it speaks.
    pub async fn api_versions(
        &mut self,
        address: &Address,
    ) -> Result<Vec<ApiVersions>, ClientError> {
        let patience = self.cluster.options().request_timeout;
        let mut connection = self.cluster.take(address).await?;
        let request = ApiVersionsRequest {
            client_software_name: "klamm".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
            ..ApiVersionsRequest::default()
        };
        let known = connection.version_of::<ApiVersionsRequest<'_>>();
        let request = if known.is_ok_and(|version| version < 3) {
            ApiVersionsRequest::default()
        } else {
            request
        };
        let answer = connection.call(&request, patience).await;
        let answer = self.cluster.settle(connection, answer)?;
        let response = answer.decode()?;
        let error = ErrorCode::from_code(response.error_code);
        if !error.is_none() {
            return Err(ClientError::refused(error, None));
        }
        let versions = response.api_keys.iter().map(|api| ApiVersions {
            key: api.api_key,
            min: api.min_version,
            max: api.max_version,
        });
        let mut versions: Vec<ApiVersions> = versions.collect();
        versions.sort();
        Ok(versions)
    }
}
