//! Calls that go to the leaders of partitions: ListOffsets and DeleteRecords, each outcome by itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::address::Address;
use super::admin::Admin;
use super::cluster::Retry;
use super::error::ClientError;
use super::request::Request;
use crate::model::ErrorCode;
use crate::protocol::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use crate::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

/// A partition and what a call says about it: a timestamp to look for, an offset to delete up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionArgument {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// In the unit of the call.
    pub argument: i64,
}

/// What a broker says about one partition: an error code, and the offset that was asked for.
struct Found {
    topic: String,
    partition: i32,
    code: i16,
    offset: i64,
}

impl Admin {
    /// The offset of each partition at its timestamp, which may be one of Kafka's negative ones; -1 where no
    /// record is so young. The outcomes are in the order of `wanted`.
    pub async fn list_offsets(
        &mut self,
        wanted: &[PartitionArgument],
    ) -> Result<Vec<Result<i64, ClientError>>, ClientError> {
        let timeout_ms = self.api_timeout_ms();
        let request = |parts: &[&PartitionArgument]| ListOffsetsRequest {
            replica_id: -1,
            topics: by_topic(parts, |name, parts| ListOffsetsTopic {
                name,
                partitions: parts.map(offsets_partition).collect(),
                ..ListOffsetsTopic::default()
            }),
            timeout_ms,
            ..ListOffsetsRequest::default()
        };
        let asked = Asked { wanted, version_min: version_of_timestamp, request };
        self.ask_leaders::<ListOffsetsRequest<'static>, _, _>(asked, |response| {
            let topics = response.topics.into_iter();
            let found = topics.flat_map(|topic| {
                let name = topic.name;
                topic.partitions.into_iter().map(move |found| Found {
                    topic: name.to_string(),
                    partition: found.partition_index,
                    code: found.error_code,
                    offset: found.offset,
                })
            });
            found.collect()
        })
        .await
    }

    /// Deletes the records of each partition below its offset, -1 being all; gives the log starts that result,
    /// in the order of `wanted`.
    pub async fn delete_records(
        &mut self,
        wanted: &[PartitionArgument],
    ) -> Result<Vec<Result<i64, ClientError>>, ClientError> {
        let timeout_ms = self.api_timeout_ms();
        let request = |parts: &[&PartitionArgument]| DeleteRecordsRequest {
            topics: by_topic(parts, |name, parts| DeleteRecordsTopic {
                name,
                partitions: parts.map(deleted_partition).collect(),
                ..DeleteRecordsTopic::default()
            }),
            timeout_ms,
            ..DeleteRecordsRequest::default()
        };
        let asked = Asked { wanted, version_min: |_| 0, request };
        self.ask_leaders::<DeleteRecordsRequest<'static>, _, _>(asked, |response| {
            let topics = response.topics.into_iter();
            let found = topics.flat_map(|topic| {
                let name = topic.name;
                topic.partitions.into_iter().map(move |found| Found {
                    topic: name.to_string(),
                    partition: found.partition_index,
                    code: found.error_code,
                    offset: found.low_watermark,
                })
            });
            found.collect()
        })
        .await
    }

    /// Asks each partition's leader, again where that may help, until all is known or time is up.
    async fn ask_leaders<R, B, F>(
        &mut self,
        asked: Asked<'_, B>,
        read: F,
    ) -> Result<Vec<Result<i64, ClientError>>, ClientError>
    where
        R: Request,
        B: Fn(&[&PartitionArgument]) -> R,
        F: for<'a> Fn(R::Response<'a>) -> Vec<Found>,
    {
        let wanted = asked.wanted;
        let options = self.cluster.options();
        let mut retry = Retry::new(options, options.api_timeout);
        let mut outcomes: Vec<Option<Result<i64, ClientError>>> = Vec::new();
        outcomes.resize_with(wanted.len(), || None);
        let mut names: Vec<&str> = wanted.iter().map(|part| part.topic.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        loop {
            self.cluster.refresh(Some(&names), false).await?;
            let open = (0..wanted.len()).filter(|at| outcomes[*at].is_none());
            let mut by_leader: BTreeMap<Option<Address>, Vec<usize>> = BTreeMap::new();
            for at in open {
                by_leader.entry(self.leader_of(&wanted[at])).or_default().push(at);
            }
            let mut failure = None;
            for (address, parts) in by_leader {
                let problem = match &address {
                    None => {
                        let code = self.why_no_leader(&wanted[parts[0]]);
                        Some(ClientError::refused(code, None))
                    }
                    Some(address) => {
                        self.ask_leader(address, &asked, &parts, &read, &mut outcomes).await
                    }
                };
                failure = problem.or(failure);
            }
            let Some(failure) = failure else { break };
            // A refusal for good is among the outcomes already: what comes here may be asked again.
            if let Err(given_up) = retry.after(failure).await {
                settle_open(&mut outcomes, &given_up);
                break;
            }
        }
        let unknown = || Err(ClientError::refused(ErrorCode::UnknownServerError, None));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unknown)).collect())
    }

    /// Asks one leader about `parts`; gives a failure after which to ask again.
    async fn ask_leader<R, B, F>(
        &mut self,
        address: &Address,
        asked: &Asked<'_, B>,
        parts: &[usize],
        read: &F,
        outcomes: &mut [Option<Result<i64, ClientError>>],
    ) -> Option<ClientError>
    where
        R: Request,
        B: Fn(&[&PartitionArgument]) -> R,
        F: for<'a> Fn(R::Response<'a>) -> Vec<Found>,
    {
        let chosen: Vec<&PartitionArgument> = parts.iter().map(|at| &asked.wanted[*at]).collect();
        let found = match self.call_leader(address, asked, &chosen, read).await {
            Ok(found) => found,
            Err(problem) if problem.is_retriable() => return Some(problem),
            Err(problem) => {
                for at in parts {
                    outcomes[*at] = Some(Err(repeated(&problem)));
                }
                return None;
            }
        };
        let mut failure = None;
        for at in parts {
            let part = &asked.wanted[*at];
            let answer = found
                .iter()
                .find(|found| found.topic == part.topic && found.partition == part.partition);
            let code = answer
                .map_or(ErrorCode::UnknownServerError, |answer| ErrorCode::from_code(answer.code));
            let problem = ClientError::refused(code, None);
            match answer {
                Some(answer) if code.is_none() => outcomes[*at] = Some(Ok(answer.offset)),
                _ if problem.is_retriable() => failure = Some(problem),
                _ => outcomes[*at] = Some(Err(problem)),
            }
        }
        failure
    }

    async fn call_leader<R, B, F>(
        &mut self,
        address: &Address,
        asked: &Asked<'_, B>,
        parts: &[&PartitionArgument],
        read: &F,
    ) -> Result<Vec<Found>, ClientError>
    where
        R: Request,
        B: Fn(&[&PartitionArgument]) -> R,
        F: for<'a> Fn(R::Response<'a>) -> Vec<Found>,
    {
        let patience = self.cluster.options().request_timeout;
        let mut connection = self.cluster.take(address).await?;
        let needed = parts.iter().map(|part| (asked.version_min)(part.argument)).max();
        let version = connection.version_of::<R>();
        if version.is_ok_and(|version| version < needed.unwrap_or(0)) {
            self.cluster.give_back(connection);
            return Err(ClientError::refused(ErrorCode::UnsupportedVersion, None));
        }
        let answer = connection.call(&(asked.request)(parts), patience).await;
        let answer = self.cluster.settle(connection, answer)?;
        Ok(read(answer.decode()?))
    }

    fn leader_of(&self, part: &PartitionArgument) -> Option<Address> {
        self.cluster.leader_of(&part.topic, part.partition).cloned()
    }

    fn why_no_leader(&self, part: &PartitionArgument) -> ErrorCode {
        match self.cluster.topic(&part.topic) {
            Some(view) if !view.error.is_none() => view.error,
            Some(view) if view.partitions.len() as i64 > i64::from(part.partition) => {
                ErrorCode::LeaderNotAvailable
            }
            _ => ErrorCode::UnknownTopicOrPartition,
        }
    }

    fn api_timeout_ms(&self) -> i32 {
        i32::try_from(self.cluster.options().api_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// What a call is about, and how its requests are made.
struct Asked<'a, B> {
    wanted: &'a [PartitionArgument],
    /// The version that knows the meaning of an argument.
    version_min: fn(i64) -> i16,
    request: B,
}

/// The version of ListOffsets from which a negative timestamp has a meaning (KIP-734, 405, 1005, 1023).
fn version_of_timestamp(timestamp: i64) -> i16 {
    match timestamp {
        -3 => 7,
        -4 => 8,
        -5 => 9,
        -6 => 11,
        _ => 1,
    }
}

fn by_topic<T>(
    parts: &[&PartitionArgument],
    topic: impl Fn(Cow<'static, str>, &mut dyn Iterator<Item = PartitionArgument>) -> T,
) -> Vec<T> {
    let mut topics: BTreeMap<&str, Vec<PartitionArgument>> = BTreeMap::new();
    for part in parts {
        topics.entry(&part.topic).or_default().push((*part).clone());
    }
    let made = topics
        .into_iter()
        .map(|(name, parts)| topic(Cow::Owned(name.to_owned()), &mut parts.into_iter()));
    made.collect()
}

fn offsets_partition(part: PartitionArgument) -> ListOffsetsPartition<'static> {
    ListOffsetsPartition {
        partition_index: part.partition,
        current_leader_epoch: -1,
        timestamp: part.argument,
        ..ListOffsetsPartition::default()
    }
}

fn deleted_partition(part: PartitionArgument) -> DeleteRecordsPartition<'static> {
    DeleteRecordsPartition {
        partition_index: part.partition,
        offset: part.argument,
        ..DeleteRecordsPartition::default()
    }
}

