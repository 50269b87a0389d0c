//! No file names a place on the machine of whoever wrote it.

use crate::finding::Finding;

/// Spelt in halves, so that this file keeps its own rule.
const PLACES: &[&str] = &[concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/")];

pub fn check(path: &str, content: &str, findings: &mut Vec<Finding>) {
    for (index, line) in content.lines().enumerate() {
        for place in PLACES {
            if line.match_indices(place).any(|(at, _)| begins_a_path(&line[..at])) {
                let message = format!("names a path of one machine ({place}…)");
                findings.push(Finding::new(path, index + 1, message));
            }
        }
    }
}

/// Whether a `/` after `before` begins an absolute path and does not continue a relative one or a URL.
fn begins_a_path(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || "._-~}*)".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found() {
        for (line, count) in [
            (concat!("see /", "work/x"), 1),
            (concat!("`/", "root/.cargo`"), 1),
            (concat!("file:///", "home/me"), 1),
            (concat!("./", "work/x"), 0),
            (concat!("https://kafka.apache.org/", "home/x"), 0),
            ("log.dirs=/tmp/kafka-logs", 0),
        ] {
            let mut findings = Vec::new();
            check("README.md", line, &mut findings);
            assert_eq!(findings.len(), count, "{line}");
        }
    }
}
