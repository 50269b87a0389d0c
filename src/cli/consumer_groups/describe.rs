//! The tables of `consumer-groups --describe`, byte for byte those of Kafka's tool.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::arguments::Arguments;
use super::{GroupError, chosen_groups, executed, print_error, rethrown};
use crate::cli::tool::{complain, print};
use crate::client::{
    Admin, CommittedOffset, GroupDescription, MemberDescription, Partition, PartitionArgument,
};
use crate::model::ErrorCode;

/// Where there is nothing to show.
const MISSING: &str = "-";
/// `ListOffsetsRequest.LATEST_TIMESTAMP`.
const LATEST: i64 = -1;
/// The least that a column of free text takes.
const COLUMN: usize = 15;

/// A partition that a group has, or has had.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    place: Partition,
    offset: Option<i64>,
    leader_epoch: Option<i32>,
    log_end: Option<i64>,
    consumer: String,
    host: String,
    client: String,
}

/// Describes the groups in the order of their names, once all of them are known.
pub async fn describe(arguments: &Arguments, admin: &mut Admin) -> Result<(), GroupError> {
    let verbose = arguments.has("verbose");
    let mut groups: BTreeMap<String, GroupDescription> = BTreeMap::new();
    for group in chosen_groups(arguments, admin).await? {
        let described = admin.describe_group(&group).await.map_err(executed)?;
        if !["", "consumer"].contains(&&*described.protocol_type) {
            let kind = described.protocol_type;
            return Err(GroupError::Failed(format!(
                "java.lang.IllegalArgumentException: GroupId {group} is not a consumer group ({kind})."
            )));
        }
        groups.insert(group, described);
    }
    if arguments.has("members") {
        for (group, described) in &groups {
            if is_shown(group, described, described.members.len())? {
                print(&members_table(group, &described.members, verbose));
            } else {
                print(&members_table(group, &[], verbose));
            }
        }
        return Ok(());
    }
    if arguments.has("state") {
        for (group, described) in &groups {
            if is_shown(group, described, 1)? {
                print(&state_table(group, described, verbose));
            }
        }
        return Ok(());
    }
    let mut tables = Vec::new();
    for (group, described) in &groups {
        tables.push((group, described, rows(admin, group, described).await?));
    }
    for (group, described, rows) in &tables {
        if is_shown(group, described, rows.len())? {
            print(&offsets_table(group, rows, verbose));
        }
    }
    Ok(())
}

/// Tells what there is to say of a group's state; true where a table follows.
fn is_shown(group: &str, described: &GroupDescription, rows: usize) -> Result<bool, GroupError> {
    match &*described.state {
        "Dead" => print_error(&format!("Consumer group '{group}' does not exist.")),
        "Empty" => complain(&format!("\nConsumer group '{group}' has no active members.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            complain(&format!("\nWarning: Consumer group '{group}' is rebalancing."));
        }
        "Stable" => {}
        other => {
            return Err(GroupError::Failed(format!(
                "Expected a valid consumer group state, but found '{other}'."
            )));
        }
    }
    Ok(described.state != "Dead" && rows > 0)
}

/// The partitions of the members, those with the most first, then those that only have an offset.
async fn rows(
    admin: &mut Admin,
    group: &str,
    described: &GroupDescription,
) -> Result<Vec<Row>, GroupError> {
    let committed = admin.committed_offsets(group).await.map_err(rethrown)?;
    let mut members: Vec<&MemberDescription> =
        described.members.iter().filter(|member| !member.partitions.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.partitions.len()));
    let assigned: BTreeSet<&Partition> =
        members.iter().flat_map(|member| &member.partitions).collect();
    let is_free = |place: &Partition| !assigned.contains(place);
    let free: Vec<Partition> = committed
        .iter()
        .map(|committed| (committed.topic.clone(), committed.partition))
        .filter(is_free)
        .collect();
    let mut rows = Vec::new();
    for member in members {
        let holder = [&member.id, &member.host, &member.client_id].map(|text| text.as_str());
        rows.extend(rows_of(admin, &member.partitions, &committed, holder).await?);
    }
    if !free.is_empty() {
        rows.extend(rows_of(admin, &free, &committed, [MISSING; 3]).await?);
    }
    Ok(rows)
}

