//! Groups of a cluster: each one's coordinator is asked.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use esker::clock::{Clock, SystemClock};
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use esker::net::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use esker::net::messages::{
    ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, consumer_group_describe, describe_groups,
};
use esker::net::{ApiKey, ErrorCode};
use esker::{Error, IsolationLevel, LeaderEpoch, Offset, OffsetReset, TopicPartition};

use super::cluster::{Cluster, Coordinated};
use super::offsets::by_topic;
use super::trouble::Trouble;
use crate::failure::Result;
use crate::source::{Committed, Group, Member, Planned, Span, assigned};

const LIST_GROUPS_VERSION: i16 = 5;
const DESCRIBE_GROUPS_VERSION: i16 = 6;
const CONSUMER_GROUP_DESCRIBE_VERSION: i16 = 1;
/// Topics by name, of one group.
const OFFSET_FETCH_VERSION: i16 = 7;
/// Topics by name.
const OFFSET_COMMIT_VERSION: i16 = 9;
const OFFSET_DELETE_VERSION: i16 = 0;
const DELETE_GROUPS_VERSION: i16 = 2;

/// An offset that is to be committed, and the leader epoch of the record before it if it is known.
pub(super) type ToCommit = (TopicPartition, Offset, Option<LeaderEpoch>);

/// A group that nobody knows has this state in answers that have no code for it.
const DEAD: &str = "Dead";

impl Cluster {
    pub(super) fn list_groups(&mut self) -> Result<Vec<String>> {
        let groups = self.retry(|cluster| {
            let request = ListGroupsRequest::default();
            let requests = cluster.all()?.into_iter().map(|broker| (broker, request.clone())).collect();
            let mut groups = BTreeSet::new();
            for response in cluster.wire.ask_all(requests, LIST_GROUPS_VERSION, Duration::ZERO) {
                let response = response?;
                if response.error_code != ErrorCode::NONE {
                    return Err(Trouble::refused(response.error_code, None, "groups"));
                }
                groups.extend(response.groups.into_iter().map(|group| group.group_id));
            }
            Ok(groups)
        })?;
        Ok(groups.into_iter().collect())
    }

    /// A group, if somebody knows it.
    pub(super) fn described_group(&mut self, name: &str) -> Result<Option<Group>> {
        let group = self.retry(|cluster| cluster.members(name))?;
        let committed = self.committed(name, None, false)?;
        if group.state == DEAD && committed.is_empty() {
            return Ok(None);
        }
        let all: BTreeSet<_> = group.members.iter().flat_map(|member| member.assignment.clone()).collect();
        let all = all.into_iter().chain(committed.iter().map(|(partition, _)| partition.clone()));
        let spans = self.spans_of_existing(&all.collect::<Vec<_>>())?;
        Ok(Some(group.with_offsets(committed, |partition| spans.get(partition).copied())))
    }

    /// A group without what it has committed. One that nobody knows is dead.
    fn members(&mut self, name: &str) -> Result<Group, Trouble> {
        let coordinator = self.coordinator(Coordinated::Group, name)?;
        if coordinator.speaks(ApiKey::ConsumerGroupDescribe, CONSUMER_GROUP_DESCRIBE_VERSION) {
            let (group_ids, include_authorized_operations) = (vec![name.to_owned()], false);
            let request = ConsumerGroupDescribeRequest { group_ids, include_authorized_operations };
            let response = self.wire.ask(&coordinator, &request, CONSUMER_GROUP_DESCRIBE_VERSION)?;
            // A group of the classic kind is not found by this.
            if let Some(group) = response.groups.into_iter().find(|group| group.error_code == ErrorCode::NONE) {
                return Ok(consumer_group(group));
            }
        }
        let request = DescribeGroupsRequest { groups: vec![name.to_owned()], ..Default::default() };
        let response = self.wire.ask(&coordinator, &request, DESCRIBE_GROUPS_VERSION)?;
        match response.groups.into_iter().next() {
            Some(group) if group.error_code == ErrorCode::NONE => Ok(classic_group(group)),
            Some(group) if group.error_code != ErrorCode::GROUP_ID_NOT_FOUND => {
                Err(Trouble::of_group(group.error_code, group.error_message, name))
            }
            _ => Ok(Group { group: name.to_owned(), state: DEAD.to_owned(), ..Default::default() }),
        }
    }

