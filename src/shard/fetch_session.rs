//! Incremental fetch sessions (KIP-227): what a consumer wants is remembered between its requests.
//!
//! A client opens a session with a full request (epoch 0), names only changes afterwards, and gets
//! only partitions that have something to say. Sessions live on the shard that opened them and move
//! with their connection; one that is asked for elsewhere is not found, and the client opens another. The number of sessions
//! is bounded: a new one takes the place of one that has been idle for two minutes, or none.
//! After Kafka's `FetchManager` and `FetchSession`.

use std::collections::BTreeMap;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::{ErrorCode, Offset, TopicId};
use crate::runtime::clock::Monotonic;
use crate::shard::message::{FetchedPlace, Told};

/// The epoch of a request that opens a session.
pub const EPOCH_INITIAL: i32 = 0;
/// The epoch of a request that wants no session and ends the one it names.
pub const EPOCH_FINAL: i32 = -1;
/// The id that stands for no session.
pub const SESSION_NONE: i32 = 0;
/// How long a session must be idle before a new one may take its place (Kafka: 2 minutes).
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);

/// A topic as the request names it: by name up to version 12, by id from 13.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// Its name.
    Name(Box<str>),
    /// Its id.
    Id(TopicId),
}

/// A partition as the request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    /// The topic.
    pub topic: TopicRef,
    /// The partition's index.
    pub partition: i32,
}

/// What a client wants of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which partition.
    pub key: PartitionKey,
    /// The offset to read from.
    pub offset: Offset,
    /// The most bytes of it in one response.
    pub bytes_max: i32,
    /// The leader epoch that the client knows, -1 if none.
    pub leader_epoch: i32,
    /// The epoch of the last record that it fetched, -1 if none (version 12).
    pub last_fetched_epoch: i32,
    /// What it was told before, as the session remembers it.
    pub told: Told,
}

/// What a response would say of one partition, as far as sessions compare it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// An error, which is always said.
    Failure,
    /// Its place, and so many bytes of records.
    Found(FetchedPlace, usize),
}

/// What one client wants, and what it was told.
#[derive(Debug)]
pub struct FetchSession {
    epoch: i32,
    by_id: bool,
    used: Monotonic,
    order_next: u64,
    order: BTreeMap<u64, Wanted>,
    places: FxHashMap<PartitionKey, u64>,
}

impl FetchSession {
    fn new(by_id: bool, now: Monotonic) -> FetchSession {
        FetchSession {
            epoch: 1,
            by_id,
            used: now,
            order_next: 0,
            order: BTreeMap::new(),
            places: FxHashMap::default(),
        }
    }

    fn want(&mut self, wanted: Wanted) {
        if let Some(place) = self.places.get(&wanted.key)
            && let Some(remembered) = self.order.get_mut(place)
        {
            *remembered = Wanted { told: remembered.told, ..wanted };
            return;
        }
        self.places.insert(wanted.key.clone(), self.order_next);
        self.order.insert(self.order_next, Wanted { told: Told::NOTHING, ..wanted });
        self.order_next += 1;
    }

    fn forget(&mut self, key: &PartitionKey) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    /// Whether an incremental response names the partition; remembers what it said.
    fn must_say(&mut self, key: &PartitionKey, said: Said) -> bool {
        let Some(&place) = self.places.get(key) else { return true };
        let Some(remembered) = self.order.get_mut(&place) else { return true };
        let Said::Found(found, bytes) = said else {
            remembered.told = Told::NOTHING;
            return true;
        };
        let is_news = found.is_news(remembered.told);
        remembered.told = found.told();
        if bytes > 0 {
            // Who was served goes to the end, so that a full response starves nobody.
            if let Some(served) = self.order.remove(&place) {
                self.order.insert(self.order_next, served);
                self.places.insert(key.clone(), self.order_next);
                self.order_next += 1;
            }
            return true;
        }
        is_news
    }
}

/// How the response of a fetch is to be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// Without a session: everything that was asked for is said and the id is 0.
    Sessionless(Vec<Wanted>),
    /// The first response of a session: everything that was asked for is said.
    Full(i32, Vec<Wanted>),
    /// A later response: only what changed of all that the session remembers is said.
    Incremental(i32),
}

