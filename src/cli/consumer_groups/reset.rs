//! `consumer-groups --reset-offsets`: which partitions, to which offsets, shown and with `--execute` committed.

use tracing::warn;

use super::arguments::{Arguments, SCENARIOS};
use super::datetime::{duration_ms, timestamp_ms};
use super::describe::refused_topic;
use super::plan_file::{self, PlanLine};
use super::{GroupError, HASH_MAP_CAPACITY, chosen_groups, failed, print_error, rethrown};
use crate::cli::java_order::{partition_hash_code, sort_by_hash};
use crate::cli::tool::{load_text, print};
use crate::client::{Admin, CommittedOffset, Partition, PartitionArgument, wall_clock_ms};
use crate::model::ErrorCode;

/// `ListOffsetsRequest.LATEST_TIMESTAMP`.
const LATEST: i64 = -1;
/// `ListOffsetsRequest.EARLIEST_TIMESTAMP`.
const EARLIEST: i64 = -2;

/// The offsets of a group, in the order in which they are shown.
type Plan = Vec<(Partition, i64)>;

/// Resets the offsets of the groups that have no members, and shows what they are now or would be.
pub async fn reset(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    let scenario = Scenario::of(arguments)?;
    let executes = arguments.has("execute") && !arguments.has("dry-run");
    let mut plans: Vec<(String, Plan)> = Vec::new();
    for group in chosen_groups(arguments, admin).await? {
        let state = match admin.describe_group(&group).await {
            Ok(described) => described.state,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(error) => return Err(rethrown(error)),
        };
        if !["Empty", "Dead"].contains(&&*state) {
            print_error(&format!(
                "Assignments can only be reset if the group '{group}' is inactive, but the current \
                 state is {state}."
            ));
            plans.push((group, Plan::new()));
            continue;
        }
        let places = places(arguments, admin, &group).await?;
        let mut plan = prepare(arguments, admin, &scenario, &group, places).await?;
        sort_by_hash(&mut plan, HASH_MAP_CAPACITY, |((topic, partition), _)| {
            partition_hash_code(topic, *partition)
        });
        if executes {
            admin.commit_offsets(&group, &plan).await.map_err(failed)?;
        }
        plans.push((group, plan));
    }
    if arguments.has("export") {
        print(&exported(&plans, arguments.options.all("group").len() == 1));
    } else {
        print(&table(&plans));
    }
    Ok(())
}

/// Where to reset to.
enum Scenario {
    Offset(i64),
    ShiftBy(i64),
    DateTime(String),
    Duration(String),
    Earliest,
    Latest,
    Current,
    /// The whole file.
    File(String),
    /// None was given, which shows when the partitions are known.
    None,
}

impl Scenario {
    fn of(arguments: &Arguments) -> Result<Scenario, GroupError> {
        let options = &arguments.options;
        if let Some(offset) = options.number("to-offset")? {
            return Ok(Scenario::Offset(offset));
        }
        if let Some(shift) = options.number("shift-by")? {
            return Ok(Scenario::ShiftBy(shift));
        }
        let text = |name| options.one(name).map(|text| text.map(str::to_owned));
        if let Some(datetime) = text("to-datetime")? {
            return Ok(Scenario::DateTime(datetime));
        }
        if let Some(duration) = text("by-duration")? {
            return Ok(Scenario::Duration(duration));
        }
        if let Some(path) = text("from-file")? {
            let text = load_text(&path).map_err(|stop| GroupError::Failed(stop.to_string()))?;
            return Ok(Scenario::File(text));
        }
        let flags = [
            ("to-earliest", Scenario::Earliest),
            ("to-latest", Scenario::Latest),
            ("to-current", Scenario::Current),
        ];
        let given = flags.into_iter().find(|(name, _)| options.has(name));
        Ok(given.map_or(Scenario::None, |(_, scenario)| scenario))
    }
}

/// The partitions that a group is to have new offsets for.
async fn places(
    arguments: &Arguments,
    admin: &mut Admin,
    group: &str,
) -> Result<Vec<Partition>, GroupError> {
    let places: Vec<Partition> = if arguments.has("all-topics") {
        let committed = admin.committed_offsets(group).await.map_err(rethrown)?;
        committed.into_iter().map(|committed| (committed.topic, committed.partition)).collect()
    } else if arguments.has("topic") {
        named_places(arguments.options.all("topic"), admin).await?
    } else if arguments.has("from-file") {
        Vec::new()
    } else {
        let message = "One of the reset scopes should be defined: --all-topics, --topic.";
        return Err(GroupError::Usage(message.to_owned()));
    };
    check_there(admin, &places).await?;
    Ok(places)
}

