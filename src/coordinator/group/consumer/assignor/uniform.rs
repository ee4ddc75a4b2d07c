//! As many partitions for each member as for the others, and as few moves as that takes. What Kafka's `UniformAssignor`
//! promises, for members that read the same topics and for those that don't, by one algorithm: what was assigned stays;
//! what was not goes to whoever has the least; and as long as a partition could go to a member that has at least two
//! fewer, it goes there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subscriber, subscribers};
use crate::coordinator::group::consumer::record::Partitions;
use crate::uuid::Uuid;

pub(super) fn assign(members: &[Subscriber<'_>], topics: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
    let mut assigned = vec![Partitions::new(); members.len()];
    let mut counts = vec![0_usize; members.len()];
    let subscribers = subscribers(members);
    let mut free = Vec::new();
    for (topic, subscribers) in &subscribers {
        let mut unassigned: BTreeSet<i32> = (0..topics.get(topic).copied().unwrap_or(0)).collect();
        for index in subscribers {
            let before = members[*index].target.and_then(|target| target.get(topic));
            for partition in before.into_iter().flatten() {
                if unassigned.remove(partition) {
                    give(&mut assigned, &mut counts, *index, *topic, *partition);
                }
            }
        }
        free.extend(unassigned.into_iter().map(|partition| (*topic, partition, subscribers)));
    }
    for (topic, partition, subscribers) in free {
        if let Some(index) = subscribers.iter().copied().min_by_key(|index| counts[*index]) {
            give(&mut assigned, &mut counts, index, topic, partition);
        }
    }
    // Each move brings two counts closer together, so that there is an end of it.
    while subscribers
        .iter()
        .fold(false, |moved, (topic, subscribers)| balance(&mut assigned, &mut counts, *topic, subscribers) || moved)
    {
    }
    assigned
}

/// Moves partitions of one topic between its subscribers. Returns whether it did.
fn balance(assigned: &mut [Partitions], counts: &mut [usize], topic: Uuid, subscribers: &[usize]) -> bool {
    let mut moved = false;
    loop {
        let has_some = |index: &&usize| assigned[**index].contains_key(&topic);
        let richest = subscribers.iter().filter(has_some).max_by_key(|index| counts[**index]);
        let poorest = subscribers.iter().min_by_key(|index| counts[**index]);
        let (Some(&richest), Some(&poorest)) = (richest, poorest) else { return moved };
        if counts[richest] < counts[poorest] + 2 {
            return moved;
        }
        let Some(partition) = take(assigned, counts, richest, topic) else { return moved };
        give(assigned, counts, poorest, topic, partition);
        moved = true;
    }
}

fn give(assigned: &mut [Partitions], counts: &mut [usize], index: usize, topic: Uuid, partition: i32) {
    assigned[index].entry(topic).or_default().insert(partition);
    counts[index] += 1;
}

fn take(assigned: &mut [Partitions], counts: &mut [usize], index: usize, topic: Uuid) -> Option<i32> {
    let partitions = assigned[index].get_mut(&topic)?;
    let partition = partitions.pop_last()?;
    if partitions.is_empty() {
        assigned[index].remove(&topic);
    }
    counts[index] -= 1;
    Some(partition)
}
