//! Configs of any resource, topics and brokers among them: described in full and altered.

use std::borrow::Cow;

use super::address::Address;
use super::admin::{Admin, check};
use super::cluster::Retry;
use super::connection::Answer;
use super::error::ClientError;
use super::request::Request;
use crate::model::ErrorCode;
use crate::model::ids::BrokerId;
use crate::protocol::api_key::ApiKey;
use crate::protocol::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use crate::protocol::describe_configs_response::DescribeConfigsResourceResult;
use crate::protocol::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use crate::protocol::list_config_resources_request::ListConfigResourcesRequest;

/// What a config belongs to (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A topic.
    Topic,
    /// A broker, by its id; an empty name is the default of all.
    Broker,
    /// A broker's loggers.
    BrokerLogger,
    /// A subscription to client metrics.
    ClientMetrics,
    /// A group.
    Group,
}

impl ResourceKind {
    fn code(self) -> i8 {
        match self {
            ResourceKind::Topic => 2,
            ResourceKind::Broker => 4,
            ResourceKind::BrokerLogger => 8,
            ResourceKind::ClientMetrics => 16,
            ResourceKind::Group => 32,
        }
    }
}

/// One config of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceConfig {
    /// Its name.
    pub name: String,
    /// `None` where it is secret or not set.
    pub value: Option<String>,
    /// Where the value comes from (`DescribeConfigsResponse.ConfigSource`).
    pub source: i8,
    /// True where the value is secret.
    pub is_sensitive: bool,
    /// Where a value may come from, the one that wins first.
    pub synonyms: Vec<ConfigSynonym>,
}

/// One place of a config's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    /// The config's name there.
    pub name: String,
    /// `None` where it is secret.
    pub value: Option<String>,
    /// The place (`DescribeConfigsResponse.ConfigSource`).
    pub source: i8,
}

/// What becomes of a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// Its name.
    pub name: String,
    /// The value to set; `None` takes what is set back.
    pub value: Option<String>,
}

impl Admin {
    /// The configs of a resource with their synonyms; those of a broker are asked of the broker itself.
    pub async fn resource_configs(
        &mut self,
        kind: ResourceKind,
        name: &str,
    ) -> Result<Vec<ResourceConfig>, ClientError> {
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: kind.code(),
                resource_name: Cow::Borrowed(name),
                ..DescribeConfigsResource::default()
            }],
            include_synonyms: true,
            ..DescribeConfigsRequest::default()
        };
        let answer = self.call_owner(kind, name, &request).await?;
        let response = answer.decode()?;
        let result = response.results.first();
        let result =
            result.ok_or_else(|| ClientError::refused(ErrorCode::UnknownServerError, None))?;
        check(result.error_code, result.error_message.as_deref())?;
        Ok(result.configs.iter().map(config).collect())
    }

    /// Changes configs of a resource, all or none.
    pub async fn alter_configs(
        &mut self,
        kind: ResourceKind,
        name: &str,
        changes: &[ConfigChange],
    ) -> Result<(), ClientError> {
        let change = |change: &ConfigChange| AlterableConfig {
            name: Cow::Owned(change.name.clone()),
            // `AlterConfigOp.OpType`: 0 sets, 1 deletes.
            config_operation: change.value.is_none().into(),
            value: Some(Cow::Owned(change.value.clone().unwrap_or_default())),
            ..AlterableConfig::default()
        };
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: kind.code(),
                resource_name: Cow::Borrowed(name),
                configs: changes.iter().map(change).collect(),
                ..AlterConfigsResource::default()
            }],
            ..IncrementalAlterConfigsRequest::default()
        };
        let answer = self.call_owner(kind, name, &request).await?;
        for result in answer.decode()?.responses {
            check(result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    }

    /// The names of the resources of a kind that have configs of their own.
    pub async fn config_resources(
        &mut self,
        kind: ResourceKind,
    ) -> Result<Vec<String>, ClientError> {
        let request = ListConfigResourcesRequest {
            resource_types: vec![kind.code()],
            ..ListConfigResourcesRequest::default()
        };
        let answer = self.cluster.call(&request).await?;
        let response = answer.decode()?;
        check(response.error_code, None)?;
        let resources = response.config_resources.iter();
        let of_kind = resources.filter(|resource| resource.resource_type == kind.code());
        Ok(of_kind.map(|resource| resource.resource_name.to_string()).collect())
    }

    /// True where the cluster has the API in any version.
    pub async fn has_api(&mut self, api: ApiKey) -> Result<bool, ClientError> {
        self.cluster.has_api(api).await
    }

    /// Asks the broker that a resource names, or any broker.
    async fn call_owner<R: Request>(
        &mut self,
        kind: ResourceKind,
        name: &str,
        request: &R,
    ) -> Result<Answer<R>, ClientError> {
        let is_of_broker = matches!(kind, ResourceKind::Broker | ResourceKind::BrokerLogger);
        let Some(broker) = name.parse().ok().filter(|_| is_of_broker) else {
            return self.cluster.call(request).await;
        };
        let options = self.cluster.options();
        let mut retry = Retry::new(options, options.api_timeout);
        loop {
            self.cluster.refresh(Some(&[]), false).await?;
            let Some(address) = self.cluster.address_of(BrokerId(broker)).cloned() else {
                return Err(no_such_broker(broker));
            };
            match self.call_at(&address, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => retry.after(failure).await?,
            }
        }
    }

    async fn call_at<R: Request>(
        &mut self,
        address: &Address,
        request: &R,
    ) -> Result<Answer<R>, ClientError> {
        let patience = self.cluster.options().request_timeout;
        let mut connection = self.cluster.take(address).await?;
        let answer = connection.call(request, patience).await;
        self.cluster.settle(connection, answer)
    }
}

/// Kafka's admin client waits for such a broker until its time is up; it comes no sooner by that.
fn no_such_broker(broker: i32) -> ClientError {
    let message = format!("Timed out waiting for a node assignment: there is no broker {broker}.");
    ClientError::refused(ErrorCode::RequestTimedOut, Some(&message))
}

fn config(entry: &DescribeConfigsResourceResult<'_>) -> ResourceConfig {
    let synonyms = entry.synonyms.iter().map(|synonym| ConfigSynonym {
        name: synonym.name.to_string(),
        value: synonym.value.as_deref().map(str::to_owned),
        source: synonym.source,
    });
    ResourceConfig {
        name: entry.name.to_string(),
        value: entry.value.as_deref().map(str::to_owned),
        source: entry.config_source,
        is_sensitive: entry.is_sensitive,
        synonyms: synonyms.collect(),
    }
}
