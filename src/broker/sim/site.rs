//! What all simulated clients of one broker share: the model, and what may go wrong at the moment.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use super::groups::model::Groups;
use super::model::Model;
use super::tally::Tally;
use crate::model::{ErrorCode, LogId};
use crate::runtime::Runtime;

/// How long clients do nothing between two things that they do while they rest.
const RESTS: Duration = Duration::from_millis(10);

/// Where the broker listens.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9092);

/// The clients' common ground.
pub struct Site {
    /// For time and randomness.
    runtime: Runtime,
    pub model: RefCell<Model>,
    pub groups: RefCell<Groups>,
    pub tally: RefCell<Tally>,
    /// A fault that may fail the disk has been set.
    pub tampered: Cell<bool>,
    /// The broker was told to stop.
    pub stopping: Cell<bool>,
    /// How many processes have ended: what one of them has said before is heard no more after it,
    /// as if its host's kernel had forgotten it.
    pub lives_ended: Cell<u64>,
    /// Nothing disturbs the broker and its clients, and they do not disturb each other.
    pub calm: Cell<bool>,
    /// Who is in no group does little.
    pub rests: Cell<bool>,
    /// The offsets topic was there at the last start: every shard knows it.
    pub coordinates: Cell<bool>,
    /// A request is on its way that names topics by name.
    pub names_in_use: Cell<bool>,
    /// Clients begin nothing more and end.
    pub over: Cell<bool>,
    /// How many answers each client has had.
    pub answers: RefCell<BTreeMap<String, u64>>,
    is_told: bool,
}

impl Site {
    /// A site where nothing has happened; with `is_told` each event is printed.
    pub fn new(runtime: Runtime, is_told: bool) -> Rc<Site> {
        Rc::new(Site {
            runtime,
            model: RefCell::default(),
            groups: RefCell::default(),
            tally: RefCell::default(),
            tampered: Cell::new(false),
            stopping: Cell::new(false),
            lives_ended: Cell::new(0),
            calm: Cell::new(false),
            rests: Cell::new(false),
            coordinates: Cell::new(false),
            names_in_use: Cell::new(false),
            over: Cell::new(false),
            answers: RefCell::default(),
            is_told,
        })
    }

    /// A number below `of`.
    pub fn choice(&self, of: u64) -> u64 {
        self.runtime.random() % of
    }

    /// True once in so many times.
    pub fn one_in(&self, times: u64) -> bool {
        self.choice(times) == 0
    }

    /// Something happened that a test wants to happen.
    pub fn count(&self, what: &'static str) {
        self.tally.borrow_mut().count(what, 1);
    }

    /// A client's operation is complete.
    pub fn operated(&self) {
        self.model.borrow_mut().operations += 1;
    }

    /// Holds up a client that is in no group while it is to do little.
    pub async fn rest(&self, runtime: &Runtime) {
        if self.rests.get() {
            runtime.sleep(RESTS).await;
        }
    }

    /// A client has got an answer.
    pub fn answered(&self, name: &str) {
        let mut answers = self.answers.borrow_mut();
        match answers.get_mut(name) {
            Some(count) => *count += 1,
            None => drop(answers.insert(name.to_owned(), 1)),
        }
    }

    /// Prints what happens, if anybody reads it.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        if self.is_told {
            let now = self.runtime.now().0;
            println!("{:>5}.{:06} {}", now / 1_000_000_000, now / 1_000 % 1_000_000, text());
        }
    }

    /// Whether an error of a partition is one that may be met at this moment.
    pub fn check_error(&self, log: LogId, code: ErrorCode, told: impl FnOnce() -> String) {
        let model = self.model.borrow();
        let partition = model.partitions.get(&log);
        let is_fair = match code {
            // A shard may hear of a topic later than the one that told of it.
            ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => {
                partition.is_none_or(|partition| partition.deleted || !partition.settled)
            }
            ErrorCode::KafkaStorageError => self.tampered.get(),
            ErrorCode::NotLeaderOrFollower => self.stopping.get() || self.tampered.get(),
            _ => false,
        };
        let known = partition.map(|partition| (partition.deleted, partition.settled));
        assert!(is_fair, "{log} ({known:?}): {code} {}", told());
        drop(model);
        self.count("errors that were fair");
    }
}
