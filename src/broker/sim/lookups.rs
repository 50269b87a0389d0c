//! A client that asks where times and leader epochs are in the partitions.

use std::rc::Rc;
use std::time::Duration;

use super::link::{Link, Lost};
use super::site::Site;
use super::topics::{self, Place};
use crate::model::ErrorCode;
use crate::protocol::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::protocol::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use crate::runtime::Runtime;

/// One who asks.
pub struct Asker {
    site: Rc<Site>,
    runtime: Runtime,
}

impl Asker {
    /// One who has asked nothing.
    pub fn new(site: &Rc<Site>, runtime: Runtime) -> Rc<Asker> {
        Rc::new(Asker { site: site.clone(), runtime })
    }

    /// Asks until the site is over.
    pub async fn run(self: Rc<Self>) {
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.connect_and_ask().await {
                self.site.tell(|| format!("asker: {reason}"));
            }
            self.runtime.sleep(Duration::from_micros(self.site.choice(5_000))).await;
        }
    }

    async fn connect_and_ask(&self) -> Result<(), Lost> {
        let mut link = Link::open(&self.site, &self.runtime, "asker".into()).await?;
        while !self.site.over.get() {
            let places = topics::places(&topics::look(&self.site, &mut link).await?);
            for _ in 0..self.site.choice(30) {
                if places.is_empty() {
                    break;
                }
                let place = &places[self.site.choice(places.len() as u64) as usize];
                self.site.rest(&self.runtime).await;
                match self.site.choice(2) {
                    0 => self.ask_time(&mut link, place).await?,
                    _ => self.ask_epoch(&mut link, place).await?,
                }
            }
            self.runtime.sleep(Duration::from_micros(self.site.choice(3_000))).await;
        }
        Ok(())
    }

    async fn ask_time(&self, link: &mut Link, place: &Place) -> Result<(), Lost> {
        let choice = |of| self.site.choice(of);
        let question = self.site.model.borrow().time_question(place.log, &choice);
        let Some(asked) = question else { return Ok(()) };
        let partition = ListOffsetsPartition {
            partition_index: place.log.partition.0,
            current_leader_epoch: -1,
            timestamp: asked.time,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic {
            name: place.name.as_ref().into(),
            partitions: vec![partition],
            ..ListOffsetsTopic::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics: vec![topic],
            ..ListOffsetsRequest::default()
        };
        let answer = link.call(&request).await?;
        let answer = answer.decode();
        let found = &answer.topics[0].partitions[0];
        match ErrorCode::from_code(found.error_code) {
            ErrorCode::None => {
                let model = self.site.model.borrow();
                model.check_time(&asked, found.offset, found.timestamp);
            }
            code => self.site.check_error(place.log, code, || "asked for a time".into()),
        }
        self.site.count("times looked up");
        self.site.operated();
        Ok(())
    }

    async fn ask_epoch(&self, link: &mut Link, place: &Place) -> Result<(), Lost> {
        let choice = |of| self.site.choice(of);
        let question = self.site.model.borrow().epoch_question(place.log, &choice);
        let Some(asked) = question else { return Ok(()) };
        let partition = OffsetForLeaderPartition {
            partition: place.log.partition.0,
            current_leader_epoch: -1,
            leader_epoch: asked.epoch,
            ..OffsetForLeaderPartition::default()
        };
        let topic = OffsetForLeaderTopic {
            topic: place.name.as_ref().into(),
            partitions: vec![partition],
            ..OffsetForLeaderTopic::default()
        };
        let request = OffsetForLeaderEpochRequest {
            replica_id: -1,
            topics: vec![topic],
            ..OffsetForLeaderEpochRequest::default()
        };
        let answer = link.call(&request).await?;
        let answer = answer.decode();
        let found = &answer.topics[0].partitions[0];
        match ErrorCode::from_code(found.error_code) {
            ErrorCode::None => self.site.model.borrow().check_epoch_end(&asked, found.end_offset),
            code => self.site.check_error(place.log, code, || "asked for an epoch".into()),
        }
        self.site.count("epochs looked up");
        self.site.operated();
        Ok(())
    }
}
