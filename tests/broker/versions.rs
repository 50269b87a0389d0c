//! Every version that is advertised answers, in the order of the requests.

use klamm::api::versions::{SERVED, advertised, answered};
use klamm::protocol::api_key::ApiKey;
use klamm::protocol::api_versions_request::ApiVersionsRequest;
use klamm::protocol::frame;
use klamm::protocol::produce_request::ProduceRequest;

use crate::support::Broker;
use crate::wire::{Wire, check_answer, default_request, request_frame};

/// The default Produce asks for no answer (`acks` is 0 there), so this one asks for it.
fn request(api: ApiKey, version: i16, correlation_id: i32) -> Vec<u8> {
    if api == ApiKey::Produce {
        let request = ProduceRequest { acks: 1, transactional_id: None, ..Default::default() };
        return request_frame(&request, version, correlation_id);
    }
    default_request(api, version, correlation_id)
}

#[test]
fn every_served_version_answers_in_the_order_of_the_requests() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    let mut sent = Vec::new();
    for &api in SERVED {
        let range = answered(api).expect("a served API has versions");
        for version in range.min..=range.max {
            let correlation_id = 1000 + sent.len() as i32;
            wire.send_bytes(&request(api, version, correlation_id));
            sent.push((api, version, correlation_id));
        }
    }
    assert!(sent.len() > 70, "there are {} versions of all APIs", sent.len());
    for (api, version, correlation_id) in sent {
        let what = format!("{} version {version}", api.name());
        let bytes = wire.receive_frame().unwrap_or_else(|| panic!("{what}: closed"));
        let (correlated, body) = frame::response(bytes, api, version).expect("a response header");
        assert_eq!(correlated, correlation_id, "{what}");
        check_answer(api, version, body).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn what_api_versions_says_is_what_is_advertised() {
    let broker = Broker::start(&[]);
    let mut wire = Wire::connect(&broker);
    for version in 0..=ApiVersionsRequest::LATEST_STABLE {
        let request = ApiVersionsRequest {
            client_software_name: "wire".into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        };
        let answer = wire.ask(&request, version);
        assert_eq!(answer.error_code, 0, "version {version}");
        let said: Vec<(i16, i16, i16)> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        let served = SERVED.iter().map(|&api| {
            let range = advertised(api).expect("a served API is advertised");
            (api.wire(), range.min, range.max)
        });
        assert_eq!(said, served.collect::<Vec<_>>(), "version {version}");
    }
}
