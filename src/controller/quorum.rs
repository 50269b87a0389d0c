//! Raft as a step function: events in, actions out; no clock, no disk, no network.
//!
//! The engine is `raft`'s `RawNode` with pre-vote and check-quorum. Its own randomness is replaced:
//! the election timeout is a function of a seed and the term, so that a simulation repeats.

use raft::eraftpb::{Entry, HardState, Message};
use raft::{Config, RawNode, StateRole};

use super::quorum_log::QuorumLog;

/// Ticks without a leader's word after which a voter asks for votes: at least so many, below twice.
const ELECTION_TICKS: usize = 10;
/// Ticks between a leader's words.
const HEARTBEAT_TICKS: usize = 2;
/// Bytes of entries in one message to a follower.
const MESSAGE_BYTES_MAX: u64 = 1 << 20;
/// Messages in flight to one follower.
const MESSAGES_IN_FLIGHT_MAX: usize = 64;

/// Only the leader proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not lead the metadata quorum")]
pub struct NotLeader;

/// What has to be done, in this order.
#[derive(Debug, Default)]
pub struct Actions {
    /// To be given back with [`Quorum::persisted`].
    pub number: u64,
    /// To be sent at once.
    pub messages: Vec<Message>,
    /// To be made durable, with the hard state, before anything below counts.
    pub entries: Vec<Entry>,
    /// To be made durable where `must_sync` says so; else it may be lost.
    pub hard_state: Option<HardState>,
    /// Whether something above has to be durable.
    pub must_sync: bool,
    /// To be sent once that is durable.
    pub messages_after: Vec<Message>,
    /// To be replayed: these are durable on a majority already.
    pub committed: Vec<Entry>,
}

/// One node of the metadata quorum.
pub struct Quorum {
    node: RawNode<QuorumLog>,
    seed: u64,
}

impl Quorum {
    /// A node over its recovered log, of which the base is applied.
    pub fn new(id: u64, log: QuorumLog, seed: u64) -> raft::Result<Quorum> {
        let config = Config {
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            applied: log.base_index,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: MESSAGES_IN_FLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            ..Config::new(id)
        };
        // What Raft would log as text is visible in its actions.
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&config, log, &logger)?;
        let mut quorum = Quorum { node, seed };
        quorum.settle();
        Ok(quorum)
    }

    /// A lone voter has nobody to hear from and nobody to lose: time means nothing to it.
    pub fn needs_ticks(&self) -> bool {
        let conf = &self.log().conf_state;
        conf.voters.len() + conf.voters_outgoing.len() > 1
    }

    /// Time passes.
    pub fn tick(&mut self) {
        self.node.tick();
        self.settle();
    }

    /// Asks for votes now; a lone voter leads at once.
    pub fn campaign(&mut self) -> raft::Result<()> {
        let result = self.node.campaign();
        self.settle();
        result
    }

    /// Takes another node's message.
    pub fn step(&mut self, message: Message) -> raft::Result<()> {
        let result = self.node.step(message);
        self.settle();
        result
    }

    /// Adds an entry to the log; it is committed when it comes back in [`Actions::committed`].
    pub fn propose(&mut self, data: Vec<u8>) -> Result<u64, NotLeader> {
        if !self.is_leader() {
            return Err(NotLeader);
        }
        self.node.propose(Vec::new(), data).map_err(|_| NotLeader)?;
        Ok(self.node.raft.raft_log.last_index())
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// What is to be done next, if anything. The entries are in [`Quorum::log`] already.
    pub fn ready(&mut self) -> Option<Actions> {
        if !self.node.has_ready() {
            return None;
        }
        let mut ready = self.node.ready();
        let actions = Actions {
            number: ready.number(),
            messages: ready.take_messages(),
            entries: ready.entries().clone(),
            hard_state: ready.hs().cloned(),
            must_sync: ready.must_sync(),
            messages_after: ready.take_persisted_messages(),
            committed: ready.take_committed_entries(),
        };
        let log = self.node.mut_store();
        for entry in &actions.entries {
            log.put(entry.clone()).expect("raft appends without gaps behind what is committed");
        }
        if let Some(state) = &actions.hard_state {
            log.hard_state = state.clone();
        }
        self.node.advance_append_async(ready);
        Some(actions)
    }

    /// What the actions of this number (and all before) asked to be durable, is.
    pub fn persisted(&mut self, number: u64) {
        self.node.on_persist_ready(number);
        self.settle();
    }

    /// Committed entries through `index` have been replayed.
    pub fn applied(&mut self, index: u64) {
        self.node.advance_apply_to(index);
        self.settle();
    }

    /// The log with Raft's state.
    pub fn log(&self) -> &QuorumLog {
        self.node.store()
    }

    /// Forgets entries that a checkpoint covers.
    pub fn forget_through(&mut self, index: u64) {
        self.node.mut_store().forget_through(index);
    }

    /// Every change of term or role draws a new timeout from a random number that no simulation
    /// could repeat; this puts one in its place that depends on nothing but seed and term.
    fn settle(&mut self) {
        let mixed = (self.seed ^ self.node.raft.term).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let extra = (mixed >> 32) as usize % ELECTION_TICKS;
        self.node.raft.set_randomized_election_timeout(ELECTION_TICKS + extra);
    }
}

#[cfg(test)]
#[path = "quorum_tests.rs"]
mod tests;
