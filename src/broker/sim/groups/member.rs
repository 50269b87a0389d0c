//! A member of a group: its life from one connection to the next, and what may become of it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::assignor;
use super::model::Since;
use super::plan::{MEMBERS, MemberPlan};
use super::trouble;
use crate::broker::sim::link::{Link, Lost};
use crate::broker::sim::site::Site;
use crate::broker::sim::topics::{self, Place};
use crate::model::{ErrorCode, LogId};
use crate::protocol::find_coordinator_request::FindCoordinatorRequest;
use crate::runtime::{Monotonic, Runtime};

/// The first version of FindCoordinator that asks for many keys.
const VERSION_MANY_KEYS: i16 = 4;
/// The generation of who is in none.
pub const NO_GENERATION: i32 = -1;

/// A partition that a member reads.
#[derive(Clone, Debug)]
pub struct Owned {
    pub name: Rc<str>,
    pub position: i64,
    /// What was committed last, if that is known.
    pub committed: Option<i64>,
}

/// When a member was last heard of for certain.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    pub at: Monotonic,
    /// In which process, unless its generation is durable.
    pub life: Option<u64>,
}

/// A member, which outlives its connections and the broker's processes.
pub struct Member {
    pub site: Rc<Site>,
    pub runtime: Runtime,
    pub index: usize,
    pub plan: &'static MemberPlan,
    /// Its id, empty for one that is new.
    pub id: RefCell<String>,
    pub generation: Cell<i32>,
    pub owned: RefCell<BTreeMap<LogId, Owned>>,
    /// All partitions that the leader knew of.
    pub all: RefCell<BTreeSet<LogId>>,
    /// Changes when the member wants a rebalance.
    pub wish: Cell<u64>,
    pub heard: Cell<Option<Heard>>,
    /// The last generation that it was told when it joined.
    pub joined: Cell<i32>,
    /// Since when it asks to join without an answer, on this connection or those before it.
    pub joins_since: Cell<Option<Monotonic>>,
    /// The id that a static member had before it came back as another.
    pub ghost: RefCell<Option<String>>,
}

/// One connection's state.
pub struct Session {
    pub link: Link,
    pub places: Vec<Place>,
    /// The topics have changed.
    pub stale: bool,
    /// When the next heartbeat is due.
    pub heartbeat_at: Monotonic,
}

impl Member {
    /// A client that has joined no group.
    pub fn new(site: &Rc<Site>, runtime: Runtime, index: usize) -> Rc<Member> {
        Rc::new(Member {
            site: site.clone(),
            runtime,
            index,
            plan: &MEMBERS[index],
            id: RefCell::default(),
            generation: Cell::new(NO_GENERATION),
            owned: RefCell::default(),
            all: RefCell::default(),
            wish: Cell::new(0),
            heard: Cell::new(None),
            joined: Cell::new(NO_GENERATION),
            joins_since: Cell::new(None),
            ghost: RefCell::default(),
        })
    }

