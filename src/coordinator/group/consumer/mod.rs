//! Groups of the consumer protocol (KIP-848): the coordinator assigns, and a heartbeat is all that members send.
//!
//! ```text
//!   members, subscriptions, topics change    target assignment             each member, by itself
//!   ───────────────────────────────────▶     computed for that epoch  ─▶   revokes, tells so, gets the rest
//!              group epoch + 1                target epoch                  member epoch
//! ```
//!
//! Nothing stops while the group rebalances: a member goes on with what it keeps. Each member walks from its epoch to
//! the target's at its own pace, and a partition is given to one only when no other has it.
//!
//! ```text
//!   heartbeat    what a member says, and what comes of it       leave   members go, or are not heard of
//!   reconcile    one step of a member towards its target        target, assignor   what members are to have
//!   state        what is known, as the records say              record  how it is written down
//!   topics, regex   what there is to read, and who wants it     commit, describe   questions from outside
//!   classic      members that have the classic protocol         migration   from a classic group, and back to one
//! ```
//!
//! # Decisions and records
//!
//! A decision is a list of records, and what is known of a group is what its records have said: nothing else changes
//! it, now and after a restart. While the records of one decision are being written, whatever comes next for the group
//! waits; then everything that waited is decided together, and written as one batch. So what is known is always
//! durable, answers tell of nothing that could be lost, and records that could not be written were never decided.

mod assignor;
mod classic;
mod commit;
mod describe;
mod heartbeat;
mod leave;
mod message;
mod migration;
mod reconcile;
mod record;
#[cfg(test)]
mod record_tests;
mod regex;
mod state;
mod target;
mod topics;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::classic::ClassicGroup;
use super::message::{JoinRequest, NotJoined, Response};
use super::timers::{Due, GroupTimers};
use super::{Action, Limits, Outbox, Written};
use crate::error::GroupError;

pub(super) use assignor::Assignors;
pub use describe::{DescribedConsumerGroup, DescribedConsumerMember};
pub use message::{ConsumerHeartbeat, ConsumerHeartbeatRequest};
pub(super) use migration::Handover;
pub use record::{
    ClassicMemberMetadata, ConsumerGroupMetadataValue, ConsumerMemberMetadata, CurrentAssignment, GroupRecord,
    MemberState, Partitions, ResolvedRegex,
};
pub(super) use topics::Topics;

use state::State;

/// How many records and bytes one batch of decisions may come to, before the rest waits for the next. A decision more
/// must fit into a batch of the log still (`max.message.bytes`), or nobody would get any: what comes to as many bytes
/// by itself has a batch of its own.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 256 << 10;
/// When to try again to take out a member whose records could not be written, in milliseconds.
const AGAIN_MS: i32 = 1000;

#[derive(Debug)]
pub(super) struct ConsumerGroup<T> {
    pub(super) name: Arc<str>,
    /// What is durable.
    state: Arc<State>,
    /// Since when it has had no members, if it has none; −1 if that isn't known.
    pub(super) empty_since_ms: i64,
    /// The version of the topics that the subscriptions were last compared with.
    topics_version: Option<u64>,
    /// The version of the topics that its regular expressions were last resolved with; None if they are to be as soon
    /// as they may.
    regexes_version: Option<u64>,
    /// When its target assignment was computed, if it was since this coordinator is there.
    assigned_ms: Option<i64>,
    /// What makes a group of the classic protocol what this is taken for. It is written with the first decision.
    opening: Vec<GroupRecord>,
    waiting: VecDeque<Event<T>>,
    /// What is being written.
    draft: Option<Draft<T>>,
    /// What it is from now on.
    successor: Option<Box<ClassicGroup<T>>>,
}

/// Something to decide about.
#[derive(Debug)]
pub(super) enum Event<T> {
    Heartbeat(Box<ConsumerHeartbeatRequest>, T),
    /// Somebody joins by the classic protocol.
    Join(Box<JoinRequest>, T),
    /// Members of the classic protocol have left.
    Left(Vec<Arc<str>>),
    /// A member of the classic protocol is there, and topics have changed.
    TopicsChanged,
    /// A member was not heard of.
    SessionExpired(Arc<str>),
    /// A member has not let go of what it was to revoke.
    RebalanceExpired(Arc<str>),
}

