//! The comma-separated lines of `--export` and `--from-file`: `topic,partition,offset` of the one group that is
//! named, `group,topic,partition,offset` of several.

/// How long a text may be for which the writer looks whether it needs quotes; a longer one gets them (Jackson's rule).
const LOOKED_AT_MAX: usize = 24;

/// What becomes of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanLine {
    /// The group's id.
    pub group: String,
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
}

/// The line with its end, without the group where it `is_single`.
pub fn format(line: &PlanLine, is_single: bool) -> String {
    let PlanLine { group, topic, partition, offset } = line;
    let group = if is_single { String::new() } else { format!("{},", quoted(group)) };
    format!("{group}{},{partition},{offset}\n", quoted(topic))
}

fn quoted(text: &str) -> String {
    let is_plain =
        text.chars().count() <= LOOKED_AT_MAX && !text.chars().any(|letter| letter < '-');
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

/// Reads a file; `only` is the group where one is named, which lines of three columns are about.
pub fn parse(text: &str, only: Option<&str>) -> Result<Vec<PlanLine>, String> {
    let text = text.trim_end_matches('\n');
    let first = columns(text.lines().next().unwrap_or_default());
    let has_three = first.is_ok_and(|columns| columns.len() == 3);
    let line = |(number, line): (usize, &str)| {
        let problem = |what: &str| format!("line {}: {what}: {line}", number + 1);
        let columns = columns(line).map_err(|what| problem(&what))?;
        let (group, rest) = match (only.filter(|_| has_three), &columns[..]) {
            (Some(group), rest @ [_, _, _]) => (group.to_owned(), rest),
            (None, [group, rest @ ..]) if rest.len() == 3 => (group.clone(), rest),
            (Some(_), _) => return Err(problem("it is to be topic,partition,offset")),
            (None, _) => return Err(problem("it is to be group,topic,partition,offset")),
        };
        let partition =
            rest[1].trim().parse().map_err(|_| problem("the partition is no number"))?;
        let offset = rest[2].trim().parse().map_err(|_| problem("the offset is no number"))?;
        Ok(PlanLine { group, topic: rest[0].clone(), partition, offset })
    };
    text.lines().enumerate().map(line).collect()
}

/// The columns of a line; a quoted one may hold commas, and quotes twice.
fn columns(line: &str) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    let mut rest = line;
    loop {
        let Some(open) = rest.strip_prefix('"') else {
            match rest.split_once(',') {
                Some((column, behind)) => {
                    columns.push(column.to_owned());
                    rest = behind;
                    continue;
                }
                None => {
                    columns.push(rest.to_owned());
                    return Ok(columns);
                }
            }
        };
        let (column, behind) = quoted_column(open).ok_or("a quote is open")?;
        columns.push(column);
        match behind.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if behind.is_empty() => return Ok(columns),
            None => return Err("something follows a closing quote".to_owned()),
        }
    }
}

/// What stands before the closing quote, and what behind it.
fn quoted_column(text: &str) -> Option<(String, &str)> {
    let mut column = String::new();
    let mut rest = text;
    loop {
        let (piece, behind) = rest.split_once('"')?;
        column.push_str(piece);
        match behind.strip_prefix('"') {
            Some(behind) => {
                column.push('"');
                rest = behind;
            }
            None => return Some((column, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(group: &str, topic: &str, partition: i32, offset: i64) -> PlanLine {
        PlanLine { group: group.to_owned(), topic: topic.to_owned(), partition, offset }
    }

    fn check(text: &str, only: Option<&str>, expected: Result<&[PlanLine], &str>) {
        let found = parse(text, only);
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected), "{text}"),
            Err(expected) => {
                let problem = found.expect_err("it is no plan");
                assert!(problem.starts_with(expected), "{text}: {problem}");
            }
        }
    }

    #[test]
    fn lines_are_read() {
        check("a,0,5\nb,1, 6\n", Some("g"), Ok(&[line("g", "a", 0, 5), line("g", "b", 1, 6)]));
        check("g,a,0,5\r\nh,a,1,6", None, Ok(&[line("g", "a", 0, 5), line("h", "a", 1, 6)]));
        check("g,a,0,5\n", Some("g"), Ok(&[line("g", "a", 0, 5)]));
        check("\"a,\"\"b\",a,0,5\n", None, Ok(&[line("a,\"b", "a", 0, 5)]));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        check("a,0,5\na,1", Some("g"), Err("line 2: it is to be topic,partition,offset: a,1"));
        check("a,0,5", None, Err("line 1: it is to be group,topic,partition,offset"));
        check("a,x,5", Some("g"), Err("line 1: the partition is no number"));
        check("a,0,9223372036854775808", Some("g"), Err("line 1: the offset is no number"));
        check("\"a,0,5", Some("g"), Err("line 1: a quote is open"));
        check("\"a\"b,0,5", Some("g"), Err("line 1: something follows a closing quote"));
    }

    #[test]
    fn what_is_written_is_read() {
        let long = "a-name-of-more-than-24-letters";
        assert_eq!(format(&line("g", long, 0, 5), true), format!("\"{long}\",0,5\n"));
        for (group, is_single) in [("g", true), ("my group", false), ("a\"b,c", false)] {
            let written = line(group, long, 3, 7);
            let text = format(&written, is_single);
            check(&text, is_single.then_some(group), Ok(&[written]));
        }
    }
}