    /// What a group has committed for these partitions, or for all.
    pub(super) fn committed(
        &mut self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<Vec<(TopicPartition, Committed)>> {
        self.retry(|cluster| cluster.try_committed(group, partitions, require_stable))
    }

    pub(super) fn try_committed(
        &mut self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
        require_stable: bool,
    ) -> Result<Vec<(TopicPartition, Committed)>, Trouble> {
        use esker::net::messages::offset_fetch::OffsetFetchRequestTopic;
        if group.is_empty() {
            return Err(Error::InvalidGroupId { group: group.to_owned() }.into());
        }
        let topic = |(name, partition_indexes)| OffsetFetchRequestTopic { name, partition_indexes };
        let request = OffsetFetchRequest {
            group_id: group.to_owned(),
            topics: partitions.map(|partitions| by_topic(partitions).into_iter().map(topic).collect()),
            require_stable,
            ..Default::default()
        };
        let coordinator = self.coordinator(Coordinated::Group, group)?;
        let response = self.wire.ask(&coordinator, &request, OFFSET_FETCH_VERSION)?;
        if response.error_code != ErrorCode::NONE {
            return Err(Trouble::of_group(response.error_code, None, group));
        }
        let mut committed = Vec::new();
        for topic in response.topics {
            for of in topic.partitions {
                let partition = TopicPartition::new(&*topic.name, of.partition_index);
                if of.error_code != ErrorCode::NONE {
                    return Err(Trouble::of_partition(of.error_code, None, &partition));
                }
                if of.committed_offset >= 0 {
                    let (offset, metadata) = (of.committed_offset, of.metadata.unwrap_or_default());
                    let leader_epoch = Some(of.committed_leader_epoch).filter(|epoch| *epoch >= 0);
                    committed.push((partition, Committed { offset, leader_epoch, metadata, timestamp: None }));
                }
            }
        }
        Ok(committed)
    }

    /// Commits offsets for a group without members.
    pub(super) fn commit(&mut self, group: &str, offsets: &[ToCommit]) -> Result {
        self.retry(|cluster| cluster.try_commit(group, offsets))
    }

    pub(super) fn try_commit(&mut self, group: &str, offsets: &[ToCommit]) -> Result<(), Trouble> {
        let wanted: HashMap<_, _> = offsets.iter().map(|(at, offset, epoch)| (at.clone(), (*offset, *epoch))).collect();
        let partitions: Vec<_> = offsets.iter().map(|(partition, ..)| partition.clone()).collect();
        let topic = |(name, indexes): (String, Vec<i32>)| {
            let partition = |partition_index| {
                let (committed_offset, epoch) = wanted[&TopicPartition::new(&*name, partition_index)];
                OffsetCommitRequestPartition {
                    partition_index,
                    committed_offset,
                    committed_leader_epoch: epoch.unwrap_or(-1),
                    committed_metadata: Some(String::new()),
                }
            };
            let partitions = indexes.into_iter().map(partition).collect();
            OffsetCommitRequestTopic { partitions, name: name.clone(), ..Default::default() }
        };
        let topics = by_topic(&partitions).into_iter().map(topic).collect();
        let request = OffsetCommitRequest { group_id: group.to_owned(), topics, ..Default::default() };
        let coordinator = self.coordinator(Coordinated::Group, group)?;
        let response = self.wire.ask(&coordinator, &request, OFFSET_COMMIT_VERSION)?;
        for topic in response.topics {
            if let Some(of) = topic.partitions.iter().find(|of| of.error_code != ErrorCode::NONE) {
                let partition = TopicPartition::new(&*topic.name, of.partition_index);
                return Err(match of.error_code {
                    code @ ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Trouble::of_partition(code, None, &partition),
                    code => Trouble::of_group(code, None, group),
                });
            }
        }
        Ok(())
    }

    pub(super) fn end_group(&mut self, group: &str) -> Result {
        self.retry(|cluster| {
            let coordinator = cluster.coordinator(Coordinated::Group, group)?;
            let request = DeleteGroupsRequest { groups_names: vec![group.to_owned()] };
            let response = cluster.wire.ask(&coordinator, &request, DELETE_GROUPS_VERSION)?;
            match response.results.into_iter().find(|result| result.error_code != ErrorCode::NONE) {
                Some(result) => Err(Trouble::of_group(result.error_code, None, group)),
                None => Ok(()),
            }
        })
    }

    pub(super) fn forget_offsets(&mut self, group: &str, partitions: &[TopicPartition]) -> Result {
        let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
        let topic = |(name, indexes): (String, Vec<i32>)| OffsetDeleteRequestTopic {
            name,
            partitions: indexes.into_iter().map(partition).collect(),
        };
        let topics = by_topic(partitions).into_iter().map(topic).collect();
        let request = OffsetDeleteRequest { group_id: group.to_owned(), topics };
        self.retry(|cluster| {
            let coordinator = cluster.coordinator(Coordinated::Group, group)?;
            let response = cluster.wire.ask(&coordinator, &request, OFFSET_DELETE_VERSION)?;
            let of_partitions = response.topics.iter().flat_map(|topic| &topic.partitions).map(|of| of.error_code);
            let mut codes = std::iter::once(response.error_code).chain(of_partitions);
            match codes.find(|code| *code != ErrorCode::NONE) {
                Some(code) => Err(Trouble::of_group(code, None, group)),
                None => Ok(()),
            }
        })
    }

    /// As the library plans it, from what the brokers tell.
    pub(super) fn planned(
        &mut self,
        group: &str,
        partitions: Vec<TopicPartition>,
        to: OffsetReset,
    ) -> Result<Vec<Planned>> {
        let spans = self.spans_of(&partitions)?;
        let committed: HashMap<_, _> = self.committed(group, Some(&partitions), false)?.into_iter().collect();
        let found = match timestamp(to) {
            Some(timestamp) => self.offsets_since(&partitions, timestamp, IsolationLevel::ReadUncommitted)?,
            None => vec![-1; partitions.len()],
        };
        let mut planned = Vec::new();
        for ((partition, span), found) in partitions.into_iter().zip(spans).zip(found) {
            let before = committed.get(&partition).map(|committed| committed.offset);
            let Some(target) = target(to, before, span, found) else {
                return Err(Error::NoOffsetForPartition { group: group.to_owned(), topic_partition: partition }.into());
            };
            let after = target.min(span.high_watermark).max(span.log_start);
            planned.push(Planned { partition, before, after });
        }
        Ok(planned)
    }

    /// Where those of the partitions that exist begin and end.
    fn spans_of_existing(&mut self, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, Span>> {
        self.retry(|cluster| {
            let mut existing = Vec::new();
            for partition in partitions {
                match cluster.leader(partition) {
                    Err(Trouble::Refused { code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, .. }) => {}
                    found => found.map(|_| existing.push(partition.clone()))?,
                }
            }
            let spans = cluster.try_spans_of(&existing)?;
            Ok(existing.into_iter().zip(spans).collect())
        })
    }
}

/// The time that a reset asks for, in milliseconds.
fn timestamp(to: OffsetReset) -> Option<i64> {
    match to {
        OffsetReset::Timestamp(timestamp) => Some(timestamp),
        OffsetReset::Duration(ago) => {
            let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
            Some(SystemClock.now_ms().saturating_sub(ago_ms))
        }
        _ => None,
    }
}

/// Where a group goes on that has committed `before`; None if that takes a commit and there is none.
fn target(to: OffsetReset, before: Option<Offset>, span: Span, found: Offset) -> Option<Offset> {
    match to {
        OffsetReset::Earliest => Some(span.log_start),
        OffsetReset::Current => Some(before.unwrap_or(span.high_watermark)),
        OffsetReset::Offset(offset) => Some(offset),
        OffsetReset::ShiftBy(by) => before.map(|before| before.saturating_add(by)),
        OffsetReset::Timestamp(_) | OffsetReset::Duration(_) if found >= 0 => Some(found),
        _ => Some(span.high_watermark),
    }
}

fn classic_group(group: describe_groups::DescribedGroup) -> Group {
    let member = |of: describe_groups::DescribedGroupMember| Member {
        member_id: of.member_id,
        instance_id: of.group_instance_id,
        client_id: of.client_id,
        host: of.client_host,
        assignment: assigned(&of.member_assignment),
    };
    Group {
        group: group.group_id,
        state: group.group_state,
        assignor: Some(group.protocol_data).filter(|assignor| !assignor.is_empty()),
        members: group.members.into_iter().map(member).collect(),
        offsets: Vec::new(),
    }
}

fn consumer_group(group: consumer_group_describe::DescribedGroup) -> Group {
    let assigned = |assignment: consumer_group_describe::Assignment| {
        let of_topic = |topic: consumer_group_describe::TopicPartitions| {
            let name: std::sync::Arc<str> = topic.topic_name.into();
            topic.partitions.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
        };
        let mut assigned: Vec<_> = assignment.topic_partitions.into_iter().flat_map(of_topic).collect();
        assigned.sort();
        assigned
    };
    let member = |of: consumer_group_describe::Member| Member {
        member_id: of.member_id,
        instance_id: of.instance_id,
        client_id: of.client_id,
        host: of.client_host,
        assignment: assigned(of.assignment),
    };
    Group {
        group: group.group_id,
        state: group.group_state,
        assignor: Some(group.assignor_name).filter(|assignor| !assignor.is_empty()),
        members: group.members.into_iter().map(member).collect(),
        offsets: Vec::new(),
    }
}
