//! How a simulated member reads what it owns, and commits how far it has come.

use super::member::{Member, NO_GENERATION, Session};
use crate::broker::sim::fetching::{Stale, Wanted, check_found, request_alone};
use crate::broker::sim::link::Lost;
use crate::broker::sim::model::Asked;
use crate::model::units::KIB;
use crate::model::{ErrorCode, LogId};
use crate::protocol::fetch_response::PartitionData;

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
        let wanted = asked.iter().map(|(asked, name)| Wanted {
            log: asked.log,
            name,
            epoch: -1,
            offset: asked.offset,
        });
        let max_wait_ms = [0, 2][self.site.choice(2) as usize];
        let request = request_alone(&session.link, wanted, max_wait_ms, 256 * KIB as i32);
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
        match check_found(&self.site, asked, data, "members beyond a cut") {
            Ok(Some(next)) => self.move_to(asked.log, next),
            Ok(None) => {}
            Err(Stale) => session.stale = true,
        }
    }

    fn move_to(&self, log: LogId, next: i64) {
        if let Some(owned) = self.owned.borrow_mut().get_mut(&log) {
            owned.position = next;
        }
    }
}
