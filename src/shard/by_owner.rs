//! The parts of one request, grouped by the shards that own them.

use crate::model::ShardId;

/// What one shard owns of a request.
pub struct Group<T> {
    /// The shard.
    pub owner: ShardId,
    /// The places of its parts among those of the request.
    pub places: Vec<usize>,
    /// Its parts.
    pub parts: Vec<T>,
}

/// The parts of a request that have been added, a group for each shard that owns one.
pub struct ByOwner<T> {
    count: usize,
    groups: Vec<Group<T>>,
}

impl<T> ByOwner<T> {
    /// No part yet.
    pub fn new() -> ByOwner<T> {
        ByOwner { count: 0, groups: Vec::new() }
    }

    /// Adds a part that `owner` owns; its place is the next one.
    pub fn add(&mut self, owner: ShardId, part: T) {
        let place = self.count;
        self.count += 1;
        match self.groups.iter_mut().find(|group| group.owner == owner) {
            Some(group) => {
                group.places.push(place);
                group.parts.push(part);
            }
            None => self.groups.push(Group { owner, places: vec![place], parts: vec![part] }),
        }
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The groups, in the order of their first parts.
    pub fn into_groups(self) -> Vec<Group<T>> {
        self.groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_places() {
        let mut parts = ByOwner::new();
        for (owner, part) in [(1, "a"), (0, "b"), (1, "c")] {
            parts.add(ShardId(owner), part);
        }
        assert_eq!(parts.count(), 3);
        let groups = parts.into_groups();
        let groups: Vec<_> = groups
            .iter()
            .map(|group| (group.owner.0, &group.places[..], &group.parts[..]))
            .collect();
        assert_eq!(groups, [(1, &[0, 2][..], &["a", "c"][..]), (0, &[1], &["b"])]);
    }
}
