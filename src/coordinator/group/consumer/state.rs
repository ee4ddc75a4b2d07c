//! What is known of a consumer group, exactly as its records say: they change it when they are decided, and when they
//! are read again after a restart, and nothing else does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::super::classic::GroupState;
use super::super::message::JoinProtocol;
use super::record::{
    ConsumerGroupMetadataValue, ConsumerMemberMetadata, CurrentAssignment, GroupRecord, MemberState, Partitions,
    ResolvedRegex,
};
use crate::uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// Whether there is a record of it, which is what makes it a group.
    pub(super) is_known: bool,
    pub(super) metadata: ConsumerGroupMetadataValue,
    /// The group epoch that the target assignment was computed for.
    pub(super) target_epoch: i32,
    pub(super) members: BTreeMap<Arc<str>, Arc<Member>>,
    pub(super) targets: BTreeMap<Arc<str>, Arc<Partitions>>,
    pub(super) regexes: BTreeMap<String, Arc<ResolvedRegex>>,
    static_members: HashMap<String, Arc<str>>,
    /// Who has each partition, or has yet to let go of it.
    owners: HashMap<(Uuid, i32), Arc<str>>,
    /// Whether Kafka 4.0 has left a record behind that says what the hash says now.
    pub(super) has_partition_metadata: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) metadata: ConsumerMemberMetadata,
    pub(super) current: CurrentAssignment,
}

impl Member {
    /// Whether it has the classic protocol.
    pub(super) const fn is_classic(&self) -> bool {
        self.metadata.classic.is_some()
    }

    /// What it says by the classic protocol, if it has that: for the assignor that it likes best.
    pub(super) fn classic_protocol(&self) -> Option<&JoinProtocol> {
        self.metadata.classic.as_ref()?.protocols.first()
    }

    /// How long it counts as alive after its last sign of life, in milliseconds: members of the consumer protocol don't
    /// say.
    pub(super) fn session_timeout_ms(&self, otherwise_ms: i32) -> i32 {
        self.metadata.classic.as_ref().map_or(otherwise_ms, |classic| classic.session_timeout_ms)
    }

    /// Whether it is to let go of partitions. One that has left for a while has none to let go of.
    pub(super) fn is_revoking(&self) -> bool {
        self.current.state == MemberState::UnrevokedPartitions && self.current.epoch >= 0
    }

    /// Whether it has all that it is to have in that epoch.
    pub(super) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.current.state == MemberState::Stable && self.current.epoch == target_epoch
    }
}