/// The partitions of `--topic`, some named, the others all of their topics.
async fn named_places(topics: &[String], admin: &mut Admin) -> Result<Vec<Partition>, GroupError> {
    let (with_partitions, whole): (Vec<&String>, Vec<&String>) =
        topics.iter().partition(|topic| topic.contains(':'));
    let mut places: Vec<Partition> = Vec::new();
    for text in with_partitions {
        places.extend(places_of(text)?);
    }
    let whole: Vec<String> = whole.into_iter().cloned().collect();
    for (topic, leaders) in admin.leaders(&whole).await.map_err(failed)? {
        let leaders = leaders.map_err(|code| refused_topic(code, false))?;
        places.extend((0..leaders.len() as i32).map(|index| (topic.clone(), index)));
    }
    places.sort();
    places.dedup();
    Ok(places)
}

/// `topic:0,1,2`.
pub fn places_of(text: &str) -> Result<Vec<Partition>, GroupError> {
    // Java's `split` drops what is empty at the end.
    let parts: Vec<&str> = text.trim_end_matches(':').split(':').collect();
    let [topic, partitions] = parts[..] else {
        let message = format!("Invalid topic arg '{text}', expected topic name and partitions");
        return Err(GroupError::Usage(message));
    };
    let place = |index: &str| match index.parse() {
        Ok(index) => Ok((topic.to_owned(), index)),
        Err(_) => {
            let message = format!("Invalid partition '{index}' specified in topic arg '{text}''");
            Err(GroupError::Usage(message))
        }
    };
    partitions.trim_end_matches(',').split(',').map(place).collect()
}

/// Ends where a partition does not exist or has no leader.
async fn check_there(admin: &mut Admin, places: &[Partition]) -> Result<(), GroupError> {
    let names: Vec<String> = places.iter().map(|(topic, _)| topic.clone()).collect();
    let mut missing = Vec::new();
    let mut leaderless = Vec::new();
    let leaders = admin.leaders(&names).await.map_err(rethrown)?;
    for ((topic, partition), (_, leaders)) in places.iter().zip(leaders) {
        let leaders = leaders.map_err(|code| refused_topic(code, true))?;
        let name = format!("{topic}-{partition}");
        match usize::try_from(*partition).ok().and_then(|index| leaders.get(index)) {
            None => missing.push(name),
            Some(None) => leaderless.push(name),
            Some(Some(_)) => {}
        }
    }
    for (names, what) in [(missing, "do not exist"), (leaderless, "have no leader")] {
        if !names.is_empty() {
            let names = names.join(",");
            return Err(GroupError::Failed(format!("The partitions \"{names}\" {what}")));
        }
    }
    Ok(())
}

/// The new offset of each partition.
async fn prepare(
    arguments: &Arguments,
    admin: &mut Admin,
    scenario: &Scenario,
    group: &str,
    places: Vec<Partition>,
) -> Result<Plan, GroupError> {
    match scenario {
        Scenario::Offset(offset) => {
            let wanted = places.into_iter().map(|place| (place, *offset)).collect();
            within_log(admin, wanted).await
        }
        Scenario::Earliest => offsets_at(admin, places, EARLIEST).await,
        Scenario::Latest => offsets_at(admin, places, LATEST).await,
        Scenario::ShiftBy(shift) => {
            let committed = admin.committed_offsets(group).await.map_err(rethrown)?;
            within_log(admin, shifted(places, &committed, *shift)?).await
        }
        Scenario::DateTime(text) => {
            let at = timestamp_ms(text).map_err(|reason| {
                GroupError::Failed(format!("java.text.ParseException: {reason}"))
            })?;
            offsets_since(admin, places, at).await
        }
        Scenario::Duration(text) => {
            let ago = duration_ms(text).ok_or_else(|| {
                GroupError::Failed("Text cannot be parsed to a Duration".to_owned())
            })?;
            offsets_since(admin, places, wall_clock_ms().saturating_sub(ago)).await
        }
        Scenario::File(text) => from_file(arguments, admin, text, group).await,
        Scenario::Current => {
            let committed = admin.committed_offsets(group).await.map_err(rethrown)?;
            let (known, unknown): (Vec<Partition>, Vec<Partition>) =
                places.into_iter().partition(|place| find(&committed, place).is_some());
            let known = known.into_iter().filter_map(|place| {
                let offset = find(&committed, &place)?.offset;
                Some((place, offset))
            });
            let mut plan: Plan = known.collect();
            plan.extend(offsets_at(admin, unknown, LATEST).await?);
            Ok(plan)
        }
        Scenario::None => {
            let scenarios: Vec<String> = SCENARIOS.iter().map(|name| format!("[{name}]")).collect();
            Err(GroupError::Usage(format!(
                "Option '[reset-offsets]' requires one of the following scenarios: [{}]",
                scenarios.join(", ")
            )))
        }
    }
}

