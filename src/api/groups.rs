//! JoinGroup, SyncGroup, Heartbeat and LeaveGroup: the life of a member in a classic group.

use std::iter;
use std::net::{IpAddr, SocketAddr};

use crate::api::encode::{Responder, first_error};
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::api::timing::Stage;
use crate::coordinator::message::{
    Answer, Join, Joined, Leave, LeavingMember, Left, MemberRef, Request, Sync, Synced,
};
use crate::model::ErrorCode;
use crate::protocol::heartbeat_request::HeartbeatRequest;
use crate::protocol::heartbeat_response::HeartbeatResponse;
use crate::protocol::join_group_request::JoinGroupRequest;
use crate::protocol::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use crate::protocol::leave_group_request::LeaveGroupRequest;
use crate::protocol::leave_group_response::{LeaveGroupResponse, MemberResponse};
use crate::protocol::sync_group_request::SyncGroupRequest;
use crate::protocol::sync_group_response::SyncGroupResponse;
use crate::shard::{GroupAnswer, coordinate};

/// The first version of JoinGroup with a rebalance timeout of its own.
const VERSION_REBALANCE_TIMEOUT: i16 = 1;
/// The first version of JoinGroup in which a new member is told its id first (KIP-394).
const VERSION_KNOWN_MEMBER_ID: i16 = 4;
/// The first version of JoinGroup that says the protocol's type, and whose protocol may be null.
const VERSION_PROTOCOL_TYPE: i16 = 7;
/// The first version of JoinGroup whose leader may skip the assignment (KIP-814).
const VERSION_SKIP_ASSIGNMENT: i16 = 9;
/// The first version of SyncGroup in which a member has to say its protocol (KIP-559).
const VERSION_SYNC_PROTOCOL: i16 = 5;
/// The first version of LeaveGroup in which several members leave (KIP-345).
const VERSION_LEAVE_MANY: i16 = 3;

/// Serves a JoinGroup request; its answer waits for the group's other members.
pub fn join_group(context: &RequestContext, request: &JoinGroupRequest<'_>) -> Reply {
    let responder = context.responder();
    let join = Request::Join(join(context, request));
    if request.group_id.is_empty() {
        return Reply::Done(answer_join(&responder, join.refused(ErrorCode::InvalidGroupId)));
    }
    let asked = coordinate(context.shard(), &request.group_id, join);
    reply(responder, Stage::Poll, asked, answer_join)
}

/// The reply to what the coordinator was asked: at once where its answer is there, which spares a future.
fn reply(
    responder: Responder,
    stage: Stage,
    mut asked: GroupAnswer,
    answered: impl FnOnce(&Responder, Answer) -> Outcome + 'static,
) -> Reply {
    if let Some(answer) = asked.at_once() {
        return Reply::Done(answered(&responder, answer));
    }
    Reply::later(async move {
        let answer = responder.waiting(stage, asked.wait()).await;
        answered(&responder, answer)
    })
}

fn join(context: &RequestContext, request: &JoinGroupRequest<'_>) -> Join {
    let version = context.version();
    let instance_id = owned(&request.group_instance_id);
    let client_id = context.client_id().unwrap_or_default().to_owned();
    let known_as = instance_id.as_deref().unwrap_or(&client_id);
    let protocols = request.protocols.iter();
    Join {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        fresh_member_id: format!("{known_as}-{}", uuid(context)),
        client_id,
        client_host: host_of(context.session().peer()),
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols.map(|one| (one.name.to_string(), one.metadata.to_vec())).collect(),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: if version >= VERSION_REBALANCE_TIMEOUT {
            request.rebalance_timeout_ms
        } else {
            request.session_timeout_ms
        },
        reason: owned(&request.reason),
        requires_known_member_id: version >= VERSION_KNOWN_MEMBER_ID && instance_id.is_none(),
        supports_skipping_assignment: version >= VERSION_SKIP_ASSIGNMENT,
        instance_id,
    }
}

fn owned(text: &Option<std::borrow::Cow<'_, str>>) -> Option<String> {
    text.as_deref().map(Into::into)
}

/// A version 4 UUID as Java writes it.
fn uuid(context: &RequestContext) -> String {
    let runtime = context.shard().runtime();
    uuid_of(runtime.random(), runtime.random())
}

fn uuid_of(high: u64, low: u64) -> String {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// The client's address as Java's `InetAddress` writes it, with its slash and without `::`.
fn host_of(peer: SocketAddr) -> String {
    match peer.ip().to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let groups = address.segments().map(|group| format!("{group:x}"));
            format!("/{}", groups.join(":"))
        }
    }
}