impl State {
    pub(super) fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.metadata.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.members.values().all(|member| member.is_reconciled_to(self.target_epoch)) {
            GroupState::Stable
        } else {
            GroupState::Reconciling
        }
    }

    pub(super) fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.get(id)
    }

    /// The member that is known as that: by its name, if it has one.
    pub(super) fn known_as(&self, id: &str, instance_id: Option<&str>) -> Option<(&Arc<str>, &Arc<Member>)> {
        match instance_id {
            None => self.members.get_key_value(id),
            Some(name) => self.static_member(name),
        }
    }

    /// The member that has a name.
    pub(super) fn static_member(&self, instance_id: &str) -> Option<(&Arc<str>, &Arc<Member>)> {
        let id = self.static_members.get(instance_id)?;
        self.members.get_key_value(id)
    }

    pub(super) fn is_owned(&self, topic: Uuid, partition: i32) -> bool {
        self.owners.contains_key(&(topic, partition))
    }

    /// What a member is subscribed to, by name or by what its regular expression stands for.
    pub(super) fn topics_of<'a>(&'a self, member: &'a Member) -> BTreeSet<&'a str> {
        let matched = self.matched_by(member).into_iter().flat_map(|resolved| &resolved.topics);
        member.metadata.topic_names.iter().chain(matched).map(String::as_str).collect()
    }

    /// Whether a member is subscribed to a topic, by name or by what its regular expression stands for.
    pub(super) fn is_topic_of(&self, member: &Member, topic: &str) -> bool {
        let matches = || self.matched_by(member).is_some_and(|resolved| resolved.topics.contains(topic));
        member.metadata.topic_names.contains(topic) || matches()
    }

    pub(super) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.members.values().any(|member| self.is_topic_of(member, topic))
    }

    fn matched_by(&self, member: &Member) -> Option<&ResolvedRegex> {
        self.regexes.get(member.metadata.topic_regex.as_ref()?).map(|resolved| &**resolved)
    }

    /// Takes in what a record says.
    pub(super) fn apply(&mut self, record: &GroupRecord) {
        match record {
            GroupRecord::ConsumerGroup(metadata) => {
                (self.is_known, self.metadata) = (metadata.is_some(), metadata.unwrap_or_default());
            }
            GroupRecord::PartitionMetadata(is_there) => self.has_partition_metadata = *is_there,
            GroupRecord::TargetEpoch(epoch) => self.target_epoch = epoch.unwrap_or_default(),
            GroupRecord::Target(id, partitions) => self.set_target(id, partitions.as_ref()),
            GroupRecord::Member(id, Some(metadata)) => self.set_metadata(id, metadata),
            GroupRecord::Member(id, None) => self.remove(id),
            GroupRecord::Current(id, current) => self.set_current(id, current.clone()),
            GroupRecord::Regex(regex, Some(resolved)) => {
                self.regexes.insert(regex.clone(), Arc::new(resolved.clone()));
            }
            GroupRecord::Regex(regex, None) => drop(self.regexes.remove(regex)),
            // It is about what the group was before.
            GroupRecord::Classic(_) => {}
        }
    }

    fn set_target(&mut self, id: &str, partitions: Option<&Partitions>) {
        match partitions {
            Some(partitions) => drop(self.targets.insert(id.into(), Arc::new(partitions.clone()))),
            None => drop(self.targets.remove(id)),
        }
    }

    fn set_metadata(&mut self, id: &str, metadata: &ConsumerMemberMetadata) {
        let current = self.member(id).map(|member| member.current.clone()).unwrap_or_default();
        let id: Arc<str> = id.into();
        if let Some(name) = &metadata.instance_id {
            self.static_members.insert(name.clone(), id.clone());
        }
        self.members.insert(id, Arc::new(Member { metadata: metadata.clone(), current }));
    }

    fn set_current(&mut self, id: &str, current: Option<CurrentAssignment>) {
        let metadata = match (self.member(id), &current) {
            (Some(member), _) => member.metadata.clone(),
            // What it wants was said before, and is said again: compaction has kept the later record.
            (None, Some(_)) => ConsumerMemberMetadata::default(),
            (None, None) => return,
        };
        self.release(id);
        let (id, current): (Arc<str>, _) = (id.into(), current.unwrap_or_default());
        for (topic, partitions) in current.assigned.iter().chain(&current.revoking) {
            self.owners.extend(partitions.iter().map(|partition| ((*topic, *partition), id.clone())));
        }
        self.members.insert(id, Arc::new(Member { metadata, current }));
    }

    /// Its partitions are nobody's then.
    fn release(&mut self, id: &str) {
        let Some(member) = self.members.get(id) else { return };
        for (topic, partitions) in member.current.assigned.iter().chain(&member.current.revoking) {
            for partition in partitions {
                if self.owners.get(&(*topic, *partition)).is_some_and(|owner| **owner == *id) {
                    self.owners.remove(&(*topic, *partition));
                }
            }
        }
    }

    fn remove(&mut self, id: &str) {
        self.release(id);
        let Some(member) = self.members.remove(id) else { return };
        if let Some(name) = &member.metadata.instance_id {
            // It may be somebody else's by now.
            if self.static_members.get(name).is_some_and(|known| **known == *id) {
                self.static_members.remove(name);
            }
        }
    }

    /// What takes back everything that is known of a group, in Kafka's order.
    pub(super) fn tombstones(&self) -> Vec<GroupRecord> {
        let regexes = self.regexes.keys().map(|regex| GroupRecord::Regex(regex.clone(), None));
        let mut records: Vec<_> = regexes.collect();
        records.extend(self.members.keys().map(|id| GroupRecord::Current(id.to_string(), None)));
        records.extend(self.targets.keys().map(|id| GroupRecord::Target(id.to_string(), None)));
        records.push(GroupRecord::TargetEpoch(None));
        records.extend(self.members.keys().map(|id| GroupRecord::Member(id.to_string(), None)));
        if self.has_partition_metadata {
            records.push(GroupRecord::PartitionMetadata(false));
        }
        records.push(GroupRecord::ConsumerGroup(None));
        records
    }
}
