//! A group of the classic protocol: its members, and what they have in common. What happens to it is in the files of
//! the verbs.
//!
//! ```text
//!   join        become a member, or stay one
//!   rebalance   from one generation to the next: join phase, sync phase, and who is dropped on the way
//!   sync        the assignment, handed in and handed out
//!   heartbeat   signs of life, commits among them
//!   leave       go
//!   vote        the way to assign that members agree on
//!   member      one of them;   pending   who was told an id, and hasn't joined yet
//!   record      how a group is written down
//! ```

mod heartbeat;
mod join;
mod leave;
mod member;
mod pending;
mod rebalance;
mod record;
mod sync;
mod vote;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::consumer_protocol::subscribed_topics;
use super::message::{Joined, JoinedMember};
use crate::error::GroupError;

pub use heartbeat::Committer;
pub(in crate::coordinator::group) use member::{Member, Terms};
pub(in crate::coordinator::group) use pending::{PendingIds, PendingSpace};
pub use record::{GroupMetadata, MemberMetadata};

/// The protocol type of consumers, whose subscriptions are understood here.
pub(super) const CONSUMER: &str = "consumer";

/// Where a group stands, of either protocol: [`PreparingRebalance`](Self::PreparingRebalance) and
/// [`CompletingRebalance`](Self::CompletingRebalance) are of classic groups, [`Assigning`](Self::Assigning) and
/// [`Reconciling`](Self::Reconciling) of consumer groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupState {
    /// It has no members.
    Empty,
    /// Members are to join the next generation.
    PreparingRebalance,
    /// The leader is to assign.
    CompletingRebalance,
    /// Its members or topics have changed, and the coordinator is to assign.
    Assigning,
    /// Members are on the way to what they were assigned.
    Reconciling,
    /// Every member has its part.
    Stable,
    /// There is no such group.
    Dead,
}

impl fmt::Display for GroupState {
    /// Kafka's name for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[derive(Debug)]
pub(super) struct ClassicGroup<T> {
    pub(super) name: Arc<str>,
    pub(super) state: GroupState,
    /// Since when it is in that state.
    pub(super) state_timestamp: i64,
    pub(super) protocol_type: Option<String>,
    pub(super) protocol_name: Option<String>,
    pub(super) generation: i32,
    /// A member, as long as there are any.
    pub(super) leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member<T>>,
    static_members: HashMap<String, Arc<str>>,
    /// Ids that were given out, and that nobody has joined with yet.
    pub(super) pending_join: PendingIds,
    /// Members that have not asked for their assignment yet.
    pub(super) pending_sync: BTreeSet<Arc<str>>,
    /// How many members wait for the join phase to end.
    awaiting_join: usize,
    /// How many members know each protocol.
    supported: HashMap<String, usize>,
    /// What the members of a group of consumers are subscribed to, if it could be understood.
    subscribed_topics: Option<BTreeSet<String>>,
    /// The join phase is the first after the group was empty, and ends when this says.
    pub(super) initial_delay: Option<InitialDelay>,
    /// The assignment of this generation is being written.
    pub(super) assigning: Option<i32>,
    /// Whether there is a record of it.
    pub(super) has_record: bool,
}

/// How much longer the first join phase waits for members to come (KIP-134).
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    /// What it waits for now, in milliseconds.
    pub(super) delay_ms: i32,
    /// What it may wait after that.
    pub(super) remaining_ms: i32,
    /// Whether somebody has come meanwhile.
    pub(super) new_member_added: bool,
}

impl<T> ClassicGroup<T> {
    pub(super) fn new(name: Arc<str>, now_ms: i64) -> Self {
        Self {
            name,
            state: GroupState::Empty,
            state_timestamp: now_ms,
            protocol_type: None,
            protocol_name: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: HashMap::new(),
            pending_join: PendingIds::default(),
            pending_sync: BTreeSet::new(),
            awaiting_join: 0,
            supported: HashMap::new(),
            subscribed_topics: None,
            initial_delay: None,
            assigning: None,
            has_record: false,
        }
    }

