//! One partition's state: who keeps it, who leads it, and in which epochs.

use crate::model::{BrokerId, LeaderEpoch, ShardId};

/// An ordered list of brokers. One broker, the usual case of a single node, needs no allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct Replicas(Form);

/// One broker is always `One`, so that equal lists are equal values.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    One(BrokerId),
    Many(Box<[BrokerId]>),
}

impl Replicas {
    /// The list as a slice, in order: the first replica is the preferred leader.
    pub fn as_slice(&self) -> &[BrokerId] {
        match &self.0 {
            Form::One(broker) => std::slice::from_ref(broker),
            Form::Many(brokers) => brokers,
        }
    }
}

impl From<Vec<BrokerId>> for Replicas {
    fn from(brokers: Vec<BrokerId>) -> Replicas {
        match brokers[..] {
            [broker] => Replicas(Form::One(broker)),
            _ => Replicas(Form::Many(brokers.into_boxed_slice())),
        }
    }
}

impl std::ops::Deref for Replicas {
    type Target = [BrokerId];

    fn deref(&self) -> &[BrokerId] {
        self.as_slice()
    }
}

impl std::fmt::Debug for Replicas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A partition's state as every shard keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The brokers that keep a replica, the preferred leader first.
    pub replicas: Replicas,
    /// The replicas in sync with the leader (Kafka's ISR).
    pub isr: Replicas,
    /// The leader, or -1 where there is none.
    pub leader: BrokerId,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of this state; what AlterPartition compares and sets.
    pub partition_epoch: i32,
    /// The shard that keeps it on every broker, where a balancer overrides the placement rule.
    pub shard: Option<ShardId>,
}

impl Partition {
    /// A fresh partition: every replica in sync, the first one leads.
    pub fn fresh(replicas: Vec<BrokerId>) -> Partition {
        let leader = replicas.first().copied().unwrap_or(BrokerId(-1));
        let replicas = Replicas::from(replicas);
        Partition {
            isr: replicas.clone(),
            replicas,
            leader,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: 0,
            shard: None,
        }
    }
}

// Every shard keeps every partition: a field more here is paid for partitions × shards times.
const _: () = assert!(size_of::<Partition>() <= 48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_length_is_what_it_was_made_of() {
        for count in 0..4 {
            let brokers: Vec<_> = (0..count).map(BrokerId).collect();
            let replicas = Replicas::from(brokers.clone());
            assert_eq!(replicas.as_slice(), &brokers[..]);
            assert_eq!(matches!(replicas.0, Form::One(_)), count == 1);
        }
    }
}
