//! One step of a member on the way from what it has to what it is to have (Kafka's `CurrentAssignmentBuilder`).
//!
//! A partition is taken away from a member in two steps, it is told to let go, and says that it has; and it is given to
//! a member only when nobody else has it. So two members never have the same one. A member loses what it is not
//! subscribed to any more at once, whether there is a target for that yet or not.
//!
//! ```text
//!                  something is to be revoked
//!     Stable ────────────────────────────────▶ UnrevokedPartitions
//!       │  ▲                                      │ it has let go
//!       │  └──── it has all of its target ────────┤
//!       │                                         ▼
//!       └─ others still have some of it ──▶ UnreleasedPartitions
//! ```

use std::collections::BTreeSet;

use super::record::{CurrentAssignment, MemberState, Partitions};
use crate::uuid::Uuid;

/// What a member is to reach, and what it may have of it.
pub(super) struct Goal<'a, F, S> {
    pub(super) epoch: i32,
    pub(super) target: &'a Partitions,
    /// What the member says it has, if it says so.
    pub(super) owned: Option<&'a Partitions>,
    /// Whether anybody has a partition, the member itself included.
    pub(super) is_owned: F,
    /// Whether the member is subscribed to a topic, which there is.
    pub(super) is_subscribed_to: S,
    /// Whether its subscription is another than before.
    pub(super) wants_else: bool,
}

/// The member's next step; as it is if it can't take one.
pub(super) fn reconcile<F, S>(current: &CurrentAssignment, goal: &Goal<'_, F, S>) -> CurrentAssignment
where
    F: Fn(Uuid, i32) -> bool,
    S: Fn(Uuid) -> bool,
{
    let must_wait = match current.state {
        MemberState::Stable => current.epoch == goal.epoch,
        MemberState::UnrevokedPartitions => owns_any(goal.owned, &current.revoking),
        MemberState::UnreleasedPartitions | MemberState::Unknown => false,
    };
    match current.state {
        _ if must_wait && goal.wants_else => without_unsubscribed(current, goal),
        _ if must_wait => current.clone(),
        MemberState::Stable | MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
            next(current, current.epoch, goal)
        }
        MemberState::Unknown => next(current, goal.epoch, goal),
    }
}

/// A member that does not say what it has may still have it.
fn owns_any(owned: Option<&Partitions>, wanted: &Partitions) -> bool {
    owned.is_none_or(|owned| !intersection(owned, wanted).is_empty())
}

/// The member in its epoch, but for what it is not subscribed to any more.
fn without_unsubscribed<F, S: Fn(Uuid) -> bool>(
    current: &CurrentAssignment,
    goal: &Goal<'_, F, S>,
) -> CurrentAssignment {
    let kept = select(&current.assigned, |topic, _| (goal.is_subscribed_to)(topic));
    let lost = difference(&current.assigned, &kept);
    if lost.is_empty() {
        return current.clone();
    }
    let mut next = CurrentAssignment { previous_epoch: current.epoch, assigned: kept, ..current.clone() };
    let revoking = union(current.revoking.clone(), lost);
    if owns_any(goal.owned, &revoking) {
        (next.state, next.revoking) = (MemberState::UnrevokedPartitions, revoking);
    }
    let CurrentAssignment { assigned, revoking, assigned_in, .. } = &mut next;
    assigned_in.retain(|(topic, partition), _| has(assigned, *topic, *partition) || has(revoking, *topic, *partition));
    next
}

fn next<F, S>(current: &CurrentAssignment, epoch: i32, goal: &Goal<'_, F, S>) -> CurrentAssignment
where
    F: Fn(Uuid, i32) -> bool,
    S: Fn(Uuid) -> bool,
{
    // It may be of an earlier subscription.
    let target = select(goal.target, |topic, _| (goal.is_subscribed_to)(topic));
    let kept = intersection(&current.assigned, &target);
    let revoking = difference(&current.assigned, &kept);
    let wanted = difference(&target, &kept);
    // What it had to let go of until now is its own in the eyes of the others, and may be given back to it.
    let is_free = |topic, partition| has(&current.revoking, topic, partition) || !(goal.is_owned)(topic, partition);
    let (free, unreleased) = split(wanted, is_free);
    let mut assigned_in = current.assigned_in.clone();
    if !revoking.is_empty() && owns_any(goal.owned, &revoking) {
        let state = MemberState::UnrevokedPartitions;
        assigned_in
            .retain(|(topic, partition), _| has(&kept, *topic, *partition) || has(&revoking, *topic, *partition));
        return CurrentAssignment {
            epoch,
            previous_epoch: current.epoch,
            state,
            assigned: kept,
            revoking,
            assigned_in,
        };
    }
    assigned_in.retain(|(topic, partition), _| has(&kept, *topic, *partition));
    assigned_in.extend(pairs(&free).map(|partition| (partition, goal.epoch)));
    let state = if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
    CurrentAssignment {
        epoch: goal.epoch,
        previous_epoch: current.epoch,
        state,
        assigned: union(kept, free),
        revoking: Partitions::new(),
        assigned_in,
    }
}

/// Each partition, with the id of its topic.
pub(super) fn pairs(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}

pub(super) fn is_subset(partitions: &Partitions, of: &Partitions) -> bool {
    partitions
        .iter()
        .all(|(topic, partitions)| partitions.is_empty() || of.get(topic).is_some_and(|of| partitions.is_subset(of)))
}

fn has(partitions: &Partitions, topic: Uuid, partition: i32) -> bool {
    partitions.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
}

fn intersection(one: &Partitions, other: &Partitions) -> Partitions {
    select(one, |topic, partition| has(other, topic, partition))
}

fn difference(one: &Partitions, other: &Partitions) -> Partitions {
    select(one, |topic, partition| !has(other, topic, partition))
}

fn union(mut one: Partitions, other: Partitions) -> Partitions {
    for (topic, partitions) in other {
        one.entry(topic).or_default().extend(partitions);
    }
    one
}

fn select(partitions: &Partitions, is_selected: impl Fn(Uuid, i32) -> bool) -> Partitions {
    let select = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
        let selected = partitions.iter().copied().filter(|partition| is_selected(*topic, *partition));
        let selected: BTreeSet<_> = selected.collect();
        (!selected.is_empty()).then_some((*topic, selected))
    };
    partitions.iter().filter_map(select).collect()
}

/// Those that are free, and whether there are others.
fn split(partitions: Partitions, is_free: impl Fn(Uuid, i32) -> bool) -> (Partitions, bool) {
    let free = select(&partitions, is_free);
    let is_all = free == partitions;
    (free, !is_all)
}
