//! `range`: each topic by itself, in runs. Partitions of the same number of topics with as many partitions go to the
//! same member.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Members, PartitionAssignor, in_order, subscribes};
use crate::types::TopicPartition;

/// Kafka's `RangeAssignor`: divides the partitions of each topic among those who subscribe to it, in runs; the first
/// ones get one more if it doesn't come out even.
#[derive(Clone, Copy, Debug, Default)]
pub struct RangeAssignor;

impl PartitionAssignor for RangeAssignor {
    fn name(&self) -> &str {
        "range"
    }

    fn assign(&self, partitions: &BTreeMap<String, i32>, members: &Members) -> BTreeMap<String, Vec<TopicPartition>> {
        let ordered = in_order(members);
        let mut assigned: BTreeMap<_, Vec<_>> = members.keys().map(|member| (member.clone(), Vec::new())).collect();
        for (topic, count) in partitions {
            let subscribed: Vec<_> = ordered.iter().filter(|(_, member)| subscribes(member, topic)).collect();
            let among = i32::try_from(subscribed.len()).unwrap_or(i32::MAX);
            let (topic, mut next): (Arc<str>, _) = (topic.as_str().into(), 0);
            for (index, (member, _)) in (0..).zip(subscribed) {
                let end = next + count / among + i32::from(index < count % among);
                let run = (next..end).map(|partition| TopicPartition::new(topic.clone(), partition));
                assigned.entry((*member).to_owned()).or_default().extend(run);
                next = end;
            }
        }
        assigned
    }
}
