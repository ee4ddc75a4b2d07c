//! What a member says, and what comes of it: it joins, changes what it wants, lets go of partitions, or is just alive.

use std::borrow::Cow;
use std::sync::Arc;

use super::assignor::Assignors;
use super::reconcile::{Goal, is_subset, reconcile};
use super::record::{ConsumerMemberMetadata, GroupRecord, MemberState, Partitions};
use super::state::Member;
use super::topics::Topics;
use super::{ConsumerHeartbeat, ConsumerHeartbeatRequest, Draft};
use crate::coordinator::pattern::Pattern;
use crate::error::GroupError;
use crate::store::record_fields::STRING_BYTES_MAX;

/// What a member says instead of its epoch: that it joins, or that it leaves as a static one that will be back.
const JOINS: i32 = 0;
const WILL_BE_BACK: i32 = -2;

impl<T> Draft<T> {
    /// Decides what comes of a heartbeat. Where it is refused, nothing is decided.
    pub(super) fn heartbeat(
        &mut self,
        mut request: ConsumerHeartbeatRequest,
        topics: &Topics,
    ) -> Result<ConsumerHeartbeat, GroupError> {
        if request.member_epoch < JOINS {
            return self.leave(&request, topics);
        }
        if request.member_id.is_empty() {
            request.member_id = request.fresh_id.to_string();
        }
        self.check_room(&request.member_id)?;
        let before = self.member_of(&request)?;
        let id: Arc<str> = (*request.member_id).into();
        let wanted = changed(&before.metadata, &request);
        if before.is_classic() {
            // It has no more to do what it was told to by that protocol.
            self.moved.insert(id.clone());
        }
        let wants_else = self.want(&id, &wanted, &before.metadata, topics);
        // One that missed the last answer is told it again. What it says it has is no answer to that: perhaps it is
        // only late. So it takes no step.
        let is_behind = !request.joins() && request.member_epoch < before.current.epoch;
        if !is_behind {
            self.step(&id, request.owned.as_ref(), wants_else, topics);
        }
        self.seen.insert(id.clone());
        let member = self.state.member(&id).cloned().unwrap_or_default();
        let current = &member.current;
        let is_full = request.joins()
            || (request.rebalance_timeout_ms != -1 && request.topic_names.is_some() && request.owned.is_some());
        let is_told = is_full || is_behind || current.assigned != before.current.assigned;
        let assignment = is_told.then(|| current.assigned.clone());
        Ok(ConsumerHeartbeat {
            member_id: request.member_id,
            member_epoch: current.epoch,
            heartbeat_interval_ms: self.limits.consumer_heartbeat_interval_ms,
            assignment,
        })
    }

    /// Lets a member want that, and computes what everybody is to have, if it is something else than before. Returns
    /// whether its subscription is another.
    pub(super) fn want(
        &mut self,
        id: &Arc<str>,
        wanted: &ConsumerMemberMetadata,
        before: &ConsumerMemberMetadata,
        topics: &Topics,
    ) -> bool {
        if self.state.member(id).is_none_or(|member| member.metadata != *wanted) {
            self.put(GroupRecord::Member(id.to_string(), Some(wanted.clone())));
        }
        // A member that is new was subscribed to nothing before. If it still is, nobody gets anything else by it.
        let has_other_names = wanted.topic_names != before.topic_names;
        let has_other_regex = wanted.topic_regex != before.topic_regex;
        let stands_for_else = has_other_regex && self.change_regex(wanted.topic_regex.as_ref());
        self.refresh(topics, has_other_names || stands_for_else);
        if has_other_regex {
            self.forget_unused_regexes();
        }
        self.assign(topics);
        has_other_names || has_other_regex
    }

    pub(super) fn check_room(&self, member_id: &str) -> Result<(), GroupError> {
        let is_known = self.state.member(member_id).is_some();
        if is_known || self.state.members.len() < self.limits.consumer_max_size {
            Ok(())
        } else {
            Err(GroupError::GroupMaxSizeReached)
        }
    }

