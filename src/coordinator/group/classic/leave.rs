//! Leaving a group, several members at once if need be.

use super::super::message::LeaveRequest;
use super::super::{GroupCoordinator, GroupTurn, Turn};
use super::GroupState;
use crate::error::GroupError;

impl<T> GroupCoordinator<T> {
    /// Members go. Returns for each whether it was one.
    ///
    /// # Errors
    /// [`GroupError::InvalidGroupId`].
    pub fn leave(
        &mut self,
        group: &str,
        members: &[LeaveRequest],
        now_ms: i64,
    ) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let left = self.in_turn(group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.leave(members),
            GroupTurn::Consumer(mut turn) => turn.classic_leave(members),
        });
        Ok(left.unwrap_or_else(|| vec![Err(GroupError::UnknownMemberId); members.len()]))
    }

    /// All members go, as if each had left; those that are still there join anew. Those of a consumer group are out
    /// when that is written.
    pub fn leave_all(&mut self, group: &str, now_ms: i64) {
        self.in_turn(group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.leave_all(),
            GroupTurn::Consumer(mut turn) => turn.leave_all(),
        });
    }
}

impl<T> Turn<'_, T> {
    fn leave_all(&mut self) {
        let members = self.group.members();
        let leave = members.map(|member| LeaveRequest {
            member_id: member.id.to_string(),
            group_instance_id: member.group_instance_id.clone(),
        });
        let leaving: Vec<_> = leave.collect();
        self.leave(&leaving);
    }

    fn leave(&mut self, members: &[LeaveRequest]) -> Vec<Result<(), GroupError>> {
        let left: Vec<_> = members.iter().map(|member| self.leave_one(member)).collect();
        if left.iter().any(Result::is_ok) {
            match self.group.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(),
                _ => self.maybe_complete_join(),
            }
        }
        left
    }

    fn leave_one(&mut self, member: &LeaveRequest) -> Result<(), GroupError> {
        let LeaveRequest { member_id, group_instance_id } = member;
        let name = group_instance_id.as_deref();
        if member_id.is_empty() {
            // An administrator knows the name alone.
            let known = name.and_then(|name| self.group.static_member_id(name)).cloned();
            self.remove(&known.ok_or(GroupError::UnknownMemberId)?);
            return Ok(());
        }
        if !self.group.pending_join.contains(member_id) {
            self.group.check_member(member_id, name)?;
        }
        self.remove(member_id);
        Ok(())
    }
}
