//! From a group to the shard that coordinates it, and the answer back.

use std::rc::Rc;

use super::Asked;
use crate::coordinator::OFFSETS_TOPIC;
use crate::coordinator::message::{Answer, ListFilter, Listed, Request};
use crate::coordinator::partition::partition_of;
use crate::model::{ErrorCode, LogId, PartitionIndex, ShardId};
use crate::runtime::Lane;
use crate::runtime::sync::{Event, GateGuard, join_all, oneshot, poll_now, select2};
use crate::shard::calls::CallReply;
use crate::shard::message::{self, Call, CallId, Message};
use crate::shard::state::Shard;

/// A request on its way; awaited, it is the answer. Dropped before, nobody waits any more.
pub struct GroupAnswer(Way);

enum Way {
    /// The answer was clear at once.
    Known(Answer),
    /// This shard coordinates the group.
    Here(Asked),
    /// Another one does.
    There(RemoteAsked),
}

impl GroupAnswer {
    /// The answer, if it is there already; nothing is to be waited for then.
    pub fn at_once(&mut self) -> Option<Answer> {
        match &mut self.0 {
            Way::Known(answer) => Some(answer.clone()),
            Way::Here(asked) => poll_now(asked),
            Way::There(_) => None,
        }
    }

    /// Waits for the answer.
    pub async fn wait(self) -> Answer {
        match self.0 {
            Way::Known(answer) => answer,
            Way::Here(asked) => asked.await,
            Way::There(asked) => asked.wait().await,
        }
    }
}

/// A request that another shard has.
struct RemoteAsked {
    shard: Rc<Shard>,
    owner: ShardId,
    call: CallId,
    receiver: Option<oneshot::Receiver<CallReply>>,
    /// What the asker is told if the other shard ends first.
    farewell: Answer,
}

impl RemoteAsked {
    async fn wait(mut self) -> Answer {
        let Some(receiver) = self.receiver.as_mut() else { return self.farewell.clone() };
        let reply = receiver.await;
        self.receiver = None;
        match reply {
            Some(CallReply::Coordinated(answer)) => answer,
            _ => self.farewell.clone(),
        }
    }
}

impl Drop for RemoteAsked {
    fn drop(&mut self) {
        if self.receiver.is_some() {
            self.shard.send(self.owner, Message::Abandon(self.call));
        }
    }
}

/// Asks the coordinator of `group`, wherever it lives; it gets the requests of one connection in
/// the order of these calls.
pub fn coordinate(shard: &Rc<Shard>, group: &str, request: Request) -> GroupAnswer {
    match log_of(shard, group) {
        Some(log) => ask(shard, log, request),
        None => GroupAnswer(Way::Known(request.refused(ErrorCode::NotCoordinator))),
    }
}

/// The shard that coordinates `group`; none while the offsets topic does not exist.
pub fn coordinator_of(shard: &Shard, group: &str) -> Option<ShardId> {
    log_of(shard, group).map(|log| shard.owner(log))
}

fn log_of(shard: &Shard, group: &str) -> Option<LogId> {
    let image = shard.image();
    image.topic_named(OFFSETS_TOPIC).map(|(topic, found)| {
        let count = found.partitions().len().max(1) as i32;
        LogId { topic, partition: partition_of(group, count) }
    })
}

fn ask(shard: &Rc<Shard>, log: LogId, request: Request) -> GroupAnswer {
    let owner = shard.owner(log);
    if owner == shard.id() {
        return GroupAnswer(match shard.groups().ask(log, request) {
            Ok(asked) => Way::Here(asked),
            Err(answer) => Way::Known(*answer),
        });
    }
    let farewell = request.refused(ErrorCode::NotCoordinator);
    let (call, receiver) = shard.calls().open(None);
    shard.send(owner, Message::Call(call, Call::Coordinate(log, Box::new(request))));
    let receiver = Some(receiver);
    GroupAnswer(Way::There(RemoteAsked { shard: shard.clone(), owner, call, receiver, farewell }))
}

/// Serves another shard's request: the machine has it when this returns.
pub(in crate::shard) fn serve_call(
    shard: &Rc<Shard>,
    (from, id): (usize, CallId),
    log: LogId,
    request: Request,
    guard: GateGuard,
) {
    let answered = move |shard: &Shard, answer| {
        let answer = message::Answer::Coordinated(Box::new(answer));
        shard.mesh().send(from, Message::Answer(id, answer));
    };
    let mut asked = match shard.groups().ask(log, request) {
        Ok(asked) => asked,
        Err(answer) => return answered(shard, *answer),
    };
    if let Some(answer) = poll_now(&mut asked) {
        return answered(shard, answer);
    }
    let abandoned = Rc::new(Event::new());
    let listener = abandoned.listen();
    shard.groups().parked.borrow_mut().insert((from, id), abandoned);
    let serving = shard.clone();
    shard.runtime().spawn(Lane::Hot, async move {
        let answer = select2(asked, listener).await.left();
        serving.groups().parked.borrow_mut().remove(&(from, id));
        // The caller's slot is free only when it has an answer.
        answered(&serving, answer.unwrap_or(Answer::Heartbeat(ErrorCode::None)));
        drop(guard);
    });
}

/// Asks every partition of the coordinator for its groups.
///
/// # Errors
/// The first error of a partition, as Kafka: a list with holes would look complete.
pub async fn list_groups(shard: &Rc<Shard>, filter: ListFilter) -> Result<Vec<Listed>, ErrorCode> {
    let found = {
        let image = shard.image();
        image.topic_named(OFFSETS_TOPIC).map(|(topic, found)| (topic, found.partitions().len()))
    };
    let Some((topic, count)) = found else { return Ok(Vec::new()) };
    let asked: Vec<GroupAnswer> = (0..count as i32)
        .map(|partition| LogId { topic, partition: PartitionIndex(partition) })
        .map(|log| ask(shard, log, Request::List(filter.clone())))
        .collect();
    let mut groups = Vec::new();
    for answer in join_all(asked.into_iter().map(GroupAnswer::wait)).await {
        match answer {
            Answer::List(Ok(listed)) => groups.extend(listed),
            Answer::List(Err(code)) => return Err(code),
            _ => return Err(ErrorCode::UnknownServerError),
        }
    }
    Ok(groups)
}