    /// The member as it is, or as it begins. A static one that comes back takes the place of the one that it was.
    fn member_of(&mut self, request: &ConsumerHeartbeatRequest) -> Result<Arc<Member>, GroupError> {
        let joins = request.joins();
        let known = match &request.instance_id {
            None => self.state.member(&request.member_id).cloned(),
            Some(name) => match self.state.static_member(name) {
                // Nobody has a name twice, not even under the same id: as in Kafka, whoever has it must have left.
                Some((id, member)) if joins => {
                    if member.current.epoch != WILL_BE_BACK && !member.is_classic() {
                        return Err(GroupError::UnreleasedInstanceId);
                    }
                    let (id, member) = (id.clone(), member.clone());
                    return Ok(self.replace(&id, &member, &request.member_id));
                }
                Some((id, member)) if **id == *request.member_id => Some(member.clone()),
                Some(_) => return Err(GroupError::FencedInstanceId),
                None => None,
            },
        };
        match known {
            Some(member) => {
                check_epoch(&member, request)?;
                Ok(member)
            }
            None if joins => Ok(Arc::default()),
            None => Err(GroupError::UnknownMemberId),
        }
    }

    /// Gives the place of a static member to the one that has come back as it.
    pub(super) fn replace(&mut self, old_id: &Arc<str>, member: &Member, id: &str) -> Arc<Member> {
        let mut member = member.clone();
        (member.current.epoch, member.current.previous_epoch) = (JOINS, JOINS);
        // It was the other that had its partitions in earlier epochs.
        member.current.assigned_in.clear();
        let target = self.state.targets.get(old_id).map(|target| (**target).clone()).unwrap_or_default();
        self.take_out(old_id);
        self.put(GroupRecord::Member(id.to_owned(), Some(member.metadata.clone())));
        self.put(GroupRecord::Target(id.to_owned(), Some(target)));
        self.put(GroupRecord::Current(id.to_owned(), Some(member.current.clone())));
        Arc::new(member)
    }

    /// Lets a member go as far towards its target as it can now, that says it has this, and perhaps has another
    /// subscription than before.
    pub(super) fn step(&mut self, id: &Arc<str>, owned: Option<&Partitions>, wants_else: bool, topics: &Topics) {
        let Some(member) = self.state.member(id).cloned() else { return };
        if !wants_else && member.is_reconciled_to(self.state.target_epoch) {
            return;
        }
        let nothing = Arc::default();
        let target = self.state.targets.get(id).unwrap_or(&nothing);
        let goal = Goal {
            epoch: self.state.target_epoch,
            target,
            owned,
            is_owned: |topic, partition| self.state.is_owned(topic, partition),
            is_subscribed_to: |topic| topics.name(topic).is_some_and(|name| self.state.is_topic_of(&member, name)),
            wants_else,
        };
        let current = reconcile(&member.current, &goal);
        if current != member.current {
            self.put(GroupRecord::Current(id.to_string(), Some(current)));
            self.moved.insert(id.clone());
        }
    }

    /// A static member leaves, and will be back.
    pub(super) fn put_away(&mut self, id: &Arc<str>, member: &Member) {
        let mut current = member.current.clone();
        current.epoch = WILL_BE_BACK;
        current.revoking = Partitions::new();
        self.put(GroupRecord::Current(id.to_string(), Some(current)));
        self.moved.insert(id.clone());
    }
}

impl ConsumerHeartbeatRequest {
    pub(in super::super) fn joins(&self) -> bool {
        self.member_epoch == JOINS
    }

    /// What a group's records keep of it, each with a length before it.
    fn names(&self) -> impl Iterator<Item = &String> {
        let names = [&self.group, &self.member_id, &self.client_id, &self.client_host];
        let topics = self.topic_names.iter().flatten();
        names.into_iter().chain(&self.instance_id).chain(&self.rack_id).chain(topics)
    }

    /// Whether it says what it must, and nothing that it may not.
    pub(in super::super) fn check(&self, assignors: Assignors) -> Result<(), GroupError> {
        if let Some(reason) = self.wrong() {
            return Err(GroupError::InvalidRequest(reason));
        }
        if self.server_assignor.as_ref().is_some_and(|name| assignors.find(name).is_none()) {
            return Err(GroupError::UnsupportedAssignor);
        }
        match &self.topic_regex {
            Some(regex) => Pattern::new(regex).map(drop),
            None => Ok(()),
        }
    }

