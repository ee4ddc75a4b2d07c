//! Signs of life: heartbeats, and commits, which only a member of the current generation may make.

use super::super::{Group, GroupCoordinator, GroupTurn, Turn};
use super::{ClassicGroup, GroupState};
use crate::error::GroupError;
use crate::types::TopicPartition;

/// Who commits offsets.
#[derive(Clone, Copy, Debug)]
pub struct Committer<'a> {
    /// For which group.
    pub group: &'a str,
    /// Which member it is; empty if it does not say.
    pub member_id: &'a str,
    /// Its name, if it is a static one.
    pub group_instance_id: Option<&'a str>,
    /// In which generation, or epoch; −1 if it does not say.
    pub generation: i32,
    /// Whether it does so within a transaction.
    pub is_transactional: bool,
}

impl<T> GroupCoordinator<T> {
    /// A member says that it is alive.
    ///
    /// # Errors
    /// [`GroupError::RebalanceInProgress`] tells it to join again, and counts as a sign of life all the same;
    /// [`GroupError::UnknownMemberId`], [`GroupError::IllegalGeneration`], [`GroupError::FencedInstanceId`] that it is
    /// not in the group any more.
    pub fn heartbeat(
        &mut self,
        group: &str,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        if group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        let heartbeat = self.in_turn(group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.heartbeat(member_id, group_instance_id, generation),
            GroupTurn::Consumer(mut turn) => turn.classic_heartbeat(member_id, group_instance_id, generation),
        });
        heartbeat.unwrap_or(Err(GroupError::UnknownMemberId))
    }

    /// A member is known to be alive, whatever generation it thinks it is in.
    pub(crate) fn keep_alive(&mut self, group: &str, member_id: &str, now_ms: i64) {
        self.in_turn(group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.expect_life_sign(member_id),
            GroupTurn::Consumer(mut turn) => turn.expect_life_sign(member_id),
        });
    }

    /// Whether offsets may be committed now: by a member in the group's generation, for which that is a sign of life,
    /// or, with generation −1 and no member id, by somebody from outside while the group has no members. The commit
    /// must be appended before anything else happens to the group.
    ///
    /// # Errors
    /// As [`heartbeat`](Self::heartbeat), but a commit that ends what the last generation has done is welcome while the
    /// next one is being joined, and refused only while it is being assigned. [`GroupError::GroupIdNotFound`] if a
    /// member is named of a group that isn't known. Of a consumer group, the generation is the epoch that the member
    /// must be in, or else [`GroupError::StaleMemberEpoch`] tells it to try again with a later one, and
    /// [`GroupError::IllegalGeneration`] one of the classic protocol that it isn't in the group any more; commits are
    /// no signs of life there.
    pub fn check_commit(
        &mut self,
        group: &str,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        let checked = self.in_turn(group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.check_commit(member_id, group_instance_id, generation),
            GroupTurn::Consumer(turn) => turn.group.check_commit(member_id, generation),
        });
        checked.unwrap_or_else(|| commit_to_unknown(generation))
    }

    /// Whether it is a member of a consumer group, and has the consumer protocol.
    #[cfg(feature = "net")]
    pub(crate) fn has_consumer_member(&self, group: &str, member_id: &str) -> bool {
        matches!(self.groups.get(group), Some(Group::Consumer(group)) if group.has_consumer_member(member_id))
    }

    /// Whether offsets may be committed within a transaction (TxnOffsetCommit). Whoever says which member it is must be
    /// in the group's generation; whoever does not is taken at its word, and the state of the group does not matter.
    ///
    /// # Errors
    /// As [`check_commit`](Self::check_commit), except [`GroupError::RebalanceInProgress`].
    pub fn check_transactional_commit(
        &self,
        group: &str,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        match self.groups.get(group) {
            Some(Group::Classic(group)) => group.check_committer(member_id, group_instance_id, generation),
            Some(Group::Consumer(group)) => group.check_transactional_commit(member_id, group_instance_id, generation),
            None => commit_to_unknown(generation),
        }
    }

    /// As [`check_commit`](Self::check_commit), or [`check_transactional_commit`](Self::check_transactional_commit) if
    /// that is so, of offsets of these partitions: a member of a consumer group may commit in an earlier epoch than its
    /// own what it was assigned by then and has ever since (KIP-1251).
    ///
    /// # Errors
    /// As there.
    pub fn check_commit_of<'a>(
        &mut self,
        committer: &Committer<'_>,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        let Committer { group, member_id, group_instance_id, generation, is_transactional } = *committer;
        let checked = match is_transactional {
            true => self.check_transactional_commit(group, member_id, group_instance_id, generation),
            false => self.check_commit(group, member_id, group_instance_id, generation, now_ms),
        };
        match (checked, self.groups.get(group)) {
            (Err(GroupError::StaleMemberEpoch | GroupError::IllegalGeneration), Some(Group::Consumer(known))) => {
                let partitions: Vec<_> =
                    partitions.into_iter().map(|partition| self.topics.identify(partition)).collect();
                if known.has_had(member_id, generation, &partitions) { Ok(()) } else { checked }
            }
            _ => checked,
        }
    }

    /// Whether the offsets of a group may be read (OffsetFetch 9): by a member of a consumer group in its epoch, or by
    /// whoever does not say that it is a member, with None and −1. Of other groups everybody may.
    ///
    /// # Errors
    /// [`GroupError::UnknownMemberId`], [`GroupError::StaleMemberEpoch`].
    pub fn check_fetch(&self, group: &str, member_id: Option<&str>, member_epoch: i32) -> Result<(), GroupError> {
        match self.groups.get(group) {
            Some(Group::Consumer(group)) => group.check_fetch(member_id, member_epoch),
            _ => Ok(()),
        }
    }
}

fn commit_to_unknown(generation: i32) -> Result<(), GroupError> {
    if generation < 0 { Ok(()) } else { Err(GroupError::GroupIdNotFound) }
}

impl<T> Turn<'_, T> {
    fn heartbeat(
        &mut self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        self.group.check_member(member_id, group_instance_id)?;
        if generation != self.group.generation {
            return Err(GroupError::IllegalGeneration);
        }
        self.expect_life_sign(member_id);
        match self.group.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn check_commit(
        &mut self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        self.group.check_committer(member_id, group_instance_id, generation)?;
        match self.group.state {
            GroupState::Stable | GroupState::PreparingRebalance => {
                if member_id.is_empty() {
                    return Err(GroupError::UnknownMemberId);
                }
                self.expect_life_sign(member_id);
                Ok(())
            }
            GroupState::CompletingRebalance if member_id.is_empty() => Err(GroupError::UnknownMemberId),
            GroupState::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }
}

impl<T> ClassicGroup<T> {
    /// Checks a committer that says who it is.
    fn check_committer(
        &self,
        member_id: &str,
        group_instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        let is_named = generation >= 0 || !member_id.is_empty() || group_instance_id.is_some();
        if !is_named || (generation < 0 && self.is_in(GroupState::Empty)) {
            return Ok(());
        }
        self.check_member(member_id, group_instance_id)?;
        if generation == self.generation { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }
}
