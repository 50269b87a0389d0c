//! Turns a response into the parts that leave, and counts it.

use std::rc::Rc;

use tracing::error;

use crate::api::reply::{Answer, Outcome, Part};
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
    pub received: Monotonic,
}

impl Responder {
    /// Answers with a body; `worst` is the error by which the request is counted.
    pub fn answer(
        &self,
        worst: ErrorCode,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Outcome {
        self.answer_with(worst, Vec::new(), encode)
    }

    /// Answers with a body some of whose bytes are elsewhere: `externals[id]` are those that the
    /// body calls by that id.
    pub fn answer_with(
        &self,
        worst: ErrorCode,
        externals: Vec<Vec<Part>>,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Outcome {
        let took = self.shard.runtime().now().saturating_since(self.received);
        self.shard.metrics().answered(self.api.wire(), worst, took);
        match self.frame(externals, encode) {
            Ok(answer) => {
                self.shard.metrics().sent(answer.len);
                Outcome::Answer(answer)
            }
            Err(problem) => {
                error!(api = self.api.name(), version = self.version, %problem,
                    "a response could not be encoded: its connection is closed");
                Outcome::Close("a response could not be encoded")
            }
        }
    }

    fn frame(
        &self,
        externals: Vec<Vec<Part>>,
        encode: impl FnOnce(&mut Writer, i16) -> Result<(), EncodeError>,
    ) -> Result<Answer, EncodeError> {
        let mut writer =
            frame::begin_response(Vec::new(), self.api, self.version, self.correlation_id)?;
        encode(&mut writer, self.version)?;
        let frame = frame::finish(writer)?;
        if frame.externals.is_empty() {
            return Ok(Answer::from_bytes(frame.bytes));
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
        Ok(Answer { parts, len, holds: Vec::new() })
    }
}
