//! From one generation of a group to the next: the join phase begins and ends, the sync phase follows, and whoever
//! takes too long is dropped.

use bytes::Bytes;

use super::super::Turn;
use super::super::timers::Due;
use super::member::Member;
use super::{GroupState, InitialDelay};
use crate::error::GroupError;

/// How long to wait at least for members none of which has joined, in milliseconds, whatever they ask for.
const JOIN_AGAIN_MS: i32 = 1000;

impl<T> Turn<'_, T> {
    /// Begins a join phase, or ends the one that is under way if nobody is missing.
    pub(super) fn rebalance_or_complete(&mut self) {
        match self.group.state {
            GroupState::PreparingRebalance => self.maybe_complete_join(),
            GroupState::Dead => {}
            _ => self.prepare_rebalance(),
        }
    }

    pub(in crate::coordinator::group) fn prepare_rebalance(&mut self) {
        if self.group.is_in(GroupState::CompletingRebalance) {
            self.answer_syncs(Err(GroupError::RebalanceInProgress));
        }
        self.outbox.membership_changes += 1;
        self.group.pending_sync.clear();
        self.timers.cancel(Due::Sync);
        let is_initial = self.group.is_in(GroupState::Empty);
        self.group.move_to(GroupState::PreparingRebalance, self.now_ms);
        if is_initial {
            // More members are likely to come in a moment.
            let delay_ms = self.limits.initial_rebalance_delay_ms;
            let remaining_ms = self.group.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
            self.delay_initial(delay_ms, remaining_ms);
        } else if self.group.have_all_joined() {
            self.complete_join();
        } else {
            self.timers.schedule(Due::Join, self.group.rebalance_timeout_ms());
        }
    }

    fn delay_initial(&mut self, delay_ms: i32, remaining_ms: i32) {
        self.group.initial_delay = Some(InitialDelay { delay_ms, remaining_ms, new_member_added: false });
        self.timers.schedule(Due::Join, delay_ms);
    }

    /// Ends the join phase if nobody is missing; the first one of a group is not cut short.
    pub(super) fn maybe_complete_join(&mut self) {
        let is_preparing = self.group.is_in(GroupState::PreparingRebalance);
        if is_preparing && self.group.initial_delay.is_none() && self.group.have_all_joined() {
            self.complete_join();
        }
    }

    /// The time for the join phase is up.
    pub(in crate::coordinator::group) fn end_join_phase(&mut self) {
        match self.group.initial_delay {
            // Somebody has come: perhaps there are still others.
            Some(InitialDelay { delay_ms, remaining_ms, new_member_added: true }) if remaining_ms > 0 => {
                let next_delay_ms = self.limits.initial_rebalance_delay_ms.min(remaining_ms);
                self.delay_initial(next_delay_ms, (remaining_ms - delay_ms).max(0));
            }
            _ => self.complete_join(),
        }
    }

    fn complete_join(&mut self) {
        if !self.group.is_in(GroupState::PreparingRebalance) {
            return;
        }
        self.timers.cancel(Due::Join);
        // Static members stay until their sessions end.
        let is_late = |member: &&Member<T>| member.awaiting_join.is_none() && !member.is_static();
        let late: Vec<_> = self.group.members().filter(is_late).map(|member| member.id.clone()).collect();
        late.iter().for_each(|id| self.remove(id));
        if self.group.len() > 0 && !self.elect_leader() {
            // Nobody has joined. Members go as their sessions end, or somebody comes.
            return self.timers.schedule(Due::Join, self.group.rebalance_timeout_ms().max(JOIN_AGAIN_MS));
        }
        self.group.begin_generation(self.now_ms);
        if self.group.is_in(GroupState::Empty) {
            return self.write(None, |_| Bytes::new());
        }
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            let waiter = self.group.await_join(&id, None);
            if waiter.is_some() {
                let joined = self.group.joined(&id, false);
                self.answer_join(waiter, Ok(joined));
            }
            if let Some(member) = self.group.member_mut(&id) {
                member.is_new = false;
            }
            self.expect_life_sign(&id);
            self.group.pending_sync.insert(id);
        }
        self.timers.schedule(Due::Sync, self.group.rebalance_timeout_ms());
    }

    /// Lets one lead that has joined: the leader if it has. Returns whether there is one.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |id: &str| self.group.member(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.group.leader.as_deref().is_some_and(has_joined) {
            return true;
        }
        let elected = self.group.members().find(|member| member.awaiting_join.is_some());
        let elected = elected.map(|member| member.id.clone());
        let is_elected = elected.is_some();
        self.group.leader = elected.or(self.group.leader.take());
        is_elected
    }

    /// Members that have joined but did not ask for their assignments in time are gone, the leader perhaps.
    pub(in crate::coordinator::group) fn expire_sync_phase(&mut self) {
        let is_phase = matches!(self.group.state, GroupState::CompletingRebalance | GroupState::Stable);
        if is_phase && !self.group.pending_sync.is_empty() {
            let missing = std::mem::take(&mut self.group.pending_sync);
            missing.iter().for_each(|id| self.remove(id));
            self.prepare_rebalance();
        }
    }

    /// A member, or an id that nobody has joined with, has shown no sign of life.
    pub(in crate::coordinator::group) fn expire_session(&mut self, member_id: &str) {
        if self.group.member(member_id).is_some_and(Member::is_held_up) {
            return;
        }
        let was_member = self.group.has_member(member_id);
        self.remove(member_id);
        match self.group.state {
            GroupState::PreparingRebalance if self.group.have_all_joined() => self.complete_join(),
            GroupState::CompletingRebalance | GroupState::Stable if was_member => self.prepare_rebalance(),
            _ => {}
        }
    }

    /// From now on the member has its session timeout to show that it is alive.
    pub(in crate::coordinator::group) fn expect_life_sign(&mut self, member_id: &str) {
        if let Some(member) = self.group.member(member_id) {
            let (id, timeout_ms) = (member.id.clone(), member.terms.session_timeout_ms);
            self.timers.schedule(Due::Session(id), timeout_ms);
        }
    }
}
