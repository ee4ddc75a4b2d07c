//! OffsetCommit: how far a group has read.

use std::sync::Arc;

use crate::coordinator::{Committer, GroupError};
use crate::net::ErrorCode;
use crate::net::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::net::messages::{OffsetCommitRequest, OffsetCommitResponse};
use crate::net::transport::ConnectionError;
use crate::server::broker::Broker;
use crate::server::context::Context;
use crate::server::{coordinator_error, executor, sync};
use crate::store::CommittedOffset;
use crate::types::TopicPartition;

/// Of a commit that expires as the broker is configured.
const DEFAULT_RETENTION_TIME_MS: i64 = -1;
/// From this version on topics are spoken of by id.
const TOPIC_ID_VERSION: i16 = 10;
/// From this version on a group that isn't known may be called that.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

pub(super) type Commit = (TopicPartition, CommittedOffset);

/// Appends now, and answers once what is committed is on the device.
pub(in crate::server) async fn answer(
    context: &Context,
    request: OffsetCommitRequest,
) -> Result<impl Future<Output = Result<Option<OffsetCommitResponse>, ConnectionError>> + use<>, ConnectionError> {
    let (broker, version) = (context.broker.clone(), context.header.api_version);
    let metrics = broker.metrics.clone();
    let (mut topics, synced) = executor::run(move || {
        let mut synced = None;
        let topics = commit_each(&broker, &request.topics, version >= TOPIC_ID_VERSION, |commits| {
            broker.commit(&request, commits, version)?;
            synced = broker.store.offsets_log_of(&request.group_id).map(|log| log.synced_in_turn(log.appended()));
            Ok(())
        });
        (topics, synced)
    })
    .await;
    Ok(async move {
        if let Some(mut synced) = synced
            && let Err(error) = sync::wait(&mut synced, &metrics).await
        {
            refuse(&mut topics, coordinator_error::of(&error));
        }
        Ok(Some(OffsetCommitResponse { topics, ..Default::default() }))
    })
}

/// Refuses alone what can't be committed, and lets the others be committed together.
pub(super) fn commit_each(
    broker: &Broker,
    asked: &[OffsetCommitRequestTopic],
    by_id: bool,
    commit: impl FnOnce(Vec<Commit>) -> Result<(), ErrorCode>,
) -> Vec<OffsetCommitResponseTopic> {
    let mut commits: Vec<Commit> = Vec::new();
    let mut topics = Vec::with_capacity(asked.len());
    for topic in asked {
        let name = broker.topic_meant(&topic.name, topic.topic_id, by_id);
        if name.as_ref().is_ok_and(|name| !broker.is_answered(name, topic.partitions.len())) {
            continue;
        }
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
    let committed = if commits.is_empty() { Ok(()) } else { commit(commits) };
    if let Err(error_code) = committed {
        refuse(&mut topics, error_code);
    }
    topics
}

/// Refuses what there was nothing to say against.
fn refuse(topics: &mut [OffsetCommitResponseTopic], error_code: ErrorCode) {
    let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let checked = partitions.filter(|partition| partition.error_code == ErrorCode::NONE);
    checked.for_each(|partition| partition.error_code = error_code);
}

impl Broker {
    fn check_commit(&self, topic: Arc<str>, partition: &OffsetCommitRequestPartition) -> Result<Commit, ErrorCode> {
        let at = TopicPartition::new(topic, partition.partition_index);
        let offset = CommittedOffset::new(partition.committed_offset)
            .leader_epoch(partition.committed_leader_epoch)
            .metadata(partition.committed_metadata.clone().unwrap_or_default());
        self.store.check_commit(&at, &offset)?;
        Ok((at, offset))
    }

    fn commit(&self, request: &OffsetCommitRequest, mut commits: Vec<Commit>, version: i16) -> Result<(), ErrorCode> {
        if request.retention_time_ms != DEFAULT_RETENTION_TIME_MS {
            let expires_at = self.store.clock().now_ms().saturating_add(request.retention_time_ms);
            commits.iter_mut().for_each(|(_, offset)| offset.expire_timestamp = Some(expires_at));
        }
        let unknown = match version {
            GROUP_ID_NOT_FOUND_VERSION.. => ErrorCode::GROUP_ID_NOT_FOUND,
            _ => ErrorCode::ILLEGAL_GENERATION,
        };
        let OffsetCommitRequest { group_id, member_id, group_instance_id, .. } = request;
        let generation = request.generation_id_or_member_epoch;
        self.groups.ask(|groups, now_ms| {
            let committer = Committer {
                group: group_id,
                member_id,
                group_instance_id: group_instance_id.as_deref(),
                generation,
                is_transactional: false,
            };
            // Before, clients know of no epochs, and can't be told that theirs is stale.
            if version < GROUP_ID_NOT_FOUND_VERSION && groups.has_consumer_member(group_id, member_id) {
                return Err(ErrorCode::UNSUPPORTED_VERSION);
            }
            let checked = groups.check_commit_of(&committer, commits.iter().map(|(partition, _)| partition), now_ms);
            checked.map_err(|error| self.why_no_committer(error, group_id, unknown))?;
            let committed = self.store.commit_offsets_of_client(group_id, commits);
            committed.map_err(coordinator_error::of)
        })?
    }

    /// What a member is told that may not commit; `unknown` if there is nothing of its group.
    pub(super) fn why_no_committer(&self, error: GroupError, group: &str, unknown: ErrorCode) -> ErrorCode {
        match error {
            GroupError::GroupIdNotFound => match self.store.has_group(group) {
                // It has no members, but there is something.
                Ok(true) => ErrorCode::UNKNOWN_MEMBER_ID,
                Ok(false) => unknown,
                Err(error) => coordinator_error::of(&error),
            },
            error => error.into(),
        }
    }
}
