//! A client that is there before the broker serves and before its groups have loaded, and waits for every
//! answer for ever.

use std::rc::Rc;
use std::time::Duration;

use super::groups;
use super::link::{Link, Lost};
use super::site::Site;
use super::topics;
use crate::model::ErrorCode;
use crate::protocol::init_producer_id_request::InitProducerIdRequest;
use crate::runtime::Runtime;

/// Connects, asks for what only the control thread can give, and leaves, again and again.
pub async fn greet(site: Rc<Site>, runtime: Runtime) {
    while !site.over.get() {
        if let Err(Lost(reason)) = greet_once(&site, &runtime).await {
            site.tell(|| format!("greeter: {reason}"));
        }
        runtime.sleep(Duration::from_micros(200 + site.choice(10_000))).await;
    }
}

async fn greet_once(site: &Rc<Site>, runtime: &Runtime) -> Result<(), Lost> {
    let mut link = Link::open(site, runtime, "greeter".into()).await?;
    link.wait_patiently();
    groups::greet(site, &mut link).await?;
    topics::ask(&mut link).await?;
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    let answer = link.call(&request).await?;
    let code = ErrorCode::from_code(answer.decode().error_code);
    let excused = site.stopping.get() || site.tampered.get();
    assert!(code.is_none() || excused, "a producer id: {code}");
    site.count("greetings");
    site.operated();
    Ok(())
}