impl Context {
    /// The session's id for the response.
    pub fn session_id(&self) -> i32 {
        match self {
            Context::Sessionless(_) => SESSION_NONE,
            Context::Full(id, _) | Context::Incremental(id) => *id,
        }
    }
}

/// A partition's place among those of one request, in the order in which they are to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedPlace(u64);

/// The sessions of one shard.
pub struct FetchSessions {
    sessions: FxHashMap<i32, FetchSession>,
    slots_max: usize,
    /// No session gives way earlier, so that a full cache is not searched for each client that has no place in it.
    evictable_from: Monotonic,
}

impl FetchSessions {
    /// At most `slots_max` sessions (`max.incremental.fetch.session.cache.slots` over the shards).
    pub fn new(slots_max: usize) -> FetchSessions {
        let evictable_from = Monotonic::default();
        FetchSessions { sessions: FxHashMap::default(), slots_max, evictable_from }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Opens, continues or ends a session as the request says; returns how to respond. `fresh_id` is a random number.
    pub fn begin(
        &mut self,
        request: SessionRequest,
        now: Monotonic,
        fresh_id: u32,
    ) -> Result<Context, ErrorCode> {
        let SessionRequest { id, epoch, by_id, wanted, forgotten } = request;
        if epoch == EPOCH_FINAL || epoch == EPOCH_INITIAL {
            self.sessions.remove(&id);
            if epoch == EPOCH_FINAL {
                return Ok(Context::Sessionless(wanted));
            }
            return Ok(self.open(by_id, wanted, now, fresh_id));
        }
        let session = self.sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        for wanted in wanted {
            session.want(wanted);
        }
        for key in &forgotten {
            session.forget(key);
        }
        if session.order.is_empty() {
            self.sessions.remove(&id);
            return Ok(Context::Sessionless(Vec::new()));
        }
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        session.used = now;
        Ok(Context::Incremental(id))
    }

    fn open(&mut self, by_id: bool, wanted: Vec<Wanted>, now: Monotonic, fresh: u32) -> Context {
        if self.sessions.len() >= self.slots_max && !self.evict(now) {
            return Context::Sessionless(wanted);
        }
        let mut id = ((fresh & 0x7fff_ffff) as i32).max(1);
        while self.sessions.contains_key(&id) {
            id = if id == i32::MAX { 1 } else { id + 1 };
        }
        let mut session = FetchSession::new(by_id, now);
        for wanted in &wanted {
            session.want(wanted.clone());
        }
        self.sessions.insert(id, session);
        Context::Full(id, wanted)
    }

    /// Shows what is wanted, in the order in which it is to be served; nothing of a session that has ended.
    pub fn each_wanted(&self, context: &Context, mut each: impl FnMut(WantedPlace, &Wanted)) {
        match context {
            Context::Sessionless(wanted) | Context::Full(_, wanted) => {
                for (place, wanted) in wanted.iter().enumerate() {
                    each(WantedPlace(place as u64), wanted);
                }
            }
            Context::Incremental(id) => {
                let remembered = self.sessions.get(id).into_iter();
                for (place, wanted) in remembered.flat_map(|session| &session.order) {
                    each(WantedPlace(*place), wanted);
                }
            }
        }
    }

    /// The partition that was wanted at a place; `None` if the session no longer remembers it.
    pub fn key_at(&self, context: &Context, place: WantedPlace) -> Option<PartitionKey> {
        let wanted = match context {
            Context::Sessionless(wanted) | Context::Full(_, wanted) => wanted.get(place.0 as usize),
            Context::Incremental(id) => self.sessions.get(id)?.order.get(&place.0),
        };
        wanted.map(|wanted| wanted.key.clone())
    }

    /// Takes a session out, to go on elsewhere.
    pub fn take(&mut self, id: i32) -> Option<FetchSession> {
        self.sessions.remove(&id)
    }

    /// Goes on with a session from elsewhere; without room, or if its id is in use here, it is
    /// dropped, and the client opens another.
    pub fn adopt(&mut self, id: i32, session: FetchSession, now: Monotonic) {
        let room = self.sessions.len() < self.slots_max || self.evict(now);
        if room && !self.sessions.contains_key(&id) {
            self.sessions.insert(id, session);
        }
    }

    fn evict(&mut self, now: Monotonic) -> bool {
        if now < self.evictable_from {
            return false;
        }
        let oldest = self.sessions.iter().min_by_key(|(id, session)| (session.used, **id));
        let Some((&id, session)) = oldest else { return false };
        self.evictable_from = session.used + EVICTABLE_AFTER;
        if now < self.evictable_from {
            return false;
        }
        self.sessions.remove(&id);
        true
    }

    /// Whether the response in `context` names the partition.
    pub fn must_say(&mut self, context: &Context, key: &PartitionKey, said: Said) -> bool {
        match context {
            Context::Sessionless(_) => true,
            Context::Full(id, _) => {
                if let Some(session) = self.sessions.get_mut(id) {
                    session.must_say(key, said);
                }
                true
            }
            Context::Incremental(id) => {
                self.sessions.get_mut(id).is_none_or(|session| session.must_say(key, said))
            }
        }
    }
}

/// The part of a Fetch request that sessions decide on.
#[derive(Clone, Debug)]
pub struct SessionRequest {
    /// The session's id, 0 for none.
    pub id: i32,
    /// The session's epoch.
    pub epoch: i32,
    /// Whether topics are named by id (version 13 and above).
    pub by_id: bool,
    /// Partitions that are new or changed; all of them in a full request.
    pub wanted: Vec<Wanted>,
    /// Partitions no longer wanted.
    pub forgotten: Vec<PartitionKey>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> PartitionKey {
        PartitionKey { topic: TopicRef::Name("t".into()), partition }
    }