    /// The group's name.
    pub fn group(&self) -> &'static str {
        self.plan.group.name
    }

    /// Prints what happens, if anybody reads it.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        self.site.tell(|| {
            let (group, index, generation) = (self.group(), self.index, self.generation.get());
            format!("{group} member {index} in generation {generation}: {}", text())
        });
    }

    /// What is known of the group now, before a request.
    pub fn since(&self) -> Since {
        self.site.groups.borrow_mut().since(self.group())
    }

    /// Ends the seed where the group's model sees a promise broken.
    pub fn check(&self, result: Result<(), String>) {
        if let Err(problem) = result {
            panic!("group {}, member {}: {problem}", self.group(), self.index);
        }
    }

    /// An operation of a member is complete; how often is counted.
    pub fn done(&self, what: &'static str) {
        self.site.count(what);
        self.site.operated();
    }

    /// It stands outside of every generation, and joins again.
    pub fn fall_out(&self) {
        self.generation.set(NO_GENERATION);
        self.site.groups.borrow_mut().unsettled(self.index);
    }

    /// It is nobody any more, and comes back as somebody new.
    pub fn forget(&self) {
        self.fall_out();
        self.owned.borrow_mut().clear();
        let id = self.id.take();
        if self.plan.instance.is_some() && !id.is_empty() {
            *self.ghost.borrow_mut() = Some(id);
        }
        self.heard.set(None);
        self.joined.set(NO_GENERATION);
        self.joins_since.set(None);
    }

    /// Lives until the site is over, connecting again whenever a connection is lost.
    pub async fn run(self: Rc<Self>) {
        while !self.site.over.get() {
            if let Err(Lost(reason)) = self.connect_and_consume().await {
                self.tell(|| reason.into());
                self.site.count("members' connections lost");
            }
            self.runtime.sleep(Duration::from_micros(self.site.choice(3_000))).await;
        }
    }

    async fn connect_and_consume(&self) -> Result<(), Lost> {
        let name = format!("{}-{}", self.group(), self.index);
        let mut link = Link::open(&self.site, &self.runtime, name).await?;
        self.find_coordinator(&mut link).await?;
        let places = topics::places(&topics::look(&self.site, &mut link).await?);
        let heartbeat_at = self.runtime.now();
        let mut session = Session { link, places, stale: false, heartbeat_at };
        while !self.site.over.get() {
            if self.generation.get() == NO_GENERATION && !self.join(&mut session).await? {
                self.rest(3_000).await;
                continue;
            }
            self.keep_up(&mut session).await?;
            self.poll(&mut session).await?;
            if !self.site.calm.get() && self.suffer(&mut session).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does nothing for less than so many microseconds.
    pub async fn rest(&self, us: u64) {
        self.runtime.sleep(Duration::from_micros(self.site.choice(us))).await;
    }

    async fn find_coordinator(&self, link: &mut Link) -> Result<(), Lost> {
        loop {
            let by_key = link.version::<FindCoordinatorRequest<'_>>() < VERSION_MANY_KEYS;
            let request = FindCoordinatorRequest {
                key: if by_key { self.group().into() } else { "".into() },
                key_type: 0,
                coordinator_keys: if by_key { vec![] } else { vec![self.group().into()] },
                ..FindCoordinatorRequest::default()
            };
            let answer = link.call(&request).await?;
            let answer = answer.decode();
            let code = answer.coordinators.first().map_or(answer.error_code, |one| one.error_code);
            let code = ErrorCode::from_code(code);
            self.done("coordinators found");
            if code.is_none() {
                return Ok(());
            }
            trouble::check(&self.site, code, || format!("the coordinator of {}", self.group()))?;
            self.rest(2_000).await;
        }
    }

    /// Looks for new topics now and then, and wants a rebalance if the group reads them.
    async fn keep_up(&self, session: &mut Session) -> Result<(), Lost> {
        if !session.stale && !self.site.one_in(30) {
            return Ok(());
        }
        session.places = topics::places(&topics::look(&self.site, &mut session.link).await?);
        session.stale = false;
        let wanted = assignor::wanted(self.plan.group, &session.places);
        let wanted: BTreeSet<LogId> = wanted.into_iter().map(|place| place.log).collect();
        if wanted != *self.all.borrow() {
            self.tell(|| "sees other topics".into());
            self.wish.set(self.wish.get() + 1);
            self.fall_out();
            self.site.count("rebalances for new topics");
        }
        Ok(())
    }

    /// What members do beside reading: true if this connection ends with it.
    async fn suffer(&self, session: &mut Session) -> Result<bool, Lost> {
        let fate = self.site.choice(if self.plan.comes_and_goes { 60 } else { 300 });
        match fate {
            0 => {
                let ms = self.site.choice(3 * self.plan.session_ms);
                self.tell(|| format!("stands still for {ms} ms"));
                self.site.count("members that stood still");
                self.runtime.sleep(Duration::from_millis(ms)).await;
                // Whose processing took too long commits before it hears of anything else.
                self.commit(session).await?;
            }
            1 => {
                self.tell(|| "crashes".into());
                self.site.count("members that crashed");
                self.forget();
                return Ok(true);
            }
            2 => {
                self.leave(session).await?;
                self.rest(if self.plan.comes_and_goes { 60_000 } else { 6_000 }).await;
            }
            3 => {
                self.wish.set(self.wish.get() + 1);
                self.fall_out();
                self.site.count("rebalances for nothing");
            }
            4..8 => return Ok(true),
            _ => {}
        }
        Ok(false)
    }
}
