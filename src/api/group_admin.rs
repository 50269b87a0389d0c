//! ListGroups, DescribeGroups and DeleteGroups: groups as administrators see them.

use rustc_hash::FxHashSet;

use crate::api::ask_each::ask_each;
use crate::api::encode::{Responder, first_error};
use crate::api::metadata::OPERATIONS_NOT_ASKED;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::coordinator::message::{Answer, Description, ListFilter, Listed, Request};
use crate::model::ErrorCode;
use crate::protocol::delete_groups_request::DeleteGroupsRequest;
use crate::protocol::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use crate::protocol::describe_groups_request::DescribeGroupsRequest;
use crate::protocol::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use crate::protocol::list_groups_request::ListGroupsRequest;
use crate::protocol::list_groups_response::{ListGroupsResponse, ListedGroup};
use crate::shard::{coordinate, list_groups};

/// The first version of DescribeGroups that tells a group that does not exist from a dead one.
const VERSION_NOT_FOUND: i16 = 6;
/// What anybody may do with a group of a cluster without an authorizer: Kafka's
/// `AclEntry.supportedOperations`.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// The state of a group that is not there.
const STATE_DEAD: &str = "Dead";

/// Serves a ListGroups request.
pub fn list(context: &RequestContext, request: &ListGroupsRequest<'_>) -> Reply {
    let texts = |texts: &[std::borrow::Cow<'_, str>]| {
        texts.iter().map(|text| text.to_string()).collect::<Vec<String>>()
    };
    let filter =
        ListFilter { states: texts(&request.states_filter), types: texts(&request.types_filter) };
    let responder = context.responder();
    Reply::later(async move {
        let listed = list_groups(&responder.shard, filter).await;
        answer_list(&responder, listed)
    })
}

fn answer_list(responder: &Responder, listed: Result<Vec<Listed>, ErrorCode>) -> Outcome {
    let (code, groups) = match listed {
        Ok(groups) => (ErrorCode::None, groups),
        Err(code) => (code, Vec::new()),
    };
    let groups = groups.into_iter().map(|group| ListedGroup {
        group_id: group.group.into(),
        protocol_type: group.protocol_type.into(),
        group_state: group.state.into(),
        group_type: group.group_type.into(),
        ..ListedGroup::default()
    });
    let response = ListGroupsResponse {
        error_code: code.code(),
        groups: groups.collect(),
        ..ListGroupsResponse::default()
    };
    responder.answer(code, |writer, version| response.encode(writer, version))
}

/// Serves a DescribeGroups request.
pub fn describe(context: &RequestContext, request: &DescribeGroupsRequest<'_>) -> Reply {
    let operations = match request.include_authorized_operations {
        true => GROUP_OPERATIONS,
        false => OPERATIONS_NOT_ASKED,
    };
    let names = request.groups.iter().map(|group| group.to_string()).collect();
    let asked = ask_about_each(context, names, Request::Describe);
    let responder = context.responder();
    Reply::later(async move {
        let answers = asked.await;
        let mut groups = Vec::with_capacity(answers.len());
        for (group, answer) in answers {
            let result = match answer {
                Answer::Describe(result) => result,
                _ => Err(ErrorCode::UnknownServerError),
            };
            groups.push(described(group, result, operations, responder.version));
        }
        let codes = groups.iter().map(|group| ErrorCode::from_code(group.error_code));
        let error = first_error(codes);
        let response = DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() };
        responder.answer(error, |writer, version| response.encode(writer, version))
    })
}

fn described(
    group: String,
    result: Result<Description, ErrorCode>,
    operations: i32,
    version: i16,
) -> DescribedGroup<'static> {
    let failed = |code: ErrorCode, message: Option<String>, state: &'static str| DescribedGroup {
        error_code: code.code(),
        error_message: message.map(Into::into),
        group_id: group.clone().into(),
        group_state: state.into(),
        authorized_operations: OPERATIONS_NOT_ASKED,
        ..DescribedGroup::default()
    };
    match result {
        Ok(found) => DescribedGroup {
            group_state: found.state.into(),
            protocol_type: found.protocol_type.clone().into(),
            protocol_data: found.protocol.clone().into(),
            members: members(found),
            authorized_operations: operations,
            ..failed(ErrorCode::None, None, "")
        },
        Err(code @ ErrorCode::GroupIdNotFound) if version >= VERSION_NOT_FOUND => {
            failed(code, Some(format!("Group {group} not found.")), STATE_DEAD)
        }
        Err(ErrorCode::GroupIdNotFound) => DescribedGroup {
            authorized_operations: operations,
            ..failed(ErrorCode::None, None, STATE_DEAD)
        },
        Err(code) => failed(code, None, ""),
    }
}