impl<T> Event<T> {
    /// About how much of it would be written down.
    fn kept_bytes(&self) -> usize {
        match self {
            Self::Heartbeat(request, _) => request.topic_names.iter().flatten().map(String::len).sum(),
            Self::Join(request, _) => request.kept_bytes(),
            _ => 0,
        }
    }
}

/// Decisions that wait to be written, and what is to be done then.
#[derive(Debug)]
struct Draft<T> {
    name: Arc<str>,
    limits: Limits,
    now_ms: i64,
    state: Arc<State>,
    topics_version: Option<u64>,
    regexes_version: Option<u64>,
    assigned_ms: Option<i64>,
    records: Vec<GroupRecord>,
    /// How long their keys and values are.
    bytes: usize,
    answers: Vec<(T, Response)>,
    /// Members that were heard of.
    seen: BTreeSet<Arc<str>>,
    /// Members that may have begun to revoke something, or ended, or gone.
    moved: BTreeSet<Arc<str>>,
    /// What is to be tried again if this can't be written.
    expired: Vec<Due>,
    /// With these records the group becomes one of the classic protocol.
    successor: Option<Box<ClassicGroup<T>>>,
}

/// One consumer group at one moment, with what its verbs need.
pub(super) struct Turn<'a, T> {
    pub(super) limits: Limits,
    pub(super) topics: &'a Topics,
    pub(super) group: &'a mut ConsumerGroup<T>,
    pub(super) timers: GroupTimers<'a>,
    pub(super) outbox: &'a mut Outbox<T>,
    pub(super) now_ms: i64,
}

impl<T> ConsumerGroup<T> {
    pub(super) fn new(name: Arc<str>, now_ms: i64) -> Self {
        Self {
            name,
            state: Arc::default(),
            empty_since_ms: now_ms,
            topics_version: None,
            regexes_version: None,
            assigned_ms: None,
            opening: Vec::new(),
            waiting: VecDeque::new(),
            draft: None,
            successor: None,
        }
    }

    /// Takes in a record, when a coordinator reads them.
    pub(super) fn replay(&mut self, record: &GroupRecord) {
        Arc::make_mut(&mut self.state).apply(record);
    }

    /// Whether its last record took it back.
    pub(super) fn is_gone(&self) -> bool {
        !self.state.is_known && self.state.members.is_empty() && self.is_at_rest()
    }

    /// Whether it has no members, and nobody is about to be one.
    pub(super) fn is_empty(&self) -> bool {
        self.state.members.is_empty() && self.is_at_rest()
    }

    /// Whether nothing would be lost if it were forgotten.
    pub(super) fn is_vacant(&self) -> bool {
        self.is_gone() && self.opening.is_empty()
    }

    fn is_at_rest(&self) -> bool {
        self.draft.is_none() && self.waiting.is_empty()
    }

    /// What takes it back, if it has no members.
    pub(super) fn tombstones(&self) -> Vec<GroupRecord> {
        let mut records = if self.state.is_known { self.state.tombstones() } else { Vec::new() };
        if !self.opening.is_empty() {
            records.push(GroupRecord::Classic(None));
        }
        records
    }
}

