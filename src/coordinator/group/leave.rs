//! LeaveGroup: members that go, one by one or, by an administrator, in a batch (KIP-345).

use tracing::debug;

use crate::coordinator::message::{Answer, Leave, LeavingMember, Left, Ticket};
use crate::model::ErrorCode;

use super::{Group, State, Turn};

impl Group {
    /// Takes a LeaveGroup. If it empties the group, the answer waits until that is durable.
    pub(super) fn leave(&mut self, turn: &mut Turn<'_>, ticket: Ticket, leave: Leave) {
        if self.state == State::Dead {
            let code = ErrorCode::CoordinatorNotAvailable;
            turn.reply(ticket, Answer::Leave(Left { code, members: Vec::new() }));
            return;
        }
        let members: Vec<ErrorCode> = leave
            .members
            .iter()
            .map(|member| self.remove_leaving(turn, member).err().unwrap_or(ErrorCode::None))
            .collect();
        let somebody_left = members.iter().any(|code| code.is_none());
        let left = Left { code: ErrorCode::None, members };
        let written = match self.state {
            State::Stable | State::CompletingRebalance if somebody_left => {
                self.prepare_rebalance(turn, "members have left")
            }
            State::PreparingRebalance if somebody_left => self.complete_join_if_all_joined(turn),
            _ => None,
        };
        match written {
            Some(persist) => self.leaving.push((persist, ticket, left)),
            None => turn.reply(ticket, Answer::Leave(left)),
        }
    }

    /// Takes one member out, or an id that was given out; a static member also by its instance id
    /// alone.
    fn remove_leaving(
        &mut self,
        turn: &mut Turn<'_>,
        leaving: &LeavingMember,
    ) -> Result<(), ErrorCode> {
        let instance_id = leaving.instance_id.as_deref();
        let id = if leaving.member_id.is_empty() {
            let known = instance_id.and_then(|instance_id| self.roster.static_id(instance_id));
            known.ok_or(ErrorCode::UnknownMemberId)?.to_string()
        } else {
            leaving.member_id.clone()
        };
        let reason = leaving.reason.as_deref().unwrap_or("not provided");
        debug!(group = self.id, member = id, reason, "a member leaves");
        if self.roster.forget(&id) {
            return Ok(());
        }
        self.roster.check(&id, instance_id)?;
        self.remove_member(turn, &id);
        Ok(())
    }
}