    fn wanted(partition: i32, offset: i64) -> Wanted {
        Wanted {
            key: key(partition),
            offset: Offset(offset),
            bytes_max: 100,
            leader_epoch: -1,
            last_fetched_epoch: -1,
            told: Told::NOTHING,
        }
    }

    fn told(partition: i32, offset: i64, high_watermark: i64) -> Wanted {
        Wanted { told: place(high_watermark), ..wanted(partition, offset) }
    }

    fn place(high_watermark: i64) -> Told {
        Told { high_watermark: Offset(high_watermark), log_start: Offset(0) }
    }

    fn request(id: i32, epoch: i32, wanted: Vec<Wanted>) -> SessionRequest {
        SessionRequest { id, epoch, by_id: false, wanted, forgotten: Vec::new() }
    }

    fn said(bytes: usize, high_watermark: i64) -> Said {
        let Told { high_watermark, log_start } = place(high_watermark);
        Said::Found(FetchedPlace { high_watermark, log_start, diverging: None }, bytes)
    }

    const NOW: Monotonic = Monotonic(0);

    /// The context of a request that is served, and what is wanted.
    fn begin(
        sessions: &mut FetchSessions,
        request: SessionRequest,
        fresh_id: u32,
    ) -> (Context, Vec<Wanted>) {
        let context = sessions.begin(request, NOW, fresh_id).expect("the request is served");
        let (mut places, mut all) = (Vec::new(), Vec::new());
        sessions.each_wanted(&context, |place, wanted| {
            places.push(place);
            all.push(wanted.clone());
        });
        assert!(places.is_sorted());
        let keys = places.iter().filter_map(|place| sessions.key_at(&context, *place));
        assert!(keys.eq(all.iter().map(|wanted| wanted.key.clone())));
        (context, all)
    }

