//! What the doctor says of one thing.

use std::fmt;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// A broker runs, and could run better.
    Note,
    /// A broker does not start, or what it acknowledges is not safe.
    NotFine,
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub verdict: Verdict,
    /// What it is.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do where it is not fine.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn fine(subject: &'static str, found: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Fine, subject, found: found.into(), remedy: None }
    }

    /// It could be better.
    pub fn note(
        subject: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let remedy = Some(remedy.into());
        Finding { verdict: Verdict::Note, subject, found: found.into(), remedy }
    }

    /// It hinders a broker.
    pub fn not_fine(
        subject: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let remedy = Some(remedy.into());
        Finding { verdict: Verdict::NotFine, subject, found: found.into(), remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Fine => "fine",
            Verdict::Note => "note",
            Verdict::NotFine => "NOT FINE",
        };
        writeln!(f, "{verdict:<9} {:<17} {}", self.subject, self.found)?;
        match &self.remedy {
            Some(remedy) => writeln!(f, "{:9} remedy: {remedy}", ""),
            None => Ok(()),
        }
    }
}
