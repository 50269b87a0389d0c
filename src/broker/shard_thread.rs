//! One shard's thread: open the store, apply the metadata, listen, serve, and end in order.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tracing::{error, info};

use crate::metadata::Record;
use crate::runtime::mesh::MeshPort;
use crate::runtime::{Lane, Runtime};
use crate::server::{Acceptor, ConnectionQuota};
use crate::shard::{self, Message, Place, Settings, Shard};
use crate::storage::directory::DirectoryId;
use crate::storage::journal::{JournalIdentity, JournalOptions};
use crate::storage::log::LogState;
use crate::storage::{Store, StoreOptions};

/// Everything that a shard's thread is given; it crosses to the thread as one value.
pub struct ShardStart {
    /// Its number and how many there are.
    pub place: Place,
    /// The configuration.
    pub settings: Settings,
    /// The data directory.
    pub dir: PathBuf,
    /// The data directory's id.
    pub directory: DirectoryId,
    /// The start epoch.
    pub epoch: u64,
    /// This shard's share of `journal.bytes`.
    pub journal_bytes: u64,
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

/// Runs the shard to its end. It says `Started` on the mesh when it serves, or why it does not.
pub async fn run(runtime: Runtime, start: ShardStart) {
    let control = usize::from(start.place.shard_count);
    let mesh = start.port.attach(&runtime);
    let identity =
        JournalIdentity { directory: start.directory, slot: start.place.id.0, epoch: start.epoch };
    let journal = JournalOptions::new(&start.dir, identity, start.journal_bytes);
    let options = StoreOptions::new(&start.dir, journal);
    let store = match Store::open(&runtime, options, start.logs).await {
        Ok(store) => store,
        Err(problem) => {
            mesh.send(control, Message::Started(Err(problem.to_string())));
            return last_turn(&runtime).await;
        }
    };
    let shard = Shard::new(start.place, runtime.clone(), Rc::new(start.settings), store, mesh);
    shard.apply(&start.metadata).await;
    let acceptor = Acceptor::new(&shard, start.quota);
    if let Err(problem) = crate::server::serve(&acceptor, &start.addresses) {
        let text = format!("cannot listen on {:?}: {problem}", start.addresses);
        shard.mesh().send(control, Message::Started(Err(text)));
        return last_turn(&runtime).await;
    }
    watch_store(&shard);
    shard.mesh().send(control, Message::Started(Ok(())));
    shard::serve(shard.clone()).await;
    stop(&shard, &acceptor, control).await;
}

/// Tells the control thread when this shard's directory has failed.
fn watch_store(shard: &Rc<Shard>) {
    let watched = shard.clone();
    shard.runtime().spawn(Lane::Background, async move {
        let failure = watched.store().failed().await;
        error!(shard = %watched.id(), %failure, "the log directory is used no further");
        watched.mesh().send(watched.control_node(), Message::Failed(failure.to_string()));
    });
}

/// Ends connections, waits for what is under way, flushes, and says whether all is on disk.
async fn stop(shard: &Rc<Shard>, acceptor: &Acceptor, control: usize) {
    shard.begin_stop();
    acceptor.stop();
    // Appends of other shards still come and go until every gate is closed.
    let mailbox = shard.clone();
    shard.runtime().spawn(Lane::Hot, async move { shard::serve(mailbox).await });
    shard.gate().close().await;
    let clean = match shard.store().close().await {
        Ok(()) => true,
        Err(problem) => {
            error!(shard = %shard.id(), %problem, "the shard could not flush; a start will recover from the journal");
            false
        }
    };
    info!(shard = %shard.id(), clean, "shard stopped");
    shard.mesh().send(control, Message::Stopped(clean));
    last_turn(shard.runtime()).await;
}

/// Gives the driver a turn in which the thread's last message leaves.
async fn last_turn(runtime: &Runtime) {
    runtime.sleep(Duration::from_millis(1)).await;
}
