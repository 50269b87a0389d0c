//! Members that show that they live: heartbeats and commits.

use crate::coordinator::message::MemberRef;
use crate::model::ErrorCode;
use crate::runtime::Monotonic;
#[cfg(test)]
use crate::runtime::sim::{Planted, is_planted};

use super::{Group, State};

impl Group {
    /// Takes a heartbeat.
    pub(super) fn heartbeat(
        &mut self,
        now: Monotonic,
        member: &MemberRef,
    ) -> Result<(), ErrorCode> {
        if self.state == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        self.check_generation(member)?;
        self.roster.hear(now, &member.member_id);
        match self.state {
            State::PreparingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether this member may commit offsets now; its session goes on. Who is in no group may while
    /// the group is empty.
    pub fn check_commit(&mut self, now: Monotonic, member: &MemberRef) -> Result<(), ErrorCode> {
        match self.state {
            State::Dead => return Err(ErrorCode::CoordinatorNotAvailable),
            State::Empty if member.generation < 0 => return Ok(()),
            #[cfg(test)]
            _ if is_planted(Planted::AcceptStaleGeneration) => {}
            _ => self.check_generation(member)?,
        }
        match self.state {
            // It knows the generation, but has not been told yet what it owns.
            State::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
            _ => {
                self.roster.hear(now, &member.member_id);
                Ok(())
            }
        }
    }

    /// Whether this is a member, and of this generation.
    pub(super) fn check_generation(&self, member: &MemberRef) -> Result<(), ErrorCode> {
        self.roster.check(&member.member_id, member.instance_id.as_deref())?;
        if member.generation == self.generation {
            Ok(())
        } else {
            Err(ErrorCode::IllegalGeneration)
        }
    }
}
