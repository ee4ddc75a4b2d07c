//! Groups of the newer protocol (KIP-848): the coordinator assigns, and a heartbeat is all that members send.
//!
//! ```text
//!   members, subscriptions, topics change    target assignment             each member, by itself
//!   ───────────────────────────────────▶     computed for that epoch  ─▶   revokes, tells so, gets the rest
//!              group epoch + 1                target epoch                  member epoch
//! ```
//!
//! Nothing stops while the group rebalances: a member goes on with what it keeps. Each member walks from its epoch to the
//! target's at its own pace, and a partition is given to one only when no other has it.
//!
//! ```text
//!   heartbeat    what a member says, and what comes of it       leave   members go, or are not heard of
//!   reconcile    one step of a member towards its target        target, assignor   what members are to have
//!   state        what is known, as the records say              record  how it is written down
//!   topics       what there is to read                          commit, describe   questions from outside
//! ```
//!
//! # Decisions and records
//!
//! A decision is a list of records, and what is known of a group is what its records have said: nothing else changes it,
//! now and after a restart. While the records of one decision are being written, whatever comes next for the group waits;
//! then everything that waited is decided together, and written as one batch. So what is known is always durable, answers
//! tell of nothing that could be lost, and records that could not be written were never decided.

mod assignor;
mod commit;
mod describe;
mod heartbeat;
mod leave;
mod message;
mod reconcile;
mod record;
#[cfg(test)]
mod record_tests;
mod state;
mod target;
mod topics;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::message::Response;
use super::timers::{Due, Timer, Timers};
use super::{Action, Limits, Outbox, Written};
use crate::error::GroupError;

pub use describe::{DescribedConsumerGroup, DescribedConsumerMember};
pub use message::{ConsumerHeartbeat, ConsumerHeartbeatRequest};
pub use record::{
    ClassicMemberMetadata, ConsumerGroupMetadata, ConsumerMemberMetadata, CurrentAssignment, GroupRecord, MemberState,
    Partitions, ResolvedRegex,
};
pub(super) use topics::Topics;

use state::State;

/// How many records one batch of decisions may come to, before the rest waits for the next.
const BATCH_RECORDS: usize = 1000;
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
    /// There is a record of an empty group of the classic protocol, that goes with the first of this.
    replaces_classic: bool,
    waiting: VecDeque<Event<T>>,
    /// What is being written.
    draft: Option<Draft<T>>,
}

/// Something to decide about.
#[derive(Debug)]
enum Event<T> {
    Heartbeat(Box<ConsumerHeartbeatRequest>, T),
    /// A member was not heard of.
    SessionExpired(Arc<str>),
    /// A member has not let go of what it was to revoke.
    RebalanceExpired(Arc<str>),
}

/// Decisions that wait to be written, and what is to be done then.
#[derive(Debug)]
struct Draft<T> {
    state: Arc<State>,
    topics_version: Option<u64>,
    records: Vec<GroupRecord>,
    answers: Vec<(T, Result<ConsumerHeartbeat, GroupError>)>,
    /// Members that were heard of.
    seen: BTreeSet<Arc<str>>,
    /// Members that may have begun to revoke something, or ended, or gone.
    moved: BTreeSet<Arc<str>>,
    /// What is to be tried again if this can't be written.
    expired: Vec<Due>,
}

/// One consumer group at one moment, with what its verbs need.
pub(super) struct Turn<'a, T> {
    pub(super) limits: Limits,
    pub(super) topics: &'a Topics,
    pub(super) group: &'a mut ConsumerGroup<T>,
    pub(super) timers: &'a mut Timers,
    pub(super) outbox: &'a mut Outbox<T>,
    pub(super) now_ms: i64,
}

impl<T> ConsumerGroup<T> {
    pub(super) fn new(name: Arc<str>, replaces_classic: bool, now_ms: i64) -> Self {
        let (state, waiting) = (Arc::default(), VecDeque::new());
        Self { name, state, empty_since_ms: now_ms, topics_version: None, replaces_classic, waiting, draft: None }
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
        self.is_gone() && !self.replaces_classic
    }

    fn is_at_rest(&self) -> bool {
        self.draft.is_none() && self.waiting.is_empty()
    }

    /// What takes it back, if it has no members.
    pub(super) fn tombstones(&self) -> Vec<GroupRecord> {
        let mut records = if self.state.is_known { self.state.tombstones() } else { Vec::new() };
        if self.replaces_classic {
            records.push(GroupRecord::Classic(None));
        }
        records
    }
}

