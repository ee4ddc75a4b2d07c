//! A member's side of Kafka's classic protocol: join, get an assignment, notice that the group moves on, join again.
//!
//! ```text
//!   Out ──join──▶ Joining ──joined: the leader assigns, sync──▶ Syncing ──synced──▶ In
//!    ▲               │                                              │               │
//!    └───────────────┴──── refused, or the group moves on ──────────┴───────────────┘
//! ```
//!
//! It asks the coordinator and takes its answers; what an assignment means for the consumer is told as [`Event`]s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use super::config::MembershipConfig;
use super::subscription::Wanted;
use crate::coordinator::driver::{Coordinator, Groups, LOCAL_HOST, Waiter};
use crate::coordinator::local::{LocalId, Presence};
use crate::coordinator::{
    Assignment, JoinProtocol, JoinRequest, Joined, LeaveRequest, Members, NO_GENERATION, NotJoined, PartitionAssignor,
    RebalanceProtocol, Response, Subscription, SyncRequest, Synced, refused,
};
use crate::error::{Error, GroupError, Result};
use crate::store::Store;
use crate::types::{ConsumerGroupMetadata, TopicPartition};
use crate::uuid::Uuid;

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";

#[derive(Debug)]
pub(super) struct Membership {
    store: Store,
    groups: Arc<Groups>,
    id: LocalId,
    pub(super) group: String,
    config: MembershipConfig,
    wanted: Wanted,
    /// Empty as long as there is none.
    member_id: String,
    generation: i32,
    phase: Phase,
    /// It is in the group, and has a reason to join again.
    must_rejoin: bool,
    /// The partitions that it has not given up.
    pub(super) owned: Vec<TopicPartition>,
    /// What it was assigned last, and in which generation.
    last: Option<(Vec<TopicPartition>, i32)>,
    /// The topics that it has joined with.
    joined_topics: Vec<String>,
    /// What it has assigned by, if it leads: the topics of all members, and how many partitions each had.
    assigned_by: Option<(BTreeSet<String>, BTreeMap<String, i32>)>,
    /// How often topics had changed when it looked last.
    topic_changes: u64,
}

#[derive(Debug)]
enum Phase {
    Out,
    Joining(Answer),
    Syncing(Answer),
    In,
}

/// What happens to a member.
pub(super) enum Event {
    /// It is about to join. What [`to_revoke`](Membership::to_revoke) says has to be given up first.
    Rebalance,
    /// All that it owned may be others' already. With an error it can't go on.
    Lost(Option<Error>),
    /// It has this assignment.
    Assigned(Vec<TopicPartition>),
    /// Topics have come or gone, and nothing else.
    TopicsChanged,
    /// It waits for others.
    Waiting,
    /// Nothing.
    Stable,
}

/// The answer to a request, when it is there.
#[derive(Clone, Debug, Default)]
struct Answer(Arc<Mutex<(Option<Response>, Option<Waker>)>>);

impl Answer {
    fn waiter(&self) -> Waiter {
        let answer = self.0.clone();
        Waiter::new(move |response| {
            let mut answer = answer.lock();
            answer.0 = Some(response);
            if let Some(waker) = answer.1.take() {
                waker.wake();
            }
        })
    }
}

impl Membership {
    pub(super) fn new(store: &Store, group: &str, config: MembershipConfig, wanted: Wanted) -> Self {
        let groups = Groups::of(store);
        Self {
            store: store.clone(),
            id: groups.local_id(),
            groups,
            group: group.to_owned(),
            config,
            wanted,
            member_id: String::new(),
            generation: NO_GENERATION,
            phase: Phase::Out,
            must_rejoin: false,
            owned: Vec::new(),
            last: None,
            joined_topics: Vec::new(),
            assigned_by: None,
            topic_changes: store.topic_changes(),
        }
    }

