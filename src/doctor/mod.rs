//! Examines the machine for a broker with a given configuration: what is fine, what is not, the remedy.
//!
//! It runs before or beside a broker, on no shard, and changes nothing but two probe files in the data
//! directory, which it removes. Deliberately absent: mending anything, and what only a running
//! broker can tell (`/metrics`).

mod cores;
mod disk;
mod finding;
mod limits;
mod ports;
mod ring;

pub use finding::{Finding, Verdict};

use crate::config::BrokerConfig;

/// Examines everything, in the order in which a start would need it; takes about two seconds.
pub fn examine(config: &BrokerConfig) -> Vec<Finding> {
    let mut findings = vec![ring::kernel(), ring::availability()];
    findings.extend([limits::locked_memory(config), limits::open_files(config)]);
    findings.push(limits::memory(config));
    findings.extend(disk::examine(config));
    findings.extend(cores::examine(config));
    findings.extend(ports::examine(config));
    findings
}

/// All findings, one a line with its remedy below, and the sum at the end.
pub fn report(findings: &[Finding]) -> String {
    let mut text: String = findings.iter().map(Finding::to_string).collect();
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (bad, notes) = (count(Verdict::NotFine), count(Verdict::Note));
    text += &match (bad, notes) {
        (0, 0) => "Everything is fine.\n".to_owned(),
        (0, _) => {
            format!(
                "A broker can run here; {notes} of {} findings could be better.\n",
                findings.len()
            )
        }
        _ => format!(
            "{bad} of {} findings are not fine: a broker cannot run here, or not safely.\n",
            findings.len()
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_what_is_said_at_the_end() {
        let fine = Finding::fine("kernel", "Linux 6.18");
        let note = Finding::note("clock", "hpet", "choose tsc");
        let bad = Finding::not_fine("port", "9092 is taken", "stop it");
        let check = |findings: &[Finding], said: &str| {
            let text = report(findings);
            assert!(text.ends_with(said), "{text}");
        };
        check(std::slice::from_ref(&fine), "kernel            Linux 6.18\nEverything is fine.\n");
        check(
            &[fine.clone(), note.clone()],
            "note      clock             hpet\n          remedy: choose tsc\n\
             A broker can run here; 1 of 2 findings could be better.\n",
        );
        check(
            &[note, bad, fine],
            "1 of 3 findings are not fine: a broker cannot run here, or not safely.\n",
        );
    }
}
