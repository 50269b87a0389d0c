//! A simulated client's connection: Kafka's frames in order, answers in the order of the requests.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use super::site::{ADDRESS, Site};
use crate::client::Request;
use crate::model::ErrorCode;
use crate::protocol::api_key::ApiKey;
use crate::protocol::api_versions_request::ApiVersionsRequest;
use crate::protocol::frame::{self, RequestHeader, SIZE_BYTES};
use crate::runtime::Runtime;
use crate::runtime::memory::Piece;
use crate::runtime::net::Stream;
use crate::runtime::sync::timeout;

/// The largest answer that a client takes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long a client waits for an answer, beyond what it has asked to wait for.
const PATIENCE_MS: [u64; 4] = [300, 3_000, 3_000, 30_000];

/// The connection is of no use any more: whatever was under way on it may have happened or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost(pub &'static str);

/// A request that has no answer yet.
struct Outstanding {
    correlation_id: i32,
    api: ApiKey,
    version: i16,
    wait: Duration,
}

/// A connection to the broker.
pub struct Link {
    site: Rc<Site>,
    runtime: Runtime,
    stream: Stream,
    name: String,
    life: u64,
    /// The version in which this client speaks each API.
    versions: BTreeMap<i16, i16>,
    patience: Duration,
    correlation_id: i32,
    outstanding: VecDeque<Outstanding>,
    received: Vec<u8>,
}

/// The bytes of an answer to an `R`.
pub struct Answer<R> {
    bytes: Vec<u8>,
    body_at: usize,
    pub version: i16,
    request: PhantomData<R>,
}

impl<R: Request> Answer<R> {
    /// The answer as a message that borrows from the bytes.
    pub fn decode(&self) -> R::Response<'_> {
        R::read_response(&self.bytes[self.body_at..], self.version)
            .expect("the broker's answers are what Kafka's definitions say")
    }
}

/// The oldest version that a simulated client speaks: the younger of its own and of what the
/// fields that it sets need.
fn oldest(api: ApiKey) -> i16 {
    match api {
        ApiKey::Fetch => 12,
        // By name a batch could come to a topic that was deleted and made again.
        ApiKey::Produce => 13,
        // The same goes for a commit.
        ApiKey::OffsetCommit => 10,
        // Static members and, further down, many groups at once.
        ApiKey::JoinGroup => 5,
        ApiKey::SyncGroup | ApiKey::Heartbeat | ApiKey::LeaveGroup => 3,
        ApiKey::OffsetFetch => 8,
        ApiKey::FindCoordinator => 2,
        ApiKey::Metadata => 10,
        ApiKey::DeleteTopics => 6,
        ApiKey::ListOffsets | ApiKey::OffsetForLeaderEpoch => 4,
        other => other.latest_stable().saturating_sub(1),
    }
}

impl Link {
    /// Connects and learns which versions the broker speaks.
    pub async fn open(site: &Rc<Site>, runtime: &Runtime, name: String) -> Result<Link, Lost> {
        let stream = runtime.net().connect(ADDRESS).await;
        let stream = stream.map_err(|_| Lost("nobody listens"))?;
        let mut link = Link {
            site: site.clone(),
            runtime: runtime.clone(),
            stream,
            name,
            life: site.lives_ended.get(),
            versions: BTreeMap::new(),
            patience: Duration::from_millis(PATIENCE_MS[site.choice(4) as usize]),
            correlation_id: 0,
            outstanding: VecDeque::new(),
            received: Vec::new(),
        };
        link.negotiate().await?;
        Ok(link)
    }

    async fn negotiate(&mut self) -> Result<(), Lost> {
        let latest = ApiVersionsRequest::LATEST_STABLE;
        self.versions.insert(ApiKey::ApiVersions.wire(), latest - self.site.choice(3) as i16);
        let request = ApiVersionsRequest {
            client_software_name: "klamm-sim".into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        };
        let answer = self.call(&request).await?;
        let answer = answer.decode();
        assert_eq!(answer.error_code, ErrorCode::None.code(), "ApiVersions");
        for served in &answer.api_keys {
            let Ok(api) = ApiKey::try_from(served.api_key) else { continue };
            let newest = served.max_version.min(api.latest_stable());
            let oldest = oldest(api).clamp(served.min_version, newest);
            let version = oldest + self.site.choice((newest - oldest) as u64 + 1) as i16;
            self.versions.insert(served.api_key, version);
        }
        Ok(())
    }

