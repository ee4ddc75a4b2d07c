//! Who may commit and read offsets of a consumer group.

use super::state::Member;
use super::{ConsumerGroup, State};
use crate::error::GroupError;
use crate::uuid::Uuid;

impl<T> ConsumerGroup<T> {
    #[cfg(feature = "net")]
    pub(in super::super) fn has_consumer_member(&self, member_id: &str) -> bool {
        self.state.member(member_id).is_some_and(|member| !member.is_classic())
    }

    /// Whether offsets may be committed: by a member in its epoch, or, with a negative one, by somebody from outside
    /// while there are no members.
    pub(in super::super) fn check_commit(&self, member_id: &str, epoch: i32) -> Result<(), GroupError> {
        if epoch < 0 && self.state.members.is_empty() { Ok(()) } else { self.state.check_epoch(member_id, epoch) }
    }

    /// Whether offsets may be committed within a transaction. Whoever does not say which member it is is taken at its
    /// word.
    pub(in super::super) fn check_transactional_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        let is_unnamed = epoch == -1 && member_id.is_empty() && instance_id.is_none();
        if is_unnamed {
            return Ok(());
        }
        // Clients know no stale epochs in this place.
        self.check_commit(member_id, epoch).map_err(|error| match error {
            GroupError::StaleMemberEpoch => GroupError::IllegalGeneration,
            error => error,
        })
    }

    /// Whether a member that is in a later epoch by now was assigned all these partitions in that one, and has not let
    /// go of them since: what it has done with them counts (KIP-1251).
    pub(in super::super) fn has_had(&self, member_id: &str, epoch: i32, partitions: &[Option<(Uuid, i32)>]) -> bool {
        let Some(Member { current, .. }) = self.state.member(member_id).map(|member| &**member) else { return false };
        let has_had = |partition: &Option<(Uuid, i32)>| {
            let assigned_in = partition.and_then(|partition| current.assigned_in.get(&partition));
            assigned_in.is_some_and(|assigned_in| *assigned_in <= epoch)
        };
        (0..current.epoch).contains(&epoch) && partitions.iter().all(has_had)
    }

    /// Whether offsets may be read: by a member in its epoch, or by somebody that does not say that it is one.
    pub(in super::super) fn check_fetch(&self, member_id: Option<&str>, epoch: i32) -> Result<(), GroupError> {
        match member_id {
            None if epoch < 0 => Ok(()),
            id => self.state.check_epoch(id.unwrap_or_default(), epoch),
        }
    }
}

impl State {
    fn check_epoch(&self, member_id: &str, epoch: i32) -> Result<(), GroupError> {
        let member = self.member(member_id).ok_or(GroupError::UnknownMemberId)?;
        match member.current.epoch == epoch {
            true => Ok(()),
            false if member.is_classic() => Err(GroupError::IllegalGeneration),
            false => Err(GroupError::StaleMemberEpoch),
        }
    }
}
