//! Random histories, and what holds in all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

const NAMES: u64 = 3;
const STEPS: usize = 400;

/// A generator that repeats itself for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A group, what its clients know, and what has been promised to them.
struct Model {
    world: World,
    random: Random,
    /// The ids that clients were told, with the generation that they believe in, and the members
    /// that they were told to assign to.
    clients: BTreeMap<String, Client>,
    fresh: u64,
    /// Requests that are not answered, with the member id and the generation that they named.
    open: BTreeMap<Ticket, (String, i32)>,
    writes: VecDeque<(PersistId, GroupMetadata)>,
    durable: BTreeSet<i32>,
    last_written: Option<GroupMetadata>,
    leaders: BTreeMap<i32, String>,
    generation: i32,
    /// How often clients were told what.
    told: BTreeMap<&'static str, u32>,
}

#[derive(Clone, Default)]
struct Client {
    instance_id: Option<String>,
    generation: i32,
    members: Vec<String>,
}

#[test]
fn whatever_happens_the_promises_hold() {
    let mut told = BTreeMap::new();
    for seed in 0..300 {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.act();
        }
        model.finish();
        for (what, count) in model.told {
            *told.entry(what).or_insert(0) += count;
        }
    }
    for what in [
        "joined",
        "assigned",
        "skips",
        "MEMBER_ID_REQUIRED",
        "FENCED_INSTANCE_ID",
        "GROUP_MAX_SIZE_REACHED",
        "INCONSISTENT_GROUP_PROTOCOL",
        "NOT_COORDINATOR",
        "REBALANCE_IN_PROGRESS",
        "ILLEGAL_GENERATION",
        "UNKNOWN_MEMBER_ID",
    ] {
        let count = told.get(what).copied().unwrap_or(0);
        assert!(count >= 100, "{what} came up {count} times only: {told:?}");
    }
}

impl Model {
    fn new(seed: u64) -> Model {
        let mut random = Random(seed);
        let settings = GroupSettings {
            initial_rebalance_delay_ms: [0, 3_000][random.below(2) as usize],
            members_max: [3, i32::MAX][random.below(2) as usize],
            ..GroupSettings::default()
        };
        Model {
            world: World { settings, ..world() },
            random,
            clients: BTreeMap::new(),
            fresh: 0,
            open: BTreeMap::new(),
            writes: VecDeque::new(),
            durable: BTreeSet::new(),
            last_written: None,
            leaders: BTreeMap::new(),
            generation: 0,
            told: BTreeMap::new(),
        }
    }

    /// Lets one thing happen.
    fn act(&mut self) {
        match self.random.below(100) {
            0..25 => self.join(),
            25..50 => self.sync(),
            50..62 => self.heartbeat(),
            62..67 => self.leave(),
            67..84 => self.finish_write(),
            84..88 => self.give_up(),
            88..94 => self.pass_time(),
            94..98 => self.cooperate(),
            _ => self.restart(),
        }
    }

    /// A client that was told an id, or one that makes it up.
    fn somebody(&mut self) -> (String, Client) {
        if self.clients.is_empty() || self.random.chance(3) {
            return ("made-up".to_owned(), Client::default());
        }
        let index = self.random.below(self.clients.len() as u64) as usize;
        let client = self.clients.iter().nth(index);
        client.map(|(id, client)| (id.clone(), client.clone())).expect("the index is of a client")
    }

    fn request(&mut self, member_id: &str, generation: i32) -> Ticket {
        let ticket = self.world.ticket();
        self.open.insert(ticket, (member_id.to_owned(), generation));
        ticket
    }

    fn join(&mut self) {
        let mut join = join("");
        let rebalance_ms = [1_000, 5_000, 60_000][self.random.below(3) as usize];
        join.rebalance_timeout_ms = rebalance_ms;
        join.session_timeout_ms = [6_000, 30_000][self.random.below(2) as usize];
        let names = [&["range"][..], &["range", "sticky"], &["sticky", "range"], &["other"]];
        let names = match self.random.below(40) {
            0..30 => names[0],
            30..34 => names[1],
            34..38 => names[2],
            _ => names[3],
        };
        join.protocols = names.iter().map(|name| ((*name).to_owned(), vec![1])).collect();
        join.requires_known_member_id = self.random.chance(50);
        join.supports_skipping_assignment = self.random.chance(50);
        if self.clients.is_empty() || self.random.chance(30) {
            self.fresh += 1;
            join.fresh_member_id = format!("m{}", self.fresh);
            if self.random.chance(60) {
                join.instance_id = Some(format!("i{}", self.random.below(NAMES)));
            }
        } else {
            let (id, client) = self.somebody();
            join.member_id = id;
            join.instance_id = client.instance_id;
        }
        let id = if join.member_id.is_empty() { &join.fresh_member_id } else { &join.member_id };
        let instance_id = join.instance_id.clone();
        let id = id.clone();
        self.clients.entry(id.clone()).or_default().instance_id = instance_id;
        let ticket = self.request(&id, -1);
        self.step(Event::Join(ticket, join));
    }

