//! Adding partitions to topics (Kafka's `ReplicationControlManager.createPartitions`).

use std::collections::BTreeSet;

use super::placement::{check_assignment, place};
use super::topics::{check_partition_count, partition_records, too_many};
use super::{CommandError, Decision, Random, duplicates};
use crate::metadata::image::{Image, Topic};
use crate::metadata::record::Record;
use crate::model::limits::PARTITIONS_PER_REQUEST_MAX;
use crate::model::{BrokerId, ErrorCode};

/// A CreatePartitions request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePartitions {
    /// The topics, in request order.
    pub topics: Vec<NewPartitions>,
    /// Judge only.
    pub validate_only: bool,
}

/// One topic of a CreatePartitions request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPartitions {
    /// The topic.
    pub name: String,
    /// How many partitions it is to have.
    pub count: i32,
    /// The replicas of each new partition; `None`: the broker places.
    pub assignments: Option<Vec<Vec<BrokerId>>>,
}

/// What became of one name of a CreatePartitions request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePartitionsResult {
    /// The topic.
    pub name: String,
    /// Grown, or why not.
    pub result: Result<(), CommandError>,
}

/// Decides a CreatePartitions request: one result for each distinct name, in request order.
pub fn create_partitions(
    image: &Image,
    request: CreatePartitions,
    random: Random<'_>,
) -> Decision<Vec<CreatePartitionsResult>> {
    let twice: BTreeSet<String> =
        duplicates(request.topics.iter().map(|topic| &topic.name)).into_iter().cloned().collect();
    let asked: usize = request.topics.iter().map(|topic| added(image, topic)).sum();
    let mut answered = BTreeSet::new();
    let mut decision = Decision { records: Vec::new(), reply: Vec::new() };
    let mut partition_count = image.partition_count();
    for topic in request.topics {
        if !answered.insert(topic.name.clone()) {
            continue;
        }
        let result = if twice.contains(&topic.name) {
            Err(CommandError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))
        } else if asked > PARTITIONS_PER_REQUEST_MAX {
            let message = "Excessively large number of additional partitions per request.";
            Err(too_many(message.into()))
        } else {
            grow(image, &topic, random, partition_count)
        };
        let result = result.map(|mut records| {
            partition_count += records.len();
            if !request.validate_only {
                decision.records.append(&mut records);
            }
        });
        decision.reply.push(CreatePartitionsResult { name: topic.name, result });
    }
    decision
}

/// How many partitions a topic of the request would get.
fn added(image: &Image, topic: &NewPartitions) -> usize {
    let existing = image.topic_named(&topic.name).map_or(0, |(_, known)| known.partitions().len());
    usize::try_from(topic.count).unwrap_or(0).saturating_sub(existing)
}

fn grow(
    image: &Image,
    topic: &NewPartitions,
    random: Random<'_>,
    partition_count: usize,
) -> Result<Vec<Record>, CommandError> {
    let Some((id, known)) = image.topic_named(&topic.name) else {
        return Err(ErrorCode::UnknownTopicOrPartition.into());
    };
    let existing = known.partitions().len() as i32;
    let refused = |message| Err(CommandError::new(ErrorCode::InvalidPartitions, message));
    if topic.count == existing {
        return refused(format!("Topic already has {existing} partition(s)."));
    }
    if topic.count < existing {
        return refused(format!(
            "The topic {} currently has {existing} partition(s); {} would not be an increase.",
            topic.name, topic.count
        ));
    }
    let additional = topic.count - existing;
    check_partition_count(partition_count + additional as usize)?;
    let placed = place_more(image, known, topic, existing, additional, random)?;
    Ok(partition_records(id, existing, placed).collect())
}

