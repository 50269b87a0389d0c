//! The operator's door: health, readiness and metrics over HTTP, and the signals that end the broker.
//!
//! Runs on a thread of its own with a current-thread tokio runtime. It touches no shard's state: it
//! asks the control thread through a channel, and answers 503 if that does not answer in time.
//! Deliberately absent: anything that changes the broker.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use crate::metrics::{ProcessSnapshot, ShardSnapshot, render};
use crate::model::report::BrokerReport;
use crate::protocol::api_key::ApiKey;
use crate::runtime::Usage;

/// How long the control thread may take to collect the numbers.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// Questions that wait for the control thread at once.
const QUESTIONS_MAX: usize = 16;

/// What the control thread is asked, with the way back.
#[derive(Debug)]
pub enum Question {
    /// The numbers of every shard.
    Numbers(oneshot::Sender<Numbers>),
    /// Which shard has what.
    Report(oneshot::Sender<BrokerReport>),
}

/// The numbers of the shards that answered in time.
#[derive(Debug)]
pub struct Numbers {
    /// How many shards there are.
    pub shard_count: usize,
    /// Those that answered.
    pub shards: Vec<ShardSnapshot>,
}

/// The control thread's end of the door.
pub struct AdminChannel {
    /// Questions to be answered.
    pub questions: mpsc::Receiver<Question>,
    /// Whether the broker serves: true from `ready` until it begins to stop.
    pub ready: watch::Sender<bool>,
    /// The name of the first signal that asks the process to end.
    pub termination: oneshot::Receiver<&'static str>,
}

#[derive(Clone)]
struct Door {
    questions: mpsc::Sender<Question>,
    ready: watch::Receiver<bool>,
}

/// Starts the HTTP thread on a bound socket; it ends with the process.
///
/// # Errors
/// When the thread cannot be started.
pub fn start(listener: StdListener) -> std::io::Result<AdminChannel> {
    listener.set_nonblocking(true)?;
    let (question_sender, questions) = mpsc::channel(QUESTIONS_MAX);
    let (ready, ready_receiver) = watch::channel(false);
    let (terminate, termination) = oneshot::channel();
    let door = Door { questions: question_sender, ready: ready_receiver };
    let thread = std::thread::Builder::new().name("admin".into());
    thread.spawn(move || serve(listener, door, terminate))?;
    Ok(AdminChannel { questions, ready, termination })
}

/// Binds the address of `admin.listener`.
///
/// # Errors
/// When the address is taken or not this machine's.
pub fn bind(address: SocketAddr) -> std::io::Result<StdListener> {
    StdListener::bind(address)
}

fn serve(listener: StdListener, door: Door, terminate: oneshot::Sender<&'static str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let served = runtime.and_then(|runtime| {
        runtime.block_on(async {
            tokio::spawn(watch_signals(terminate));
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, routes(door)).await
        })
    });
    if let Err(error) = served {
        warn!(%error, "the admin listener has ended; the broker goes on without health and metrics until it is restarted");
    }
}

/// Passes on the first SIGTERM or SIGINT. After a second one the process ends at once: a start
/// recovers whatever was acknowledged.
async fn watch_signals(terminate: oneshot::Sender<&'static str>) {
    let (terminated, interrupted) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminated), Ok(mut interrupted)) = (terminated, interrupted) else {
        warn!("signals cannot be caught: SIGTERM will end the broker without a clean stop");
        return;
    };
    let mut next = async || {
        tokio::select! {
            _ = terminated.recv() => "SIGTERM",
            _ = interrupted.recv() => "SIGINT",
        }
    };
    // The broker may have ended already.
    let _ = terminate.send(next().await);
    let again = next().await;
    warn!("{again} received again: ending without a clean stop");
    std::process::exit(1);
}

fn routes(door: Door) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .route("/shards", get(shards))
        .with_state(door)
}

async fn readiness(State(door): State<Door>) -> Response {
    if *door.ready.borrow() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
}

impl Door {
    /// Asks the control thread; none if it does not answer in time.
    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let asked = async {
            self.questions.send(question(sender)).await.ok()?;
            receiver.await.ok()
        };
        tokio::time::timeout(ANSWER_WAIT_MAX, asked).await.ok().flatten()
    }
}

fn no_answer() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the control thread did not answer\n").into_response()
}

async fn metrics(State(door): State<Door>) -> Response {
    let Some(Numbers { shard_count, shards }) = door.ask(Question::Numbers).await else {
        return no_answer();
    };
    let usage = Usage::read().unwrap_or_default();
    let process = ProcessSnapshot {
        version: env!("CARGO_PKG_VERSION"),
        shard_count,
        cpu_seconds: usage.cpu_seconds,
        resident_bytes: usage.resident_bytes,
        open_files: usage.open_files,
        open_files_max: usage.open_files_max,
        start_time_seconds: usage.start_time_seconds,
    };
    let name = |key| ApiKey::from_wire(key).map_or("Unknown", ApiKey::name);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], render(&process, &shards, name)).into_response()
}

async fn shards(State(door): State<Door>) -> Response {
    let Some(report) = door.ask(Question::Report).await else { return no_answer() };
    match serde_json::to_string(&report) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
