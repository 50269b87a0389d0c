//! The states of a group, by Kafka's names.

use std::fmt;

/// Where a group stands (Kafka's `ClassicGroupState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No members; perhaps offsets.
    Empty,
    /// Members are asked to join again; a generation is about to begin.
    PreparingRebalance,
    /// The members know their generation and wait for the leader's assignment.
    CompletingRebalance,
    /// Everyone has, or can have, an assignment.
    Stable,
    /// The group has moved away or is deleted; its clients look for the coordinator again.
    Dead,
}

impl State {
    /// All of them, in the order of their numbers.
    pub const ALL: [State; 5] = [
        State::Empty,
        State::PreparingRebalance,
        State::CompletingRebalance,
        State::Stable,
        State::Dead,
    ];

    /// Kafka's name.
    pub const fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
            State::Dead => "Dead",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
