//! Adds up what the shards of one waiting fetch have found, and hurries all when it is enough.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rustc_hash::FxHashMap;

use crate::model::ShardId;
use crate::shard::fetches::Haste;
use crate::shard::message::{CallId, Message};
use crate::shard::state::Shard;

/// One fetch that spans several shards. The caller's own part counts under `None`.
pub struct FetchSum {
    shard: Weak<Shard>,
    bytes_min: usize,
    found: RefCell<FxHashMap<Option<CallId>, usize>>,
    remote: RefCell<Vec<(ShardId, CallId)>>,
    local: Rc<Haste>,
    hurried: Cell<bool>,
}

impl FetchSum {
    /// A fetch of `shard` that wants `bytes_min` bytes; `local` hurries its own part.
    pub fn new(shard: &Rc<Shard>, bytes_min: usize, local: Rc<Haste>) -> Rc<FetchSum> {
        Rc::new(FetchSum {
            shard: Rc::downgrade(shard),
            bytes_min,
            found: RefCell::new(FxHashMap::default()),
            remote: RefCell::new(Vec::new()),
            local,
            hurried: Cell::new(false),
        })
    }

    /// A call of this fetch to another shard.
    pub fn includes(&self, owner: ShardId, call: CallId) {
        self.remote.borrow_mut().push((owner, call));
    }

    /// One part has found so many bytes and waits for more.
    pub fn report(&self, part: Option<CallId>, bytes: usize) {
        let mut found = self.found.borrow_mut();
        found.insert(part, bytes);
        let sum: usize = found.values().sum();
        drop(found);
        if sum >= self.bytes_min {
            self.hurry();
        }
    }

    /// Every part is to answer with what it has: there is enough, or one has answered.
    pub fn hurry(&self) {
        if self.hurried.replace(true) {
            return;
        }
        self.local.give();
        let Some(shard) = self.shard.upgrade() else { return };
        for &(owner, call) in self.remote.borrow().iter() {
            shard.send(owner, Message::Hurry(call));
        }
    }
}
