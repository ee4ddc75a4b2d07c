//! From a group of the classic protocol to a consumer group with the same members, and back.
//!
//! Nobody may be given what somebody still reads. So a member has, in the eyes of the consumer group, what it was
//! assigned last and what it said that it had when it joined: it may not have let go of that yet, and joins again when
//! it has. The epoch goes on from the generation, and the other way round, so that both tell what is outdated.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use super::super::classic::ClassicGroup;
use super::super::classic::{Member as ClassicMember, Terms};
use super::super::consumer_protocol::{Assignment, Subscription, subscription_version};
use super::super::message::JoinRequest;
use super::reconcile::pairs;
use super::record::{
    ClassicMemberMetadata, ConsumerGroupMetadataValue, ConsumerMemberMetadata, CurrentAssignment, GroupRecord,
    MemberState, Partitions,
};
use super::state::{Member, State};
use super::topics::Topics;
use super::{ConsumerGroup, Draft, Event};
use crate::types::TopicPartition;

/// What a consumer group leaves to the coordinator when it is none any more.
pub(in super::super) struct Handover<T> {
    /// What it is now; None if it has no members, and the next one says what it is.
    pub(in super::super) successor: Option<Box<ClassicGroup<T>>>,
    /// What it has not decided about.
    pub(in super::super) waiting: VecDeque<Event<T>>,
}

impl<T> ConsumerGroup<T> {
    /// In the place of a classic group without members.
    pub(in super::super) fn replacing(name: Arc<str>, has_record: bool, now_ms: i64) -> Self {
        let opening = if has_record { vec![GroupRecord::Classic(None)] } else { Vec::new() };
        Self { opening, ..Self::new(name, now_ms) }
    }

    /// What a classic group of consumers becomes; None if its members can't be understood, or have been told something
    /// by an assignor of their own, which would be lost.
    pub(in super::super) fn upgraded(group: &ClassicGroup<T>, topics: &Topics, now_ms: i64) -> Option<Self> {
        let mut upgraded = Self::replacing(group.name.clone(), group.has_record, now_ms);
        upgraded.opening.extend(upgrade(group, topics)?);
        let state = Arc::make_mut(&mut upgraded.state);
        upgraded.opening.iter().for_each(|record| state.apply(record));
        Some(upgraded)
    }

    /// If it could not be written what made it a consumer group, it is the classic group again that it was.
    pub(super) fn give_back(&mut self, topics: &Topics, now_ms: i64) {
        if !self.opening.is_empty() && !self.state.members.is_empty() {
            let state = std::mem::take(&mut self.state);
            self.opening.clear();
            self.successor = Some(Box::new(downgrade(self.name.clone(), &state, topics, now_ms)));
        }
    }

    /// Whether it is for another group to decide what comes next: for that which it has become, or for what the next
    /// member makes of it, if it has none.
    pub(super) fn gives_way(&self) -> bool {
        let is_joined_anew = || self.state.members.is_empty() && matches!(self.waiting.front(), Some(Event::Join(..)));
        self.successor.is_some() || (self.draft.is_none() && is_joined_anew())
    }

    pub(in super::super) fn hand_over(&mut self) -> Option<Handover<T>> {
        let handover = |group: &mut Self| Handover {
            successor: group.successor.take(),
            waiting: std::mem::take(&mut group.waiting),
        };
        self.gives_way().then(|| handover(self))
    }
}

impl<T> Draft<T> {
    /// Makes the group a classic one if the last members of the consumer protocol are to go and others are left.
    /// Returns whether it does.
    pub(super) fn downgrade_without(&mut self, leaving: &[Arc<str>], topics: &Topics) -> bool {
        self.state.members.len() > leaving.len() && self.downgrade(leaving, 0, topics)
    }

    /// Likewise if that is a static member and the one that joins is to take its place, which then joins the classic
    /// group.
    pub(super) fn downgrade_by(&mut self, request: &JoinRequest, topics: &Topics) -> bool {
        let name = request.group_instance_id.as_ref().filter(|_| request.member_id.is_empty());
        let replaced = name.and_then(|name| self.state.static_member(name)).map(|(id, _)| id.clone());
        replaced.is_some_and(|id| self.state.supports_classic(request) && self.downgrade(&[id], 1, topics))
    }

    fn downgrade(&mut self, leaving: &[Arc<str>], joining: usize, topics: &Topics) -> bool {
        let stays_newer = |(id, member): (&Arc<str>, &Arc<Member>)| !member.is_classic() && !leaving.contains(id);
        let size = self.state.members.len() - leaving.len() + joining;
        if self.state.members.iter().any(stays_newer)
            || !self.limits.migration_policy.downgrades()
            || size > self.limits.max_size
        {
            return false;
        }
        let mut left = State::clone(&self.state);
        leaving.iter().for_each(|id| left.apply(&GroupRecord::Member(id.to_string(), None)));
        self.seen.retain(|id| !leaving.contains(id));
        self.moved.extend(leaving.iter().cloned());
        let successor: ClassicGroup<T> = downgrade(self.name.clone(), &left, topics, self.now_ms);
        let mut records = self.state.tombstones();
        records.push(GroupRecord::Classic(Some(successor.to_record(|member| member.assignment.clone()))));
        records.into_iter().for_each(|record| self.put(record));
        self.successor = Some(Box::new(successor));
        true
    }
}

