//! Members of a consumer group that have the classic protocol: their requests, in terms of the consumer protocol. A
//! join is the step towards the target that others take with a heartbeat, and is answered at once, for nobody waits for
//! the others; the sync hands out what the coordinator has assigned; a heartbeat is told to join again when there is a
//! step to take. A generation is the epoch of the member.
//!
//! ```text
//!   heartbeat: rebalance in progress ─▶ join, with what it still has ─▶ sync ─▶ heartbeat …
//!          its rebalance timeout to join           and another to sync
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::classic::CONSUMER;
use super::super::classic::Terms;
use super::super::consumer_protocol::{Assignment, Subscription, subscription_version};
use super::super::message::{
    JoinProtocol, JoinRequest, Joined, LeaveRequest, NotJoined, Response, SyncRequest, Synced,
};
use super::super::timers::Due;
use super::record::{ClassicMemberMetadata, ConsumerMemberMetadata, MemberState, Partitions};
use super::state::{Member, State};
use super::target::may_assign;
use super::topics::Topics;
use super::{ConsumerGroup, Draft, Event, Turn};
use crate::error::GroupError;

impl<T> Turn<'_, T> {
    pub(in super::super) fn join(&mut self, request: JoinRequest, waiter: T) {
        self.happen(Event::Join(Box::new(request), waiter));
    }

    /// A member asks for its part, which is durable since it was told the epoch of it.
    pub(in super::super) fn sync(&mut self, request: &SyncRequest, waiter: T) {
        let synced = self.synced(request);
        self.answer(waiter, Response::Sync(synced));
    }

    fn synced(&mut self, request: &SyncRequest) -> Result<Synced, GroupError> {
        let state = self.group.state.clone();
        let (id, member) = state.classic_member(&request.member_id, request.group_instance_id.as_deref())?;
        let protocol = member.classic_protocol();
        let name = protocol.map(|protocol| protocol.name.clone());
        if request.generation != member.current.epoch {
            return Err(GroupError::IllegalGeneration);
        }
        if request.protocol_type.as_deref().is_some_and(|said| said != CONSUMER)
            || request.protocol_name.as_ref().is_some_and(|said| Some(said) != name.as_ref())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        // One that lets go of something joins again when it has, whatever it is told.
        let is_revoking = member.current.state == MemberState::UnrevokedPartitions;
        if !self.group.opening.is_empty() || (member.current.epoch < state.target_epoch && !is_revoking) {
            self.expect_join(id, member);
            return Err(GroupError::RebalanceInProgress);
        }
        self.timers.cancel(Due::Rebalance(id.clone()));
        // Its time may just have been up.
        self.group.waiting.retain(|event| !matches!(event, Event::RebalanceExpired(late) if late == id));
        self.expect_life_sign(id);
        let assignment = Assignment { partitions: self.topics.named(&member.current.assigned), user_data: None };
        let version = protocol.map_or(0, |protocol| subscription_version(&protocol.metadata));
        Ok(Synced {
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: name,
            assignment: assignment.encode_for(version),
        })
    }

    pub(in super::super) fn classic_heartbeat(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
    ) -> Result<(), GroupError> {
        let state = self.group.state.clone();
        let (id, member) = state.classic_member(member_id, instance_id)?;
        if generation != member.current.epoch {
            return Err(GroupError::IllegalGeneration);
        }
        self.expect_life_sign(id);
        if self.group.topics_version != Some(self.topics.version) && self.group.is_at_rest() {
            self.happen(Event::TopicsChanged);
        }
        if self.is_behind(member) || state.has_step_for(id, member) {
            self.expect_join(id, member);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Returns for each whether it was a member, of whichever protocol: administrators take out either kind by this
    /// request. Those that were are out when that is written.
    pub(in super::super) fn classic_leave(&mut self, members: &[LeaveRequest]) -> Vec<Result<(), GroupError>> {
        let mut leaving = BTreeSet::new();
        let leave = |LeaveRequest { member_id, group_instance_id }: &LeaveRequest| {
            let known = self.group.state.known_as(member_id, group_instance_id.as_deref());
            let (id, _) = known.ok_or(GroupError::UnknownMemberId)?;
            // An administrator may know the name alone.
            if !member_id.is_empty() && **id != **member_id {
                return Err(GroupError::FencedInstanceId);
            }
            leaving.insert(id.clone());
            Ok(())
        };
        let left = members.iter().map(leave).collect();
        if !leaving.is_empty() {
            self.happen(Event::Left(leaving.into_iter().collect()));
        }
        left
    }

    /// Whether there is a later target than a member has got to, or it could be computed when it joins again.
    fn is_behind(&self, member: &Member) -> bool {
        let state = &self.group.state;
        let is_due = || may_assign(self.group.assigned_ms, &self.limits, self.now_ms);
        let epoch = if is_due() { state.metadata.epoch } else { state.target_epoch };
        member.current.epoch < epoch
    }

    /// A member that was told to join again has its rebalance timeout for it, from the first time on.
    fn expect_join(&mut self, id: &Arc<str>, member: &Member) {
        let due = Due::Rebalance(id.clone());
        if !self.timers.is_set(due.clone()) {
            self.timers.schedule(due, member.metadata.rebalance_timeout_ms.max(0));
        }
    }

    /// A member that has joined has its rebalance timeout to ask for its part.
    pub(super) fn expect_sync(&mut self, id: &str) {
        self.expect_life_sign(id);
        if let Some((id, member)) = self.group.state.members.get_key_value(id) {
            let timeout_ms = member.metadata.rebalance_timeout_ms.max(0);
            self.timers.schedule(Due::Rebalance(id.clone()), timeout_ms);
        }
    }
}

impl<T> ConsumerGroup<T> {
    pub(in super::super) fn dynamic_classic_members_at(&self, host: &str) -> Vec<String> {
        let is_one = |member: &Member| {
            let ConsumerMemberMetadata { client_host, instance_id, .. } = &member.metadata;
            member.is_classic() && client_host == host && instance_id.is_none()
        };
        let members = self.state.members.iter().filter(|(_, member)| is_one(member));
        members.map(|(id, _)| id.to_string()).collect()
    }
}

impl<T> Draft<T> {
    /// Decides what comes of a join. Where it is refused, nothing is decided.
    pub(super) fn join(&mut self, request: &JoinRequest, topics: &Topics) -> Result<Joined, NotJoined> {
        let is_unknown = request.member_id.is_empty();
        let id: Arc<str> = if is_unknown { request.fresh_id.to_string().into() } else { (*request.member_id).into() };
        // As in Kafka, where a consumer group refuses by an exception, which tells no member id.
        let refused = |error| NotJoined { error, member_id: String::new() };
        let protocol = self.check_join(&id, request).map_err(refused)?;
        if is_unknown && request.group_instance_id.is_none() && request.comes_back_with_id {
            return Err(NotJoined { error: GroupError::MemberIdRequired, member_id: id.to_string() });
        }
        let subscription = Subscription::decode(&protocol.metadata);
        let subscription = subscription.map_err(|_| refused(GroupError::InconsistentGroupProtocol))?;
        let before = self.classic_member_of(&id, request).map_err(refused)?;
        if !is_unknown && self.state.member(&id).is_none() && !subscription.owned_partitions.is_empty() {
            // It was thrown out, and must stop reading what it had before it joins anew. One that joins anew is told by
            // what it gets, and counts as the owner of nothing else.
            return Err(refused(GroupError::UnknownMemberId));
        }
        let mut wanted = before.metadata.clone();
        wanted.client_id.clone_from(&request.client_id);
        wanted.client_host.clone_from(&request.client_host);
        wanted.rebalance_timeout_ms = request.rebalance_timeout_ms;
        (wanted.topic_regex, wanted.server_assignor) = (None, None);
        wanted.classic = Some(ClassicMemberMetadata {
            session_timeout_ms: request.session_timeout_ms,
            protocols: Terms::of(request).protocols,
        });
        wanted.instance_id = request.group_instance_id.clone().or(wanted.instance_id);
        wanted.rack_id = subscription.rack_id.or(wanted.rack_id);
        wanted.topic_names = subscription.topics.into_iter().collect();
        let wants_else = self.want(&id, &wanted, &before.metadata, topics);
        self.step(&id, Some(&topics.identified(&subscription.owned_partitions)), wants_else, topics);
        Ok(Joined {
            generation: self.state.member(&id).map_or(0, |member| member.current.epoch),
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: Some(protocol.name.clone()),
            // Nobody does.
            leader: String::new(),
            skip_assignment: false,
            member_id: id.to_string(),
            members: Vec::new(),
        })
    }

    /// Whether somebody may join by the classic protocol. It says what it wants for each assignor alike.
    fn check_join<'a>(&self, id: &str, request: &'a JoinRequest) -> Result<&'a JoinProtocol, GroupError> {
        self.check_room(id)?;
        let protocol = request.protocols.first().filter(|_| self.state.supports_classic(request));
        protocol.ok_or(GroupError::InconsistentGroupProtocol)
    }

    /// The member as it is, or as it begins. A static one that comes without its id takes the place of the one that it
    /// was, whichever protocol that had.
    fn classic_member_of(&mut self, id: &Arc<str>, request: &JoinRequest) -> Result<Arc<Member>, GroupError> {
        let known = match &request.group_instance_id {
            None => self.state.member(id).cloned(),
            Some(name) => match self.state.static_member(name) {
                Some((known, member)) if known == id => Some(member.clone()),
                Some((known, member)) if request.member_id.is_empty() => {
                    let (known, member) = (known.clone(), member.clone());
                    return Ok(self.replace(&known, &member, id));
                }
                Some(_) => return Err(GroupError::FencedInstanceId),
                None if request.member_id.is_empty() => None,
                None => return Err(GroupError::UnknownMemberId),
            },
        };
        Ok(known.unwrap_or_default())
    }

    /// Several members leave at once.
    pub(super) fn remove_all(&mut self, ids: &[Arc<str>], topics: &Topics) {
        let known: Vec<_> = ids.iter().filter(|id| self.state.member(id).is_some()).cloned().collect();
        if !known.is_empty() {
            self.remove_known(&known, topics);
            // Whoever could not be taken out is gone, and will not be heard of.
            self.expired.extend(known.into_iter().map(Due::Session));
        }
    }
}

