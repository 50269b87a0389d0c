//! `consumer-groups --delete` and `--delete-offsets`.

use super::arguments::Arguments;
use super::reset::places_of;
use super::{GroupError, HASH_MAP_CAPACITY, chosen_groups, print_error};
use crate::cli::java_exception::described;
use crate::cli::java_order::sort_as_hash_map;
use crate::cli::tool::print;
use crate::client::{Admin, ClientError, Partition};
use crate::model::ErrorCode;

/// The partition of a topic that is not there.
const NO_PARTITION: i32 = -1;

/// Deletes groups, and says of each that is left why.
pub async fn delete_groups(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    let (mut deleted, mut left) = (Vec::new(), Vec::new());
    for group in chosen_groups(arguments, admin).await? {
        match admin.delete_group(&group).await {
            Ok(()) => deleted.push(group),
            Err(error) => left.push((group, error)),
        }
    }
    sort_as_hash_map(&mut deleted, HASH_MAP_CAPACITY, |group| group);
    sort_as_hash_map(&mut left, HASH_MAP_CAPACITY, |(group, _)| group);
    let quoted: Vec<String> = deleted.iter().map(|group| format!("'{group}'")).collect();
    let quoted = quoted.join(", ");
    if left.is_empty() {
        print(&format!("Deletion of requested consumer groups ({quoted}) was successful.\n"));
        return Ok(());
    }
    print_error("Deletion of some consumer groups failed:");
    for (group, error) in &left {
        let why = described(error);
        print(&format!("* Group '{group}' could not be deleted due to: {why}\n"));
    }
    if !deleted.is_empty() {
        print(&format!("\nThese consumer groups were deleted successfully: {quoted}\n"));
    }
    Ok(())
}

/// Deletes committed offsets and says for each partition how that went.
pub async fn delete_offsets(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    let group = arguments.options.one("group")?.unwrap_or_default();
    let topics = arguments.options.all("topic");
    let (with_partitions, whole): (Vec<&String>, Vec<&String>) =
        topics.iter().partition(|topic| topic.contains(':'));
    let mut places: Vec<Partition> = Vec::new();
    for text in with_partitions {
        places.extend(places_of(text)?);
    }
    let mut outcomes: Vec<(Partition, Option<String>)> = Vec::new();
    let whole: Vec<String> = whole.into_iter().cloned().collect();
    for (topic, leaders) in admin.leaders(&whole).await.map_err(super::executed)? {
        match leaders {
            Ok(leaders) => places.extend((0..leaders.len() as i32).map(|at| (topic.clone(), at))),
            Err(code) => {
                let why = described(&ClientError::refused(code, None));
                outcomes.push(((topic, NO_PARTITION), Some(why)));
            }
        }
    }
    places.sort();
    places.dedup();
    let first_error = match admin.delete_offsets(group, &places).await {
        Ok(results) => {
            let first_error = results.iter().map(|(_, code)| *code).find(|code| !code.is_none());
            outcomes.extend(results.into_iter().map(|(place, code)| {
                let refusal = ClientError::refused(code, None);
                (place, (!code.is_none()).then(|| described(&refusal)))
            }));
            first_error.unwrap_or(ErrorCode::None)
        }
        Err(error) => {
            let why = described(&error);
            outcomes.extend(places.into_iter().map(|place| (place, Some(why.clone()))));
            error.code().unwrap_or(ErrorCode::UnknownServerError)
        }
    };
    tell_first_error(group, first_error);
    print(&outcomes_table(outcomes));
    Ok(())
}

fn tell_first_error(group: &str, first_error: ErrorCode) {
    use ErrorCode as E;
    match first_error {
        E::None => print(&format!("Request succeeded for deleting offsets from group {group}.\n")),
        E::InvalidGroupId | E::GroupIdNotFound | E::GroupAuthorizationFailed | E::NonEmptyGroup => {
            print_error(first_error.message());
        }
        E::GroupSubscribedToTopic | E::TopicAuthorizationFailed | E::UnknownTopicOrPartition => {
            print_error("Encountered some partition-level error, see the follow-up details.");
        }
        other => print_error(&format!("Encountered some unknown error: {}", other.name())),
    }
}

fn outcomes_table(mut outcomes: Vec<(Partition, Option<String>)>) -> String {
    // By the topic and the partition written together, so that 10 comes before 2.
    outcomes.sort_by_key(|((topic, partition), _)| format!("{topic}{partition}"));
    let topics = outcomes.iter().map(|((topic, _), _)| topic.chars().count()).max();
    let topics = topics.unwrap_or(0).max(15);
    let line = |topic: &str, partition: &str, status: &str| {
        format!("\n{topic:<topics$} {partition:<10} {status:<15}")
    };
    let mut table = line("TOPIC", "PARTITION", "STATUS");
    for ((topic, partition), problem) in &outcomes {
        let partition = match *partition {
            NO_PARTITION => "-".to_owned(),
            partition => partition.to_string(),
        };
        let status = match problem {
            Some(problem) => format!("Error: {problem}"),
            None => "Successful".to_owned(),
        };
        table.push_str(&line(topic, &partition, &status));
    }
    table + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka 4.3.0's tool printed for such outcomes.
    #[test]
    fn outcomes_stand_in_kafkas_columns() {
        let place = |topic: &str, partition| (topic.to_owned(), partition);
        let outcomes = vec![
            (place("orders", 2), None),
            (place("orders", 10), None),
            (place("nope", NO_PARTITION), Some("gone".to_owned())),
        ];
        let expected = "
TOPIC           PARTITION  STATUS         
nope            -          Error: gone    
orders          10         Successful     
orders          2          Successful     
";
        assert_eq!(outcomes_table(outcomes), expected);
    }
}