/// The records that make a classic group a consumer group, in Kafka's order.
fn upgrade<T>(group: &ClassicGroup<T>, topics: &Topics) -> Option<Vec<GroupRecord>> {
    // One that does not know yet that it is a member has nothing, and joins once more.
    let members: Vec<_> = group.members().filter(|member| !member.is_new).collect();
    let mut subscriptions = Vec::with_capacity(members.len());
    let mut has = BTreeMap::new();
    let mut owned = HashSet::new();
    let mut give = |partitions: Vec<TopicPartition>| {
        let mut free = topics.identified(&partitions);
        for (topic, partitions) in &mut free {
            partitions.retain(|partition| owned.insert((*topic, *partition)));
        }
        free.retain(|_, partitions| !partitions.is_empty());
        free
    };
    for member in &members {
        let Assignment { partitions, user_data } = Assignment::decode(&member.assignment).ok()?;
        if user_data.is_some_and(|data| !data.is_empty()) {
            return None;
        }
        has.insert(&member.id, give(partitions));
        let protocols = || member.terms.protocols.iter();
        let agreed = protocols().find(|protocol| Some(&protocol.name) == group.protocol_name.as_ref());
        subscriptions.push(Subscription::decode(&agreed.or_else(|| protocols().next())?.metadata).ok()?);
    }
    for (member, subscription) in members.iter().zip(&subscriptions) {
        let assigned: &mut Partitions = has.entry(&member.id).or_default();
        for (topic, partitions) in give(subscription.owned_partitions.clone()) {
            assigned.entry(topic).or_default().extend(partitions);
        }
    }
    let epoch = group.generation;
    let wants = |(member, said): (&&ClassicMember<T>, Subscription)| {
        let metadata = ConsumerMemberMetadata {
            instance_id: member.group_instance_id.clone(),
            rack_id: said.rack_id,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topic_names: said.topics.into_iter().collect(),
            topic_regex: None,
            rebalance_timeout_ms: member.terms.rebalance_timeout_ms,
            server_assignor: None,
            classic: Some(ClassicMemberMetadata {
                session_timeout_ms: member.terms.session_timeout_ms,
                protocols: member.terms.protocols.clone(),
            }),
        };
        GroupRecord::Member(member.id.to_string(), Some(metadata))
    };
    let mut records: Vec<_> = members.iter().zip(subscriptions).map(wants).collect();
    records.push(GroupRecord::ConsumerGroup(Some(ConsumerGroupMetadataValue { epoch, metadata_hash: 0 })));
    records.extend(has.iter().map(|(id, has)| GroupRecord::Target(id.to_string(), Some(has.clone()))));
    records.push(GroupRecord::TargetEpoch(Some(epoch)));
    records.extend(has.into_iter().map(|(id, assigned)| {
        let (state, revoking) = (MemberState::Stable, Partitions::new());
        let assigned_in = pairs(&assigned).map(|partition| (partition, epoch)).collect();
        let current = CurrentAssignment { epoch, previous_epoch: epoch, state, assigned, revoking, assigned_in };
        GroupRecord::Current(id.to_string(), Some(current))
    }));
    Some(records)
}

/// The classic group of those members that have that protocol. They have what they may still have.
fn downgrade<T>(name: Arc<str>, state: &State, topics: &Topics, now_ms: i64) -> ClassicGroup<T> {
    let classic = |(id, member): (&Arc<str>, &Arc<Member>)| {
        let Member { metadata, current } = &**member;
        let said = metadata.classic.clone()?;
        let mut partitions = topics.named(&current.assigned);
        partitions.extend(topics.named(&current.revoking));
        let version = said.protocols.first().map_or(0, |protocol| subscription_version(&protocol.metadata));
        Some(ClassicMember {
            id: id.clone(),
            group_instance_id: metadata.instance_id.clone(),
            client_id: metadata.client_id.clone(),
            client_host: metadata.client_host.clone(),
            terms: Terms {
                session_timeout_ms: said.session_timeout_ms,
                rebalance_timeout_ms: metadata.rebalance_timeout_ms.max(0),
                protocols: said.protocols,
            },
            assignment: Assignment { partitions, user_data: None }.encode_for(version),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        })
    };
    let members = state.members.iter().filter_map(classic).collect();
    ClassicGroup::of_members(name, state.metadata.epoch, members, now_ms)
}