fn members(found: Description) -> Vec<DescribedGroupMember<'static>> {
    let members = found.members.into_iter();
    members
        .map(|member| DescribedGroupMember {
            member_id: member.member_id.into(),
            group_instance_id: member.instance_id.map(Into::into),
            client_id: member.client_id.into(),
            client_host: member.client_host.into(),
            member_metadata: member.metadata.into(),
            member_assignment: member.assignment.into(),
            ..DescribedGroupMember::default()
        })
        .collect()
}

/// Asks each group's coordinator about it.
fn ask_about_each(
    context: &RequestContext,
    groups: Vec<String>,
    request: fn(String) -> Request,
) -> impl Future<Output = Vec<(String, Answer)>> + 'static {
    let shard = context.shard().clone();
    ask_each(context.shard(), groups, move |group: String| {
        let answered = coordinate(&shard, &group, request(group.clone()));
        async move { (group, answered.wait().await) }
    })
}

/// Serves a DeleteGroups request.
pub fn delete(context: &RequestContext, request: &DeleteGroupsRequest<'_>) -> Reply {
    let mut seen = FxHashSet::default();
    let names = request.groups_names.iter().filter(|group| seen.insert(&***group));
    let names = names.map(|group| group.to_string()).collect();
    let asked = ask_about_each(context, names, Request::Delete);
    let responder = context.responder();
    Reply::later(async move {
        let answers = asked.await;
        let mut results = Vec::with_capacity(answers.len());
        for (group, answer) in answers {
            let code = match answer {
                Answer::Delete(code) => code,
                _ => ErrorCode::UnknownServerError,
            };
            results.push(DeletableGroupResult {
                group_id: group.into(),
                error_code: code.code(),
                error_message: None,
                ..DeletableGroupResult::default()
            });
        }
        let codes = results.iter().map(|group| ErrorCode::from_code(group.error_code));
        let error = first_error(codes);
        let response = DeleteGroupsResponse { results, ..DeleteGroupsResponse::default() };
        responder.answer(error, |writer, version| response.encode(writer, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::message::DescribedMember;

    #[test]
    fn a_group_that_is_not_there_is_dead() {
        assert_eq!(GROUP_OPERATIONS, 3400);
        let missing = Err(ErrorCode::GroupIdNotFound);
        let told = |version| described("g".into(), missing.clone(), GROUP_OPERATIONS, version);
        let old = told(5);
        assert_eq!((old.error_code, &*old.group_state), (0, "Dead"));
        let new = told(6);
        assert_eq!((new.error_code, &*new.group_state), (69, "Dead"));
        assert_eq!(new.error_message.as_deref(), Some("Group g not found."));
        let loading = described("g".into(), Err(ErrorCode::CoordinatorLoadInProgress), 1, 6);
        assert_eq!((loading.error_code, &*loading.group_state), (14, ""));
        assert_eq!(loading.authorized_operations, OPERATIONS_NOT_ASKED);
    }

    #[test]
    fn a_group_is_described_with_its_members() {
        let member = DescribedMember {
            member_id: "m".into(),
            instance_id: Some("i".into()),
            client_id: "c".into(),
            client_host: "/h".into(),
            metadata: vec![1],
            assignment: vec![2],
        };
        let found = Description {
            state: "Stable",
            protocol_type: "consumer".into(),
            protocol: "range".into(),
            members: vec![member],
        };
        let told = described("g".into(), Ok(found), GROUP_OPERATIONS, 6);
        assert_eq!((&*told.group_id, &*told.group_state, told.error_code), ("g", "Stable", 0));
        assert_eq!((&*told.protocol_type, &*told.protocol_data), ("consumer", "range"));
        assert_eq!(told.authorized_operations, GROUP_OPERATIONS);
        let member = &told.members[0];
        assert_eq!((&*member.member_id, &*member.client_host), ("m", "/h"));
        assert_eq!((&*member.member_metadata, &*member.member_assignment), (&[1][..], &[2][..]));
    }
}