impl<T> Turn<'_, T> {
    /// After a restart its members have their session timeouts to show that they are still there.
    pub(super) fn loaded(&mut self) {
        self.group.empty_since_ms = self.now_ms;
        self.expect_life_signs();
        let ids: Vec<_> = self.group.state.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.expect_revocation(id));
    }

    /// From now on all members have their session timeouts to show that they are alive.
    pub(super) fn expect_life_signs(&mut self) {
        let ids: Vec<_> = self.group.state.members.keys().cloned().collect();
        ids.iter().for_each(|id| self.expect_life_sign(id));
    }

    pub(super) fn heartbeat(&mut self, request: ConsumerHeartbeatRequest, waiter: T) {
        self.happen(Event::Heartbeat(Box::new(request), waiter));
    }

    /// Something is to be decided about, when it is its turn.
    fn happen(&mut self, event: Event<T>) {
        self.group.waiting.push_back(event);
        self.decide();
    }

    /// Something is due for a member.
    pub(super) fn expire(&mut self, due: Due) {
        match due {
            Due::Session(id) => self.happen(Event::SessionExpired(id)),
            Due::Rebalance(id) => self.happen(Event::RebalanceExpired(id)),
            Due::Join | Due::Sync => {}
        }
    }

    /// The records that were being written are, or could not be.
    pub(super) fn written(&mut self, result: Result<(), GroupError>) {
        let Some(draft) = self.group.draft.take() else { return };
        match result {
            Ok(()) => {
                self.group.opening.clear();
                self.finish(draft);
            }
            Err(error) => {
                draft.answers.into_iter().for_each(|(waiter, answer)| self.answer(waiter, answer.failed(error)));
                draft.expired.into_iter().for_each(|due| self.timers.schedule(due, AGAIN_MS));
                if draft.successor.is_some() {
                    self.refuse_next_join(error);
                }
                self.group.give_back(self.topics, self.now_ms);
            }
        }
        self.decide();
    }

    /// It could not be written what makes the group a classic one. Whoever waits to join that is told so, and not
    /// decided about again, which would come to the same.
    fn refuse_next_join(&mut self, error: GroupError) {
        if let Some(Event::Join(request, waiter)) =
            self.group.waiting.pop_front_if(|event| matches!(event, Event::Join(..)))
        {
            let refused = NotJoined { error, member_id: request.member_id };
            self.answer(waiter, Response::Join(Err(refused)));
        }
    }

    /// Decides about all that waits, unless something is being written.
    fn decide(&mut self) {
        while self.group.draft.is_none() && !self.group.waiting.is_empty() && !self.group.gives_way() {
            let mut draft = Draft::new(self.group, self.limits, self.now_ms);
            while draft.records.len() < BATCH_RECORDS
                && draft.bytes < BATCH_BYTES
                && draft.successor.is_none()
                && let Some(event) = self.group.waiting.pop_front_if(|event| draft.has_room_for(event))
            {
                if let Some(event) = self.take(&mut draft, event) {
                    self.group.waiting.push_front(event);
                    break;
                }
                if draft.records.is_empty() {
                    // There is nothing to wait for.
                    draft.answers.drain(..).for_each(|(waiter, result)| self.answer(waiter, result));
                }
            }
            if draft.records.is_empty() {
                // Nothing was waited for: their life signs still count from when they came.
                draft.seen.clear();
                self.finish(draft);
            } else {
                self.write(draft);
            }
        }
        if self.group.is_at_rest() {
            self.group.give_back(self.topics, self.now_ms);
        }
    }

    /// Decides about something, unless that isn't for this group to decide, as it is by then.
    fn take(&mut self, draft: &mut Draft<T>, event: Event<T>) -> Option<Event<T>> {
        match event {
            Event::Heartbeat(request, waiter) => {
                let result = draft.heartbeat(*request, self.topics);
                // A member that waits for something to be written is alive meanwhile, too.
                if let Ok(heartbeat) = result.as_ref()
                    && heartbeat.member_epoch >= 0
                {
                    self.expect_life_sign(&heartbeat.member_id);
                }
                draft.answers.push((waiter, Response::ConsumerHeartbeat(result)));
            }
            // The first member of a group says which protocol it has.
            Event::Join(..) if draft.state.members.is_empty() => return Some(event),
            Event::Join(request, waiter) => {
                if draft.downgrade_by(&request, self.topics) {
                    return Some(Event::Join(request, waiter));
                }
                self.expect_life_sign(&request.member_id);
                let result = draft.join(&request, self.topics);
                draft.answers.push((waiter, Response::Join(result)));
            }
            Event::Left(ids) => draft.remove_all(&ids, self.topics),
            Event::TopicsChanged => draft.refresh(self.topics, false),
            // It was heard of since.
            Event::SessionExpired(id) if self.timers.is_set(Due::Session(id.clone())) => {}
            Event::RebalanceExpired(id) if self.timers.is_set(Due::Rebalance(id.clone())) => {}
            Event::SessionExpired(id) => {
                draft.remove(&id, self.topics);
                draft.expired.push(Due::Session(id));
            }
            Event::RebalanceExpired(id) => {
                if draft.state.member(&id).is_some_and(|member| member.is_revoking() || member.is_classic()) {
                    draft.remove(&id, self.topics);
                    draft.expired.push(Due::Rebalance(id));
                }
            }
        }
        None
    }

    fn write(&mut self, mut draft: Draft<T>) {
        let mut records = std::mem::take(&mut draft.records);
        records.splice(0..0, self.group.opening.iter().cloned());
        let write = self.outbox.expect(&self.group.name, Written::ConsumerGroup);
        let group = self.group.name.to_string();
        self.outbox.actions.push_back(Action::Write { write: Some(write), group, records });
        self.group.draft = Some(draft);
    }

    /// What was decided counts.
    fn finish(&mut self, draft: Draft<T>) {
        if !self.group.state.members.is_empty() && draft.state.members.is_empty() {
            self.group.empty_since_ms = self.now_ms;
        }
        if !Arc::ptr_eq(&self.group.state, &draft.state) && draft.state.has_classic_members() {
            self.outbox.membership_changes += 1;
        }
        (self.group.state, self.group.topics_version) = (draft.state, draft.topics_version);
        (self.group.regexes_version, self.group.assigned_ms) = (draft.regexes_version, draft.assigned_ms);
        self.group.successor = draft.successor;
        draft.seen.iter().for_each(|id| self.expect_life_sign(id));
        draft.moved.iter().for_each(|id| self.expect_revocation(id));
        draft.answers.into_iter().for_each(|(waiter, result)| self.answer(waiter, result));
    }

    /// From now on the member has its session timeout to show that it is alive.
    pub(super) fn expect_life_sign(&mut self, id: &str) {
        if let Some((id, member)) = self.group.state.members.get_key_value(id) {
            let timeout_ms = member.session_timeout_ms(self.limits.consumer_session_timeout_ms);
            self.timers.schedule(Due::Session(id.clone()), timeout_ms);
        }
    }

    /// A member that is to revoke something has its rebalance timeout for it. One that is gone has no timers.
    fn expect_revocation(&mut self, id: &Arc<str>) {
        match self.group.state.member(id) {
            // It has its time for each of its requests.
            Some(member) if member.is_classic() => {}
            Some(member) if member.is_revoking() => {
                self.timers.schedule(Due::Rebalance(id.clone()), member.metadata.rebalance_timeout_ms.max(0));
            }
            Some(_) => self.timers.cancel(Due::Rebalance(id.clone())),
            None => {
                self.timers.cancel(Due::Session(id.clone()));
                self.timers.cancel(Due::Rebalance(id.clone()));
            }
        }
    }

    fn answer(&mut self, to: T, response: Response) {
        if let Response::Join(Ok(joined)) = &response {
            self.expect_sync(&joined.member_id);
        }
        self.outbox.actions.push_back(Action::Respond { to, response });
    }
}

impl<T> Draft<T> {
    fn new(group: &ConsumerGroup<T>, limits: Limits, now_ms: i64) -> Self {
        Self {
            name: group.name.clone(),
            limits,
            now_ms,
            state: group.state.clone(),
            topics_version: group.topics_version,
            regexes_version: group.regexes_version,
            assigned_ms: group.assigned_ms,
            records: Vec::new(),
            bytes: 0,
            answers: Vec::new(),
            seen: BTreeSet::new(),
            moved: BTreeSet::new(),
            expired: Vec::new(),
            successor: None,
        }
    }

    /// Whether something can be decided with what was before. What may be too large for the log fails alone.
    fn has_room_for(&self, event: &Event<T>) -> bool {
        self.records.is_empty() || event.kept_bytes() < BATCH_BYTES
    }

    /// Decides what a record says.
    fn put(&mut self, record: GroupRecord) {
        Arc::make_mut(&mut self.state).apply(&record);
        self.bytes += record.encode_key(&self.name).len() + record.encode_value().map_or(0, |value| value.len());
        self.records.push(record);
    }
}
