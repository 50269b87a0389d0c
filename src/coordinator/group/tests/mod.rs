//! Histories of groups, rule by rule: lines of `> command`, each followed by what the group does.

mod joining;
mod leaving;
mod random;
mod restoring;
mod statics;
mod syncing;
mod timing;

use std::time::Duration;

use super::*;
use crate::coordinator::message::LeavingMember;

/// A group, its clock, and the tickets that were given to its requests, from 1 on.
struct World {
    group: Group,
    settings: GroupSettings,
    now: Monotonic,
    tickets: u64,
}

/// An empty group that has its first rebalance at once.
fn world() -> World {
    let settings = GroupSettings { initial_rebalance_delay_ms: 0, ..GroupSettings::default() };
    World { group: Group::new("g"), settings, now: Monotonic(0), tickets: 0 }
}

/// Runs a history and compares what the group does with what is written there.
fn check(history: &str) {
    check_with(world().settings, history);
}

fn check_with(settings: GroupSettings, history: &str) {
    let mut world = World { settings, ..world() };
    let lines = || history.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut told = Vec::new();
    for line in lines() {
        if let Some(command) = line.strip_prefix("> ") {
            told.push(line.to_owned());
            told.extend(world.run(command));
            world.group.roster.assert_consistent();
        }
    }
    let wanted: Vec<&str> = lines().collect();
    assert_eq!(told.join("\n"), wanted.join("\n"), "in fact:\n{}\n", told.join("\n"));
}

impl World {
    fn run(&mut self, command: &str) -> Vec<String> {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "join" => {
                let ticket = self.ticket();
                self.step(Event::Join(ticket, join(rest)))
            }
            "sync" => {
                let ticket = self.ticket();
                self.step(Event::Sync(ticket, sync(rest)))
            }
            "beat" => {
                let ticket = self.ticket();
                self.step(Event::Heartbeat(ticket, member(rest)))
            }
            "leave" => {
                let ticket = self.ticket();
                self.step(Event::Leave(ticket, leave(rest)))
            }
            "commit" => match self.group.check_commit(self.now, &member(rest)) {
                Ok(()) => vec!["may commit".to_owned()],
                Err(code) => vec![code.to_string()],
            },
            "written" => self.step(Event::Persisted(PersistId(number(rest)), Ok(()))),
            "failed" => {
                let failure = Err(ErrorCode::NotEnoughReplicas);
                self.step(Event::Persisted(PersistId(number(rest)), failure))
            }
            "gone" => self.step(Event::Gone(Ticket(number(rest)))),
            "unload" => self.step(Event::Unloaded),
            "wait" => self.wait(Duration::from_millis(number(rest))),
            "restart" => {
                let metadata = self.group.metadata(|member| member.assignment.clone());
                self.group = Group::restore(metadata, self.now);
                self.state()
            }
            "state" => self.state(),
            _ => panic!("no such command: {command}"),
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn state(&self) -> Vec<String> {
        let ids = self.group.description().members.into_iter().map(|member| member.member_id);
        let ids: Vec<String> = ids.collect();
        vec![format!("{} g{} [{}]", self.group.state(), self.group.generation, ids.join(" "))]
    }

    fn step(&mut self, event: Event) -> Vec<String> {
        let mut out = Vec::new();
        let now_ms = i64::try_from(self.now.0 / 1_000_000).expect("a test is short");
        self.group.step(self.now, now_ms, &self.settings, event, &mut out);
        out.iter().map(told).collect()
    }

    /// Lets time pass, and the group's timers ring when they are due.
    fn wait(&mut self, span: Duration) -> Vec<String> {
        let end = self.now + span;
        let mut told = Vec::new();
        while let Some(at) = self.group.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            let before = self.group.deadline();
            told.extend(self.step(Event::Timeout));
            assert_ne!(self.group.deadline(), before, "the group waits for what has happened");
        }
        self.now = end;
        told
    }
}

/// What the group does, in a line.
fn told(action: &Action) -> String {
    match action {
        Action::Persist(PersistId(id), metadata) => {
            let members: Vec<String> = metadata
                .members
                .iter()
                .map(|m| format!("{}={}", m.member_id, String::from_utf8_lossy(&m.assignment)))
                .collect();
            let leader = metadata.leader.as_deref().unwrap_or("nobody");
            let members = members.join(" ");
            format!("write {id} g{} leader={leader} [{members}]", metadata.generation)
        }
        Action::Reply(Ticket(ticket), answer) => format!("{ticket} {}", answered(answer)),
    }
}