fn answer_join(responder: &Responder, answer: Answer) -> Outcome {
    let Answer::Join(joined) = answer else { return mismatched(responder) };
    let code = joined.code;
    let response = join_response(joined, responder.version);
    responder.answer(code, |writer, version| response.encode(writer, version))
}

fn join_response(joined: Joined, version: i16) -> JoinGroupResponse<'static> {
    // Empty is null from the version on that has null.
    let protocol = joined.protocol.filter(|protocol| !protocol.is_empty());
    let members = joined.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.member_id.into(),
        group_instance_id: member.instance_id.map(Into::into),
        metadata: member.metadata.into(),
        ..JoinGroupResponseMember::default()
    });
    JoinGroupResponse {
        error_code: joined.code.code(),
        generation_id: joined.generation,
        protocol_type: joined.protocol_type.map(Into::into),
        protocol_name: match protocol {
            None if version < VERSION_PROTOCOL_TYPE => Some("".into()),
            protocol => protocol.map(Into::into),
        },
        leader: joined.leader.into(),
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id.into(),
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}

/// Serves a SyncGroup request; its answer waits for the leader's assignment.
pub fn sync_group(context: &RequestContext, request: &SyncGroupRequest<'_>) -> Reply {
    let responder = context.responder();
    let assignments = request.assignments.iter();
    let sync = Request::Sync(Sync {
        member: MemberRef {
            group: request.group_id.to_string(),
            member_id: request.member_id.to_string(),
            instance_id: owned(&request.group_instance_id),
            generation: request.generation_id,
        },
        protocol_type: owned(&request.protocol_type),
        protocol: owned(&request.protocol_name),
        assignments: assignments
            .map(|one| (one.member_id.to_string(), one.assignment.to_vec()))
            .collect(),
    });
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    let refused = if context.version() >= VERSION_SYNC_PROTOCOL && !says_protocol {
        Some(ErrorCode::InconsistentGroupProtocol)
    } else {
        request.group_id.is_empty().then_some(ErrorCode::InvalidGroupId)
    };
    if let Some(code) = refused {
        return Reply::Done(answer_sync(&responder, sync.refused(code)));
    }
    let asked = coordinate(context.shard(), &request.group_id, sync);
    reply(responder, Stage::Poll, asked, answer_sync)
}

