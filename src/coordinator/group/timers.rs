//! What happens to a group because time has passed.

use std::time::Duration;

use tracing::debug;

use crate::runtime::Monotonic;

use super::roster::{Expired, millis};
use super::{Group, State, Turn};

/// The least that a rebalance waits again for members none of whom has joined, whatever timeout they
/// asked for: their sessions, not this timer, end such a wait.
const NOBODY_JOINED_WAIT: Duration = Duration::from_secs(1);

/// When a rebalance goes on without those who have not joined.
#[derive(Debug)]
pub(super) struct JoinTimer {
    pub(super) at: Monotonic,
    /// For an empty group's first rebalance, how it may be put off.
    delay: Option<InitialDelay>,
}

/// How the first rebalance of an empty group waits for more members.
#[derive(Clone, Copy, Debug)]
struct InitialDelay {
    /// The delay that is running.
    running: Duration,
    /// How much longer all delays together may be.
    remaining: Duration,
}

impl Group {
    /// Waits for the first members of an empty group.
    pub(super) fn start_initial_delay(&mut self, turn: &Turn<'_>) {
        let running = millis(turn.settings.initial_rebalance_delay_ms);
        let remaining = self.roster.rebalance_timeout().saturating_sub(running);
        let delay = Some(InitialDelay { running, remaining });
        self.join_timer = Some(JoinTimer { at: turn.now + running, delay });
        self.newcomers = false;
    }

    /// Waits for the members of the last generation.
    pub(super) fn start_join_timer(&mut self, turn: &Turn<'_>) {
        let at = turn.now + self.roster.rebalance_timeout();
        self.join_timer = Some(JoinTimer { at, delay: None });
    }

    /// Waits once more, because nobody has joined.
    pub(super) fn restart_join_timer(&mut self, turn: &Turn<'_>) {
        let at = turn.now + self.roster.rebalance_timeout().max(NOBODY_JOINED_WAIT);
        self.join_timer = Some(JoinTimer { at, delay: None });
    }

    /// Does what is due. Each timer of the group rings at most once a turn.
    pub(super) fn run_timers(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Dead {
            return;
        }
        while let Some(expired) = self.roster.take_expired(turn.now) {
            match expired {
                Expired::Member(id) => self.expire_member(turn, &id),
                Expired::Pending(id) => self.expire_pending(turn, &id),
            }
        }
        if self.sync_end.is_some_and(|at| at <= turn.now) {
            self.expire_syncs(turn);
        }
        if let Some(timer) = self.join_timer.take_if(|timer| timer.at <= turn.now) {
            self.join_timer_rang(turn, timer.delay);
        }
    }

    fn join_timer_rang(&mut self, turn: &mut Turn<'_>, delay: Option<InitialDelay>) {
        match delay {
            Some(InitialDelay { running, remaining }) if self.newcomers && !remaining.is_zero() => {
                self.newcomers = false;
                let next = remaining.min(millis(turn.settings.initial_rebalance_delay_ms));
                let delay =
                    InitialDelay { running: next, remaining: remaining.saturating_sub(running) };
                self.join_timer = Some(JoinTimer { at: turn.now + next, delay: Some(delay) });
            }
            _ => {
                self.complete_join(turn);
            }
        }
    }

    /// A member was not heard of for its session timeout.
    fn expire_member(&mut self, turn: &mut Turn<'_>, id: &str) {
        debug!(group = self.id, member = id, "the member's session has ended");
        self.remove_member(turn, id);
        match self.state {
            State::Stable | State::CompletingRebalance => {
                self.prepare_rebalance(turn, "a member's session has ended");
            }
            State::PreparingRebalance if self.roster.all_joined() => {
                self.complete_join(turn);
            }
            State::PreparingRebalance | State::Empty | State::Dead => {}
        }
    }

    /// Nobody came back with an id that was given out.
    fn expire_pending(&mut self, turn: &mut Turn<'_>, id: &str) {
        debug!(group = self.id, member = id, "a new member did not come back with its id");
        self.roster.forget(id);
        self.complete_join_without_pending(turn);
    }

    /// An id is expected no longer: perhaps it was what the rebalance waited for.
    pub(super) fn complete_join_without_pending(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::PreparingRebalance && self.roster.all_joined() {
            self.complete_join(turn);
        }
    }

    /// The members that have not asked for their assignment are taken out.
    fn expire_syncs(&mut self, turn: &mut Turn<'_>) {
        self.sync_end = None;
        let absent = self.roster.ids(|member| member.owes_sync);
        if absent.is_empty() {
            return;
        }
        debug!(group = self.id, members = ?absent, "members never asked for their assignment");
        for id in absent {
            self.remove_member(turn, &id);
        }
        self.prepare_rebalance(turn, "members never asked for their assignment");
    }
}
