//! The assignor that every consumer knows: of each topic, a range of partitions for each member.

use std::collections::BTreeMap;

/// Its name among a group's protocols.
pub const RANGE: &str = "range";

/// A member and the topics that it subscribes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub member_id: String,
    /// `group.instance.id`: static members keep their places by it.
    pub instance_id: Option<String>,
    /// The topics.
    pub topics: Vec<String>,
}

/// The partitions of each member, by its id.
pub type Assigned = BTreeMap<String, Vec<(String, Vec<i32>)>>;

/// Assigns as Kafka's `RangeAssignor` without racks: members in order, the first ones get one more.
/// `partition_count` gives that of a topic, 0 where there is none.
pub fn assign(subscribers: &[Subscriber], partition_count: impl Fn(&str) -> usize) -> Assigned {
    let mut assigned: Assigned =
        subscribers.iter().map(|one| (one.member_id.clone(), Vec::new())).collect();
    let mut by_topic: BTreeMap<&str, Vec<&Subscriber>> = BTreeMap::new();
    for subscriber in subscribers {
        for topic in &subscriber.topics {
            by_topic.entry(topic).or_default().push(subscriber);
        }
    }
    for (topic, mut members) in by_topic {
        // Static members come first, by their instance; the others by their id.
        members.sort_by_key(|one| {
            (one.instance_id.is_none(), one.instance_id.clone(), one.member_id.clone())
        });
        members.dedup_by(|one, other| one.member_id == other.member_id);
        let count = partition_count(topic);
        let (each, more) = (count / members.len(), count % members.len());
        let mut next = 0;
        for (place, member) in members.into_iter().enumerate() {
            let length = each + usize::from(place < more);
            let range: Vec<i32> = (next..next + length).map(|index| index as i32).collect();
            next += length;
            if let (false, Some(topics)) = (range.is_empty(), assigned.get_mut(&member.member_id)) {
                topics.push((topic.to_owned(), range));
            }
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(id: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
        Subscriber {
            member_id: id.into(),
            instance_id: instance.map(Into::into),
            topics: topics.iter().map(|topic| (*topic).into()).collect(),
        }
    }

    fn check(subscribers: &[Subscriber], expected: &[(&str, &str)]) {
        let count = |topic: &str| match topic {
            "three" => 3,
            "two" => 2,
            _ => 0,
        };
        let told: Vec<(String, String)> = assign(subscribers, count)
            .into_iter()
            .map(|(member, topics)| {
                let topics = topics.iter().map(|(topic, range)| format!("{topic}{range:?}"));
                (member, topics.collect::<Vec<_>>().join(" "))
            })
            .collect();
        let told: Vec<(&str, &str)> =
            told.iter().map(|(member, topics)| (&**member, &**topics)).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn ranges_are_kafkas() {
        let all = ["three", "two", "none"];
        check(&[subscriber("a", None, &all)], &[("a", "three[0, 1, 2] two[0, 1]")]);
        check(
            &[subscriber("b", None, &all), subscriber("a", None, &all)],
            &[("a", "three[0, 1] two[0]"), ("b", "three[2] two[1]")],
        );
        check(
            &[subscriber("a", None, &["two"]), subscriber("b", None, &all)],
            &[("a", "two[0]"), ("b", "three[0, 1, 2] two[1]")],
        );
        check(
            &[
                subscriber("a", None, &["two"]),
                subscriber("b", None, &["two"]),
                subscriber("c", None, &["two"]),
            ],
            &[("a", "two[0]"), ("b", "two[1]"), ("c", "")],
        );
        check(
            &[
                subscriber("a", None, &["three"]),
                subscriber("x", Some("2"), &["three"]),
                subscriber("y", Some("1"), &["three"]),
            ],
            &[("a", "three[2]"), ("x", "three[1]"), ("y", "three[0]")],
        );
    }
}
