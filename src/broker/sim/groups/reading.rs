//! How a simulated member reads what it owns, and commits how far it has come.

use super::member::{Member, NO_GENERATION, Session};
use crate::broker::sim::link::Lost;
use crate::broker::sim::model::Asked;
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId, TopicId};
use crate::protocol::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use crate::protocol::fetch_response::PartitionData;

/// The first version of Fetch that names topics by id.
const VERSION_TOPIC_IDS: i16 = 13;
/// Partitions of one fetch.
const READS_MAX: usize = 8;

impl Member {
    /// One turn of a consumer: heartbeat, fetch, perhaps commit.
    pub async fn poll(&self, session: &mut Session) -> Result<(), Lost> {
        if self.generation.get() != NO_GENERATION {
            self.beat(session).await?;
        }
        if self.generation.get() != NO_GENERATION {
            self.read(session).await?;
            if self.site.calm.get() || self.site.one_in(3) {
                self.commit(session).await?;
            }
        }
        if self.generation.get() != NO_GENERATION && self.site.one_in(20) {
            self.haunt(session).await?;
            self.look_back(session).await?;
        }
        Ok(())
    }

    /// Reads its own commits.
    async fn look_back(&self, session: &mut Session) -> Result<(), Lost> {
        let logs: Vec<_> = {
            let owned = self.owned.borrow();
            owned.iter().map(|(log, owned)| (*log, owned.name.clone())).collect()
        };
        self.fetch_offsets(session, &logs).await.map(drop)
    }

    /// What of its partitions the member asks for now.
    fn asked(&self) -> Vec<(Asked, String)> {
        let (mut owned, model) = (self.owned.borrow_mut(), self.site.model.borrow());
        let skipped = self.site.choice(owned.len().saturating_sub(READS_MAX) as u64 + 1);
        let chosen = owned.iter_mut().skip(skipped as usize).take(READS_MAX);
        let asked = chosen.filter_map(|(log, owned)| {
            let asked = model.asked(*log)?;
            owned.position = owned.position.max(asked.offset);
            Some((Asked { offset: owned.position, ..asked }, owned.name.to_string()))
        });
        asked.collect()
    }

    async fn read(&self, session: &mut Session) -> Result<(), Lost> {
        let asked = self.asked();
        if asked.is_empty() {
            self.rest(2_000).await;
            return Ok(());
        }
        let by_id = session.link.version::<FetchRequest<'_>>() >= VERSION_TOPIC_IDS;
        let topics = asked.iter().map(|(asked, name)| FetchTopic {
            topic: if by_id { "".into() } else { name.clone().into() },
            topic_id: if by_id { asked.log.topic } else { TopicId::ZERO },
            partitions: vec![FetchPartition {
                partition: asked.log.partition.0,
                current_leader_epoch: -1,
                fetch_offset: asked.offset,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                partition_max_bytes: 64 * KIB as i32,
                ..FetchPartition::default()
            }],
            ..FetchTopic::default()
        });
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: [0, 2][self.site.choice(2) as usize],
            min_bytes: 1,
            max_bytes: 256 * KIB as i32,
            session_epoch: -1,
            topics: topics.collect(),
            ..FetchRequest::default()
        };
        let answer = session.link.call(&request).await?;
        let answer = answer.decode();
        assert_eq!(answer.error_code, ErrorCode::None.code(), "a fetch outside of any session");
        let parts: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partitions).collect();
        assert_eq!(parts.len(), asked.len(), "each partition is answered");
        for ((asked, _), data) in asked.iter().zip(parts) {
            assert_eq!(data.partition_index, asked.log.partition.0, "in their order");
            self.take_records(session, asked, data);
        }
        self.done("fetches of members");
        Ok(())
    }

    fn take_records(&self, session: &mut Session, asked: &Asked, data: &PartitionData<'_>) {
        let (log, from) = (asked.log, asked.offset);
        let next = match ErrorCode::from_code(data.error_code) {
            ErrorCode::None => {
                let (end, start) = (data.high_watermark, data.log_start_offset);
                let bytes = data.records.bytes();
                self.site.model.borrow_mut().fetched(asked, end, start, bytes)
            }
            ErrorCode::OffsetOutOfRange => {
                let model = self.site.model.borrow();
                let partition = model.partitions.get(&log);
                let out = partition.is_none_or(|p| p.deleted || from > asked.seen);
                assert!(out, "{log}: {from} is out of range");
                drop(model);
                self.site.count("members beyond a cut");
                Some(0)
            }
            code => {
                self.site.check_error(log, code, || format!("fetch from {from}"));
                session.stale = true;
                None
            }
        };
        if let Some(next) = next {
            self.move_to(log, next);
        }
    }

    fn move_to(&self, log: LogId, next: i64) {
        if let Some(owned) = self.owned.borrow_mut().get_mut(&log) {
            owned.position = next;
        }
    }
}
