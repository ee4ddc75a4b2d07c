//! Ranges of each topic's partitions, as Kafka's `RangeAssignor`: where all members read the same topics, and these
//! have as many partitions, each member gets the same numbers of all of them, so that it can join what belongs
//! together.

use std::collections::BTreeMap;

use super::{Subscriber, subscribers};
use crate::coordinator::group::consumer::record::Partitions;
use crate::uuid::Uuid;

pub(super) fn assign(members: &[Subscriber<'_>], topics: &BTreeMap<Uuid, i32>) -> Vec<Partitions> {
    let mut assigned = vec![Partitions::new(); members.len()];
    for (topic, mut subscribers) in subscribers(members) {
        // Static members come first, by their names, which survive them.
        subscribers.sort_by_key(|index| {
            let member = &members[*index];
            (member.instance_id.is_none(), member.instance_id.unwrap_or(member.id))
        });
        let count = topics.get(&topic).copied().unwrap_or(0);
        let len = i32::try_from(subscribers.len()).unwrap_or(i32::MAX);
        let (each, extra) = (count / len, count % len);
        let mut start = 0;
        for (rank, index) in (0..).zip(subscribers) {
            let end = start + each + i32::from(rank < extra);
            if start < end {
                assigned[index].insert(topic, (start..end).collect());
            }
            start = end;
        }
    }
    assigned
}
