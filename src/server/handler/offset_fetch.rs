//! OffsetFetch: what groups have committed. A partition that is named twice is one.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::net::messages::{OffsetFetchRequest, OffsetFetchResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;
use crate::store::CommittedOffset;
use crate::types::TopicPartition;
use crate::uuid::Uuid;

/// From this version on a request has many groups (KIP-709).
const MANY_GROUPS_VERSION: i16 = 8;
/// From this version on a response says what is wrong with all of it, and not each of its partitions.
const ERROR_CODE_VERSION: i16 = 2;
/// From this version on topics are spoken of by id.
const TOPIC_ID_VERSION: i16 = 10;

/// A group that has committed nothing is no error: its offsets are −1.
pub(in crate::server) fn answer(broker: &Broker, request: OffsetFetchRequest, version: i16) -> OffsetFetchResponse {
    let has_groups = version >= MANY_GROUPS_VERSION;
    let groups = if has_groups { request.groups } else { vec![widen(request.group_id, request.topics)] };
    let topics = groups.iter().flat_map(|group| group.topics.iter().flatten());
    let checked = broker.check_partitions(topics.map(|topic| topic.partition_indexes.len()));
    let mut named = HashSet::new();
    let mut answered = groups.into_iter().map(|group| {
        let group = if checked.is_ok() { without_repeats(group, &mut named) } else { group };
        let checked = checked.and_then(|()| broker.check_fetch(&group));
        let OffsetFetchRequestGroup { group_id, topics, .. } = group;
        let refused = if version < ERROR_CODE_VERSION { topics.clone().unwrap_or_default() } else { Vec::new() };
        let committed = checked.and_then(|()| {
            let committed = broker.committed_by(&group_id, topics, version, request.require_stable);
            committed.map_err(coordinator_error::of)
        });
        let refuse = |code| (refused.into_iter().map(|topic| respond_each(topic, |_| Err(code))).collect(), code);
        let (topics, error_code) = committed.map_or_else(refuse, |topics| (topics, ErrorCode::NONE));
        OffsetFetchResponseGroup { group_id, topics, error_code }
    });
    if has_groups {
        return OffsetFetchResponse { groups: answered.collect(), ..Default::default() };
    }
    let OffsetFetchResponseGroup { topics, error_code, .. } = answered.next().unwrap_or_default();
    OffsetFetchResponse { topics: topics.into_iter().map(narrow).collect(), error_code, ..Default::default() }
}

/// A partition of a group; None for all that it has committed. Names are shared by those that have them in common.
type Named = (Arc<str>, Option<(Arc<str>, Uuid, i32)>);

/// Leaves out what was named before.
fn without_repeats(mut group: OffsetFetchRequestGroup, named: &mut HashSet<Named>) -> OffsetFetchRequestGroup {
    let group_id: Arc<str> = (*group.group_id).into();
    let mut is_new = |partition| named.insert((group_id.clone(), partition));
    match &mut group.topics {
        None if is_new(None) => {}
        None => group.topics = Some(Vec::new()),
        Some(topics) => topics.iter_mut().for_each(|OffsetFetchRequestTopics { name, topic_id, partition_indexes }| {
            let name: Arc<str> = (**name).into();
            partition_indexes.retain(|index| is_new(Some((name.clone(), *topic_id, *index))));
        }),
    }
    group
}

impl Broker {
    /// A member of a consumer group must be in its epoch, or it could go on where it was before others read on.
    fn check_fetch(&self, group: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let OffsetFetchRequestGroup { group_id, member_id, member_epoch, .. } = group;
        self.groups.ask(|groups, _| groups.check_fetch(group_id, member_id.as_deref(), *member_epoch))??;
        Ok(())
    }

    /// What a group has committed for these topics, or for all.
    fn committed_by(
        &self,
        group: &str,
        topics: Option<Vec<OffsetFetchRequestTopics>>,
        version: i16,
        require_stable: bool,
    ) -> Result<Vec<OffsetFetchResponseTopics>, Error> {
        let by_id = version >= TOPIC_ID_VERSION;
        let topics = topics.map_or_else(|| self.topics_committed_by(group, by_id), Ok)?;
        let answer = |topic: OffsetFetchRequestTopics| {
            let name = self.topic_meant(&topic.name, topic.topic_id, by_id);
            respond_each(topic, |index| {
                self.committed(group, &TopicPartition::new(name.clone()?, index), require_stable)
            })
        };
        Ok(topics.into_iter().map(answer).collect())
    }

    fn topics_committed_by(&self, group: &str, by_id: bool) -> Result<Vec<OffsetFetchRequestTopics>, Error> {
        let mut topics: Vec<OffsetFetchRequestTopics> = Vec::new();
        // They come in the order of topics.
        for (TopicPartition { topic, partition }, _) in self.store.committed_offsets(group)? {
            match topics.last_mut() {
                Some(last) if *last.name == *topic => last.partition_indexes.push(partition),
                _ => topics.push(OffsetFetchRequestTopics {
                    topic_id: self.store.topic_id(&topic).unwrap_or_default(),
                    name: topic.to_string(),
                    partition_indexes: vec![partition],
                }),
            }
        }
        // One that was just deleted has no id to be spoken of by.
        topics.retain(|topic| !by_id || topic.topic_id != Default::default());
        Ok(topics)
    }

    fn committed(
        &self,
        group: &str,
        at: &TopicPartition,
        require_stable: bool,
    ) -> Result<Option<CommittedOffset>, ErrorCode> {
        let committed = match require_stable {
            true => self.store.stable_committed_offset(group, at),
            false => self.store.committed_offset(group, at),
        };
        committed.map_err(coordinator_error::of)
    }
}

fn respond_each(
    topic: OffsetFetchRequestTopics,
    committed: impl Fn(i32) -> Result<Option<CommittedOffset>, ErrorCode>,
) -> OffsetFetchResponseTopics {
    let OffsetFetchRequestTopics { name, topic_id, partition_indexes } = topic;
    let partitions = partition_indexes.into_iter().map(|index| respond(index, committed(index))).collect();
    OffsetFetchResponseTopics { name, topic_id, partitions }
}

fn respond(
    partition_index: i32,
    committed: Result<Option<CommittedOffset>, ErrorCode>,
) -> OffsetFetchResponsePartitions {
    let none = OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        metadata: Some(String::new()),
        ..Default::default()
    };
    match committed {
        Ok(Some(committed)) => OffsetFetchResponsePartitions {
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch.unwrap_or(-1),
            metadata: Some(committed.metadata),
            ..none
        },
        Ok(None) => none,
        Err(error_code) => OffsetFetchResponsePartitions { error_code, ..none },
    }
}

fn widen(group_id: String, topics: Option<Vec<OffsetFetchRequestTopic>>) -> OffsetFetchRequestGroup {
    let widen = |OffsetFetchRequestTopic { name, partition_indexes }| OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..Default::default()
    };
    let topics = topics.map(|topics| topics.into_iter().map(widen).collect());
    OffsetFetchRequestGroup { group_id, topics, ..Default::default() }
}

fn narrow(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let narrow = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    OffsetFetchResponseTopic { name: topic.name, partitions: topic.partitions.into_iter().map(narrow).collect() }
}
