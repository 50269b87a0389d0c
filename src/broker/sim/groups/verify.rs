//! What a start has found of the groups' offsets: each is the last that was committed.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::offsets;
use super::plan::GROUPS;
use crate::broker::sim::link::{Link, Lost};
use crate::broker::sim::site::Site;
use crate::broker::sim::topics::{Place, TopicView};
use crate::coordinator::OFFSETS_TOPIC;
use crate::model::{ErrorCode, LogId};
use crate::protocol::offset_fetch_request::OffsetFetchRequest;
use crate::runtime::Runtime;

/// A coordinator that has not loaded after so long never will.
const LOADED_WITHIN: Duration = Duration::from_secs(10);

/// Reads the offsets of every group, in both ways that there are.
pub async fn verify(
    site: &Rc<Site>,
    runtime: &Runtime,
    link: &mut Link,
    (views, places): (&[TopicView], &[Place]),
) -> Result<(), Lost> {
    let exists = views.iter().any(|topic| *topic.name == *OFFSETS_TOPIC);
    assert!(exists || !site.coordinates.get(), "the offsets topic is gone");
    site.coordinates.set(exists);
    if !exists {
        return Ok(());
    }
    let logs: Vec<(LogId, Rc<str>)> =
        places.iter().map(|place| (place.log, place.name.clone())).collect();
    let limit = runtime.now() + LOADED_WITHIN;
    for group in &GROUPS {
        while offsets::fetch(site, link, group.name, &logs).await?.is_none() {
            assert!(runtime.now() < limit, "the offsets of {} do not load", group.name);
            runtime.sleep(Duration::from_micros(100)).await;
        }
        fetch_all(site, link, group.name, places).await?;
    }
    site.groups.borrow_mut().tidy();
    Ok(())
}

/// Asks for no offset of any group, which each coordinator answers as soon as it has loaded.
pub async fn greet(site: &Site, link: &mut Link) -> Result<(), Lost> {
    for group in GROUPS.iter().filter(|_| site.coordinates.get()) {
        offsets::fetch(site, link, group.name, &[]).await?;
    }
    Ok(())
}

/// Asks for all offsets of a group: those that are not told are not there.
async fn fetch_all(
    site: &Site,
    link: &mut Link,
    group: &'static str,
    places: &[Place],
) -> Result<(), Lost> {
    let since = site.groups.borrow_mut().since(group);
    let request = offsets::fetch_request(link, group, None, true);
    let answer = link.call::<OffsetFetchRequest<'_>>(&request).await?;
    let answer = answer.decode();
    let [told] = answer.groups.as_slice() else { panic!("one group is asked for") };
    assert_eq!(told.error_code, ErrorCode::None.code(), "all offsets of {group}");
    let (mut groups, model) = (site.groups.borrow_mut(), site.model.borrow());
    let mut seen = BTreeSet::new();
    for topic in &told.topics {
        for part in &topic.partitions {
            let place = places.iter().find(|place| {
                let named = if topic.topic_id.is_zero() {
                    *place.name == *topic.name
                } else {
                    place.log.topic == topic.topic_id
                };
                named && place.log.partition.0 == part.partition_index
            });
            // Those of a topic that is gone may still be on their way to the same end.
            let Some(place) = place else { continue };
            groups.read(group, since, place.log, offsets::found(part), &model);
            seen.insert(place.log);
        }
    }
    for place in places.iter().filter(|place| !seen.contains(&place.log)) {
        groups.read(group, since, place.log, None, &model);
    }
    Ok(())
}
