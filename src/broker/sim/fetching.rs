//! What all who fetch have in common: a partition in a request, a request outside of any session, and what
//! an answer may say of a partition.

use super::link::Link;
use super::model::Asked;
use super::site::Site;
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId, TopicId};
use crate::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::protocol::fetch_response::PartitionData;

/// The first version of Fetch that names topics by id.
const VERSION_TOPIC_IDS: i16 = 13;
/// The epoch of a request outside of any session.
pub const EPOCH_FINAL: i32 = -1;

/// What is wanted of one partition.
pub struct Wanted<'a> {
    pub log: LogId,
    pub name: &'a str,
    /// The leader epoch that the client knows, or -1.
    pub epoch: i32,
    pub offset: i64,
}

/// Whether a connection's fetches name topics by their ids.
pub fn is_by_id(link: &Link) -> bool {
    link.version::<FetchRequest<'_>>() >= VERSION_TOPIC_IDS
}

/// One partition of a request, as its topic.
pub fn topic_of(wanted: &Wanted<'_>, bytes_max: i32, by_id: bool) -> FetchTopic<'static> {
    FetchTopic {
        topic: if by_id { "".into() } else { wanted.name.to_owned().into() },
        topic_id: if by_id { wanted.log.topic } else { TopicId::ZERO },
        partitions: vec![FetchPartition {
            partition: wanted.log.partition.0,
            current_leader_epoch: wanted.epoch,
            fetch_offset: wanted.offset,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: bytes_max,
            ..FetchPartition::default()
        }],
        ..FetchTopic::default()
    }
}

/// A request outside of any session.
pub fn request_alone<'a>(
    link: &Link,
    wanted: impl Iterator<Item = Wanted<'a>>,
    max_wait_ms: i32,
    max_bytes: i32,
) -> FetchRequest<'static> {
    let by_id = is_by_id(link);
    FetchRequest {
        replica_id: -1,
        max_wait_ms,
        min_bytes: 1,
        max_bytes,
        session_epoch: EPOCH_FINAL,
        topics: wanted.map(|wanted| topic_of(&wanted, 64 * KIB as i32, by_id)).collect(),
        ..FetchRequest::default()
    }
}

/// The client has to look at the topics again.
pub struct Stale;

/// Checks one partition of an answer against what was promised; gives the offset behind what was read, if
/// that is to be gone on from. A client that `beyond` names was behind the end of a log that was cut.
pub fn check_found(
    site: &Site,
    asked: &Asked,
    data: &PartitionData<'_>,
    beyond: &'static str,
) -> Result<Option<i64>, Stale> {
    let (log, from) = (asked.log, asked.offset);
    match ErrorCode::from_code(data.error_code) {
        ErrorCode::None => {
            let (end, start) = (data.high_watermark, data.log_start_offset);
            assert_eq!(data.last_stable_offset, end, "{log}: there are no transactions");
            Ok(site.model.borrow_mut().fetched(asked, end, start, data.records.bytes()))
        }
        ErrorCode::OffsetOutOfRange => {
            let out = {
                let model = site.model.borrow();
                let partition = model.partitions.get(&log);
                partition.is_none_or(|p| p.deleted || from > asked.seen)
            };
            assert!(out, "{log}: {from} is out of range");
            site.count(beyond);
            Ok(Some(0))
        }
        ErrorCode::UnknownLeaderEpoch => {
            // Who asks by name asks a namesake that was created since, whose terms begin anew.
            let model = site.model.borrow();
            let is_gone = model.partitions.get(&log).is_none_or(|partition| partition.deleted);
            assert!(is_gone, "{log}: the term of a fetch from {from} is not known");
            site.count("terms of a topic that is gone");
            Err(Stale)
        }
        code => {
            site.check_error(log, code, || format!("fetch from {from}"));
            Err(Stale)
        }
    }
}
