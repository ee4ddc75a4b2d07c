//! From who is subscribed to what, and the topics that there are, to what each member is to have (Kafka's
//! `TargetAssignmentBuilder`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignor::{Assignors, Subscriber};
use super::record::{ConsumerGroupMetadataValue, GroupRecord, Partitions};
use super::state::State;
use super::topics::{Topics, hash};
use super::{Draft, Limits};
use crate::config::ConsumerGroupAssignor;

impl<T> Draft<T> {
    /// Compares what members are subscribed to with the topics that there are, and begins the next epoch if something
    /// has changed, or it must.
    pub(super) fn refresh(&mut self, topics: &Topics, must: bool) {
        let must = self.refresh_regexes(topics) || must;
        if must || !self.state.is_known || self.topics_version != Some(topics.version) {
            self.topics_version = Some(topics.version);
            self.begin_epoch(topics, must);
        }
    }

    /// Begins the next epoch, if it must or the topics are not those that they were. A group that nobody knows yet is
    /// written down in any case, in the epoch that it begins in.
    pub(super) fn begin_epoch(&mut self, topics: &Topics, must: bool) {
        self.forget_unused_regexes();
        let members = self.state.members.values();
        let names = members.flat_map(|member| self.state.topics_of(member)).collect();
        let metadata_hash = hash(&topics.existing(&names));
        let before = self.state.metadata;
        let has_changed = must || metadata_hash != before.metadata_hash;
        if has_changed || !self.state.is_known {
            let epoch = before.epoch.saturating_add(i32::from(has_changed));
            self.put(GroupRecord::ConsumerGroup(Some(ConsumerGroupMetadataValue { epoch, metadata_hash })));
            if self.state.has_partition_metadata {
                self.put(GroupRecord::PartitionMetadata(false));
            }
        }
    }

    /// Computes what everybody is to have, if the target is of an earlier epoch than the group, and was not computed
    /// just now.
    pub(super) fn assign(&mut self, topics: &Topics) {
        let epoch = self.state.metadata.epoch;
        if self.state.target_epoch >= epoch || !may_assign(self.assigned_ms, &self.limits, self.now_ms) {
            return;
        }
        self.assigned_ms = Some(self.now_ms);
        for (id, target) in targets(&self.state, topics, self.limits.assignors) {
            if self.state.targets.get(&id).is_none_or(|before| **before != target) {
                self.put(GroupRecord::Target(id.to_string(), Some(target)));
            }
        }
        self.put(GroupRecord::TargetEpoch(Some(epoch)));
    }
}

/// Whether enough time has passed since the last assignment for the next (`group.consumer.assignment.interval.ms`).
pub(super) fn may_assign(assigned_ms: Option<i64>, limits: &Limits, now_ms: i64) -> bool {
    let interval_ms = i64::from(limits.consumer_assignment_interval_ms);
    assigned_ms.is_none_or(|assigned_ms| now_ms >= assigned_ms.saturating_add(interval_ms))
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
