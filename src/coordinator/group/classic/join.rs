//! Joining a group: as a new member, as one that was told its id, as a static one that has come back, or once more.

use std::sync::Arc;

use super::super::limits::JOIN_BYTES_MAX;
use super::super::message::{JoinRequest, NotJoined, Response};
use super::super::timers::Due;
use super::super::{Action, GroupCoordinator, GroupTurn, ReturnedMember, Turn, Written};
use super::member::{Member, Terms};
use super::{ClassicGroup, GroupState};
use crate::error::GroupError;
use crate::store::record_fields::STRING_BYTES_MAX;
use crate::uuid::Uuid;

/// How long a new member's join may wait, in milliseconds: its client can't show that it is alive, and may be gone.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;
/// How much of what a client calls itself is in its member id. Kafka keeps all of it, up to 32 KiB of each.
const PREFIX_BYTES_MAX: usize = 255;

impl<T> GroupCoordinator<T> {
    /// A client joins. Answered by a [`Response::Join`], which may take as long as the group's rebalance timeout.
    pub fn join(&mut self, request: JoinRequest, waiter: T, now_ms: i64) {
        let timeouts = self.limits.min_session_timeout_ms..=self.limits.max_session_timeout_ms;
        let checked = if request.group.is_empty() || request.group.len() > STRING_BYTES_MAX {
            Err(GroupError::InvalidGroupId)
        } else if !timeouts.contains(&request.session_timeout_ms) {
            Err(GroupError::InvalidSessionTimeout)
        } else if request.kept_bytes() > JOIN_BYTES_MAX || request.names().any(|name| name.len() > STRING_BYTES_MAX) {
            // What Kafka makes of a group's record that is too large, if only when it is to be written.
            Err(GroupError::UnknownServerError)
        } else {
            self.let_classic_join(&request, now_ms)
        };
        if let Err(error) = checked {
            let response = Response::Join(Err(NotJoined { error, member_id: request.member_id }));
            return self.outbox.actions.push_back(Action::Respond { to: waiter, response });
        }
        let group = request.group.clone();
        self.in_turn(&group, now_ms, |turn| match turn {
            GroupTurn::Classic(mut turn) => turn.join(&request, waiter),
            GroupTurn::Consumer(mut turn) => turn.join(request, waiter),
        });
    }
}

impl JoinRequest {
    /// What a group's record keeps of it, each with a length before it.
    fn names(&self) -> impl Iterator<Item = &String> {
        let names = [&self.member_id, &self.client_id, &self.client_host, &self.protocol_type];
        let protocols = self.protocols.iter().map(|protocol| &protocol.name);
        names.into_iter().chain(&self.group_instance_id).chain(protocols)
    }

    /// What a group keeps of it.
    pub(in crate::coordinator::group) fn kept_bytes(&self) -> usize {
        let Self { group_instance_id, client_id, client_host, protocol_type, protocols, .. } = self;
        let instance = group_instance_id.as_ref().map_or(0, String::len);
        let protocols: usize = protocols.iter().map(|protocol| protocol.name.len() + protocol.metadata.len()).sum();
        instance + client_id.len() + client_host.len() + protocol_type.len() + protocols
    }
}