    fn sync(&mut self) {
        let (member_id, _) = self.somebody();
        self.sync_as(&member_id);
    }

    fn sync_as(&mut self, member_id: &str) {
        let client = self.clients.get(member_id).cloned().unwrap_or_default();
        let generation = client.generation;
        let assignments =
            client.members.iter().map(|id| (id.clone(), format!("{generation}").into_bytes()));
        let sync = Sync {
            member: MemberRef {
                group: "g".to_owned(),
                member_id: member_id.to_owned(),
                instance_id: client.instance_id.clone(),
                generation,
            },
            protocol_type: None,
            protocol: None,
            assignments: assignments.collect(),
        };
        let ticket = self.request(member_id, generation);
        self.step(Event::Sync(ticket, sync));
    }

    /// All clients do what the protocol wants of them, so that a group gets stable now and then.
    fn cooperate(&mut self) {
        for id in self.clients.keys().cloned().collect::<Vec<_>>() {
            let mut join = join(&id);
            join.instance_id = self.clients.get(&id).and_then(|client| client.instance_id.clone());
            let ticket = self.request(&id, -1);
            self.step(Event::Join(ticket, join));
        }
        self.world.now = self.world.now + Duration::from_secs(3);
        self.step(Event::Timeout);
        for id in self.clients.keys().cloned().collect::<Vec<_>>() {
            self.sync_as(&id);
        }
        self.finish_write();
        // One of the static members starts again.
        let statics = self.clients.values().filter_map(|client| client.instance_id.clone());
        let statics: Vec<String> = statics.collect();
        if statics.is_empty() {
            return;
        }
        let mut join = join("skip");
        self.fresh += 1;
        join.fresh_member_id = format!("m{}", self.fresh);
        join.instance_id = statics.get(self.random.below(statics.len() as u64) as usize).cloned();
        self.clients.entry(join.fresh_member_id.clone()).or_default().instance_id =
            join.instance_id.clone();
        let ticket = self.request(&join.fresh_member_id.clone(), -1);
        self.step(Event::Join(ticket, join));
    }

    fn heartbeat(&mut self) {
        let (member_id, client) = self.somebody();
        let generation = client.generation;
        let ticket = self.request(&member_id, generation);
        let member = MemberRef {
            group: "g".to_owned(),
            member_id,
            instance_id: client.instance_id,
            generation,
        };
        self.step(Event::Heartbeat(ticket, member));
        assert!(!self.open.contains_key(&ticket), "a heartbeat is answered at once");
    }

    fn leave(&mut self) {
        let (member_id, client) = self.somebody();
        let ticket = self.request(&member_id, -1);
        let leaving = LeavingMember { member_id, instance_id: client.instance_id, reason: None };
        self.step(Event::Leave(ticket, Leave { group: "g".to_owned(), members: vec![leaving] }));
    }

    fn finish_write(&mut self) {
        let Some((id, metadata)) = self.writes.pop_front() else { return };
        let result = if self.random.chance(10) {
            Err(ErrorCode::KafkaStorageError)
        } else {
            self.durable.insert(metadata.generation);
            self.last_written = Some(metadata);
            Ok(())
        };
        self.step(Event::Persisted(id, result));
    }

    fn give_up(&mut self) {
        let index = self.random.below(self.open.len() as u64 + 1) as usize;
        let Some(&ticket) = self.open.keys().nth(index) else { return };
        self.open.remove(&ticket);
        self.step(Event::Gone(ticket));
    }

    fn pass_time(&mut self) {
        let span = Duration::from_millis(self.random.below(3_000));
        self.world.now = self.world.now + span;
        self.step(Event::Timeout);
    }

