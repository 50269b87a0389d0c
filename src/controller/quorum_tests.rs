//! One voter leads at once; three elect, replicate and repeat from the same seeds.

use super::*;
use crate::controller::quorum_log::QuorumLog;

/// Runs every action of a lone voter; gives the data that was committed.
fn run(quorum: &mut Quorum) -> Vec<(u64, Vec<u8>)> {
    let mut committed = Vec::new();
    while let Some(actions) = quorum.ready() {
        assert!(actions.messages.is_empty() && actions.messages_after.is_empty());
        quorum.persisted(actions.number);
        for entry in actions.committed {
            quorum.applied(entry.index);
            committed.push((entry.index, entry.data.to_vec()));
        }
    }
    committed
}

#[test]
fn a_lone_voter_leads_at_once_and_commits_what_is_persisted() {
    let mut quorum = Quorum::new(1, QuorumLog::fresh(vec![1]), 7).expect("a fresh log");
    assert!(!quorum.needs_ticks());
    assert_eq!(quorum.propose(b"early".to_vec()), Err(NotLeader));
    quorum.campaign().expect("a voter");
    assert!(quorum.is_leader());
    assert_eq!(quorum.propose(b"a".to_vec()), Ok(2));
    let actions = quorum.ready().expect("a vote and two entries");
    assert!(actions.must_sync && actions.committed.is_empty());
    assert_eq!(actions.entries.len(), 2);
    assert!(quorum.ready().is_none(), "nothing counts before it is durable");
    assert_eq!(quorum.propose(b"b".to_vec()), Ok(3));
    quorum.persisted(actions.number);
    assert_eq!(run(&mut quorum), [(1, vec![]), (2, b"a".to_vec()), (3, b"b".to_vec())]);
}

#[test]
fn a_restart_goes_on_from_its_log_in_a_new_term() {
    let mut quorum = Quorum::new(1, QuorumLog::fresh(vec![1]), 7).expect("a fresh log");
    quorum.campaign().expect("a voter");
    quorum.propose(b"a".to_vec()).expect("leads");
    run(&mut quorum);
    quorum.forget_through(1);
    let mut again = Quorum::new(1, quorum.log().clone(), 7).expect("its own log");
    again.campaign().expect("a voter");
    // Entry 1 is in a checkpoint, 2 was committed before, 3 begins the new term.
    assert_eq!(run(&mut again), [(2, b"a".to_vec()), (3, vec![])]);
    assert_eq!(again.log().hard_state.term, 2);
}

/// A cluster whose messages all arrive, in order, at once.
struct Cluster {
    nodes: Vec<Quorum>,
    committed: Vec<Vec<Vec<u8>>>,
}

impl Cluster {
    fn new(seed: u64) -> Cluster {
        let node = |id| {
            Quorum::new(id, QuorumLog::fresh(vec![1, 2, 3]), seed ^ (id << 32)).expect("fresh")
        };
        Cluster { nodes: (1..=3).map(node).collect(), committed: vec![Vec::new(); 3] }
    }

    fn tick(&mut self) {
        for node in &mut self.nodes {
            assert!(node.needs_ticks());
            node.tick();
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        loop {
            let mut messages = Vec::new();
            for (node, committed) in self.nodes.iter_mut().zip(&mut self.committed) {
                while let Some(actions) = node.ready() {
                    messages.extend(actions.messages);
                    node.persisted(actions.number);
                    messages.extend(actions.messages_after);
                    for entry in actions.committed {
                        node.applied(entry.index);
                        committed.push(entry.data.to_vec());
                    }
                }
            }
            if messages.is_empty() {
                return;
            }
            for message in messages {
                self.nodes[message.to as usize - 1].step(message).expect("a peer's message");
            }
        }
    }

    /// Ticks until somebody leads; gives the ticks and the leader.
    fn elect(&mut self) -> (usize, usize) {
        for ticks in 1..1000 {
            self.tick();
            if let Some(leader) = self.nodes.iter().position(Quorum::is_leader) {
                return (ticks, leader);
            }
        }
        panic!("nobody leads");
    }
}

#[test]
fn three_voters_elect_one_and_commit_on_all() {
    for seed in 0..20 {
        let mut cluster = Cluster::new(seed);
        let (_, leader) = cluster.elect();
        assert_eq!(cluster.nodes.iter().filter(|node| node.is_leader()).count(), 1);
        for data in [b"a", b"b"] {
            cluster.nodes[leader].propose(data.to_vec()).expect("leads");
        }
        cluster.deliver();
        cluster.tick();
        cluster.tick();
        assert_eq!(cluster.committed, vec![vec![vec![], b"a".to_vec(), b"b".to_vec()]; 3]);
        let follower = (leader + 1) % 3;
        assert_eq!(cluster.nodes[follower].propose(vec![1]), Err(NotLeader));
    }
}

#[test]
fn the_same_seed_elects_the_same_leader_at_the_same_tick() {
    let elections: Vec<_> = (0..20).map(|seed| Cluster::new(seed).elect()).collect();
    assert_eq!(elections, (0..20).map(|seed| Cluster::new(seed).elect()).collect::<Vec<_>>());
    let leaders: std::collections::BTreeSet<_> =
        elections.iter().map(|(_, leader)| leader).collect();
    assert!(leaders.len() > 1, "the seed decides: {elections:?}");
}
