//! TxnOffsetCommit: how far a group has read, once the transaction commits.

use crate::coordinator::Committer;
use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponseTopic,
};
use crate::net::messages::txn_offset_commit::{
    TxnOffsetCommitRequestTopic, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::net::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use crate::server::broker::Broker;
use crate::server::handler::offset_commit::{Commit, commit_each};
use crate::server::{coordinator_error, transaction_error};
use crate::store::TakesPart;
use crate::types::ProducerIdAndEpoch;

/// From this version on clients know that a transaction can still be aborted (KIP-1050).
const ABORTABLE_VERSION: i16 = 4;
/// From this version on the offsets take part without being added before (KIP-890).
const ADDING_VERSION: i16 = 5;

/// Checks and answers as `OffsetCommit` does.
pub(in crate::server) fn answer(
    broker: &Broker,
    mut request: TxnOffsetCommitRequest,
    version: i16,
) -> TxnOffsetCommitResponse {
    let topics: Vec<_> = std::mem::take(&mut request.topics).into_iter().map(widen).collect();
    let answered =
        commit_each(broker, &topics, false, |commits| broker.commit_in_transaction(&request, commits, version));
    TxnOffsetCommitResponse { topics: answered.into_iter().map(narrow).collect(), ..Default::default() }
}

impl Broker {
    fn commit_in_transaction(
        &self,
        request: &TxnOffsetCommitRequest,
        commits: Vec<Commit>,
        version: i16,
    ) -> Result<(), ErrorCode> {
        let (id, group) = (&request.transactional_id, &request.group_id);
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if group.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let producer = ProducerIdAndEpoch::new(request.producer_id, request.producer_epoch);
        let told = |error: Error| {
            let knows_abortable = version >= ABORTABLE_VERSION;
            let unavailable = ErrorCode::COORDINATOR_NOT_AVAILABLE;
            coordinator_error::instead_of(transaction_error::of_write(&error, knows_abortable, unavailable))
        };
        // Before the transaction's turn: it may create the topic.
        let partition = self.store.offsets_partition(group).map_err(told)?;
        let committer = Committer {
            group,
            member_id: &request.member_id,
            group_instance_id: request.group_instance_id.as_deref(),
            generation: request.generation_id,
            is_transactional: true,
        };
        let commit = || {
            let committed = self.groups.ask(|groups, now_ms| {
                let partitions = commits.iter().map(|(partition, _)| partition);
                let checked = groups.check_commit_of(&committer, partitions, now_ms);
                let unknown = ErrorCode::ILLEGAL_GENERATION;
                checked.map_err(|error| self.why_no_committer(error, group, unknown))?;
                self.store.commit_offsets_in_transaction(group, commits, producer).map_err(told)
            });
            committed?
        };
        let takes_part = if version >= ADDING_VERSION { TakesPart::FromNowOn } else { TakesPart::Already };
        self.store.in_transaction(id, producer, &partition, takes_part, commit).map_err(told)?
    }
}

fn widen(topic: TxnOffsetCommitRequestTopic) -> OffsetCommitRequestTopic {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata,
    });
    OffsetCommitRequestTopic { name: topic.name, partitions: partitions.collect(), ..Default::default() }
}

fn narrow(topic: OffsetCommitResponseTopic) -> TxnOffsetCommitResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: partition.error_code,
    });
    TxnOffsetCommitResponseTopic { name: topic.name, partitions: partitions.collect() }
}