impl<T> Turn<'_, T> {
    fn join(&mut self, request: &JoinRequest, waiter: T) {
        if !self.has_room_for(&request.member_id) {
            self.remove(&request.member_id);
            return self.refuse_join(waiter, GroupError::GroupMaxSizeReached, "");
        }
        if !self.group.supports(&request.protocol_type, &Terms::of(request)) {
            return self.refuse_join(waiter, GroupError::InconsistentGroupProtocol, &request.member_id);
        }
        let name = request.group_instance_id.as_deref();
        if !request.member_id.is_empty() {
            return self.join_with_id(request, waiter);
        }
        let new_id = name_member(name.unwrap_or(&request.client_id), request.fresh_id);
        if let Some(old_id) = name.and_then(|name| self.group.static_member_id(name)).cloned() {
            self.replace_static(request, &old_id, new_id, waiter);
        } else if name.is_none() && request.comes_back_with_id {
            let ClassicGroup { name, pending_join, .. } = &mut self.group;
            if !pending_join.insert(new_id.clone(), name, self.limits.max_size, self.pending_space) {
                // Other than GROUP_MAX_SIZE_REACHED it lets clients try again.
                return self.refuse_join(waiter, GroupError::CoordinatorNotAvailable, "");
            }
            self.timers.schedule(Due::Session(new_id.clone()), request.session_timeout_ms);
            self.refuse_join(waiter, GroupError::MemberIdRequired, &new_id);
        } else {
            self.add(request, new_id, waiter);
        }
    }

    /// Whether the group may have this member. While it prepares, those count that have joined, so that a group that is
    /// too large drops the last ones.
    fn has_room_for(&self, member_id: &str) -> bool {
        match self.group.state {
            GroupState::PreparingRebalance => {
                let waits = self.group.member(member_id).is_some_and(|member| member.awaiting_join.is_some());
                waits || self.group.awaiting_join() < self.limits.max_size
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.group.has_member(member_id) || self.group.len() < self.limits.max_size
            }
            _ => true,
        }
    }

    fn join_with_id(&mut self, request: &JoinRequest, waiter: T) {
        let (member_id, name) = (&*request.member_id, request.group_instance_id.as_deref());
        if name.is_none() && self.group.pending_join.contains(member_id) {
            return self.add(request, member_id.into(), waiter);
        }
        if let Err(error) = self.group.check_member(member_id, name) {
            return self.refuse_join(waiter, error, member_id);
        }
        let terms = Terms::of(request);
        let changes = self.group.member(member_id).is_some_and(|member| member.terms.protocols != terms.protocols);
        let begins_generation = match self.group.state {
            GroupState::PreparingRebalance => true,
            // One that missed the answer, and has nothing new to say, gets it again.
            GroupState::CompletingRebalance => changes,
            // A leader that joins wants a rebalance, for reasons that only it sees, such as new partitions.
            GroupState::Stable => changes || self.group.leads(member_id),
            _ => {
                return self.refuse_join(waiter, GroupError::UnknownMemberId, member_id);
            }
        };
        if begins_generation {
            self.group.change_terms(member_id, terms);
            self.await_join(member_id, waiter);
            self.rebalance_or_complete();
        } else {
            let mut joined = self.group.joined(member_id, false);
            if self.group.is_in(GroupState::Stable) {
                joined.members.clear();
            }
            self.respond(waiter, Response::Join(Ok(joined)));
        }
    }

    /// Lets a member wait for the join phase to end. If it does already, that request was given up by its client.
    fn await_join(&mut self, member_id: &str, waiter: T) {
        let before = self.group.await_join(member_id, Some(waiter));
        let error = GroupError::RebalanceInProgress;
        self.answer_join(before, Err(NotJoined { error, member_id: member_id.to_owned() }));
    }

    fn add(&mut self, request: &JoinRequest, member_id: Arc<str>, waiter: T) {
        if self.group.len() == 0 {
            self.group.protocol_type = Some(request.protocol_type.clone());
        }
        if let Some(delay) = &mut self.group.initial_delay {
            delay.new_member_added = true;
        }
        self.group.add(Member::new(member_id.clone(), request), Some(waiter));
        self.timers.schedule(Due::Session(member_id), NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.rebalance_or_complete();
    }

    /// A static member has come back without its id: it takes the place of the one that it was (KIP-345).
    fn replace_static(&mut self, request: &JoinRequest, old_id: &str, new_id: Arc<str>, waiter: T) {
        let old_leader = self.group.leader.as_deref().unwrap_or_default().to_owned();
        self.take_over(old_id, &new_id);
        let old_terms = self.group.change_terms(&new_id, Terms::of(request));
        self.await_join(&new_id, waiter);
        match (self.group.state, old_terms) {
            (GroupState::Stable, Some(old_terms)) if self.group.select_protocol() == self.group.protocol_name => {
                let returned = ReturnedMember {
                    generation: self.group.generation,
                    old_id: old_id.into(),
                    new_id,
                    old_terms,
                    can_skip_assignment: request.can_skip_assignment,
                    old_leader,
                };
                self.write(Some(Written::StaticMember(returned)), |member| member.assignment.clone());
            }
            // The leader may be assigning to the old id just now.
            (GroupState::Stable | GroupState::CompletingRebalance, _) => self.prepare_rebalance(),
            _ => self.maybe_complete_join(),
        }
    }

    /// Gives a static member another id, and fences whoever still goes by the old one.
    fn take_over(&mut self, old_id: &str, new_id: &Arc<str>) {
        let (join, sync) = self.group.rename(old_id, new_id);
        let error = GroupError::FencedInstanceId;
        self.answer_join(join, Err(NotJoined { error, member_id: old_id.to_owned() }));
        self.answer_sync(sync, Err(error));
        self.timers.cancel(Due::Session(old_id.into()));
        self.expect_life_sign(new_id);
    }

    /// A static member that came back is written down, or could not be.
    pub(in crate::coordinator::group) fn returned(
        &mut self,
        returned: &ReturnedMember,
        result: Result<(), GroupError>,
    ) {
        let new_id = &returned.new_id;
        let is_current = self.group.is_in(GroupState::Stable) && self.group.generation == returned.generation;
        // If a rebalance has begun meanwhile, the member has joined it.
        if !is_current || !self.group.has_member(new_id) {
            return;
        }
        let waiter = self.group.await_join(new_id, None);
        match result {
            Ok(()) => {
                let mut joined = self.group.joined(new_id, false);
                if returned.can_skip_assignment {
                    joined.skip_assignment = self.group.leads(new_id);
                } else {
                    joined.members.clear();
                    joined.leader.clone_from(&returned.old_leader);
                }
                self.answer_join(waiter, Ok(joined));
                self.expect_life_sign(new_id);
            }
            Err(error) => {
                self.group.change_terms(new_id, returned.old_terms.clone());
                self.take_over(new_id, &returned.old_id);
                self.answer_join(waiter, Err(NotJoined { error, member_id: String::new() }));
            }
        }
    }

    fn refuse_join(&mut self, waiter: T, error: GroupError, member_id: &str) {
        self.respond(waiter, Response::Join(Err(NotJoined { error, member_id: member_id.to_owned() })));
    }
}

/// A member id as Kafka makes them: what the client or the static member calls itself, and a random uuid.
fn name_member(prefix: &str, id: Uuid) -> Arc<str> {
    let prefix = &prefix[..prefix.floor_char_boundary(PREFIX_BYTES_MAX)];
    let hex = id.to_hex();
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    format!("{prefix}-{a}-{b}-{c}-{d}-{e}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_as_in_kafka() {
        let id = Uuid::from_bytes([0xab; 16]);
        assert_eq!(&*name_member("app", id), "app-abababab-abab-abab-abab-abababababab");
        assert_eq!(name_member(&"ä".repeat(20_000), id).len(), 254 + 37, "but not as long");
    }
}