/// The rows of one holder, in the order of their partitions.
async fn rows_of(
    admin: &mut Admin,
    places: &[Partition],
    committed: &[CommittedOffset],
    [consumer, host, client]: [&str; 3],
) -> Result<Vec<Row>, GroupError> {
    let mut places = places.to_vec();
    places.sort();
    let ends = log_ends(admin, &places).await?;
    let rows = places.into_iter().zip(ends).map(|(place, log_end)| {
        let found =
            committed.iter().find(|found| found.topic == place.0 && found.partition == place.1);
        Row {
            place,
            offset: found.map(|found| found.offset),
            leader_epoch: found.and_then(|found| found.leader_epoch),
            log_end,
            consumer: consumer.to_owned(),
            host: host.to_owned(),
            client: client.to_owned(),
        }
    });
    Ok(rows.collect())
}

/// Where each log ends; `None` where the partition has no leader to say.
async fn log_ends(admin: &mut Admin, places: &[Partition]) -> Result<Vec<Option<i64>>, GroupError> {
    let names: Vec<String> = places.iter().map(|(topic, _)| topic.clone()).collect();
    let mut leaderless = BTreeSet::new();
    for (topic, leaders) in admin.leaders(&names).await.map_err(rethrown)? {
        let leaders = leaders.map_err(|code| refused_topic(code, true))?;
        let without = leaders.iter().zip(0..).filter(|(leader, _)| leader.is_none());
        leaderless.extend(without.map(|(_, index)| (topic.clone(), index)));
    }
    let asked = places.iter().filter(|place| !leaderless.contains(*place));
    let asked: Vec<PartitionArgument> = asked
        .map(|(topic, partition)| PartitionArgument {
            topic: topic.clone(),
            partition: *partition,
            argument: LATEST,
        })
        .collect();
    let mut found = admin.list_offsets(&asked).await.map_err(rethrown)?.into_iter();
    let mut ends = Vec::with_capacity(places.len());
    for place in places {
        let end = match leaderless.contains(place) {
            true => None,
            false => found.next().transpose().map_err(rethrown)?,
        };
        ends.push(end);
    }
    Ok(ends)
}

/// A topic that cannot be described, as the exception says it that carries the exception.
pub fn refused_topic(code: ErrorCode, is_rethrown: bool) -> GroupError {
    let error = crate::client::ClientError::refused(code, None);
    if is_rethrown { rethrown(error) } else { GroupError::Failed(error.to_string()) }
}

/// How wide a column is: at least `least`, and as wide as its widest text.
fn width<'a>(least: usize, texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0).max(least)
}

fn or_missing(number: Option<impl ToString>) -> String {
    number.map_or(MISSING.to_owned(), |number| number.to_string())
}

