//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup of a simulated member.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::assignor::{self, Assignment};
use super::member::{Heard, Member, NO_GENERATION, Owned, Session};
use super::model::Standing;
use super::plan::PATIENCE_MS;
use super::trouble;
use crate::broker::sim::link::Lost;
use crate::broker::sim::topics;
use crate::model::{ErrorCode, LogId};
use crate::protocol::heartbeat_request::HeartbeatRequest;
use crate::protocol::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use crate::protocol::join_group_response::JoinGroupResponse;
use crate::protocol::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use crate::protocol::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use crate::runtime::Monotonic;

/// What the groups' protocols are called.
const EAGER: &str = "eager";
const COOPERATIVE: &str = "cooperative";
/// The newest version of a subscription.
const SUBSCRIPTION_VERSION: u64 = 3;
/// How long a JoinGroup may be kept waiting beyond the usual: rebalances follow one another.
const JOIN_WAIT: Duration = Duration::from_millis(10 * PATIENCE_MS);

impl Member {
    fn protocol(&self) -> &'static str {
        if self.plan.group.cooperative { COOPERATIVE } else { EAGER }
    }

    fn instance(&self) -> Option<std::borrow::Cow<'static, str>> {
        self.plan.instance.map(Into::into)
    }

    /// The coordinator has answered as it answers members while no rebalance waits for them, so that
    /// the session and the next rebalance both end later.
    fn was_heard(&self, at: Monotonic) {
        self.heard.set(Some(Heard { at, life: None }));
    }

    /// The member is in a generation: its session has begun anew if that was made since it asked. Where
    /// it was made before, neither JoinGroup nor SyncGroup prolong a session; Kafka's do not, either.
    ///
    /// A static member that was silent may be in a generation that was made without it: when its session
    /// began is told by nobody, so what counts is when it was last heard.
    fn has_joined(&self, generation: i32, since: Monotonic) {
        let is_new = generation > self.joined.replace(generation);
        if is_new && (self.plan.instance.is_none() || self.heard.get().is_none()) {
            self.heard.set(Some(Heard { at: since, life: Some(self.site.lives_ended.get()) }));
        }
    }

    /// A start finds the member from now on.
    fn is_durable(&self) {
        self.heard.set(self.heard.get().map(|heard| Heard { life: None, ..heard }));
    }

    /// The coordinator does not know the member, which may only be when its session is over.
    fn is_unknown(&self, what: &str) {
        let kept = Duration::from_millis(self.plan.session_ms.min(self.plan.rebalance_ms));
        if let Some(heard) = self.heard.get() {
            let silent = self.runtime.now().saturating_since(heard.at);
            let same = heard.life.is_none_or(|life| life == self.site.lives_ended.get());
            let (group, index) = (self.group(), self.index);
            assert!(
                silent >= kept || !same,
                "group {group}, member {index}: {what}: unknown after {silent:?} of silence"
            );
        }
        self.tell(|| format!("{what}: unknown"));
        self.site.count("members that had become unknown");
        self.forget();
    }

    /// Another has the member's place; true if that was the code.
    fn is_fenced(&self, what: &str, code: ErrorCode) -> bool {
        if code != ErrorCode::FencedInstanceId {
            return false;
        }
        assert!(self.plan.instance.is_some(), "{what}: a dynamic member is fenced");
        // A JoinGroup without an answer came after the one that had one.
        self.tell(|| format!("{what}: fenced by itself"));
        self.site.count("static members fenced by a late request");
        self.forget();
        true
    }

    /// Joins the group and gets an assignment; false if it has to try again.
    pub async fn join(&self, session: &mut Session) -> Result<bool, Lost> {
        self.fall_out();
        if !self.plan.group.cooperative {
            self.owned.borrow_mut().clear();
        }
        // Where an answer was lost, the generation may have begun with the request that it was to.
        let since = self.joins_since.get().unwrap_or(self.runtime.now());
        self.joins_since.set(Some(since));
        session.link.send_waiting(&self.join_request(), JOIN_WAIT).await?;
        let answer = session.link.receive::<JoinGroupRequest<'_>>().await?;
        self.joins_since.set(None);
        let answer = answer.decode();
        self.done("groups joined or not");
        let code = ErrorCode::from_code(answer.error_code);
        self.tell(|| format!("join: {code}, generation {}", answer.generation_id));
        match code {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                assert!(self.plan.instance.is_none() && self.id.borrow().is_empty());
                *self.id.borrow_mut() = answer.member_id.to_string();
                self.site.count("member ids given");
                return Ok(false);
            }
            ErrorCode::UnknownMemberId => {
                self.is_unknown("join");
                return Ok(false);
            }
            ErrorCode::RebalanceInProgress => return Ok(false),
            code if self.is_fenced("join", code) => return Ok(false),
            code => {
                trouble::check(&self.site, code, || "join".into())?;
                return Ok(false);
            }
        }
        assert!(!answer.member_id.is_empty() && answer.generation_id > 0, "{answer:?}");
        assert_eq!(answer.protocol_name.as_deref(), Some(self.protocol()));
        *self.id.borrow_mut() = answer.member_id.to_string();
        self.has_joined(answer.generation_id, since);
        self.sync(session, &answer).await
    }

    fn join_request(&self) -> JoinGroupRequest<'static> {
        let owned = self.owned.borrow();
        let owned: BTreeMap<LogId, Rc<str>> =
            owned.iter().map(|(log, owned)| (*log, owned.name.clone())).collect();
        // A member keeps to one version, or it would seem to have changed its mind.
        let version = (self.index as u64 % (SUBSCRIPTION_VERSION + 1)) as i16;
        let (wish, generation) = (self.wish.get(), NO_GENERATION);
        let metadata = assignor::subscription(self.plan.group, version, wish, generation, &owned);
        let protocol = JoinGroupRequestProtocol {
            name: self.protocol().into(),
            metadata: metadata.into(),
            ..JoinGroupRequestProtocol::default()
        };
        JoinGroupRequest {
            group_id: self.group().into(),
            session_timeout_ms: self.plan.session_ms as i32,
            rebalance_timeout_ms: self.plan.rebalance_ms as i32,
            member_id: self.id.borrow().clone().into(),
            group_instance_id: self.instance(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..JoinGroupRequest::default()
        }
    }

    /// Asks for the assignment, and brings everybody's if this is the leader.
    async fn sync(
        &self,
        session: &mut Session,
        joined: &JoinGroupResponse<'_>,
    ) -> Result<bool, Lost> {
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        let assignments = if leads {
            assert!(!joined.members.is_empty(), "the leader is told who is in the group");
            // With what it knew before the members joined it might assign for ever what others see gone.
            session.places = topics::places(&topics::look(&self.site, &mut session.link).await?);
            let number = self.site.groups.borrow_mut().number();
            self.site.count("assignments made");
            assignor::assign(self.plan.group, &joined.members, &session.places, number)
        } else {
            Vec::new()
        };
        let assignments =
            assignments.into_iter().map(|(id, assignment)| SyncGroupRequestAssignment {
                member_id: id.into(),
                assignment: assignment.into(),
                ..SyncGroupRequestAssignment::default()
            });
        let request = SyncGroupRequest {
            group_id: self.group().into(),
            generation_id: joined.generation_id,
            member_id: self.id.borrow().clone().into(),
            group_instance_id: self.instance(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some(self.protocol().into()),
            assignments: assignments.collect(),
            ..SyncGroupRequest::default()
        };
        let since = self.since();
        session.link.send_waiting(&request, JOIN_WAIT).await?;
        if !self.site.calm.get() && self.site.one_in(60) {
            self.rest(500).await;
            return Err(Lost("nobody waits for the assignment"));
        }
        let answer = session.link.receive::<SyncGroupRequest<'_>>().await?;
        let answer = answer.decode();
        self.done("assignments asked for");
        let code = ErrorCode::from_code(answer.error_code);
        match code {
            ErrorCode::None => {}
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => {
                self.tell(|| format!("sync: {code}"));
                return Ok(false);
            }
            ErrorCode::UnknownMemberId => {
                self.is_unknown("sync");
                return Ok(false);
            }
            code if self.is_fenced("sync", code) => return Ok(false),
            code => {
                trouble::check(&self.site, code, || "sync".into())?;
                return Ok(false);
            }
        }
        let assignment = assignor::decode(&answer.assignment);
        let generation = joined.generation_id;
        let logs = assignment.owned.keys().copied().collect();
        let standing = Standing { generation, assignment: assignment.number };
        let member = (self.group(), self.index);
        let told = {
            let (mut groups, model) = (self.site.groups.borrow_mut(), self.site.model.borrow());
            groups.synced(member, &self.id.borrow(), since, standing, &logs, &model)
        };
        self.check(told);
        self.generation.set(generation);
        self.is_durable();
        session.heartbeat_at = self.runtime.now();
        self.take(session, assignment).await
    }

    /// Takes the assignment; true if the member reads now.
    async fn take(&self, session: &mut Session, assignment: Assignment) -> Result<bool, Lost> {
        self.tell(|| {
            let logs = assignment.owned.keys().map(|log| format!("{log}"));
            format!("assignment {}: {}", assignment.number, logs.collect::<Vec<_>>().join(", "))
        });
        *self.all.borrow_mut() = assignment.all;
        let before = self.owned.borrow().len();
        self.owned.borrow_mut().retain(|log, _| assignment.owned.contains_key(log));
        let revoked = before > self.owned.borrow().len();
        let known: Vec<LogId> = self.owned.borrow().keys().copied().collect();
        let fresh: Vec<(LogId, Rc<str>)> =
            assignment.owned.into_iter().filter(|(log, _)| !known.contains(log)).collect();
        // Who does not learn where to begin reads nothing, and asks for the assignment again.
        let offsets = self.fetch_offsets(session, &fresh).await.inspect_err(|_| self.fall_out());
        let Some(offsets) = offsets? else {
            self.fall_out();
            return Ok(false);
        };
        for (log, name) in fresh {
            let committed = offsets.get(&log).copied();
            let position = committed.unwrap_or(0);
            self.owned.borrow_mut().insert(log, Owned { name, position, committed });
        }
        if revoked {
            // What was given up can be given to others only in the next generation.
            self.site.count("partitions given up for others");
            self.fall_out();
            return Ok(false);
        }
        self.site.count("generations entered");
        Ok(true)
    }

    /// Shows that the member lives, if it is time to.
    pub async fn beat(&self, session: &mut Session) -> Result<(), Lost> {
        if self.runtime.now() < session.heartbeat_at && !self.site.one_in(8) {
            return Ok(());
        }
        let every = Duration::from_millis(self.plan.session_ms) / 8;
        session.heartbeat_at = self.runtime.now() + every;
        let request = HeartbeatRequest {
            group_id: self.group().into(),
            generation_id: self.generation.get(),
            member_id: self.id.borrow().clone().into(),
            group_instance_id: self.instance(),
            ..HeartbeatRequest::default()
        };
        let at = self.runtime.now();
        let answer = session.link.call(&request).await?;
        self.done("heartbeats");
        match ErrorCode::from_code(answer.decode().error_code) {
            ErrorCode::None => self.was_heard(at),
            code => self.is_refused("heartbeat", code)?,
        }
        Ok(())
    }

    /// What a member makes of an answer that says that it is none, or not for long.
    pub fn is_refused(&self, what: &str, code: ErrorCode) -> Result<(), Lost> {
        match code {
            ErrorCode::RebalanceInProgress => {
                self.tell(|| format!("{what}: a rebalance"));
                self.site.count("rebalances heard of");
                self.fall_out();
            }
            ErrorCode::IllegalGeneration => {
                self.tell(|| format!("{what}: the generation is over"));
                self.site.count("generations that were over");
                self.fall_out();
            }
            ErrorCode::UnknownMemberId => self.is_unknown(what),
            code if self.is_fenced(what, code) => {}
            code => trouble::check(&self.site, code, || what.into())?,
        }
        Ok(())
    }

    /// Leaves the group.
    pub async fn leave(&self, session: &mut Session) -> Result<(), Lost> {
        let member = MemberIdentity {
            member_id: self.id.borrow().clone().into(),
            group_instance_id: self.instance(),
            ..MemberIdentity::default()
        };
        let request = LeaveGroupRequest {
            group_id: self.group().into(),
            members: vec![member],
            ..LeaveGroupRequest::default()
        };
        // From here on it may have left already.
        self.forget();
        let answer = session.link.call(&request).await?;
        let answer = answer.decode();
        self.done("groups left");
        let code = match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => ErrorCode::from_code(answer.members[0].error_code),
            code => code,
        };
        self.tell(|| format!("left: {code}"));
        match code {
            ErrorCode::None | ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => Ok(()),
            code => trouble::check(&self.site, code, || "leave".into()),
        }
    }
}