    #[test]
    fn a_session_remembers_and_says_only_what_changed() {
        let mut sessions = FetchSessions::new(2);
        let both = vec![wanted(0, 0), wanted(1, 0)];
        let (context, all) = begin(&mut sessions, request(0, EPOCH_INITIAL, both.clone()), 7);
        assert_eq!((&context, &all), (&Context::Full(7, both.clone()), &both));
        assert!(sessions.must_say(&context, &key(0), said(0, 5)));
        assert!(sessions.must_say(&context, &key(1), said(0, 5)));

        let (context, all) = begin(&mut sessions, request(7, 1, vec![wanted(1, 3)]), 9);
        assert_eq!(context, Context::Incremental(7));
        assert_eq!(all, [told(0, 0, 5), told(1, 3, 5)]);
        assert!(!sessions.must_say(&context, &key(0), said(0, 5)));
        assert!(sessions.must_say(&context, &key(1), said(0, 6)));
        assert!(sessions.must_say(&context, &key(0), said(10, 5)));

        let (_, all) = begin(&mut sessions, request(7, 2, vec![]), 9);
        assert_eq!(all, [told(1, 3, 6), told(0, 0, 5)], "who was served goes to the end");

        assert!(sessions.must_say(&context, &key(1), Said::Failure));
        let (_, all) = begin(&mut sessions, request(7, 3, vec![]), 9);
        assert_eq!(all, [wanted(1, 3), told(0, 0, 5)], "after an error anything is news");
    }

    #[test]
    fn errors_of_a_session_are_kafkas() {
        let mut sessions = FetchSessions::new(2);
        let begin = |sessions: &mut FetchSessions, request| sessions.begin(request, NOW, 7);
        assert_eq!(
            begin(&mut sessions, request(5, 1, vec![])),
            Err(ErrorCode::FetchSessionIdNotFound)
        );
        let full = Context::Full(7, vec![wanted(0, 0)]);
        assert_eq!(begin(&mut sessions, request(0, 0, vec![wanted(0, 0)])), Ok(full));
        assert_eq!(
            begin(&mut sessions, request(7, 3, vec![])),
            Err(ErrorCode::InvalidFetchSessionEpoch)
        );
        let by_id = SessionRequest { by_id: true, ..request(7, 1, vec![]) };
        assert_eq!(begin(&mut sessions, by_id), Err(ErrorCode::FetchSessionTopicIdError));
        let emptied = SessionRequest { forgotten: vec![key(0)], ..request(7, 1, vec![]) };
        assert_eq!(begin(&mut sessions, emptied), Ok(Context::Sessionless(Vec::new())));
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_session_goes_on_elsewhere_if_there_is_room() {
        let (mut here, mut there) = (FetchSessions::new(2), FetchSessions::new(1));
        for (id, wanted_by) in [(7, 1), (8, 2)] {
            let full = request(0, EPOCH_INITIAL, vec![wanted(wanted_by, 0)]);
            here.begin(full, NOW, id).expect("a full request is served");
        }
        for id in [7, 8] {
            there.adopt(id, here.take(id).expect("it is here"), NOW);
        }
        assert!(here.is_empty());
        let (context, all) = begin(&mut there, request(7, 1, vec![]), 9);
        assert_eq!((context, all), (Context::Incremental(7), vec![wanted(1, 0)]));
        let refused = there.begin(request(8, 1, vec![]), NOW, 9);
        assert_eq!(refused, Err(ErrorCode::FetchSessionIdNotFound));
    }

    #[test]
    fn nothing_is_wanted_by_a_session_that_has_ended() {
        let mut sessions = FetchSessions::new(1);
        begin(&mut sessions, request(0, EPOCH_INITIAL, vec![wanted(0, 0)]), 7);
        let (context, _) = begin(&mut sessions, request(7, 1, vec![]), 9);
        sessions.take(7).expect("it is there");
        sessions.each_wanted(&context, |_, wanted| panic!("{wanted:?}"));
        assert_eq!(sessions.key_at(&context, WantedPlace(0)), None);
    }

    #[test]
    fn a_full_cache_gives_way_only_to_time() {
        let mut sessions = FetchSessions::new(1);
        let open = |sessions: &mut FetchSessions, now, id| {
            sessions.begin(request(0, 0, vec![wanted(0, 0)]), now, id).expect("served")
        };
        let all = vec![wanted(0, 0)];
        assert_eq!(open(&mut sessions, NOW, 1), Context::Full(1, all.clone()));
        assert_eq!(open(&mut sessions, NOW, 2), Context::Sessionless(all.clone()));
        let later = Monotonic(121_000_000_000);
        assert_eq!(
            open(&mut sessions, Monotonic(later.0 / 2), 3),
            Context::Sessionless(all.clone())
        );
        assert_eq!(open(&mut sessions, later, 3), Context::Full(3, all));
        assert_eq!(sessions.len(), 1);
    }
}
