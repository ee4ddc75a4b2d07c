//! Which protocol a group goes by. One without members is of whichever protocol the next member has. One of the classic
//! protocol goes over to the consumer protocol when the first member comes that has it, and comes back when the last
//! has gone, as far as `group.consumer.migration.policy` lets it; members of the classic protocol go on all the while.
//!
//! ```text
//!                   the first member of the consumer protocol joins
//!     classic group ────────────────────────────────────────────▶ consumer group, with members of both protocols
//!           ▲                                                          │
//!           └── the last one of the consumer protocol leaves or is lost ──┘
//! ```
//!
//! Either way the group is told to rebalance; what members have they keep until they are told to let go of it.

use std::sync::Arc;

use bytes::Bytes;

use super::classic::{ClassicGroup, GroupState};
use super::consumer::{ConsumerGroup, ConsumerHeartbeatRequest, Event, Handover};
use super::message::{JoinRequest, LeaveRequest, Response};
use super::timers::{Due, GroupTimers};
use super::{Action, Group, GroupCoordinator, GroupRecord, GroupTurn, Turn, consumer};
use crate::config::ConsumerGroupMigrationPolicy;
use crate::error::GroupError;

impl<T> GroupCoordinator<T> {
    /// A member of a consumer group joins, stays or leaves. Answered by a [`Response::ConsumerHeartbeat`], when what it
    /// tells is durable.
    ///
    /// A group that isn't known becomes a consumer group with the first that joins, and so does one of the classic
    /// protocol, with the members that it has, as far as `group.consumer.migration.policy` lets it.
    pub fn consumer_heartbeat(&mut self, request: ConsumerHeartbeatRequest, waiter: T, now_ms: i64) {
        let name: Arc<str> = (*request.group).into();
        match request.check(self.limits.assignors).and_then(|()| self.let_consumer_join(&name, &request, now_ms)) {
            Ok(()) => {
                self.in_turn(&name, now_ms, |turn| match turn {
                    GroupTurn::Consumer(mut turn) => turn.heartbeat(request, waiter),
                    GroupTurn::Classic(_) => {}
                });
            }
            Err(error) => {
                let response = Response::ConsumerHeartbeat(Err(error));
                self.outbox.actions.push_back(Action::Respond { to: waiter, response });
            }
        }
    }

    /// Lets a group be a consumer group, or says why it can't.
    fn let_consumer_join(
        &mut self,
        name: &Arc<str>,
        request: &ConsumerHeartbeatRequest,
        now_ms: i64,
    ) -> Result<(), GroupError> {
        let mut group = match self.groups.get(name) {
            Some(Group::Consumer(_)) => return Ok(()),
            Some(Group::Classic(_)) | None if !request.joins() => return Err(GroupError::GroupIdNotFound),
            None => ConsumerGroup::new(name.clone(), now_ms),
            Some(Group::Classic(group)) if group.is_in(GroupState::Empty) => {
                ConsumerGroup::replacing(name.clone(), group.has_record, now_ms)
            }
            Some(Group::Classic(group)) => {
                if !self.limits.migration_policy.upgrades()
                    || !group.uses_consumer_protocol()
                    || group.len() > self.limits.consumer_max_size
                {
                    return Err(GroupError::NotUpgradable);
                }
                // The consumer group would refuse it, too: as it does a static member with another id.
                if group.len() == self.limits.consumer_max_size && !group.has_member(&request.member_id) {
                    return Err(GroupError::GroupMaxSizeReached);
                }
                ConsumerGroup::upgraded(group, &self.topics, now_ms).ok_or(GroupError::NotUpgradable)?
            }
        };
        if let Some(Group::Classic(mut before)) = self.groups.remove(name) {
            let timers = GroupTimers { timers: &mut self.timers, group: name.clone(), now_ms };
            let (limits, pending_space, outbox) = (self.limits, &self.pending_space, &mut self.outbox);
            Turn { limits, group: &mut before, timers, pending_space, outbox, now_ms }.dissolve();
        }
        let limits = self.limits_of(name);
        let timers = GroupTimers { timers: &mut self.timers, group: name.clone(), now_ms };
        let (topics, outbox) = (&self.topics, &mut self.outbox);
        consumer::Turn { limits, topics, group: &mut group, timers, outbox, now_ms }.expect_life_signs();
        self.groups.insert(name.clone(), Group::Consumer(group));
        Ok(())
    }

