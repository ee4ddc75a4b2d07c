//! Members go: by themselves, or because they were not heard of, or do not let go of what they must.

use std::sync::Arc;

use super::record::GroupRecord;
use super::topics::Topics;
use super::{ConsumerHeartbeat, ConsumerHeartbeatRequest, Draft, Event, Turn};
use crate::error::GroupError;

impl<T> Turn<'_, T> {
    /// All members go.
    pub(in super::super) fn leave_all(&mut self) {
        let ids = self.group.state.members.keys().cloned().collect();
        self.happen(Event::Left(ids));
    }
}

impl<T> Draft<T> {
    /// A member leaves, or a static one for a while.
    pub(super) fn leave(
        &mut self,
        request: &ConsumerHeartbeatRequest,
        topics: &Topics,
    ) -> Result<ConsumerHeartbeat, GroupError> {
        let known = self.state.known_as(&request.member_id, request.instance_id.as_deref());
        let (id, member) = known.ok_or(GroupError::UnknownMemberId)?;
        if **id != *request.member_id {
            return Err(GroupError::FencedInstanceId);
        }
        let (id, member) = (id.clone(), member.clone());
        // A name is what it is known by when it comes back.
        if request.member_epoch == -1 {
            self.remove(&id, topics);
        } else {
            self.put_away(&id, &member);
        }
        Ok(ConsumerHeartbeat {
            member_id: request.member_id.clone(),
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    /// Takes out a member, if there is one.
    pub(super) fn remove(&mut self, id: &Arc<str>, topics: &Topics) {
        if self.state.member(id).is_some() {
            self.remove_known(std::slice::from_ref(id), topics);
        }
    }

    /// Takes out members. The others will get their parts with the next epoch, which begins now; unless they all have
    /// the classic protocol, and go on by that.
    pub(super) fn remove_known(&mut self, ids: &[Arc<str>], topics: &Topics) {
        if !self.downgrade_without(ids, topics) {
            ids.iter().for_each(|id| self.take_out(id));
            self.begin_epoch(topics, true);
        }
    }

    /// Takes back all records of a member. The order is Kafka's.
    pub(super) fn take_out(&mut self, id: &Arc<str>) {
        self.put(GroupRecord::Current(id.to_string(), None));
        self.put(GroupRecord::Target(id.to_string(), None));
        self.put(GroupRecord::Member(id.to_string(), None));
        self.seen.remove(id);
        self.moved.insert(id.clone());
    }
}