    /// The group that its record tells of.
    pub(super) fn from_record(name: Arc<str>, record: GroupMetadata) -> Self {
        let mut group = Self::new(name, record.current_state_timestamp);
        group.protocol_type = Some(record.protocol_type).filter(|protocol_type| !protocol_type.is_empty());
        group.generation = record.generation;
        group.has_record = true;
        for member in record.members {
            let member = Member::from_record(member, record.protocol.as_deref().unwrap_or_default());
            // Two of one name are none of this coordinator's records: the first counts.
            let is_known = |name: &String| group.static_members.contains_key(name);
            if !group.has_member(&member.id) && !member.group_instance_id.as_ref().is_some_and(is_known) {
                group.add(member, None);
            }
        }
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
            group.protocol_name = record.protocol;
            // One that nobody leads was assigned by nobody, and none of its members may think that it was.
            group.leader = match record.leader.map(Arc::from) {
                Some(leader) if !group.has_member(&leader) => group.leader,
                leader => leader,
            };
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    /// A group of consumers that was a consumer group until now, in this generation. Nobody leads, and has assigned.
    pub(super) fn of_members(name: Arc<str>, generation: i32, members: Vec<Member<T>>, now_ms: i64) -> Self {
        let mut group = Self::new(name, now_ms);
        (group.protocol_type, group.generation, group.has_record) = (Some(CONSUMER.to_owned()), generation, true);
        members.into_iter().for_each(|member| group.add(member, None));
        group.leader = None;
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
            group.protocol_name = group.select_protocol();
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        group
    }

    pub(super) fn is_in(&self, state: GroupState) -> bool {
        self.state == state
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_vacant(&self) -> bool {
        self.is_in(GroupState::Empty) && self.pending_join.is_empty() && !self.has_record
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member<T>> {
        self.members.values()
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member<T>> {
        self.members.values_mut()
    }

    pub(super) fn member(&self, id: &str) -> Option<&Member<T>> {
        self.members.get(id)
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member<T>> {
        self.members.get_mut(id)
    }

    pub(super) fn has_member(&self, id: &str) -> bool {
        self.members.contains_key(id)
    }

    pub(super) fn static_member_id(&self, group_instance_id: &str) -> Option<&Arc<str>> {
        self.static_members.get(group_instance_id)
    }

    pub(super) fn leads(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// Checks that a request comes from a member, and from the one that has the name if it is a static one.
    pub(super) fn check_member(&self, id: &str, group_instance_id: Option<&str>) -> Result<(), GroupError> {
        if let Some(name) = group_instance_id {
            match self.static_member_id(name) {
                None => return Err(GroupError::UnknownMemberId),
                Some(known) if &**known != id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.has_member(id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// Adds a member. The first one leads.
    pub(super) fn add(&mut self, member: Member<T>, waiter: Option<T>) {
        let id = member.id.clone();
        if let Some(name) = &member.group_instance_id {
            self.static_members.insert(name.clone(), id.clone());
        }
        self.pending_join.remove(&id);
        self.leader.get_or_insert_with(|| id.clone());
        self.count_protocols(&member.terms, 1);
        self.members.insert(id.clone(), member);
        self.await_join(&id, waiter);
    }

    /// Takes out a member, or an id that nobody has joined with.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member<T>> {
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
        let member = self.members.remove(id)?;
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
        self.count_protocols(&member.terms, -1);
        if let Some(name) = &member.group_instance_id {
            self.static_members.remove(name);
        }
        if self.leads(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Gives a static member another id. Returns what the old one waited with.
    pub(super) fn rename(&mut self, old_id: &str, new_id: &Arc<str>) -> (Option<T>, Option<T>) {
        let (leads, had_to_sync) = (self.leads(old_id), self.pending_sync.contains(old_id));
        let Some(mut member) = self.remove(old_id) else { return (None, None) };
        let waiters = (member.awaiting_join.take(), member.awaiting_sync.take());
        (member.id, member.is_new) = (new_id.clone(), false);
        self.add(member, None);
        if leads {
            self.leader = Some(new_id.clone());
        }
        if had_to_sync {
            self.pending_sync.insert(new_id.clone());
        }
        waiters
    }

    /// Lets a member take part on other terms. Returns those it had.
    pub(super) fn change_terms(&mut self, id: &str, terms: Terms) -> Option<Terms> {
        self.count_protocols(&terms, 1);
        let old = std::mem::replace(&mut self.members.get_mut(id)?.terms, terms);
        self.count_protocols(&old, -1);
        Some(old)
    }

    /// Lets a member wait for the join phase to end, or no longer. Returns what it waited with before.
    pub(super) fn await_join(&mut self, id: &str, waiter: Option<T>) -> Option<T> {
        let member = self.members.get_mut(id)?;
        self.awaiting_join += usize::from(waiter.is_some());
        let before = std::mem::replace(&mut member.awaiting_join, waiter);
        self.awaiting_join -= usize::from(before.is_some());
        before
    }

    pub(super) fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.awaiting_join == self.members.len() && self.pending_join.is_empty()
    }

    /// The longest that any member may take to join again.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members().map(|member| member.terms.rebalance_timeout_ms).max().unwrap_or(0)
    }

    /// Whether a member on these terms could agree with the others.
    pub(super) fn supports(&self, protocol_type: &str, terms: &Terms) -> bool {
        if self.is_in(GroupState::Empty) {
            return !protocol_type.is_empty() && !terms.protocols.is_empty();
        }
        let is_common = |name: &String| self.supported.get(name).copied().unwrap_or(0) == self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type)
            && terms.protocols.iter().any(|protocol| is_common(&protocol.name))
    }

    /// The protocol that all members know and most of them like best.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let is_common = |name: &str| self.supported.get(name).copied().unwrap_or(0) == self.members.len();
        let votes = self.members().filter_map(|member| {
            let mut protocols = member.terms.protocols.iter().map(|protocol| &*protocol.name);
            protocols.find(|name| is_common(name))
        });
        vote::winner(votes).map(str::to_owned)
    }

    fn count_protocols(&mut self, terms: &Terms, change: isize) {
        for protocol in &terms.protocols {
            let count = self.supported.entry(protocol.name.clone()).or_default();
            *count = count.saturating_add_signed(change);
            if *count == 0 {
                self.supported.remove(&protocol.name);
            }
        }
    }

    pub(super) fn move_to(&mut self, state: GroupState, now_ms: i64) {
        self.state = state;
        self.state_timestamp = now_ms;
    }

    /// Begins the next generation with the members that there are.
    pub(super) fn begin_generation(&mut self, now_ms: i64) {
        // Clients take a negative generation for none.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol_name = self.select_protocol();
        self.subscribed_topics = self.compute_subscribed_topics();
        self.initial_delay = None;
        self.pending_sync.clear();
        let state = if self.members.is_empty() { GroupState::Empty } else { GroupState::CompletingRebalance };
        self.move_to(state, now_ms);
    }

    pub(super) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Where a subscription can't be understood, the group counts as subscribed to everything.
    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.subscribed_topics.as_ref().map_or(self.uses_consumer_protocol(), |topics| topics.contains(topic))
    }

    fn compute_subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members() {
            topics.extend(subscribed_topics(&member.metadata(self.protocol_name.as_deref())).ok()?);
        }
        Some(topics)
    }

    /// How the generation looks to a member.
    pub(super) fn joined(&self, member_id: &str, skip_assignment: bool) -> Joined {
        let members = self.members().filter(|_| self.leads(member_id)).map(|member| JoinedMember {
            member_id: member.id.to_string(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(self.protocol_name.as_deref()),
        });
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            skip_assignment,
            member_id: member_id.to_owned(),
            members: members.collect(),
        }
    }

    /// What is to be written down, with an assignment for each member.
    pub(super) fn to_record(&self, assignment: impl Fn(&Member<T>) -> Bytes) -> GroupMetadata {
        let members = self.members().map(|member| MemberMetadata {
            member_id: member.id.to_string(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.terms.rebalance_timeout_ms,
            session_timeout_ms: member.terms.session_timeout_ms,
            subscription: member.metadata(self.protocol_name.as_deref()),
            assignment: assignment(member),
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.as_deref().map(str::to_owned),
            current_state_timestamp: self.state_timestamp,
            members: members.collect(),
        }
    }
}
