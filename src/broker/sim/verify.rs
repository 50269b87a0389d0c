//! What a start has found, read through the broker's own door before anybody else may write.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::fetching::{Wanted, request_alone};
use super::groups;
use super::link::{Link, Lost};
use super::model::Ending;
use super::process::Process;
use super::site::Site;
use super::topics::{self, Place};
use crate::model::units::MIB;
use crate::model::{ErrorCode, LogId, TopicId};
use crate::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::runtime::Runtime;
use crate::shard::{TIMESTAMP_EARLIEST, TIMESTAMP_LATEST};

/// What the one who verifies calls itself.
pub const NAME: &str = "verifier";
/// How long what is left of deleted topics may stay on the disk after a start.
const ORPHANS_GONE_WITHIN: Duration = Duration::from_secs(10);

/// Reads everything and checks it against all promises; gives the topics that there are.
pub async fn verify(
    site: &Rc<Site>,
    runtime: &Runtime,
    ending: Ending,
) -> Result<BTreeSet<TopicId>, Lost> {
    let mut link = Link::open(site, runtime, NAME.into()).await?;
    link.wait_patiently();
    let views = topics::ask(&mut link).await?;
    let places = topics::places(&views);
    {
        let mut model = site.model.borrow_mut();
        topics::learn(&mut model, &views);
        model.settle(|log| places.iter().any(|place| place.log == log));
    }
    let starts = bounds(site, &mut link, &places, TIMESTAMP_EARLIEST).await?;
    let ends = bounds(site, &mut link, &places, TIMESTAMP_LATEST).await?;
    read_all(site, &mut link, &places, &starts, &ends).await?;
    {
        let mut model = site.model.borrow_mut();
        for Place { log, epoch, .. } in &places {
            model.survived(*log, starts[log], ends[log], *epoch, ending);
        }
    }
    groups::verify(site, runtime, &mut link, (&views, &places)).await?;
    Ok(views.iter().map(|topic| topic.id).collect())
}

/// Whether a partition is served, which it is unless the disk has failed since the start.
fn check(site: &Site, log: LogId, code: i16) -> Result<(), Lost> {
    let code = ErrorCode::from_code(code);
    if code.is_none() {
        return Ok(());
    }
    assert!(site.tampered.get(), "{log} was just recovered: {code}");
    Err(Lost("the broker's disk has failed"))
}

/// The first or the last offset of each partition.
async fn bounds(
    site: &Site,
    link: &mut Link,
    places: &[Place],
    timestamp: i64,
) -> Result<BTreeMap<LogId, i64>, Lost> {
    let topics = places.iter().map(|place| ListOffsetsTopic {
        name: place.name.as_ref().into(),
        partitions: vec![ListOffsetsPartition {
            partition_index: place.log.partition.0,
            current_leader_epoch: -1,
            timestamp,
            ..ListOffsetsPartition::default()
        }],
        ..ListOffsetsTopic::default()
    });
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: topics.collect(),
        ..ListOffsetsRequest::default()
    };
    let answer = link.call(&request).await?;
    let answer = answer.decode();
    let parts: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
    assert_eq!(parts.len(), places.len());
    let found = places.iter().zip(parts).map(|(place, found)| {
        check(site, place.log, found.error_code)?;
        Ok((place.log, found.offset))
    });
    found.collect()
}

async fn read_all(
    site: &Rc<Site>,
    link: &mut Link,
    places: &[Place],
    starts: &BTreeMap<LogId, i64>,
    ends: &BTreeMap<LogId, i64>,
) -> Result<(), Lost> {
    let mut positions = starts.clone();
    loop {
        let left: Vec<&Place> =
            places.iter().filter(|place| positions[&place.log] < ends[&place.log]).collect();
        if left.is_empty() {
            return Ok(());
        }
        let wanted = left.iter().map(|place| Wanted {
            log: place.log,
            name: &place.name,
            epoch: place.epoch,
            offset: positions[&place.log],
        });
        let request = request_alone(link, wanted, 0, MIB as i32);
        let answer = link.call(&request).await?;
        let answer = answer.decode();
        let mut progress = false;
        let parts: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partitions).collect();
        assert_eq!(parts.len(), left.len());
        for (place, data) in left.iter().zip(parts) {
            let log = place.log;
            assert_eq!(data.partition_index, log.partition.0);
            check(site, log, data.error_code)?;
            assert_eq!(data.high_watermark, ends[&log], "{log} moved although nobody writes");
            let from = positions[&log];
            let bytes = data.records.bytes();
            let next = site.model.borrow_mut().read(log, from, ends[&log], bytes);
            progress |= next > from;
            positions.insert(log, next);
        }
        assert!(progress, "nothing can be read of {left:?}");
    }
}

/// Waits until the disk holds no topic that is deleted.
pub async fn check_disk(runtime: &Runtime, process: &Process, topics: &BTreeSet<TopicId>) {
    let limit = runtime.now() + ORPHANS_GONE_WITHIN;
    loop {
        let left = process.topics_on_disk().await.expect("a well disk lists");
        let mut ids = left.iter().filter_map(|name| TopicId::parse(name));
        let Some(orphan) = ids.find(|id| !topics.contains(id)) else { return };
        assert!(runtime.now() < limit, "topic {orphan} is deleted and has files");
        runtime.sleep(Duration::from_millis(1)).await;
    }
}