impl<T> Turn<'_, T> {
    /// After a restart its members have their session timeouts to show that they are still there.
    pub(super) fn loaded(&mut self) {
        self.group.empty_since_ms = self.now_ms;
        let ids: Vec<_> = self.group.state.members.keys().cloned().collect();
        for id in ids {
            self.expect_life_sign(&id);
            self.expect_revocation(&id);
        }
    }

    pub(super) fn heartbeat(&mut self, request: ConsumerHeartbeatRequest, waiter: T) {
        self.group.waiting.push_back(Event::Heartbeat(Box::new(request), waiter));
        self.decide();
    }

    /// Something is due for a member.
    pub(super) fn expire(&mut self, due: Due) {
        match due {
            Due::Session(id) => self.group.waiting.push_back(Event::SessionExpired(id)),
            Due::Rebalance(id) => self.group.waiting.push_back(Event::RebalanceExpired(id)),
            Due::Join | Due::Sync => return,
        }
        self.decide();
    }

    /// The records that were being written are, or could not be.
    pub(super) fn written(&mut self, result: Result<(), GroupError>) {
        let Some(draft) = self.group.draft.take() else { return };
        match result {
            Ok(()) => {
                self.group.replaces_classic = false;
                self.finish(draft);
            }
            Err(error) => {
                draft.answers.into_iter().for_each(|(waiter, _)| self.answer(waiter, Err(error)));
                draft.expired.into_iter().for_each(|due| self.schedule(due, AGAIN_MS));
            }
        }
        self.decide();
    }

    /// Decides about all that waits, unless something is being written.
    fn decide(&mut self) {
        while self.group.draft.is_none() && !self.group.waiting.is_empty() {
            let mut draft = Draft::new(self.group);
            while draft.records.len() < BATCH_RECORDS
                && let Some(event) = self.group.waiting.pop_front()
            {
                self.take(&mut draft, event);
                if draft.records.is_empty() {
                    // There is nothing to wait for.
                    draft.answers.drain(..).for_each(|(waiter, result)| self.answer(waiter, result));
                }
            }
            if draft.records.is_empty() {
                self.finish(draft);
            } else {
                self.write(draft);
            }
        }
    }

    fn take(&mut self, draft: &mut Draft<T>, event: Event<T>) {
        match event {
            Event::Heartbeat(request, waiter) => {
                let result = draft.heartbeat(*request, self.limits, self.topics, self.now_ms);
                // A member that waits for something to be written is alive meanwhile, too.
                if let Ok(heartbeat) = result.as_ref()
                    && heartbeat.member_epoch >= 0
                {
                    self.expect_life_sign(&(*heartbeat.member_id).into());
                }
                draft.answers.push((waiter, result));
            }
            // It was heard of since.
            Event::SessionExpired(id) if self.is_scheduled(Due::Session(id.clone())) => {}
            Event::RebalanceExpired(id) if self.is_scheduled(Due::Rebalance(id.clone())) => {}
            Event::SessionExpired(id) => {
                draft.remove(&id, self.topics);
                draft.expired.push(Due::Session(id));
            }
            Event::RebalanceExpired(id) => {
                if draft.state.member(&id).is_some_and(|member| member.is_revoking()) {
                    draft.remove(&id, self.topics);
                    draft.expired.push(Due::Rebalance(id));
                }
            }
        }
    }

    fn write(&mut self, mut draft: Draft<T>) {
        let mut records = std::mem::take(&mut draft.records);
        if self.group.replaces_classic {
            records.insert(0, GroupRecord::Classic(None));
        }
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
        (self.group.state, self.group.topics_version) = (draft.state, draft.topics_version);
        draft.seen.iter().for_each(|id| self.expect_life_sign(id));
        draft.moved.iter().for_each(|id| self.expect_revocation(id));
        draft.answers.into_iter().for_each(|(waiter, result)| self.answer(waiter, result));
    }

    /// From now on the member has its session timeout to show that it is alive.
    fn expect_life_sign(&mut self, id: &Arc<str>) {
        if self.group.state.member(id).is_some() {
            self.schedule(Due::Session(id.clone()), self.limits.consumer_session_timeout_ms);
        }
    }

    /// A member that is to revoke something has its rebalance timeout for it. One that is gone has no timers.
    fn expect_revocation(&mut self, id: &Arc<str>) {
        match self.group.state.member(id) {
            Some(member) if member.is_revoking() => {
                self.schedule(Due::Rebalance(id.clone()), member.metadata.rebalance_timeout_ms.max(0));
            }
            Some(_) => self.cancel(Due::Rebalance(id.clone())),
            None => {
                self.cancel(Due::Session(id.clone()));
                self.cancel(Due::Rebalance(id.clone()));
            }
        }
    }

    fn timer(&self, due: Due) -> Timer {
        Timer { group: self.group.name.clone(), due }
    }

    fn is_scheduled(&self, due: Due) -> bool {
        self.timers.contains(&self.timer(due))
    }

    fn schedule(&mut self, due: Due, delay_ms: i32) {
        let timer = self.timer(due);
        self.timers.schedule(timer, self.now_ms.saturating_add(delay_ms.into()));
    }

    fn cancel(&mut self, due: Due) {
        let timer = self.timer(due);
        self.timers.cancel(&timer);
    }

    fn answer(&mut self, to: T, result: Result<ConsumerHeartbeat, GroupError>) {
        self.outbox.actions.push_back(Action::Respond { to, response: Response::ConsumerHeartbeat(result) });
    }
}

impl<T> Draft<T> {
    fn new(group: &ConsumerGroup<T>) -> Self {
        Self {
            state: group.state.clone(),
            topics_version: group.topics_version,
            records: Vec::new(),
            answers: Vec::new(),
            seen: BTreeSet::new(),
            moved: BTreeSet::new(),
            expired: Vec::new(),
        }
    }

    /// Decides what a record says.
    fn put(&mut self, record: GroupRecord) {
        Arc::make_mut(&mut self.state).apply(&record);
        self.records.push(record);
    }
}
