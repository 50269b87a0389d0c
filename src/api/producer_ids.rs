//! InitProducerId: an id of its own for each idempotent producer.

use crate::api::encode::Responder;
use crate::api::reply::{Outcome, Reply};
use crate::api::request::RequestContext;
use crate::model::{ErrorCode, ProducerId};
use crate::protocol::init_producer_id_request::InitProducerIdRequest;
use crate::protocol::init_producer_id_response::InitProducerIdResponse;

/// No id, or no epoch, where a producer has none yet.
const NONE: i64 = -1;

/// Serves an InitProducerId request.
pub fn init_producer_id(context: &RequestContext, request: &InitProducerIdRequest<'_>) -> Reply {
    let responder = context.responder();
    if let Some(code) = refusal(request) {
        return Reply::Done(answer(&responder, Err(code)));
    }
    Reply::later(async move {
        let id = responder.shard.producer_ids().next(&responder.shard).await;
        answer(&responder, id.map_err(told))
    })
}

/// A producer without a transactional id always gets a fresh id, even if it names one that it has
/// (KIP-360): only a transactional one keeps its id and gets a higher epoch.
fn refusal(request: &InitProducerIdRequest<'_>) -> Option<ErrorCode> {
    let names_id = request.producer_id != NONE;
    let names_epoch = i64::from(request.producer_epoch) != NONE;
    // Transactions do not exist yet, so nothing is promised that could not be kept.
    let refused = names_id != names_epoch || request.transactional_id.is_some();
    refused.then_some(ErrorCode::InvalidRequest)
}

/// What a client is told: without the controller there are no ids for a while, and this is the
/// error that makes every client try again.
fn told(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::NotController => ErrorCode::CoordinatorLoadInProgress,
        other => other,
    }
}

fn answer(responder: &Responder, id: Result<ProducerId, ErrorCode>) -> Outcome {
    let response = response(id);
    let code = id.err().unwrap_or(ErrorCode::None);
    responder.answer(code, |writer, version| response.encode(writer, version))
}

fn response(id: Result<ProducerId, ErrorCode>) -> InitProducerIdResponse<'static> {
    match id {
        Ok(id) => InitProducerIdResponse {
            producer_id: id.0,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(code) => InitProducerIdResponse {
            error_code: code.code(),
            producer_id: NONE,
            producer_epoch: NONE as i16,
            ..InitProducerIdResponse::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transactional_id: Option<&str>, id: i64, epoch: i16, refused: bool) {
        let request = InitProducerIdRequest {
            transactional_id: transactional_id.map(Into::into),
            producer_id: id,
            producer_epoch: epoch,
            ..InitProducerIdRequest::default()
        };
        assert_eq!(refusal(&request), refused.then_some(ErrorCode::InvalidRequest));
    }

    #[test]
    fn only_plain_idempotent_producers_get_an_id() {
        check(None, -1, -1, false);
        check(None, 7, 3, false);
        check(None, 7, -1, true);
        check(None, -1, 3, true);
        check(Some("t"), -1, -1, true);
        check(Some(""), -1, -1, true);
    }

    #[test]
    fn an_error_carries_no_id() {
        let response = response(Err(told(ErrorCode::NotController)));
        assert_eq!(response.error_code, ErrorCode::CoordinatorLoadInProgress.code());
        assert_eq!((response.producer_id, response.producer_epoch), (-1, -1));
    }

    #[test]
    fn a_fresh_id_begins_with_epoch_0() {
        let response = response(Ok(ProducerId(4000)));
        assert_eq!(
            (response.producer_id, response.producer_epoch, response.error_code),
            (4000, 0, 0)
        );
    }
}
