//! Which partitions have moved in the course of balancing, so that no two of a topic change places.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::types::TopicPartition;

/// From which member to which, by their numbers.
type Pair = (usize, usize);

#[derive(Debug, Default)]
pub(super) struct Movements {
    by_partition: HashMap<TopicPartition, Pair>,
    by_topic: HashMap<String, BTreeMap<Pair, BTreeSet<TopicPartition>>>,
}

impl Movements {
    /// A partition moves. If it has moved before it has moved from where it was first.
    pub(super) fn note(&mut self, partition: &TopicPartition, from: usize, to: usize) {
        let pairs = self.by_topic.entry(partition.topic.to_string()).or_default();
        let mut origin = from;
        if let Some(before) = self.by_partition.remove(partition) {
            if let Some(moved) = pairs.get_mut(&before) {
                moved.remove(partition);
            }
            pairs.retain(|_, moved| !moved.is_empty());
            origin = before.0;
            if origin == to {
                return;
            }
        }
        self.by_partition.insert(partition.clone(), (origin, to));
        pairs.entry((origin, to)).or_default().insert(partition.clone());
    }

    /// The partition that had better move in the place of this one: one of the same topic that came the other way.
    pub(super) fn in_place_of(&self, partition: &TopicPartition, from: usize, to: usize) -> TopicPartition {
        let origin = self.by_partition.get(partition).map_or(from, |(origin, _)| *origin);
        let pairs = self.by_topic.get(&*partition.topic);
        let came_back = pairs.and_then(|pairs| pairs.get(&(to, origin))?.first());
        came_back.unwrap_or(partition).clone()
    }
}