    /// Wants other topics from now on.
    pub(super) fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
        self.must_rejoin = true;
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.wanted.topics(&self.store)
    }

    pub(super) fn is_cooperative(&self) -> bool {
        let protocols = self.config.assignors.iter().map(|assignor| assignor.protocol());
        protocols.min() == Some(RebalanceProtocol::Cooperative)
    }

    /// What happens next.
    pub(super) fn next(&mut self) -> Result<Event> {
        loop {
            let answer = match &self.phase {
                Phase::Out => return Ok(Event::Rebalance),
                Phase::In => return Ok(self.look()),
                Phase::Joining(answer) | Phase::Syncing(answer) => answer.0.lock().0.take(),
            };
            match answer {
                None => return Ok(Event::Waiting),
                Some(Response::Join(Ok(joined))) => self.joined(joined)?,
                Some(Response::Join(Err(NotJoined { error: GroupError::MemberIdRequired, member_id }))) => {
                    self.member_id = member_id;
                    self.attend(true);
                    self.join()?;
                }
                Some(Response::Join(Err(NotJoined { error, .. })) | Response::Sync(Err(error))) => {
                    return self.refused(error);
                }
                Some(Response::Sync(Ok(synced))) => return self.synced(&synced),
                Some(Response::ConsumerHeartbeat(_)) => unreachable!("it sends none"),
            }
        }
    }

    /// Whether [`next`](Self::next) has something to tell.
    pub(super) fn has_news(&self) -> bool {
        match &self.phase {
            Phase::Out => true,
            Phase::Joining(answer) | Phase::Syncing(answer) => answer.0.lock().0.is_some(),
            Phase::In => {
                self.must_rejoin || self.topic_changes != self.store.topic_changes() || self.heartbeat().is_err()
            }
        }
    }

    /// Wakes `waker` once there is something to tell. The caller must look once more after this whether there is.
    pub(super) fn wake(&self, waker: Waker) {
        if let Phase::Joining(answer) | Phase::Syncing(answer) = &self.phase {
            answer.0.lock().1 = Some(waker.clone());
        }
        self.groups.park(self.id, waker);
    }

    /// The member polls, or has polled and may take its time now.
    pub(super) fn attend(&self, polls: bool) {
        if self.member_id.is_empty() {
            return self.groups.forget(self.id);
        }
        let presence = Presence {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            leaves: self.config.group_instance_id.is_none(),
        };
        let for_ms = (!polls).then(|| self.config.max_poll_interval_ms().into());
        self.groups.attend(self.id, presence, for_ms);
    }

    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// What has to be given up before it joins.
    pub(super) fn to_revoke(&self) -> Vec<TopicPartition> {
        let topics = self.is_cooperative().then(|| self.topics());
        let goes =
            |at: &&TopicPartition| topics.as_ref().is_none_or(|topics| !topics.iter().any(|to| **to == *at.topic));
        self.owned.iter().filter(goes).cloned().collect()
    }

    /// Joins the group, or its next generation.
    pub(super) fn join(&mut self) -> Result<()> {
        (self.must_rejoin, self.assigned_by) = (false, None);
        self.topic_changes = self.store.topic_changes();
        self.joined_topics = self.topics();
        let answer = Answer::default();
        let (request, waiter) = (self.join_request(), answer.waiter());
        self.ask(|groups, now_ms| groups.join(request, waiter, now_ms))?;
        self.phase = Phase::Joining(answer);
        Ok(())
    }

    /// Leaves the group, unless it is a static member, which may come back.
    pub(super) fn leave(&mut self) {
        self.groups.forget(self.id);
        if self.config.group_instance_id.is_none() && !self.member_id.is_empty() {
            let member = LeaveRequest { member_id: std::mem::take(&mut self.member_id), ..LeaveRequest::default() };
            // If it isn't heard, the group notices by itself: as it does when a process dies.
            let _ = self.ask(|groups, now_ms| groups.leave(&self.group, &[member], now_ms));
        }
        self.phase = Phase::Out;
    }

    /// Does something to the group's offsets that only a member in the current generation may do, before anything else
    /// can happen to the group.
    pub(super) fn commit(&self, commit: impl FnOnce() -> Result<()>) -> Result<()> {
        self.groups.tick_due();
        if self.member_id.is_empty() {
            return Err(self.error(GroupError::UnknownMemberId));
        }
        let name = self.config.group_instance_id.as_deref();
        self.ask(|groups, now_ms| {
            let checked = groups.check_commit(&self.group, &self.member_id, name, self.generation, now_ms);
            checked.map_err(|error| self.error(error))?;
            commit()
        })?
    }

    /// Whose commits it makes.
    pub(super) fn sign(&self, metadata: ConsumerGroupMetadata) -> ConsumerGroupMetadata {
        metadata.with_member(&self.member_id, self.generation, self.config.group_instance_id.as_deref())
    }

    fn ask<R>(&self, ask: impl FnOnce(&mut Coordinator, i64) -> R) -> Result<R> {
        self.groups.ask(ask).map_err(|error| self.error(error))
    }

    fn error(&self, error: GroupError) -> Error {
        refused(&self.store, &self.group, error)
    }

    fn heartbeat(&self) -> Result<(), GroupError> {
        let name = self.config.group_instance_id.as_deref();
        let heartbeat = |groups: &mut Coordinator, now_ms| {
            groups.heartbeat(&self.group, &self.member_id, name, self.generation, now_ms)
        };
        self.groups.ask(heartbeat).flatten()
    }

    /// A member looks whether the group is as it was.
    fn look(&mut self) -> Event {
        let topic_changes = self.store.topic_changes();
        let topics_changed = std::mem::replace(&mut self.topic_changes, topic_changes) != topic_changes;
        if topics_changed {
            let has_other_counts = |(topics, counts): &(_, _)| counts_of(&self.store, topics) != *counts;
            self.must_rejoin |= self.topics() != self.joined_topics;
            self.must_rejoin |= self.assigned_by.as_ref().is_some_and(has_other_counts);
        }
        match self.heartbeat() {
            Ok(()) if self.must_rejoin => Event::Rebalance,
            Ok(()) if topics_changed => Event::TopicsChanged,
            Ok(()) => Event::Stable,
            Err(GroupError::RebalanceInProgress) => Event::Rebalance,
            Err(error) => self.thrown_out(error),
        }
    }

    fn thrown_out(&mut self, error: GroupError) -> Event {
        self.phase = Phase::Out;
        self.generation = NO_GENERATION;
        match error {
            // Or it would throw out whoever has taken its place.
            GroupError::FencedInstanceId => return Event::Lost(Some(self.error(error))),
            GroupError::UnknownMemberId => self.member_id.clear(),
            GroupError::IllegalGeneration => {}
            // It may still be a member, for all that is known.
            _ => {
                self.phase = Phase::In;
                return Event::Stable;
            }
        }
        Event::Lost(None)
    }

    /// It may not join, or does not get its part.
    fn refused(&mut self, error: GroupError) -> Result<Event> {
        self.phase = Phase::Out;
        match error {
            GroupError::RebalanceInProgress => Ok(Event::Rebalance),
            GroupError::UnknownMemberId | GroupError::IllegalGeneration | GroupError::FencedInstanceId => {
                Ok(self.thrown_out(error))
            }
            error => Err(self.error(error)),
        }
    }

    fn join_request(&self) -> JoinRequest {
        let generation = Some(self.generation).filter(|generation| *generation >= 0);
        let last = self.last.as_ref().map(|(assigned, generation)| (assigned.as_slice(), *generation));
        let protocol = |assignor: &Arc<dyn PartitionAssignor>| {
            let subscription = Subscription {
                topics: self.joined_topics.clone(),
                user_data: assignor.user_data(last),
                owned_partitions: self.owned.clone(),
                generation,
                ..Subscription::default()
            };
            JoinProtocol { name: assignor.name().to_owned(), metadata: subscription.encode() }
        };
        JoinRequest {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            group_instance_id: self.config.group_instance_id.clone(),
            client_id: self.config.client_id.clone(),
            client_host: LOCAL_HOST.to_owned(),
            session_timeout_ms: self.config.session_timeout_ms(),
            rebalance_timeout_ms: self.config.max_poll_interval_ms(),
            protocol_type: CONSUMER.to_owned(),
            protocols: self.config.assignors.iter().map(protocol).collect(),
            comes_back_with_id: true,
            can_skip_assignment: true,
            fresh_id: Uuid::random(),
        }
    }

    fn joined(&mut self, joined: Joined) -> Result<()> {
        self.member_id.clone_from(&joined.member_id);
        self.generation = joined.generation;
        self.attend(true);
        // If something fails from here on it joins again.
        self.phase = Phase::Out;
        let mut assignments = Vec::new();
        if joined.leader == joined.member_id && !joined.skip_assignment {
            assignments = self.assign(&joined)?;
        }
        let request = SyncRequest {
            group: self.group.clone(),
            generation: joined.generation,
            member_id: joined.member_id,
            group_instance_id: self.config.group_instance_id.clone(),
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name,
            assignments,
        };
        let answer = Answer::default();
        let waiter = answer.waiter();
        self.ask(|groups, now_ms| groups.sync(request, waiter, now_ms))?;
        self.phase = Phase::Syncing(answer);
        Ok(())
    }

    /// The leader assigns.
    fn assign(&mut self, joined: &Joined) -> Result<Vec<(String, bytes::Bytes)>> {
        let name = joined.protocol_name.as_deref().unwrap_or_default();
        let assignor = self.config.assignors.iter().find(|assignor| assignor.name() == name);
        let assignor = assignor.ok_or_else(|| self.error(GroupError::InconsistentGroupProtocol))?;
        let members = joined.members.iter().map(|member| {
            // One that can't be understood gets nothing.
            let subscription = Subscription::decode(&member.metadata).unwrap_or_default();
            let group_instance_id = member.group_instance_id.clone();
            (member.member_id.clone(), Subscription { group_instance_id, ..subscription })
        });
        let members: Members = members.collect();
        let topics: BTreeSet<String> = members.values().flat_map(|member| member.topics.iter().cloned()).collect();
        let counts = counts_of(&self.store, &topics);
        let assigned = assignor.assign(&counts, &members);
        self.assigned_by = Some((topics, counts));
        let encode = |(member, partitions)| (member, Assignment { partitions, user_data: None }.encode());
        Ok(assigned.into_iter().map(encode).collect())
    }

    fn synced(&mut self, synced: &Synced) -> Result<Event> {
        self.phase = Phase::In;
        let assigned = Assignment::decode(&synced.assignment)?.partitions;
        self.last = Some((assigned.clone(), self.generation));
        Ok(Event::Assigned(assigned))
    }

    /// It owns these partitions from now on, and joins again at once if it had to give up any for them.
    pub(super) fn own(&mut self, partitions: Vec<TopicPartition>, must_rejoin: bool) {
        self.owned = partitions;
        self.must_rejoin |= must_rejoin;
    }
}

/// How many partitions each of these topics has that exists.
fn counts_of(store: &Store, topics: &BTreeSet<String>) -> BTreeMap<String, i32> {
    topics.iter().filter_map(|topic| Some((topic.clone(), store.partition_count(topic).ok()?))).collect()
}
