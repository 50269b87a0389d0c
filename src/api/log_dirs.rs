//! DescribeLogDirs: where the partitions lie, how large they are, and how full the disk is.

use rustc_hash::FxHashMap;
use tracing::warn;

use crate::api::encode::Responder;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::metadata::Image;
use crate::model::{ErrorCode, LogId};
use crate::protocol::describe_log_dirs_request::DescribeLogDirsRequest;
use crate::protocol::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::shard::log_sizes;

/// The partitions that are asked for by their topics' names; `None` asks for all.
type Asked = Option<FxHashMap<String, Vec<i32>>>;

/// Serves a DescribeLogDirs request.
pub fn describe_log_dirs(context: &RequestContext, request: &DescribeLogDirsRequest<'_>) -> Reply {
    let asked = asked(request);
    let responder = context.responder();
    Reply::later(async move {
        let described = describe(&responder, asked).await;
        let code = ErrorCode::from_code(described.error_code);
        let response = DescribeLogDirsResponse { results: vec![described], ..Default::default() };
        answer(&responder, code, &response)
    })
}

fn asked(request: &DescribeLogDirsRequest<'_>) -> Asked {
    let mut asked: FxHashMap<String, Vec<i32>> = FxHashMap::default();
    for topic in request.topics.as_ref()? {
        asked.entry(topic.topic.to_string()).or_default().extend(&topic.partitions);
    }
    Some(asked)
}

fn answer(
    responder: &Responder,
    code: ErrorCode,
    response: &DescribeLogDirsResponse<'_>,
) -> Outcome {
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// The one log directory.
async fn describe(responder: &Responder, asked: Asked) -> DescribeLogDirsResult<'static> {
    let shard = &responder.shard;
    let directory = shard.store().directory();
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let described = DescribeLogDirsResult {
        log_dir: absolute.display().to_string().into(),
        ..DescribeLogDirsResult::default()
    };
    let failed =
        |code: ErrorCode| DescribeLogDirsResult { error_code: code.code(), ..described.clone() };
    if shard.store().failure().is_some() {
        return failed(ErrorCode::KafkaStorageError);
    }
    let space = match shard.runtime().disk().space(directory).await {
        Ok(space) => space,
        Err(error) => {
            warn!(path = %absolute.display(), %error, "cannot tell the free space of the data directory: check that it is mounted and readable");
            return failed(ErrorCode::KafkaStorageError);
        }
    };
    let sizes = log_sizes(shard).await;
    DescribeLogDirsResult {
        topics: topics(&shard.image(), sizes, &asked),
        total_bytes: clamped(space.total_bytes),
        usable_bytes: clamped(space.free_bytes),
        ..described
    }
}

fn clamped(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The logs that are asked for, topic by topic; `sizes` is sorted.
fn topics(
    image: &Image,
    sizes: Vec<(LogId, u64)>,
    asked: &Asked,
) -> Vec<DescribeLogDirsTopic<'static>> {
    let mut topics = Vec::new();
    for logs in sizes.chunk_by(|one, next| one.0.topic == next.0.topic) {
        let Some(found) = image.topic(logs[0].0.topic) else { continue };
        let wanted = |partition: i32| match asked {
            None => true,
            Some(asked) => asked.get(found.name()).is_some_and(|some| some.contains(&partition)),
        };
        let logs = logs.iter().filter(|(log, _)| wanted(log.partition.0));
        let partitions: Vec<_> = logs
            .map(|(log, bytes)| DescribeLogDirsPartition {
                partition_index: log.partition.0,
                partition_size: clamped(*bytes),
                // The leader lags behind nobody, and nothing is being moved between directories.
                ..DescribeLogDirsPartition::default()
            })
            .collect();
        if !partitions.is_empty() {
            let name = found.name().to_owned().into();
            topics.push(DescribeLogDirsTopic { name, partitions, ..Default::default() });
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing;
    use crate::model::PartitionIndex;

    #[test]
    fn what_is_asked_for_is_described() {
        let mut image = testing::image_of_brokers(1);
        testing::create(&mut image, &[("a", 2), ("b", 1)]);
        let log = |topic: &str, partition| LogId {
            topic: image.topic_id(topic).expect("just created"),
            partition: PartitionIndex(partition),
        };
        let mut sizes = vec![(log("a", 0), 7), (log("a", 1), 8), (log("b", 0), 9)];
        sizes.sort_unstable();
        let described = |asked: Option<&[(&str, &[i32])]>| {
            let owned = |(name, some): &(&str, &[i32])| ((*name).to_owned(), some.to_vec());
            let asked = asked.map(|asked| asked.iter().map(owned).collect());
            let mut lines: Vec<String> = Vec::new();
            for topic in topics(&image, sizes.clone(), &asked) {
                for one in topic.partitions {
                    let (index, size) = (one.partition_index, one.partition_size);
                    lines.push(format!("{}-{index} {size}", topic.name));
                }
            }
            lines.sort_unstable();
            lines
        };
        assert_eq!(described(None), ["a-0 7", "a-1 8", "b-0 9"]);
        assert_eq!(described(Some(&[("a", &[1, 5]), ("c", &[0])])), ["a-1 8"]);
        assert_eq!(described(Some(&[])), [""; 0]);
    }
}
