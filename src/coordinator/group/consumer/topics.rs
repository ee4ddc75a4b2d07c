//! The topics that there are, as a coordinator is told: what members may be subscribed to, and what is assigned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::record::Partitions;
use crate::coordinator::pattern::Pattern;
use crate::error::GroupError;
use crate::types::TopicPartition;
use crate::uuid::Uuid;

/// All topics: their names, ids and partition counts.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Topics {
    /// Goes up with each change.
    pub(super) version: u64,
    /// The version in which the last one that is new has come.
    pub(super) created_version: u64,
    by_name: BTreeMap<String, Topic>,
    names: HashMap<Uuid, Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    pub(super) partitions: i32,
}

impl Topics {
    /// Takes in what there is now.
    pub(in super::super) fn update(&mut self, topics: impl Iterator<Item = (String, Uuid, i32)>) {
        let by_name: BTreeMap<_, _> = topics.map(|(name, id, partitions)| (name, Topic { id, partitions })).collect();
        if self.by_name != by_name {
            let has_new = by_name.keys().any(|name| !self.by_name.contains_key(name));
            self.by_name = by_name;
            self.names = self.by_name.iter().map(|(name, topic)| (topic.id, (**name).into())).collect();
            self.version += 1;
            if has_new {
                self.created_version = self.version;
            }
        }
    }

    /// Those of the names that there are, in the order of the alphabet.
    pub(super) fn existing<'a>(&self, names: &BTreeSet<&'a str>) -> Vec<(&'a str, Topic)> {
        names.iter().filter_map(|name| Some((*name, *self.by_name.get(*name)?))).collect()
    }

    /// The name of a topic, if that exists.
    pub(super) fn name(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(|name| &**name)
    }

    /// Partitions by the ids of their topics, as far as these exist.
    pub(super) fn identified(&self, partitions: &[TopicPartition]) -> Partitions {
        let mut identified = Partitions::new();
        for (topic, partition) in partitions.iter().filter_map(|partition| self.identify(partition)) {
            identified.entry(topic).or_default().insert(partition);
        }
        identified
    }

    /// A partition by the id of its topic, if that exists.
    pub(in super::super) fn identify(&self, partition: &TopicPartition) -> Option<(Uuid, i32)> {
        Some((self.by_name.get(&*partition.topic)?.id, partition.partition))
    }

    /// Partitions by the names of their topics, as far as these exist.
    pub(super) fn named(&self, partitions: &Partitions) -> Vec<TopicPartition> {
        let named = partitions.iter().filter_map(|(id, partitions)| Some((self.names.get(id)?, partitions)));
        let each = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            let topic = topic.clone();
            let of_topic = partitions.iter().map(move |partition| TopicPartition::new(topic.clone(), *partition));
            of_topic.collect::<Vec<_>>()
        };
        named.flat_map(each).collect()
    }

    /// The names that a regular expression stands for. As in Kafka, it must match the whole of a name.
    pub(super) fn matching(&self, regex: &str) -> Result<BTreeSet<String>, GroupError> {
        let pattern = Pattern::new(regex)?;
        Ok(self.by_name.keys().filter(|name| pattern.matches(name)).cloned().collect())
    }
}

/// A hash of topics, by which a change shows: 0 stands for none, as in Kafka, which takes another function and would
/// rebalance the group once.
pub(super) fn hash(topics: &[(&str, Topic)]) -> i64 {
    if topics.is_empty() {
        return 0;
    }
    let mut bytes = Vec::new();
    for (name, topic) in topics {
        bytes.extend(topic.id.to_bytes());
        bytes.extend(topic.partitions.to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }
    let halves = (u64::from(crc32c::crc32c(&bytes)) << 32) | u64::from(crc32fast::hash(&bytes));
    halves.cast_signed()
}