impl State {
    pub(super) fn has_classic_members(&self) -> bool {
        self.members.values().any(|member| member.is_classic())
    }

    /// Whether somebody that joins knows an assignor that all others of the classic protocol know.
    pub(super) fn supports_classic(&self, request: &JoinRequest) -> bool {
        let is_common = |name: &String| {
            let mut classic = self.members.values().filter_map(|member| member.metadata.classic.as_ref());
            classic.all(|classic| classic.protocols.iter().any(|protocol| protocol.name == *name))
        };
        request.protocol_type == CONSUMER && request.protocols.iter().any(|protocol| is_common(&protocol.name))
    }

    /// The member that says something by the classic protocol.
    fn classic_member(&self, id: &str, instance_id: Option<&str>) -> Result<(&Arc<str>, &Arc<Member>), GroupError> {
        let (known, member) = self.known_as(id, instance_id).ok_or(GroupError::UnknownMemberId)?;
        if **known != *id {
            Err(GroupError::FencedInstanceId)
        } else if member.is_classic() {
            Ok((known, member))
        } else {
            Err(GroupError::UnknownMemberId)
        }
    }

    /// Whether there is a step that the member can take in its epoch.
    fn has_step_for(&self, id: &str, member: &Member) -> bool {
        let awaits = |target: &Arc<Partitions>| {
            target.iter().any(|(topic, partitions)| {
                let has = member.current.assigned.get(topic);
                let mut missing = partitions.iter().filter(|partition| !has.is_some_and(|has| has.contains(partition)));
                missing.any(|partition| self.is_owned(*topic, *partition))
            })
        };
        match member.current.state {
            MemberState::UnrevokedPartitions | MemberState::Unknown => true,
            MemberState::UnreleasedPartitions => !self.targets.get(id).is_some_and(awaits),
            MemberState::Stable => false,
        }
    }
}