    /// Lets a group be one of the classic protocol, or says why it can't. A consumer group that has members, or is
    /// about to, takes those of the classic protocol as well, unless `group.consumer.migration.policy` is `disabled`.
    pub(super) fn let_classic_join(&mut self, request: &JoinRequest, now_ms: i64) -> Result<(), GroupError> {
        let name = &*request.group;
        let before = match self.groups.get(name) {
            Some(Group::Consumer(group)) if !group.is_empty() => {
                return match self.limits.migration_policy {
                    // Since 4.3, and of members that it has already, too.
                    ConsumerGroupMigrationPolicy::Disabled => Err(GroupError::InconsistentGroupProtocol),
                    _ => Ok(()),
                };
            }
            Some(Group::Classic(_)) => return Ok(()),
            Some(Group::Consumer(group)) => group.tombstones(),
            None => Vec::new(),
        };
        if !request.member_id.is_empty() {
            return Err(GroupError::UnknownMemberId);
        }
        let name: Arc<str> = name.into();
        let mut group = ClassicGroup::new(name.clone(), now_ms);
        if !before.is_empty() {
            // A group that is known stays so, as in Kafka: the offsets of one that isn't expire by when they were
            // committed.
            group.has_record = true;
            let metadata = group.to_record(|_| Bytes::new());
            self.outbox.write(&name, before.into_iter().chain([GroupRecord::Classic(Some(metadata))]).collect());
        }
        self.groups.insert(name, Group::Classic(group));
        Ok(())
    }

    /// A consumer group has become one of the classic protocol, which decides about what had to wait.
    pub(super) fn go_on(&mut self, name: &Arc<str>, handover: Handover<T>, now_ms: i64) {
        if let Some(successor) = handover.successor {
            self.groups.insert(name.clone(), Group::Classic(*successor));
            self.in_turn(name, now_ms, |turn| match turn {
                GroupTurn::Classic(mut turn) => turn.begin_again(),
                GroupTurn::Consumer(_) => {}
            });
        }
        for event in handover.waiting {
            match event {
                Event::Heartbeat(request, waiter) => self.consumer_heartbeat(*request, waiter, now_ms),
                Event::Join(request, waiter) => self.join(*request, waiter, now_ms),
                Event::Left(ids) => {
                    let of = |id: Arc<str>| LeaveRequest { member_id: id.to_string(), ..LeaveRequest::default() };
                    let leaving: Vec<_> = ids.into_iter().map(of).collect();
                    // They were told already, and may be gone by themselves.
                    let _ = self.leave(name, &leaving, now_ms);
                }
                // Members have their time anew.
                Event::SessionExpired(_) | Event::RebalanceExpired(_) | Event::TopicsChanged => {}
            }
        }
    }
}

impl<T> Turn<'_, T> {
    /// The group is a consumer group from now on. Whoever waits joins that.
    fn dissolve(&mut self) {
        self.timers.cancel(Due::Join);
        self.timers.cancel(Due::Sync);
        let pending: Vec<_> = self.group.pending_join.iter().cloned().collect();
        pending.into_iter().for_each(|id| self.timers.cancel(Due::Session(id)));
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            self.timers.cancel(Due::Session(id.clone()));
            if let Some(member) = self.group.remove(&id) {
                self.refuse(member, GroupError::RebalanceInProgress, &id);
            }
        }
        self.outbox.membership_changes += 1;
    }

    /// The group was a consumer group. Its members are as they were, and all join anew.
    fn begin_again(&mut self) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in &ids {
            self.timers.cancel(Due::Rebalance(id.clone()));
            self.expect_life_sign(id);
        }
        if !ids.is_empty() {
            self.prepare_rebalance();
        }
    }
}