fn place_more(
    image: &Image,
    known: &Topic,
    topic: &NewPartitions,
    existing: i32,
    additional: i32,
    random: Random<'_>,
) -> Result<Vec<Vec<BrokerId>>, CommandError> {
    let replicas = known.partitions().first().map_or(1, |partition| partition.replicas.len());
    let Some(assignments) = &topic.assignments else {
        let replication_factor = i16::try_from(replicas).unwrap_or(i16::MAX);
        return place(image, existing, additional, replication_factor, random());
    };
    if assignments.len() != additional as usize {
        return Err(CommandError::new(
            ErrorCode::InvalidReplicaAssignment,
            format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) \
                 were specified.",
                assignments.len()
            ),
        ));
    }
    for brokers in assignments {
        check_assignment(image, brokers, Some(replicas))?;
    }
    Ok(assignments.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::commands::testing::{apply, create, image_of_brokers, random};

    type Told<'a> = Result<(), (ErrorCode, &'a str)>;

    /// What a request adds to an image of three brokers with the topics `one` and `two`.
    fn check(topics: Vec<NewPartitions>, expected: &[(&str, Told<'_>)], added: usize) {
        let mut image = image_of_brokers(3);
        create(&mut image, &[("one", 1), ("two", 2)]);
        for validate_only in [true, false] {
            let request = CreatePartitions { topics: topics.clone(), validate_only };
            let decision = create_partitions(&image, request, &mut random());
            let results: Vec<_> = decision
                .reply
                .iter()
                .map(|topic| {
                    let result = topic.result.as_ref().copied();
                    (
                        topic.name.as_str(),
                        result
                            .map_err(|error| (error.code, error.message.as_deref().unwrap_or(""))),
                    )
                })
                .collect();
            assert_eq!(results, expected);
            apply(&mut image, decision.records);
            assert_eq!(image.partition_count(), 3 + if validate_only { 0 } else { added });
        }
    }

    fn more(name: &str, count: i32, assignments: Option<&[&[i32]]>) -> NewPartitions {
        let brokers = |ids: &&[i32]| ids.iter().copied().map(BrokerId).collect();
        NewPartitions {
            name: name.into(),
            count,
            assignments: assignments.map(|each| each.iter().map(brokers).collect()),
        }
    }

    #[test]
    fn partitions_are_only_ever_added() {
        use ErrorCode::{InvalidPartitions, InvalidReplicaAssignment, InvalidRequest};
        check(
            vec![more("one", 4, None), more("two", 3, None)],
            &[("one", Ok(())), ("two", Ok(()))],
            4,
        );
        check(
            vec![more("two", 2, None), more("one", 0, None), more("x", 9, None)],
            &[
                ("two", Err((InvalidPartitions, "Topic already has 2 partition(s)."))),
                (
                    "one",
                    Err((
                        InvalidPartitions,
                        "The topic one currently has 1 partition(s); 0 would not be an increase.",
                    )),
                ),
                ("x", Err((ErrorCode::UnknownTopicOrPartition, ""))),
            ],
            0,
        );
        check(
            vec![more("one", 2, None), more("two", 3, None), more("one", 3, None)],
            &[("one", Err((InvalidRequest, "Duplicate topic name."))), ("two", Ok(()))],
            1,
        );
        check(
            vec![more("one", 3, Some(&[&[3], &[1]])), more("two", 4, Some(&[&[1]]))],
            &[
                ("one", Ok(())),
                (
                    "two",
                    Err((
                        InvalidReplicaAssignment,
                        "Attempted to add 2 additional partition(s), but only 1 assignment(s) were \
                         specified.",
                    )),
                ),
            ],
            2,
        );
        check(
            vec![more("one", 2, Some(&[&[4]]))],
            &[(
                "one",
                Err((
                    InvalidReplicaAssignment,
                    "The manual partition assignment includes broker 4, but no such broker is \
                     registered.",
                )),
            )],
            0,
        );
    }

    #[test]
    fn a_request_may_ask_for_so_many_and_no_more() {
        let message = "Excessively large number of additional partitions per request.";
        let refused = Err((ErrorCode::PolicyViolation, message));
        check(vec![more("one", 10_001, None)], &[("one", Ok(()))], 10_000);
        check(vec![more("one", 10_002, None)], &[("one", refused)], 0);
        check(vec![more("one", i32::MAX, None)], &[("one", refused)], 0);
    }
}