/// Gives every partition that has no outcome the failure of the whole.
fn settle_open(outcomes: &mut [Option<Result<i64, ClientError>>], failure: &ClientError) {
    for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
        *outcome = Some(Err(repeated(failure)));
    }
}

/// One failure of several partitions, said for each of them; Kafka's tools name it by its code.
fn repeated(failure: &ClientError) -> ClientError {
    let (code, message) = match failure {
        ClientError::GaveUp { .. } => (ErrorCode::RequestTimedOut, failure.to_string()),
        ClientError::Refused { code, message } => (*code, message.clone()),
        ClientError::Unsupported { api, .. } => {
            let message = format!("The node does not support {}", constant_name(api));
            (ErrorCode::UnsupportedVersion, message)
        }
        other => (ErrorCode::NetworkException, other.to_string()),
    };
    ClientError::refused(code, Some(&message))
}

/// An API's name as Java's constants are written: `DELETE_RECORDS`.
fn constant_name(api: &str) -> String {
    let mut name = String::new();
    for letter in api.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_javas() {
        for (api, expected) in [("DeleteRecords", "DELETE_RECORDS"), ("Fetch", "FETCH")] {
            assert_eq!(constant_name(api), expected);
        }
    }

    #[test]
    fn partitions_of_a_topic_go_together() {
        let part = |topic: &str, partition| PartitionArgument {
            topic: topic.to_owned(),
            partition,
            argument: 7,
        };
        let parts = [part("b", 0), part("a", 1), part("b", 2)];
        let topics = by_topic(&parts.iter().collect::<Vec<_>>(), |name, parts| {
            (name.into_owned(), parts.map(|part| part.partition).collect::<Vec<_>>())
        });
        assert_eq!(topics, [("a".to_owned(), vec![1]), ("b".to_owned(), vec![0, 2])]);
    }
}