    /// What was written last comes back; the requests are lost with their connections.
    fn restart(&mut self) {
        if !self.random.chance(20) {
            return;
        }
        self.step(Event::Unloaded);
        assert!(self.open.is_empty(), "nobody waits for a group that is not here");
        self.writes.clear();
        self.world.group = match self.last_written.clone() {
            Some(metadata) => Group::restore(metadata, self.world.now),
            None => Group::new("g"),
        };
        // A generation that was not written is not remembered, and its number comes again.
        self.generation = self.world.group.generation;
        self.durable = BTreeSet::from([self.generation]);
        self.leaders.clear();
    }

    fn step(&mut self, event: Event) {
        let mut out = Vec::new();
        let (now, settings) = (self.world.now, self.world.settings.clone());
        self.world.group.step(now, 0, &settings, event, &mut out);
        for action in out {
            match action {
                Action::Persist(id, metadata) => {
                    assert!(self.writes.back().is_none_or(|(last, _)| *last < id));
                    self.writes.push_back((id, metadata));
                }
                Action::Reply(ticket, answer) => {
                    let (id, generation) =
                        self.open.remove(&ticket).expect("a request has one answer");
                    self.answered(&id, generation, answer);
                }
            }
        }
        let group = &self.world.group;
        group.roster.assert_consistent();
        assert!(group.generation >= self.generation, "generations never fall");
        self.generation = group.generation;
        let (alarms, parked) = group.roster.held();
        assert!(alarms <= 2 * (group.roster.len() + group.roster.pending_len()) + 65);
        assert!(parked <= self.open.len() && group.leaving.len() <= self.open.len());
        assert!(group.replacing.len() <= group.roster.len());
        let waits = group.roster.iter().any(|member| member.waits());
        let awaited = group.deadline().is_some() || !self.writes.is_empty();
        assert!(!waits || awaited, "something will happen");
    }

    fn answered(&mut self, id: &str, generation: i32, answer: Answer) {
        let what = match &answer {
            Answer::Join(joined) if joined.skip_assignment => "skips",
            Answer::Join(joined) if joined.code.is_none() => "joined",
            Answer::Join(joined) => joined.code.name(),
            Answer::Sync(synced) if synced.code.is_none() => "assigned",
            Answer::Sync(synced) => synced.code.name(),
            Answer::Heartbeat(code) => code.name(),
            _ => "left",
        };
        *self.told.entry(what).or_default() += 1;
        // Some go on as if nothing had been said.
        let lost = matches!(
            what,
            "UNKNOWN_MEMBER_ID"
                | "FENCED_INSTANCE_ID"
                | "INCONSISTENT_GROUP_PROTOCOL"
                | "GROUP_MAX_SIZE_REACHED"
        );
        if lost && self.random.chance(80) {
            self.clients.remove(id);
        }
        match answer {
            Answer::Join(joined) if joined.code.is_none() => {
                let told = joined.members.iter().map(|member| member.member_id.clone());
                let client = self.clients.entry(joined.member_id.clone()).or_default();
                client.generation = joined.generation;
                client.members = told.collect();
                if !joined.members.is_empty() && !joined.skip_assignment {
                    let leader = self.leaders.entry(joined.generation);
                    assert_eq!(leader.or_insert(joined.member_id.clone()), &joined.member_id);
                    assert_eq!(joined.leader, joined.member_id);
                }
                assert!(joined.generation <= self.world.group.generation);
            }
            Answer::Sync(synced) if synced.code.is_none() => {
                let group = &self.world.group;
                assert_eq!(generation, group.generation, "of its generation");
                assert!(group.roster.get(id).is_some(), "a member");
                assert!(self.durable.contains(&generation), "told before it was durable");
                let text = String::from_utf8_lossy(&synced.assignment).into_owned();
                assert!(text.is_empty() || text == generation.to_string(), "of its generation");
            }
            _ => {}
        }
    }

    /// With time, every request is answered and every member that is silent goes.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            while let Some((id, metadata)) = self.writes.pop_front() {
                self.durable.insert(metadata.generation);
                self.step(Event::Persisted(id, Ok(())));
            }
            let Some(at) = self.world.group.deadline() else { break };
            self.world.now = self.world.now.max(at);
            self.step(Event::Timeout);
        }
        assert!(self.open.is_empty(), "never answered: {:?}", self.open);
        assert!(self.world.group.is_empty());
        assert_eq!(self.world.group.roster.len(), 0);
        assert_eq!(self.world.group.roster.held(), (0, 0));
    }
}
