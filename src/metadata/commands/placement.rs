//! Which brokers keep a partition: spread over racks and brokers, or as the client says.

use std::collections::BTreeMap;

use super::CommandError;
use crate::metadata::image::Image;
use crate::model::{BrokerId, ErrorCode};

/// Places partitions `start..start + count`, as Kafka's striped placer does: leaders go round the
/// brokers from a random one, racks taking turns, and the followers are the brokers behind.
pub fn place(
    image: &Image,
    start: i32,
    count: i32,
    replication_factor: i16,
    random: u64,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let order = alternating_racks(image);
    let replicas = usize::try_from(replication_factor).unwrap_or(0);
    let refused = |reason: String| {
        CommandError::new(
            ErrorCode::InvalidReplicationFactor,
            format!("Unable to replicate the partition {replication_factor} time(s): {reason}"),
        )
    };
    if order.is_empty() {
        return Err(refused(
            "All brokers are currently fenced, or have all their log directories cordoned.".into(),
        ));
    }
    if replicas > order.len() {
        return Err(refused(format!(
            "The target replication factor of {replication_factor} cannot be reached because only {} \
             broker(s) are registered or some brokers have all their log directories cordoned.",
            order.len()
        )));
    }
    let first = random % order.len() as u64;
    Ok((start..start + count)
        .map(|partition| {
            let leader = (first + u64::from(partition.unsigned_abs())) as usize;
            (0..replicas).map(|replica| order[(leader + replica) % order.len()]).collect()
        })
        .collect())
}

/// The brokers in an order in which neighbours stand in different racks, where racks are even.
fn alternating_racks(image: &Image) -> Vec<BrokerId> {
    let mut racks: BTreeMap<Option<&str>, Vec<BrokerId>> = BTreeMap::new();
    for broker in image.brokers() {
        racks.entry(broker.rack.as_deref()).or_default().push(broker.id);
    }
    let turns = racks.values().map(Vec::len).max().unwrap_or(0);
    (0..turns)
        .flat_map(|turn| racks.values().filter_map(move |rack| rack.get(turn)))
        .copied()
        .collect()
}

/// Judges one partition's replicas as a client assigned them.
pub fn check_assignment(
    image: &Image,
    brokers: &[BrokerId],
    replication_factor: Option<usize>,
) -> Result<(), CommandError> {
    let refused = |message: String| {
        Err(CommandError::new(
            ErrorCode::InvalidReplicaAssignment,
            format!("The manual partition assignment includes {message}"),
        ))
    };
    if brokers.is_empty() {
        return refused("an empty replica list.".into());
    }
    let mut sorted = brokers.to_vec();
    sorted.sort_unstable();
    let mut previous = None;
    for broker in &sorted {
        if image.broker(*broker).is_none() {
            return refused(format!("broker {broker}, but no such broker is registered."));
        }
        if previous.replace(broker) == Some(broker) {
            return refused(format!("the broker {broker} more than once."));
        }
    }
    match replication_factor {
        Some(expected) if expected != brokers.len() => refused(format!(
            "a partition with {} replica(s), but this is not consistent with previous partitions, \
             which have {expected} replica(s).",
            brokers.len()
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing::{apply, broker, image_of_brokers};
    use crate::metadata::record::Record;

    #[test]
    fn leaders_go_round_and_replicas_are_distinct() {
        for brokers in 1..6 {
            let image = image_of_brokers(brokers);
            for factor in 1..=brokers as i16 {
                for random in 0..7 {
                    let placed =
                        place(&image, 0, 12 * brokers, factor, random).expect("enough brokers");
                    let mut leads = BTreeMap::new();
                    for replicas in &placed {
                        assert_eq!(
                            check_assignment(&image, replicas, Some(factor as usize)),
                            Ok(())
                        );
                        *leads.entry(replicas[0]).or_insert(0) += 1;
                    }
                    assert!(leads.values().all(|&count| count == 12), "{leads:?}");
                }
            }
        }
    }

    #[test]
    fn added_partitions_go_on_where_the_first_ended() {
        let image = image_of_brokers(3);
        let whole = place(&image, 0, 5, 2, 1).expect("enough brokers");
        let rest = place(&image, 3, 2, 2, 1).expect("enough brokers");
        assert_eq!(whole[3..], rest);
    }

    #[test]
    fn neighbours_are_in_different_racks() {
        let mut image = image_of_brokers(0);
        let racks = [(1, "a"), (2, "a"), (3, "b"), (4, "b"), (5, "c"), (6, "c")];
        apply(&mut image, racks.map(|(id, rack)| Record::Broker(broker(id, Some(rack)))).to_vec());
        for replicas in place(&image, 0, 6, 3, 4).expect("enough brokers") {
            let mut seen: Vec<_> = replicas
                .iter()
                .map(|id| image.broker(*id).expect("registered").rack.clone())
                .collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 3);
        }
    }
}
