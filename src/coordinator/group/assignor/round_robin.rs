//! `roundrobin`: all partitions of all topics in a row, one each in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Members, PartitionAssignor, in_order, subscribes};
use crate::types::TopicPartition;

/// Kafka's `RoundRobinAssignor`: goes through all partitions by topic and number, and round the members that subscribe
/// to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundRobinAssignor;

impl PartitionAssignor for RoundRobinAssignor {
    fn name(&self) -> &str {
        "roundrobin"
    }

    fn assign(&self, partitions: &BTreeMap<String, i32>, members: &Members) -> BTreeMap<String, Vec<TopicPartition>> {
        let ordered = in_order(members);
        let mut assigned: BTreeMap<_, Vec<_>> = members.keys().map(|member| (member.clone(), Vec::new())).collect();
        let mut turn = ordered.iter().cycle();
        for (topic, count) in partitions {
            if !ordered.iter().any(|(_, member)| subscribes(member, topic)) {
                continue;
            }
            let topic: Arc<str> = topic.as_str().into();
            for partition in 0..*count {
                if let Some((member, _)) = turn.find(|(_, member)| subscribes(member, &topic)) {
                    let partition = TopicPartition::new(topic.clone(), partition);
                    assigned.entry((*member).to_owned()).or_default().push(partition);
                }
            }
        }
        assigned
    }
}