fn answered(answer: &Answer) -> String {
    match answer {
        Answer::Join(joined) if joined.code.is_none() => {
            let members: Vec<&str> =
                joined.members.iter().map(|member| member.member_id.as_str()).collect();
            let skip = if joined.skip_assignment { " skip" } else { "" };
            format!(
                "joined g{} {} {} leads [{}]{skip}",
                joined.generation,
                joined.protocol.as_deref().unwrap_or("nothing"),
                joined.leader,
                members.join(" ")
            )
        }
        Answer::Join(joined) => format!("{} '{}'", joined.code, joined.member_id),
        Answer::Sync(Synced { code: ErrorCode::None, assignment, .. }) => {
            format!("assigned '{}'", String::from_utf8_lossy(assignment))
        }
        Answer::Sync(synced) => synced.code.to_string(),
        Answer::Heartbeat(code) => code.to_string(),
        Answer::Leave(Left { code: ErrorCode::None, members }) => {
            let codes: Vec<&str> = members.iter().map(|code| code.name()).collect();
            format!("left {}", codes.join(" "))
        }
        Answer::Leave(left) => left.code.to_string(),
        other => panic!("a group does not answer {other:?}"),
    }
}

fn number<T: std::str::FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("no number: {word}"))
}

/// `new=a` or `a`, then `inst=`, `protos=range+sticky`, `type=`, `session=`, `rebalance=`, `meta=`,
/// `known` (JoinGroup from 4 on), `skip` (from 9 on).
fn join(words: &str) -> Join {
    let mut join = Join {
        group: "g".to_owned(),
        member_id: String::new(),
        instance_id: None,
        client_id: "client".to_owned(),
        client_host: "/127.0.0.1".to_owned(),
        fresh_member_id: String::new(),
        protocol_type: "consumer".to_owned(),
        protocols: Vec::new(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        reason: None,
        requires_known_member_id: false,
        supports_skipping_assignment: false,
    };
    let (mut names, mut meta) = ("range", "subscription");
    for word in words.split_whitespace() {
        match word.split_once('=') {
            None if word == "known" => join.requires_known_member_id = true,
            None if word == "skip" => join.supports_skipping_assignment = true,
            None => join.member_id = word.to_owned(),
            Some(("new", id)) => join.fresh_member_id = id.to_owned(),
            Some(("inst", id)) => join.instance_id = Some(id.to_owned()),
            Some(("protos", list)) => names = list,
            Some(("type", name)) => join.protocol_type = name.to_owned(),
            Some(("session", ms)) => join.session_timeout_ms = number(ms),
            Some(("rebalance", ms)) => join.rebalance_timeout_ms = number(ms),
            Some(("meta", text)) => meta = text,
            Some(_) => panic!("no such word: {word}"),
        }
    }
    let names = names.split('+').filter(|name| !name.is_empty());
    join.protocols = names.map(|name| (name.to_owned(), meta.as_bytes().to_vec())).collect();
    join
}

/// A member id (`-` for none), a generation, then `inst=`.
fn member(words: &str) -> MemberRef {
    let mut words = words.split_whitespace();
    let member_id = words.next().filter(|id| *id != "-").unwrap_or_default().to_owned();
    let generation = words.next().map_or(-1, number);
    let instance_id = words.find_map(|word| word.strip_prefix("inst=")).map(str::to_owned);
    MemberRef { group: "g".to_owned(), member_id, instance_id, generation }
}

/// A member as above, then `type=`, `proto=` and assignments as `for:a=what`.
fn sync(words: &str) -> Sync {
    let value = |name: &str| {
        words.split_whitespace().find_map(|word| word.strip_prefix(name)).map(str::to_owned)
    };
    let assignments = words.split_whitespace().filter_map(|word| word.strip_prefix("for:"));
    Sync {
        member: member(words),
        protocol_type: value("type="),
        protocol: value("proto="),
        assignments: assignments
            .filter_map(|word| word.split_once('='))
            .map(|(id, what)| (id.to_owned(), what.as_bytes().to_vec()))
            .collect(),
    }
}

/// Members as `id`, `id/instance` or `/instance`.
fn leave(words: &str) -> Leave {
    let members = words.split_whitespace().map(|word| {
        let (member_id, instance_id) = match word.split_once('/') {
            Some((id, instance)) => (id, Some(instance.to_owned())),
            None => (word, None),
        };
        LeavingMember { member_id: member_id.to_owned(), instance_id, reason: None }
    });
    Leave { group: "g".to_owned(), members: members.collect() }
}