    /// Whom it belongs to.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Leaves it to others to say when an answer takes too long.
    pub fn wait_patiently(&mut self) {
        self.patience = Duration::from_secs(3600);
    }

    /// The version in which this connection speaks an API.
    pub fn version<R: Request>(&self) -> i16 {
        self.versions[&R::KEY.wire()]
    }

    /// Sends a request; its answer is taken later.
    pub async fn send<R: Request>(&mut self, request: &R) -> Result<(), Lost> {
        self.send_waiting(request, Duration::ZERO).await
    }

    /// Sends a request whose answer may take `wait` longer.
    pub async fn send_waiting<R: Request>(
        &mut self,
        request: &R,
        wait: Duration,
    ) -> Result<(), Lost> {
        self.correlation_id += 1;
        let (api, version) = (R::KEY, self.version::<R>());
        let header = RequestHeader {
            api_key: api,
            api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(&self.name),
        };
        let mut writer = frame::begin_request(Vec::new(), header).expect("a header encodes");
        request.write(&mut writer, version).expect("a client's request encodes");
        let bytes = frame::finish(writer).expect("a client's request is small").bytes;
        let correlation_id = self.correlation_id;
        self.outstanding.push_back(Outstanding { correlation_id, api, version, wait });
        let sending = self.stream.send(vec![Piece::Vec(bytes)]);
        match timeout(&self.runtime, self.patience, sending).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(Lost("the connection was cut")),
            None => Err(Lost("the broker reads no further")),
        }
    }

    /// Sends a request that gets no answer.
    pub async fn send_unanswered<R: Request>(&mut self, request: &R) -> Result<(), Lost> {
        self.send(request).await?;
        self.outstanding.pop_back();
        Ok(())
    }

    /// The answer to the oldest request.
    pub async fn receive<R: Request>(&mut self) -> Result<Answer<R>, Lost> {
        let Outstanding { correlation_id, api, version, wait } =
            self.outstanding.pop_front().expect("an answer is awaited after its request");
        assert_eq!(api, R::KEY, "answers are taken in the order of the requests");
        let (runtime, patience) = (self.runtime.clone(), self.patience + wait);
        let Some(frame) = timeout(&runtime, patience, self.frame()).await else {
            self.site.count("requests that timed out");
            return Err(Lost("the broker takes too long"));
        };
        let bytes = frame?;
        if self.life != self.site.lives_ended.get() {
            return Err(Lost("the process that answers has ended"));
        }
        let (answered, body) = frame::response(&bytes, api, version)
            .expect("the broker's answers are what Kafka's definitions say");
        assert_eq!(answered, correlation_id, "{}: {api:?} is answered out of order", self.name);
        let body_at = bytes.len() - body.len();
        self.site.answered(&self.name);
        Ok(Answer { bytes, body_at, version, request: PhantomData })
    }

    /// Sends a request and takes its answer.
    pub async fn call<R: Request>(&mut self, request: &R) -> Result<Answer<R>, Lost> {
        self.send(request).await?;
        self.receive().await
    }

    async fn frame(&mut self) -> Result<Vec<u8>, Lost> {
        loop {
            let size = frame::size(&self.received, ANSWER_BYTES_MAX).expect("a frame's size");
            if let Some(end) = size.map(|size| SIZE_BYTES + size)
                && self.received.len() >= end
            {
                let rest = self.received.split_off(end);
                let mut frame = std::mem::replace(&mut self.received, rest);
                frame.drain(..SIZE_BYTES);
                return Ok(frame);
            }
            match self.stream.recv().await {
                Ok(bytes) if bytes.is_empty() => return Err(Lost("the broker has hung up")),
                Ok(bytes) => self.received.extend_from_slice(&bytes),
                Err(_) => return Err(Lost("the connection was cut")),
            }
        }
    }
}
