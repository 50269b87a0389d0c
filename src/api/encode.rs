//! Turns a response into the parts that leave, and counts it.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tracing::error;

use crate::api::reply::{Answer, Outcome, Part};
use crate::api::timing::{Spent, Stage, Timing};
use crate::model::ErrorCode;
use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::EncodeError;
use crate::protocol::frame::{self, Stretch};
use crate::protocol::writer::Writer;
use crate::runtime::Monotonic;
use crate::runtime::memory::Piece;
use crate::shard::Shard;

/// What is needed to answer one request, when its frame is long gone.
#[derive(Clone)]
pub struct Responder {
    /// The shard that serves the connection.
    pub shard: Rc<Shard>,
    /// The request's API.
    pub api: ApiKey,
    /// The version of the response's body.
    pub version: i16,
    /// What the response repeats.
    pub correlation_id: i32,
    /// When the request was complete.
    pub arrived: Monotonic,
    /// What it has waited for.
    pub spent: Cell<Spent>,
}

impl Responder {
    /// The request has waited for something.
    pub fn spend(&self, stage: Stage, time: Duration) {
        let mut spent = self.spent.get();
        spent.add(stage, time);
        self.spent.set(spent);
    }

    /// Waits for something, and counts how long.
    pub async fn waiting<T>(&self, stage: Stage, wait: impl Future<Output = T>) -> T {
        let began = self.shard.runtime().turn_began();
        let result = wait.await;
        self.spend(stage, self.shard.runtime().turn_began().saturating_since(began));
        result
    }

    /// Answers with a body; `error` is the one by which the request is counted.
    pub fn answer(
        &self,
        error: ErrorCode,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Outcome {
        self.answer_with(error, Vec::new(), encode)
    }

    /// Answers with a body some of whose bytes are elsewhere: `externals[id]` are those that the
    /// body calls by that id.
    pub fn answer_with(
        &self,
        error: ErrorCode,
        externals: Vec<Vec<Part>>,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Outcome {
        let timing = Timing {
            api: self.api,
            version: self.version,
            correlation_id: self.correlation_id,
            arrived: self.arrived,
            answered: self.shard.runtime().now(),
            spent: self.spent.get(),
        };
        self.shard.metrics().answered(self.api.wire(), error, timing.total(timing.answered));
        match self.frame(externals, encode) {
            Ok((parts, len)) => {
                self.shard.metrics().sent(len);
                Outcome::Answer(Answer { parts, len, holds: Vec::new(), timing })
            }
            Err(problem) => {
                error!(api = self.api.name(), version = self.version, %problem,
                    "a response could not be encoded, and its connection is closed: please report this");
                Outcome::Close("a response could not be encoded")
            }
        }
    }

    fn frame(
        &self,
        externals: Vec<Vec<Part>>,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Result<(Vec<Part>, usize), EncodeError> {
        let mut writer =
            frame::begin_response(Vec::new(), self.api, self.version, self.correlation_id)?;
        encode(&mut writer, self.version)?;
        let frame = frame::finish(writer)?;
        if frame.externals.is_empty() {
            let len = frame.bytes.len();
            return Ok((vec![Part::Piece(Piece::Vec(frame.bytes))], len));
        }
        let len = frame.wire_bytes();
        let mut externals: Vec<Option<Vec<Part>>> = externals.into_iter().map(Some).collect();
        let mut parts = Vec::new();
        for stretch in frame.stretches() {
            match stretch {
                Stretch::Bytes(bytes) => parts.push(Part::Piece(Piece::Vec(bytes.to_vec()))),
                Stretch::External(external) => {
                    let found = externals.get_mut(external.id as usize).and_then(Option::take);
                    parts.extend(found.unwrap_or_default());
                }
            }
        }
        Ok((parts, len))
    }
}

/// The error by which a request of many parts is counted.
pub fn first_error(codes: impl IntoIterator<Item = ErrorCode>) -> ErrorCode {
    codes.into_iter().find(|code| !code.is_none()).unwrap_or(ErrorCode::None)
}
