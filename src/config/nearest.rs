//! The known name that a mistyped one most likely means.

/// The name with the fewest edits from `mistyped`, unless more than a third of it would change.
pub fn nearest<'a>(mistyped: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A longer name is none of ours, and the work grows with the length.
    if mistyped.len() > 128 {
        return None;
    }
    let scored = names.map(|name| (edits(mistyped.as_bytes(), name.as_bytes()), name));
    let (edits, name) = scored.min()?;
    (edits * 3 <= mistyped.len()).then_some(name)
}

/// The Levenshtein distance: insertions, deletions and replacements of a byte.
fn edits(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, &a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (left, &b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[left + 1];
            row[left + 1] = replaced.min(diagonal + 1).min(row[left] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn check(mistyped: &str, expected: Option<&str>) {
        let names = ["log.dirs", "log.dir", "num.partitions", "num.shards", "node.id"];
        assert_eq!(nearest(mistyped, names.into_iter()), expected, "{mistyped}");
    }

    #[test]
    fn a_typo_finds_its_name() {
        check("num.partition", Some("num.partitions"));
        check("numpartitions", Some("num.partitions"));
        check("Node.id", Some("node.id"));
        check("log.dirz", Some("log.dir"));
        check("nmu.shards", Some("num.shards"));
        check("zookeeper.connect", None);
        check("", None);
        check(&"log.dirs".repeat(100), None);
    }
}