fn find<'a>(committed: &'a [CommittedOffset], place: &Partition) -> Option<&'a CommittedOffset> {
    committed.iter().find(|found| found.topic == place.0 && found.partition == place.1)
}

fn shifted(
    places: Vec<Partition>,
    committed: &[CommittedOffset],
    shift: i64,
) -> Result<Plan, GroupError> {
    let shift_one = |place: Partition| match find(committed, &place) {
        Some(found) => Ok((place, found.offset.saturating_add(shift))),
        None => {
            let (topic, partition) = place;
            Err(GroupError::Usage(format!(
                "Cannot shift offset for partition {topic}-{partition} since there is no current \
                 committed offset"
            )))
        }
    };
    places.into_iter().map(shift_one).collect()
}

/// What the file says of a group; nothing is an error that does not end the others.
async fn from_file(
    arguments: &Arguments,
    admin: &mut Admin,
    text: &str,
    group: &str,
) -> Result<Plan, GroupError> {
    let groups = arguments.options.all("group");
    let only = if let [only] = groups { Some(only.as_str()) } else { None };
    let lines = plan_file::parse(text, only).map_err(GroupError::Failed)?;
    let mut wanted = Plan::new();
    for PlanLine { topic, partition, offset, .. } in
        lines.into_iter().filter(|line| line.group == group)
    {
        let place = (topic, partition);
        // The last line about a partition counts.
        wanted.retain(|(other, _)| *other != place);
        wanted.push((place, offset));
    }
    if wanted.is_empty() {
        print_error(&format!("No reset plan for group {group} found"));
        return Ok(wanted);
    }
    within_log(admin, wanted).await
}

/// Moves offsets that the log does not have to its nearer end.
async fn within_log(admin: &mut Admin, wanted: Plan) -> Result<Plan, GroupError> {
    let places: Vec<Partition> = wanted.iter().map(|(place, _)| place.clone()).collect();
    let starts = offsets_at(admin, places.clone(), EARLIEST).await?;
    let ends = offsets_at(admin, places, LATEST).await?;
    let mut plan = Plan::with_capacity(wanted.len());
    for ((place, offset), ((_, start), (_, end))) in
        wanted.into_iter().zip(starts.into_iter().zip(ends))
    {
        let (topic, partition) = &place;
        let found = if offset > end {
            warn!(
                "New offset ({offset}) is higher than latest offset for topic partition \
                 {topic}-{partition}. Value will be set to {end}"
            );
            end
        } else if offset < start {
            warn!(
                "New offset ({offset}) is lower than earliest offset for topic partition \
                 {topic}-{partition}. Value will be set to {start}"
            );
            start
        } else {
            offset
        };
        plan.push((place, found));
    }
    Ok(plan)
}

/// The first offsets whose records are as young as `timestamp`, or the ends of the logs.
async fn offsets_since(
    admin: &mut Admin,
    places: Vec<Partition>,
    timestamp: i64,
) -> Result<Plan, GroupError> {
    let found = offsets_at(admin, places, timestamp).await?;
    let (mut plan, old): (Plan, Plan) = found.into_iter().partition(|(_, offset)| *offset != -1);
    let mut old: Vec<Partition> = old.into_iter().map(|(place, _)| place).collect();
    sort_by_hash(&mut old, HASH_MAP_CAPACITY, |(topic, partition)| {
        partition_hash_code(topic, *partition)
    });
    for (topic, partition) in &old {
        print(&format!(
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset.\n"
        ));
    }
    plan.extend(offsets_at(admin, old, LATEST).await?);
    Ok(plan)
}

