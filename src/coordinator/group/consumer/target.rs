//! From who is subscribed to what, and the topics that there are, to what each member is to have (Kafka's
//! `TargetAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Draft;
use super::assignor::{Assignors, Subscriber};
use super::record::{ConsumerGroupMetadata, GroupRecord, Partitions, ResolvedRegex};
use super::state::State;
use super::topics::{Topics, hash};
use crate::config::ConsumerGroupAssignor;

impl<T> Draft<T> {
    /// Compares what members are subscribed to with the topics that there are, and begins the next epoch if something
    /// has changed, or is said to have.
    pub(super) fn refresh(&mut self, topics: &Topics, has_changed: bool) {
        if has_changed || self.topics_version != Some(topics.version) {
            let resolved = self.resolve_regexes(topics);
            self.topics_version = Some(topics.version);
            self.begin_epoch(topics, has_changed || resolved);
        }
    }

    /// Begins the next epoch, if it must or the topics are not those that they were.
    pub(super) fn begin_epoch(&mut self, topics: &Topics, must: bool) {
        let members = self.state.members.values();
        let names = members.flat_map(|member| self.state.topics_of(member)).collect();
        let metadata_hash = hash(&topics.existing(&names));
        let before = self.state.metadata;
        if must || metadata_hash != before.metadata_hash || !self.state.is_known {
            let epoch = before.epoch.saturating_add(1);
            self.put(GroupRecord::ConsumerGroup(Some(ConsumerGroupMetadata { epoch, metadata_hash })));
            if self.state.has_partition_metadata {
                self.put(GroupRecord::PartitionMetadata(false));
            }
        }
    }

    /// Matches all regular expressions that members are subscribed to with the topics, and forgets the others. Returns
    /// whether any stands for something else than before.
    fn resolve_regexes(&mut self, topics: &Topics) -> bool {
        let members = self.state.members.values();
        let used: BTreeSet<String> = members.filter_map(|member| member.metadata.topic_regex.clone()).collect();
        let mut records = Vec::new();
        for regex in &used {
            // One that this engine does not know stands for what Kafka has found.
            let Ok(topics) = topics.matching(regex) else { continue };
            let before = self.state.regexes.get(regex);
            if before.is_none_or(|before| before.topics != topics) {
                let resolved = ResolvedRegex { topics, version: 0, timestamp: self.now_ms };
                records.push(GroupRecord::Regex(regex.clone(), Some(resolved)));
            }
        }
        let is_changed = !records.is_empty();
        let unused = self.state.regexes.keys().filter(|regex| !used.contains(*regex));
        records.extend(unused.map(|regex| GroupRecord::Regex(regex.clone(), None)));
        records.into_iter().for_each(|record| self.put(record));
        is_changed
    }

    /// Computes what everybody is to have, if the target is of an earlier epoch than the group.
    pub(super) fn assign(&mut self, topics: &Topics) {
        let epoch = self.state.metadata.epoch;
        if self.state.target_epoch >= epoch {
            return;
        }
        for (id, target) in targets(&self.state, topics, self.limits.assignors) {
            if self.state.targets.get(&id).is_none_or(|before| **before != target) {
                self.put(GroupRecord::Target(id.to_string(), Some(target)));
            }
        }
        self.put(GroupRecord::TargetEpoch(Some(epoch)));
    }
}

fn targets(state: &State, topics: &Topics, assignors: Assignors) -> Vec<(Arc<str>, Partitions)> {
    let mut counts = BTreeMap::new();
    let members: Vec<_> = state.members.iter().collect();
    let mut subscribers = Vec::with_capacity(members.len());
    for (id, member) in &members {
        let existing = topics.existing(&state.topics_of(member));
        counts.extend(existing.iter().map(|(_, topic)| (topic.id, topic.partitions)));
        subscribers.push(Subscriber {
            id,
            instance_id: member.metadata.instance_id.as_deref(),
            topics: existing.iter().map(|(_, topic)| topic.id).collect(),
            target: state.targets.get(*id).map(|target| &**target),
        });
    }
    let assigned = preferred_assignor(state, assignors).assign(&subscribers, &counts);
    members.into_iter().map(|(id, _)| id.clone()).zip(assigned).collect()
}

/// The assignor that the group goes by.
pub(super) fn preferred_assignor(state: &State, assignors: Assignors) -> ConsumerGroupAssignor {
    assignors.preferred(state.members.values().filter_map(|member| member.metadata.server_assignor.as_deref()))
}
