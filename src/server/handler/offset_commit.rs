//! OffsetCommit: how far a group has read.

use std::sync::Arc;

use crate::coordinator::GroupError;
use crate::net::ErrorCode;
use crate::net::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::net::messages::{OffsetCommitRequest, OffsetCommitResponse};
use crate::server::broker::Broker;
use crate::store::CommittedOffset;
use crate::types::{Acks, TopicPartition};

/// From this version on topics are spoken of by id.
const TOPIC_ID_VERSION: i16 = 10;
/// From this version on a group that isn't known may be called that.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

type Commit = (TopicPartition, CommittedOffset);

/// What can't be committed is refused alone. The others are committed together, and are on the device then.
pub(in crate::server) fn answer(broker: &Broker, request: OffsetCommitRequest, version: i16) -> OffsetCommitResponse {
    let mut commits: Vec<Commit> = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let name = broker.topic_meant(&topic.name, topic.topic_id, version >= TOPIC_ID_VERSION);
        let check = |partition: &OffsetCommitRequestPartition| {
            let checked = name.clone().and_then(|name| broker.check_commit(name, partition));
            let error_code = checked.map_or_else(
                |error| error,
                |commit| {
                    commits.push(commit);
                    ErrorCode::NONE
                },
            );
            OffsetCommitResponsePartition { partition_index: partition.partition_index, error_code }
        };
        let partitions = topic.partitions.iter().map(check).collect();
        topics.push(OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions });
    }
    if let Err(error_code) = broker.commit(&request, commits, version) {
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        let checked = partitions.filter(|partition| partition.error_code == ErrorCode::NONE);
        checked.for_each(|partition| partition.error_code = error_code);
    }
    OffsetCommitResponse { topics, ..Default::default() }
}

impl Broker {
    fn check_commit(&self, topic: Arc<str>, partition: &OffsetCommitRequestPartition) -> Result<Commit, ErrorCode> {
        let at = TopicPartition::new(topic, partition.partition_index);
        let offset = CommittedOffset::new(partition.committed_offset)
            .leader_epoch(partition.committed_leader_epoch)
            .metadata(partition.committed_metadata.clone().unwrap_or_default());
        self.store.check_commit(&at, &offset).map_err(|error| ErrorCode::from(&error))?;
        Ok((at, offset))
    }

    fn commit(&self, request: &OffsetCommitRequest, commits: Vec<Commit>, version: i16) -> Result<(), ErrorCode> {
        if commits.is_empty() {
            return Ok(());
        }
        let OffsetCommitRequest { group_id, member_id, group_instance_id, .. } = request;
        let generation = request.generation_id_or_member_epoch;
        self.groups.change(group_id, |groups, now_ms| {
            let checked = groups.check_commit(group_id, member_id, group_instance_id.as_deref(), generation, now_ms);
            checked.map_err(|error| match error {
                GroupError::GroupIdNotFound => self.why_no_member(group_id, version),
                error => error.into(),
            })?;
            self.store.commit_offsets(group_id, commits, Acks::Leader).map_err(|error| ErrorCode::from(&error))
        })
    }

    /// Why a member can't commit for a group that has none.
    fn why_no_member(&self, group: &str, version: i16) -> ErrorCode {
        match self.store.has_group(group) {
            Ok(true) => ErrorCode::UNKNOWN_MEMBER_ID,
            Ok(false) if version >= GROUP_ID_NOT_FOUND_VERSION => ErrorCode::GROUP_ID_NOT_FOUND,
            Ok(false) => ErrorCode::ILLEGAL_GENERATION,
            Err(error) => ErrorCode::from(&error),
        }
    }
}