/// The offset of each partition at a timestamp, in the order of `places`.
async fn offsets_at(
    admin: &mut Admin,
    places: Vec<Partition>,
    timestamp: i64,
) -> Result<Plan, GroupError> {
    if places.is_empty() {
        return Ok(Plan::new());
    }
    let asked: Vec<PartitionArgument> = places
        .iter()
        .map(|(topic, partition)| PartitionArgument {
            topic: topic.clone(),
            partition: *partition,
            argument: timestamp,
        })
        .collect();
    let found = admin.list_offsets(&asked).await.map_err(rethrown)?;
    let mut plan = Plan::with_capacity(places.len());
    for (place, offset) in places.into_iter().zip(found) {
        plan.push((place, offset.map_err(rethrown)?));
    }
    Ok(plan)
}

fn longest<'a>(texts: impl Iterator<Item = &'a String>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).max(15)
}

fn table(plans: &[(String, Plan)]) -> String {
    let groups = longest(plans.iter().map(|(group, _)| group));
    let topics =
        longest(plans.iter().flat_map(|(_, plan)| plan.iter().map(|((topic, _), _)| topic)));
    let line = |group: &str, topic: &str, partition: &str, offset: &str| {
        format!("\n{group:<groups$} {topic:<topics$} {partition:<10} {offset}")
    };
    let mut table = String::new();
    if !plans.is_empty() {
        table.push_str(&line("GROUP", "TOPIC", "PARTITION", "NEW-OFFSET"));
    }
    for (group, plan) in plans {
        for ((topic, partition), offset) in plan {
            table.push_str(&line(group, topic, &partition.to_string(), &offset.to_string()));
        }
    }
    table + "\n"
}

fn exported(plans: &[(String, Plan)], is_single: bool) -> String {
    let mut lines = String::new();
    for (group, plan) in plans {
        for ((topic, partition), offset) in plan {
            let line = PlanLine {
                group: group.clone(),
                topic: topic.clone(),
                partition: *partition,
                offset: *offset,
            };
            lines.push_str(&plan_file::format(&line, is_single));
        }
    }
    lines + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(lines: &[(&str, i32, i64)]) -> Plan {
        lines.iter().map(|(topic, at, offset)| (((*topic).to_owned(), *at), *offset)).collect()
    }

    /// What Kafka 4.3.0's tool printed for such plans.
    #[test]
    fn plans_stand_in_kafkas_columns() {
        let plans = [("readers".to_owned(), plan(&[("orders", 0, 7), ("orders", 1, 7)]))];
        let expected = "
GROUP           TOPIC           PARTITION  NEW-OFFSET
readers         orders          0          7
readers         orders          1          7
";
        assert_eq!(table(&plans), expected);
        let plans = [("nobody".to_owned(), plan(&[("a.very-long-topic-name", 0, 5)]))];
        let expected = "
GROUP           TOPIC                  PARTITION  NEW-OFFSET
nobody          a.very-long-topic-name 0          5
";
        assert_eq!(table(&plans), expected);
        assert_eq!(table(&[]), "\n");
        assert_eq!(exported(&plans, true), "a.very-long-topic-name,0,5\n\n");
        assert_eq!(exported(&plans, false), "nobody,a.very-long-topic-name,0,5\n\n");
    }

    #[test]
    fn partitions_are_named_behind_their_topic() {
        let check = |text: &str, expected: Result<&[i32], &str>| {
            let found = places_of(text).map_err(|error| error.to_string());
            let expected = expected
                .map(|indexes| indexes.iter().map(|index| ("a".to_owned(), *index)).collect());
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        };
        check("a:0", Ok(&[0]));
        check("a:2,0", Ok(&[2, 0]));
        check("a:x", Err("Invalid partition 'x' specified in topic arg 'a:x''"));
        check("a:", Err("Invalid topic arg 'a:', expected topic name and partitions"));
        check("a:1:2", Err("Invalid topic arg 'a:1:2', expected topic name and partitions"));
    }

    #[test]
    fn only_what_is_committed_is_shifted() {
        let committed = [CommittedOffset {
            topic: "a".to_owned(),
            partition: 0,
            offset: 5,
            leader_epoch: None,
        }];
        let moved = |places: Plan, by| {
            shifted(places.into_iter().map(|(place, _)| place).collect(), &committed, by)
        };
        assert_eq!(moved(plan(&[("a", 0, 0)]), -3).ok(), Some(plan(&[("a", 0, 2)])));
        assert_eq!(moved(plan(&[("a", 0, 0)]), i64::MAX).ok(), Some(plan(&[("a", 0, i64::MAX)])));
        let error = moved(plan(&[("a", 1, 0)]), 1).expect_err("nothing is committed");
        assert_eq!(
            error.to_string(),
            "Cannot shift offset for partition a-1 since there is no current committed offset"
        );
    }
}
