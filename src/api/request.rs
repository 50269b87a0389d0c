//! What every handler gets beside the decoded request.

use std::rc::Rc;

use crate::api::encode::Responder;
use crate::api::session::Session;
use crate::coordinator::message::Request;
use crate::model::{ErrorCode, TopicId};
use crate::shard::{self, AdvertisedListener, GroupAnswer, Shard};

/// One request's surroundings.
pub struct RequestContext {
    responder: Responder,
    session: Rc<Session>,
    client_id: Option<String>,
}

impl RequestContext {
    /// The surroundings of a request that `responder` answers.
    pub fn new(
        responder: Responder,
        session: Rc<Session>,
        client_id: Option<String>,
    ) -> RequestContext {
        RequestContext { responder, session, client_id }
    }

    /// The shard that serves the connection.
    pub fn shard(&self) -> &Rc<Shard> {
        &self.responder.shard
    }

    /// The request's version.
    pub fn version(&self) -> i16 {
        self.responder.version
    }

    /// The connection's client.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the client calls itself.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Answers this request, now or later.
    pub fn responder(&self) -> Responder {
        self.responder.clone()
    }

    /// The listener by which the client came: what it is told of this broker is told in its terms.
    pub fn listener(&self) -> &AdvertisedListener {
        let listeners = &self.shard().settings().listeners;
        &listeners[self.session.listener().min(listeners.len() - 1)]
    }

    /// Asks the coordinator of `group`, which counts towards the shard that serves the client best:
    /// for what members repeat as long as they live, heartbeats and commits.
    pub fn coordinate_often(&self, group: &str, request: Request) -> GroupAnswer {
        if let Some(owner) = shard::coordinator_of(self.shard(), group) {
            self.session.asks(owner);
        }
        shard::coordinate(self.shard(), group, request)
    }

    /// The id of the topic that the request names, by id from version `by_id_from` on.
    pub fn topic(&self, name: &str, id: TopicId, by_id_from: i16) -> Result<TopicId, ErrorCode> {
        let image = self.shard().image();
        if self.version() >= by_id_from {
            return match image.topic(id) {
                Some(_) => Ok(id),
                None => Err(ErrorCode::UnknownTopicId),
            };
        }
        image.topic_id(name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}
