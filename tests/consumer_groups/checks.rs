//! What must hold of the world: after each step, and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use esker::Uuid;
use esker::coordinator::{GroupState, Partitions};

use crate::classic::Phase;
use crate::client::Client;
use crate::world::{GROUPS, Known, World};

/// A group of either protocol, as its coordinator tells.
#[derive(Debug)]
pub struct View {
    pub is_consumer_group: bool,
    pub state: GroupState,
    pub epoch: i32,
    assignment_epoch: i32,
    pub members: BTreeMap<String, MemberView>,
}

#[derive(Debug)]
pub struct MemberView {
    pub epoch: i32,
    is_classic: bool,
    assigned: Partitions,
    revoking: Partitions,
    /// None where members assign.
    target: Option<Partitions>,
}

impl World {
    pub fn view(&self, group: &str) -> View {
        if let Some(group) = self.coordinator.describe_consumer_group(group) {
            let members = group.members.into_iter().map(|member| {
                let (assigned, revoking, target) = (member.assigned, member.revoking, Some(member.target));
                let (epoch, is_classic) = (member.epoch, member.is_classic);
                (member.member_id, MemberView { epoch, is_classic, assigned, revoking, target })
            });
            let (epoch, assignment_epoch, members) = (group.epoch, group.assignment_epoch, members.collect());
            return View { is_consumer_group: true, state: group.state, epoch, assignment_epoch, members };
        }
        let described = self.coordinator.describe(group);
        let epoch = described.as_ref().map_or(0, |group| group.generation);
        let members = described.iter().flat_map(|group| &group.members).map(|member| {
            let (assigned, revoking) = (Partitions::new(), Partitions::new());
            (member.member_id.clone(), MemberView { epoch, is_classic: true, assigned, revoking, target: None })
        });
        let (state, members) = (described.as_ref().map_or(GroupState::Empty, |group| group.state), members.collect());
        View { is_consumer_group: false, state, epoch, assignment_epoch: 0, members }
    }

    pub fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| {
            let clients: Vec<_> =
                self.clients.iter().filter(|client| client.group == *group && client.is_alive).collect();
            let view = self.view(group);
            if clients.is_empty() {
                return view.state == GroupState::Empty;
            }
            let mut read = BTreeSet::new();
            let has_its_part = |client: &&Client| {
                let is_in = client.seat.as_ref().is_none_or(|seat| seat.phase == Phase::In && !seat.must_rejoin);
                let is_alone = pairs(&client.owned).all(|partition| read.insert(partition));
                let agrees = view.members.get(&client.member_id).is_some_and(|member| {
                    let has_all = |target: &Partitions| client.owned == member.assigned && member.assigned == *target;
                    client.epoch == member.epoch && member.target.as_ref().is_none_or(has_all)
                });
                is_in && is_alone && agrees
            };
            let agrees = clients.iter().all(has_its_part);
            let wanted = self.topics.iter().filter(|(name, _)| clients.iter().any(|client| client.reads(name)));
            let wanted = wanted.flat_map(|(_, (id, count))| (0..*count).map(|partition| (*id, partition)));
            let is_consumer_group = clients.iter().any(|client| client.seat.is_none());
            let has_its_members = view.members.len() == clients.len() && view.is_consumer_group == is_consumer_group;
            agrees && has_its_members && view.state == GroupState::Stable && read == wanted.collect()
        })
    }

    pub fn check(&mut self) -> Result<(), String> {
        if mem::replace(&mut self.is_checked, true) {
            return Ok(());
        }
        let mut members = 0;
        for group in GROUPS {
            let view = self.view(group);
            members += view.members.len();
            let known = self.known.entry(group).or_default();
            let is_other = known.is_consumer_group != view.is_consumer_group;
            // Without members it begins anew when somebody comes, perhaps before anybody could look.
            if (known.is_empty && is_other) || (view.epoch <= 1 && (is_other || view.members.is_empty())) {
                *known = Known::default();
            }
            let goes_back = view.is_consumer_group && view.assignment_epoch < known.assignment_epoch;
            if view.epoch < known.epoch || goes_back || view.assignment_epoch > view.epoch {
                return Err(format!("{group} was in epoch {}, and is {view:?}", known.epoch));
            }
            (known.epoch, known.assignment_epoch) = (view.epoch, view.assignment_epoch);
            (known.is_consumer_group, known.is_empty) = (view.is_consumer_group, view.members.is_empty());
            known.owners.retain(|_, (id, _)| view.is_consumer_group && view.members.contains_key(id));
            for (id, member) in &view.members {
                for partition in pairs(&member.assigned).chain(pairs(&member.revoking)) {
                    let owner = known.owners.entry(partition).or_insert_with(|| (id.clone(), member.epoch));
                    if owner.0 != *id {
                        *owner = (id.clone(), member.epoch);
                    }
                }
            }
            self.check_owners(group, &view)?;
        }
        // Two for each member, two for each group, and one for each that was heard of while it was taken out.
        let (timers, _) = self.coordinator.bookkeeping();
        let most = 2 * members + 2 * GROUPS.len() + self.next_token as usize;
        if timers > most { Err(format!("{timers} timers")) } else { Ok(()) }
    }

    /// Nobody reads what somebody else may.
    fn check_owners(&self, group: &str, view: &View) -> Result<(), String> {
        let (mut owners, mut readers) = (BTreeMap::new(), BTreeMap::new());
        for (id, member) in &view.members {
            for partition in pairs(&member.assigned).chain(pairs(&member.revoking)) {
                if let Some(other) = owners.insert(partition, id).filter(|other| *other != id) {
                    return Err(format!("{partition:?} is {other}'s and {id}'s: {view:#?}"));
                }
            }
            if member.epoch > view.epoch {
                return Err(format!("{member:?} of {group}, which is in epoch {}", view.epoch));
            }
            let is_it = |client: &&Client| client.member_id == *id && client.is_alive && client.epoch > 0;
            let Some(client) = self.clients.iter().find(is_it) else { continue };
            // What was joined by the classic protocol, and is over, its client has yet to be told of.
            if client.epoch != member.epoch && (member.is_classic || client.seat.is_some()) {
                continue;
            }
            // Of a topic that is gone there is nothing to read.
            let exists = |(topic, _): &(Uuid, i32)| self.topics.values().any(|(known, _)| known == topic);
            for partition in pairs(&client.owned).filter(exists) {
                if view.is_consumer_group && owners.get(&partition) != Some(&id) {
                    return Err(format!("{client:#?} reads what is not its own: {view:#?}"));
                }
                if let Some(other) = readers.insert(partition, id) {
                    return Err(format!("{partition:?} is read by {other} and {id}: {view:#?} {:#?}", self.clients));
                }
            }
        }
        Ok(())
    }
}

pub fn pairs(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}