fn answer_sync(responder: &Responder, answer: Answer) -> Outcome {
    let Answer::Sync(Synced { code, protocol_type, protocol, assignment }) = answer else {
        return mismatched(responder);
    };
    let response = SyncGroupResponse {
        error_code: code.code(),
        protocol_type: protocol_type.map(Into::into),
        protocol_name: protocol.map(Into::into),
        assignment: assignment.into(),
        ..SyncGroupResponse::default()
    };
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// Serves a Heartbeat request.
pub fn heartbeat(context: &RequestContext, request: &HeartbeatRequest<'_>) -> Reply {
    let responder = context.responder();
    if request.group_id.is_empty() {
        return Reply::Done(answer_heartbeat(&responder, ErrorCode::InvalidGroupId));
    }
    let member = MemberRef {
        group: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        instance_id: owned(&request.group_instance_id),
        generation: request.generation_id,
    };
    let asked = context.coordinate_often(&request.group_id, Request::Heartbeat(member));
    reply(responder, Stage::Coordinator, asked, |responder, answer| match answer {
        Answer::Heartbeat(code) => answer_heartbeat(responder, code),
        _ => mismatched(responder),
    })
}

fn answer_heartbeat(responder: &Responder, code: ErrorCode) -> Outcome {
    let response = HeartbeatResponse { error_code: code.code(), ..HeartbeatResponse::default() };
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// Serves a LeaveGroup request.
pub fn leave_group(context: &RequestContext, request: &LeaveGroupRequest<'_>) -> Reply {
    let responder = context.responder();
    let leave = leave(request, context.version());
    if request.group_id.is_empty() {
        let left = Left { code: ErrorCode::InvalidGroupId, members: Vec::new() };
        return Reply::Done(answer_leave(&responder, leave.members, left));
    }
    let members = leave.members.clone();
    let asked = coordinate(context.shard(), &request.group_id, Request::Leave(leave));
    reply(responder, Stage::Coordinator, asked, |responder, answer| match answer {
        Answer::Leave(left) => answer_leave(responder, members, left),
        _ => mismatched(responder),
    })
}

fn leave(request: &LeaveGroupRequest<'_>, version: i16) -> Leave {
    let members = if version >= VERSION_LEAVE_MANY {
        let members = request.members.iter();
        members
            .map(|member| LeavingMember {
                member_id: member.member_id.to_string(),
                instance_id: owned(&member.group_instance_id),
                reason: owned(&member.reason),
            })
            .collect()
    } else {
        let member_id = request.member_id.to_string();
        vec![LeavingMember { member_id, instance_id: None, reason: None }]
    };
    Leave { group: request.group_id.to_string(), members }
}

fn answer_leave(responder: &Responder, members: Vec<LeavingMember>, left: Left) -> Outcome {
    let error = first_error(iter::once(left.code).chain(left.members.iter().copied()));
    let response = leave_response(members, left, responder.version);
    responder.answer(error, |writer, version| response.encode(writer, version))
}

fn leave_response(
    members: Vec<LeavingMember>,
    left: Left,
    version: i16,
) -> LeaveGroupResponse<'static> {
    if version < VERSION_LEAVE_MANY {
        // The one member's error is that of the request.
        let code = match left.code {
            ErrorCode::None => left.members.first().copied().unwrap_or(ErrorCode::None),
            code => code,
        };
        return LeaveGroupResponse { error_code: code.code(), ..LeaveGroupResponse::default() };
    }
    let members = members.into_iter().zip(left.members).map(|(member, code)| MemberResponse {
        member_id: member.member_id.into(),
        group_instance_id: member.instance_id.map(Into::into),
        error_code: code.code(),
        ..MemberResponse::default()
    });
    LeaveGroupResponse {
        error_code: left.code.code(),
        members: members.collect(),
        ..LeaveGroupResponse::default()
    }
}

/// The coordinator has answered another question than the one asked: a programmer's error.
fn mismatched(responder: &Responder) -> Outcome {
    tracing::error!(
        api = responder.api.name(),
        "the group coordinator's answer does not fit: please report this"
    );
    Outcome::Close("the group coordinator's answer does not fit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::leave_group_request::MemberIdentity;

    #[test]
    fn ids_and_hosts_are_written_as_java_does() {
        assert_eq!(uuid_of(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_of(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(
            uuid_of(0x0123_4567_89ab_cdef, 0x0123_4567_89ab_cdef),
            "01234567-89ab-4def-8123-456789abcdef"
        );
        for (peer, expected) in [
            ("127.0.0.1:5", "/127.0.0.1"),
            ("[::1]:5", "/0:0:0:0:0:0:0:1"),
            ("[::ffff:10.0.0.7]:5", "/10.0.0.7"),
            ("[2001:db8::a]:5", "/2001:db8:0:0:0:0:0:a"),
        ] {
            assert_eq!(host_of(peer.parse().expect("an address")), expected);
        }
    }

    #[test]
    fn a_missing_protocol_is_empty_before_it_can_be_null() {
        let told = |protocol: Option<&str>, version| {
            let joined = Joined {
                code: ErrorCode::None,
                generation: 1,
                protocol_type: None,
                protocol: protocol.map(Into::into),
                leader: "l".into(),
                member_id: "m".into(),
                members: Vec::new(),
                skip_assignment: false,
            };
            join_response(joined, version).protocol_name
        };
        assert_eq!(told(None, 6).as_deref(), Some(""));
        assert_eq!(told(None, 7), None);
        assert_eq!(told(Some(""), 7), None);
        assert_eq!(told(Some("range"), 7).as_deref(), Some("range"));
    }

    #[test]
    fn one_member_leaves_in_old_versions_and_many_in_new_ones() {
        let request = LeaveGroupRequest {
            member_id: "old".into(),
            members: vec![MemberIdentity { member_id: "new".into(), ..Default::default() }],
            ..Default::default()
        };
        for (version, id, code, member_codes) in
            [(2, "old", 25, vec![]), (3, "new", 0, vec![25]), (5, "new", 0, vec![25])]
        {
            let members = leave(&request, version).members;
            assert_eq!(members[0].member_id, id);
            let left = Left { code: ErrorCode::None, members: vec![ErrorCode::UnknownMemberId] };
            let told = leave_response(members, left, version);
            let codes: Vec<i16> = told.members.iter().map(|member| member.error_code).collect();
            assert_eq!((told.error_code, codes), (code, member_codes), "version {version}");
        }
    }
}
