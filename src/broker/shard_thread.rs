//! One shard's thread: open the store, apply the metadata, listen, serve, and end in order.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tracing::{debug, error, info};

use crate::metadata::Record;
use crate::runtime::mesh::MeshPort;
use crate::runtime::sync::oneshot;
use crate::runtime::{Lane, Runtime};
use crate::server::{Acceptor, ConnectionQuota};
use crate::shard::{self, Message, Place, Settings, Shard};
use crate::storage::log::LogState;
use crate::storage::{Store, StoreOptions};

/// Everything that a shard's thread is given; it crosses to the thread as one value.
pub struct ShardStart {
    /// Its number and how many there are.
    pub place: Place,
    /// The configuration.
    pub settings: Settings,
    /// Its slot of the data directory.
    pub store: StoreOptions,
    /// The state of the logs that it owns.
    pub logs: Vec<LogState>,
    /// The metadata so far.
    pub metadata: Vec<Record>,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How many connections there may be.
    pub quota: ConnectionQuota,
    /// Its way to the other threads.
    pub port: MeshPort<Message>,
}

/// A shard that serves.
pub struct Serving {
    /// The shard.
    pub shard: Rc<Shard>,
    acceptor: Rc<Acceptor>,
}

/// Runs the shard to its end.
pub async fn run(runtime: Runtime, start: ShardStart) {
    if let Some(serving) = open(&runtime, start).await {
        serving.run().await;
    }
}

/// Opens the shard and says `Started` on the mesh; `None` where it said why it does not serve.
pub async fn open(runtime: &Runtime, start: ShardStart) -> Option<Serving> {
    let control = usize::from(start.place.shard_count);
    let mesh = start.port.attach(runtime);
    let store = match Store::open(runtime, start.store, start.logs).await {
        Ok(store) => store,
        Err(problem) => {
            mesh.send(control, Message::Started(Err(problem.to_string())));
            last_turn(runtime).await;
            return None;
        }
    };
    let shard = Shard::new(start.place, runtime.clone(), Rc::new(start.settings), store, mesh);
    shard.apply(&start.metadata);
    let acceptor = Acceptor::new(&shard, start.quota);
    if let Err(problem) = crate::server::serve(&acceptor, &start.addresses) {
        let text = format!("cannot listen on {:?}: {problem}", start.addresses);
        shard.mesh().send(control, Message::Started(Err(text)));
        last_turn(runtime).await;
        return None;
    }
    watch_store(&shard);
    shard::retain(&shard);
    shard.mesh().send(control, Message::Started(Ok(())));
    Some(Serving { shard, acceptor })
}

impl Serving {
    /// Serves until the shard is told to stop, then ends it in order.
    pub async fn run(self) {
        shard::serve(self.shard.clone()).await;
        stop(&self.shard, &self.acceptor, self.shard.control_node()).await;
    }
}

/// Tells the control thread when this shard's directory has failed.
fn watch_store(shard: &Rc<Shard>) {
    let watched = shard.clone();
    shard.runtime().spawn(Lane::Background, async move {
        let failure = watched.store().failed().await;
        debug!(shard = %watched.id(), %failure, "the log directory is used no further");
        watched.mesh().send(watched.control_node(), Message::Failed(failure.to_string()));
    });
}

/// Ends connections, waits for what is under way, flushes, and says whether all is on disk.
async fn stop(shard: &Rc<Shard>, acceptor: &Acceptor, control: usize) {
    shard.begin_stop();
    // Appends of other shards still come and go until every gate is closed.
    let mailbox = shard.clone();
    let (ended, all_stopped) = oneshot::channel();
    shard.runtime().spawn(Lane::Hot, async move {
        shard::serve(mailbox).await;
        // Nobody waits for it once this thread has ended.
        let _ = ended.send(());
    });
    shard.groups().finish(shard.runtime()).await;
    acceptor.stop();
    shard.gate().close().await;
    shard.groups().keep().await;
    let clean = match shard.store().close().await {
        Ok(()) => true,
        Err(problem) => {
            error!(shard = %shard.id(), %problem, "the shard could not flush; a start will recover from the journal");
            false
        }
    };
    info!(shard = %shard.id(), clean, "shard stopped");
    shard.mesh().send(control, Message::Stopped(clean));
    // Until all have stopped, others may still call, and wait for an answer.
    all_stopped.await;
    last_turn(shard.runtime()).await;
}

/// Gives the driver a turn in which the thread's last message leaves.
async fn last_turn(runtime: &Runtime) {
    runtime.sleep(Duration::from_millis(1)).await;
}