    /// What is wrong with it, in Kafka's order and words: clients show them to their users.
    fn wrong(&self) -> Option<&'static str> {
        let is_blank = |text: &str| text.trim().is_empty();
        let is_some_blank = |text: &Option<String>| text.as_deref().is_some_and(is_blank);
        let (joins, epoch) = (self.joins(), self.member_epoch);
        let owns_nothing = self.owned.as_ref().is_some_and(|owned| owned.is_empty());
        // It may be subscribed to nothing, but has to say so.
        let says_topics = self.topic_names.is_some() || self.topic_regex.is_some();
        let checks = [
            (!joins && is_blank(&self.member_id), "MemberId can't be empty."),
            (is_blank(&self.group), "GroupId can't be empty."),
            (is_some_blank(&self.instance_id), "InstanceId can't be empty."),
            (is_some_blank(&self.rack_id), "RackId can't be empty."),
            (joins && self.rebalance_timeout_ms < 0, "RebalanceTimeoutMs must be provided in first request."),
            (joins && !owns_nothing, "TopicPartitions must be empty when (re-)joining."),
            (
                joins && !says_topics,
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            ),
            (epoch == WILL_BE_BACK && self.instance_id.is_none(), "InstanceId can't be null."),
            (epoch < WILL_BE_BACK, "MemberEpoch is invalid."),
            (self.names().any(|name| name.len() > STRING_BYTES_MAX), "A name is longer than 32767 bytes."),
        ];
        checks.into_iter().find_map(|(is_wrong, reason)| is_wrong.then_some(reason))
    }
}

/// Checks the epoch that a member says it is in. The previous one will do: perhaps the last answer was lost.
fn check_epoch(member: &Member, request: &ConsumerHeartbeatRequest) -> Result<(), GroupError> {
    let (current, epoch) = (&member.current, request.member_epoch);
    let has_missed_answer = || {
        let owns_no_other = request.owned.as_ref().is_some_and(|owned| is_subset(owned, &current.assigned));
        epoch == current.previous_epoch && owns_no_other
    };
    let is_lost = current.state == MemberState::Unknown && epoch != JOINS;
    let is_welcome = epoch == JOINS || epoch == current.epoch || (epoch < current.epoch && has_missed_answer());
    if is_welcome && !is_lost { Ok(()) } else { Err(GroupError::FencedMemberEpoch) }
}

/// What a member wants now: as before, but for what it says.
fn changed<'a>(
    before: &'a ConsumerMemberMetadata,
    request: &ConsumerHeartbeatRequest,
) -> Cow<'a, ConsumerMemberMetadata> {
    if says_nothing_new(before, request) {
        return Cow::Borrowed(before);
    }
    let mut wanted = before.clone();
    wanted.client_id.clone_from(&request.client_id);
    wanted.client_host.clone_from(&request.client_host);
    wanted.classic = None;
    if request.instance_id.is_some() {
        wanted.instance_id.clone_from(&request.instance_id);
    }
    if request.rack_id.is_some() {
        wanted.rack_id.clone_from(&request.rack_id);
    }
    if request.rebalance_timeout_ms >= 0 {
        wanted.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if request.server_assignor.is_some() {
        wanted.server_assignor.clone_from(&request.server_assignor);
    }
    if let Some(names) = &request.topic_names {
        wanted.topic_names = names.iter().cloned().collect();
    }
    if let Some(regex) = &request.topic_regex {
        wanted.topic_regex = Some(regex.clone()).filter(|regex| !regex.is_empty());
    }
    Cow::Owned(wanted)
}

/// Whether a member is just alive, as it mostly is.
fn says_nothing_new(before: &ConsumerMemberMetadata, request: &ConsumerHeartbeatRequest) -> bool {
    let ConsumerHeartbeatRequest { rack_id, topic_names, topic_regex, server_assignor, .. } = request;
    let is_bare = topic_names.is_none() && topic_regex.is_none() && server_assignor.is_none() && rack_id.is_none();
    is_bare
        && request.rebalance_timeout_ms < 0
        && (request.instance_id.is_none() || request.instance_id == before.instance_id)
        && (&request.client_id, &request.client_host) == (&before.client_id, &before.client_host)
        && before.classic.is_none()
}