fn offsets_table(group: &str, rows: &[Row], verbose: bool) -> String {
    let groups = width(COLUMN, [group].into_iter());
    let topics = width(COLUMN, rows.iter().map(|row| row.place.0.as_str()));
    let consumers = width(COLUMN, rows.iter().map(|row| row.consumer.as_str()));
    let hosts = width(COLUMN, rows.iter().map(|row| row.host.as_str()));
    let line = |texts: [&str; 10]| {
        let [group, topic, partition, epoch, offset, end, lag, consumer, host, client] = texts;
        let epoch = if verbose { format!("{epoch:<15} ") } else { String::new() };
        format!(
            "\n{group:<groups$} {topic:<topics$} {partition:<10} {epoch}{offset:<15} {end:<15} \
             {lag:<15} {consumer:<consumers$} {host:<hosts$} {client}"
        )
    };
    let mut table = line([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for row in rows {
        let lag = row.offset.and_then(|offset| Some(row.log_end? - offset));
        table.push_str(&line([
            group,
            &row.place.0,
            &row.place.1.to_string(),
            &or_missing(row.leader_epoch),
            &or_missing(row.offset),
            &or_missing(row.log_end),
            &or_missing(lag),
            &row.consumer,
            &row.host,
            &row.client,
        ]));
    }
    table + "\n"
}

/// Only groups of the consumer rebalance protocol have epochs and targets, which the client does not ask for.
fn members_table(group: &str, members: &[MemberDescription], verbose: bool) -> String {
    let instance = |member: &MemberDescription| member.instance_id.clone().unwrap_or_default();
    let has_instances = members.iter().any(|member| !instance(member).is_empty());
    let instances: Vec<String> = members.iter().map(instance).collect();
    let groups = match members.is_empty() {
        true => COLUMN,
        false => width(COLUMN, [group].into_iter()),
    };
    let consumers = width(COLUMN, members.iter().map(|member| member.id.as_str()));
    let static_ids = width(17, instances.iter().map(String::as_str));
    let hosts = width(COLUMN, members.iter().map(|member| member.host.as_str()));
    let clients = width(COLUMN, members.iter().map(|member| member.client_id.as_str()));
    let assigned: Vec<String> = members.iter().map(|member| assigned(&member.partitions)).collect();
    let assignments = width(20, assigned.iter().map(String::as_str));
    let line = |texts: [&str; 6], assignment: &str, headed: [&str; 3]| {
        let [group, consumer, instance, host, client, count] = texts;
        let instance =
            if has_instances { format!("{instance:<static_ids$} ") } else { String::new() };
        let mut line = format!(
            "{group:<groups$} {consumer:<consumers$} {instance}{host:<hosts$} {client:<clients$} {count:<15} "
        );
        if verbose {
            let [epoch, target_epoch, target] = headed;
            let _ = write!(
                line,
                "{epoch:<15} {assignment:<assignments$} {target_epoch:<15} {target:<20}"
            );
        }
        line + "\n"
    };
    let head = ["GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS"];
    let headed = ["CURRENT-EPOCH", "TARGET-EPOCH", "TARGET-ASSIGNMENT"];
    let mut table = format!("\n{}", line(head, "CURRENT-ASSIGNMENT", headed));
    for ((member, instance), assigned) in members.iter().zip(&instances).zip(&assigned) {
        let count = member.partitions.len().to_string();
        let texts = [group, &member.id, instance, &member.host, &member.client_id, &count];
        table.push_str(&line(texts, assigned, [MISSING; 3]));
    }
    table
}

/// `topic:0,1;other:2`, the topics and their partitions in order.
fn assigned(partitions: &[Partition]) -> String {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    if topics.is_empty() {
        return MISSING.to_owned();
    }
    let mut texts: Vec<String> = topics
        .into_iter()
        .map(|(topic, mut partitions)| {
            partitions.sort_unstable();
            let partitions: Vec<String> = partitions.iter().map(i32::to_string).collect();
            format!("{topic}:{}", partitions.join(","))
        })
        .collect();
    texts.sort();
    texts.join(";")
}

fn state_table(group: &str, described: &GroupDescription, verbose: bool) -> String {
    let address = &described.address;
    let coordinator = format!("{}:{}  ({})", address.host, address.port, described.coordinator.0);
    let (groups, coordinators) =
        (width(COLUMN, [group].into_iter()), width(25, [coordinator.as_str()].into_iter()));
    let line = |texts: [&str; 7]| {
        let [group, coordinator, strategy, state, epoch, target_epoch, count] = texts;
        let epochs = match verbose {
            true => format!("{epoch:<15} {target_epoch:<25} "),
            false => String::new(),
        };
        format!(
            "\n{group:<groups$} {coordinator:<coordinators$} {strategy:<20} {state:<20} {epochs}{count}"
        )
    };
    let strategy = if described.protocol.is_empty() { MISSING } else { &described.protocol };
    let head = line([
        "GROUP",
        "COORDINATOR (ID)",
        "ASSIGNMENT-STRATEGY",
        "STATE",
        "GROUP-EPOCH",
        "TARGET-ASSIGNMENT-EPOCH",
        "#MEMBERS",
    ]);
    let count = described.members.len().to_string();
    let texts = [group, &coordinator, strategy, &described.state, MISSING, MISSING, &count];
    format!("{head}{}\n", line(texts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Address;
    use crate::model::ids::BrokerId;

    fn row(topic: &str, offset: Option<i64>, log_end: Option<i64>, holder: [&str; 3]) -> Row {
        let [consumer, host, client] = holder.map(str::to_owned);
        let place = (topic.to_owned(), 0);
        Row { place, offset, leader_epoch: None, log_end, consumer, host, client }
    }

    fn member(id: &str, instance: Option<&str>, partitions: &[(&str, i32)]) -> MemberDescription {
        MemberDescription {
            id: id.to_owned(),
            instance_id: instance.map(str::to_owned),
            client_id: "console-consumer".to_owned(),
            host: "/127.0.0.1".to_owned(),
            partitions: partitions.iter().map(|(topic, at)| ((*topic).to_owned(), *at)).collect(),
        }
    }

    /// What Kafka 4.3.0's tool printed for such groups.
    #[test]
    fn offsets_stand_in_kafkas_columns() {
        let rows = [row("orders", Some(46), Some(46), [MISSING; 3])];
        let expected = "
GROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID
readers         orders          0          46              46              0               -               -               -
";
        assert_eq!(offsets_table("readers", &rows, false), expected);
        let long = "a-group-with-a-rather-long-name";
        let rows = [row(
            "a.very-long-topic-name",
            Some(1),
            Some(5),
            ["a-consumer-with-an-id", "/127.0.0.1", "c"],
        )];
        let expected = "
GROUP                           TOPIC                  PARTITION  LEADER-EPOCH    CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID           HOST            CLIENT-ID
a-group-with-a-rather-long-name a.very-long-topic-name 0          -               1               5               4               a-consumer-with-an-id /127.0.0.1      c
";
        assert_eq!(offsets_table(long, &rows, true), expected);
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let rows = [row("a", None, Some(7), [MISSING; 3]), row("b", Some(7), None, [MISSING; 3])];
        let table = offsets_table("g", &rows, false);
        let cells: Vec<Vec<&str>> = table
            .lines()
            .skip(2)
            .map(|line| line.split_whitespace().skip(3).take(3).collect())
            .collect();
        assert_eq!(cells, [["-", "7", "-"], ["7", "-", "-"]]);
    }

    #[test]
    fn members_stand_in_kafkas_columns() {
        let expected = "
GROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   
";
        assert_eq!(members_table("a-group-with-a-rather-long-name", &[], true), expected);
        let members = [member("consumer-1", None, &[("b", 10), ("a", 1), ("b", 2)])];
        let expected = "
GROUP           CONSUMER-ID     HOST            CLIENT-ID        #PARTITIONS     
readers         consumer-1      /127.0.0.1      console-consumer 3               
";
        assert_eq!(members_table("readers", &members, false), expected);
        let members = [
            member("consumer-1", Some("one"), &[("b", 10), ("a", 1), ("b", 2)]),
            member("x", None, &[]),
        ];
        let expected = "
GROUP           CONSUMER-ID     GROUP-INSTANCE-ID HOST            CLIENT-ID        #PARTITIONS     CURRENT-EPOCH   CURRENT-ASSIGNMENT   TARGET-EPOCH    TARGET-ASSIGNMENT   
readers         consumer-1      one               /127.0.0.1      console-consumer 3               -               a:1;b:2,10           -               -                   
readers         x                                 /127.0.0.1      console-consumer 0               -               -                    -               -                   
";
        assert_eq!(members_table("readers", &members, true), expected);
    }

    #[test]
    fn states_stand_in_kafkas_columns() {
        let described = GroupDescription {
            state: "Empty".to_owned(),
            protocol_type: "consumer".to_owned(),
            protocol: String::new(),
            members: Vec::new(),
            coordinator: BrokerId(1),
            address: Address { host: "127.0.0.1".to_owned(), port: 22100 },
        };
        let expected = "
GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                #MEMBERS
readers         127.0.0.1:22100  (1)      -                    Empty                0
";
        assert_eq!(state_table("readers", &described, false), expected);
        let stable = GroupDescription {
            state: "Stable".to_owned(),
            protocol: "range".to_owned(),
            members: vec![member("x", None, &[])],
            ..described
        };
        let expected = "
GROUP           COORDINATOR (ID)          ASSIGNMENT-STRATEGY  STATE                GROUP-EPOCH     TARGET-ASSIGNMENT-EPOCH   #MEMBERS
readers         127.0.0.1:22100  (1)      range                Stable               -               -                         1
";
        assert_eq!(state_table("readers", &stable, true), expected);
    }
}
