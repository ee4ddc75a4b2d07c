//! The assignment: handed in by the leader, written down, handed out to each member.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::message::{Response, SyncRequest, Synced};
use super::super::timers::Due;
use super::super::{Action, GroupCoordinator, GroupTurn, Turn, Written};
use super::GroupState;
use crate::error::GroupError;

impl<T> GroupCoordinator<T> {
    /// A member asks for its part. Answered by a [`Response::Sync`] once the leader has assigned and that is written
    /// down.
    pub fn sync(&mut self, request: SyncRequest, waiter: T, now_ms: i64) {
        let error = if request.group.is_empty() {
            GroupError::InvalidGroupId
        } else if !self.is_known(&request.group) {
            GroupError::UnknownMemberId
        } else {
            let group = request.group.clone();
            self.in_turn(&group, now_ms, |turn| match turn {
                GroupTurn::Classic(mut turn) => turn.sync(request, waiter),
                GroupTurn::Consumer(mut turn) => turn.sync(&request, waiter),
            });
            return;
        };
        self.outbox.actions.push_back(Action::Respond { to: waiter, response: Response::Sync(Err(error)) });
    }
}

impl<T> Turn<'_, T> {
    fn sync(&mut self, request: SyncRequest, waiter: T) {
        if let Err(error) = self.check_sync(&request) {
            return self.answer_sync(Some(waiter), Err(error));
        }
        let id = &*request.member_id;
        self.group.pending_sync.remove(id);
        if self.group.pending_sync.is_empty() {
            self.timers.cancel(Due::Sync);
        }
        if self.group.is_in(GroupState::Stable) {
            let synced = self.synced(id);
            return self.answer_sync(Some(waiter), Ok(synced));
        }
        // One that it waits with already was given up by its client.
        let before = self.group.member_mut(id).and_then(|member| member.awaiting_sync.replace(waiter));
        self.answer_sync(before, Err(GroupError::RebalanceInProgress));
        let generation = self.group.generation;
        // What is being written is decided: a leader that asks again gets that, whatever it thinks now.
        if self.group.leads(&request.member_id) && self.group.assigning != Some(generation) {
            self.group.assigning = Some(generation);
            let assignments: HashMap<_, _> = request.assignments.into_iter().collect();
            let written = Written::Assignment { generation, assignments: assignments.clone() };
            self.write(Some(written), |member| assignments.get(&*member.id).cloned().unwrap_or_default());
        }
    }

    fn check_sync(&self, request: &SyncRequest) -> Result<(), GroupError> {
        let differs = |said: &Option<String>, is: &Option<String>| said.is_some() && is.is_some() && said != is;
        self.group.check_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation != self.group.generation {
            Err(GroupError::IllegalGeneration)
        } else if differs(&request.protocol_type, &self.group.protocol_type)
            || differs(&request.protocol_name, &self.group.protocol_name)
        {
            Err(GroupError::InconsistentGroupProtocol)
        } else if self.group.is_in(GroupState::PreparingRebalance) {
            Err(GroupError::RebalanceInProgress)
        } else {
            Ok(())
        }
    }

    /// The assignment of a generation is written down, or could not be.
    pub(in crate::coordinator::group) fn assigned(
        &mut self,
        generation: i32,
        assignments: HashMap<String, Bytes>,
        result: Result<(), GroupError>,
    ) {
        if self.group.assigning == Some(generation) {
            self.group.assigning = None;
        }
        // Meanwhile somebody may have joined or left, and the next generation be under way.
        if !self.group.is_in(GroupState::CompletingRebalance) || self.group.generation != generation {
            return;
        }
        match result {
            Ok(()) => {
                for member in self.group.members_mut() {
                    member.assignment = assignments.get(&*member.id).cloned().unwrap_or_default();
                }
                self.group.move_to(GroupState::Stable, self.now_ms);
                self.answer_syncs(Ok(()));
            }
            Err(error) => {
                self.answer_syncs(Err(error));
                self.prepare_rebalance();
            }
        }
    }

    /// Answers every member that waits for its assignment: with that, or all with the same error, and then nobody has
    /// one.
    pub(super) fn answer_syncs(&mut self, result: Result<(), GroupError>) {
        let mut waiting = Vec::new();
        for member in self.group.members_mut() {
            if result.is_err() {
                member.assignment = Bytes::new();
            }
            let waiter = member.awaiting_sync.take();
            waiting.extend(waiter.map(|waiter| (member.id.clone(), waiter)));
        }
        for (id, waiter) in waiting {
            let synced = self.synced(&id);
            self.answer_sync(Some(waiter), result.map(|()| synced));
            // While it waited its silence meant nothing, and no timer may be left.
            self.expect_life_sign(&id);
        }
    }

    fn synced(&self, member_id: &str) -> Synced {
        Synced {
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol_name.clone(),
            assignment: self.group.member(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }
}
