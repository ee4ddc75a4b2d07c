//! ListOffsets: the ends of partitions, and offsets by timestamp.

use std::collections::HashSet;

use crate::log::Log;
use crate::net::ErrorCode;
use crate::net::messages::list_offsets::{
    CONSUMER_REPLICA_ID, EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP,
    LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsPartitionResponse,
    ListOffsetsTopicResponse, MAX_TIMESTAMP,
};
use crate::net::messages::{ListOffsetsRequest, ListOffsetsResponse};
use crate::server::broker::{Broker, check_leader_epoch, leader_epoch};
use crate::server::duplicates::duplicates;
use crate::types::{IsolationLevel, LeaderEpoch, NO_TIMESTAMP, Offset};

/// Since which version these may be asked for.
const SINCE: [(i64, i16); 4] = [
    (MAX_TIMESTAMP, 7),
    (EARLIEST_LOCAL_TIMESTAMP, 8),
    (LATEST_TIERED_TIMESTAMP, 9),
    (EARLIEST_PENDING_UPLOAD_TIMESTAMP, 11),
];

pub(in crate::server) fn answer(broker: &Broker, request: ListOffsetsRequest, version: i16) -> ListOffsetsResponse {
    let isolation = match request.isolation_level {
        // A follower gets to see everything.
        1 if request.replica_id == CONSUMER_REPLICA_ID => IsolationLevel::ReadCommitted,
        _ => IsolationLevel::ReadUncommitted,
    };
    let all = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&*topic.name, partition.partition_index)));
    let twice: HashSet<(&str, i32)> = duplicates(all);
    let mut answered = HashSet::new();
    let topics = request.topics.iter().map(|topic| {
        let once = topic.partitions.iter().filter(|wanted| answered.insert((&*topic.name, wanted.partition_index)));
        let partitions = once.map(|wanted| {
            let found = match twice.contains(&(&*topic.name, wanted.partition_index)) {
                true => Err(ErrorCode::INVALID_REQUEST),
                false => broker.offset(&topic.name, wanted, isolation, version),
            };
            let partition_index = wanted.partition_index;
            match found {
                Ok(Some(Found { offset, timestamp, leader_epoch })) => ListOffsetsPartitionResponse {
                    partition_index,
                    timestamp,
                    offset,
                    leader_epoch: if version >= 4 { leader_epoch } else { -1 },
                    ..Default::default()
                },
                Ok(None) => ListOffsetsPartitionResponse { partition_index, ..Default::default() },
                Err(error_code) => ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() },
            }
        });
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    let topics = topics.filter(|topic| !topic.partitions.is_empty()).collect();
    ListOffsetsResponse { topics, ..Default::default() }
}

struct Found {
    offset: Offset,
    timestamp: i64,
    leader_epoch: LeaderEpoch,
}

impl Broker {
    fn offset(
        &self,
        topic: &str,
        wanted: &ListOffsetsPartition,
        isolation: IsolationLevel,
        version: i16,
    ) -> Result<Option<Found>, ErrorCode> {
        let is_too_early = |(timestamp, since): &(i64, i16)| wanted.timestamp == *timestamp && version < *since;
        if wanted.timestamp < EARLIEST_PENDING_UPLOAD_TIMESTAMP || SINCE.iter().any(is_too_early) {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        let log = self.partition(topic, wanted.partition_index)?;
        check_leader_epoch(&log, wanted.current_leader_epoch)?;
        let found = match wanted.timestamp {
            LATEST_TIMESTAMP => {
                let (offset, leader_epoch) = (log.readable_end(isolation), leader_epoch(&log));
                return Ok(Some(Found { offset, timestamp: NO_TIMESTAMP, leader_epoch }));
            }
            EARLIEST_TIMESTAMP | EARLIEST_LOCAL_TIMESTAMP => {
                let offset = log.log_start();
                return Ok(Some(Found { offset, timestamp: NO_TIMESTAMP, leader_epoch: epoch_at(&log, offset) }));
            }
            // Nothing is tiered, nor ever will be.
            LATEST_TIERED_TIMESTAMP | EARLIEST_PENDING_UPLOAD_TIMESTAMP => return Ok(None),
            MAX_TIMESTAMP => log.offset_of_max_timestamp()?,
            timestamp => log.offset_for_timestamp(timestamp)?,
        };
        // What the client can't read yet is not told either.
        let found = found.filter(|found| found.offset < log.readable_end(isolation));
        Ok(found.map(|found| Found {
            offset: found.offset,
            timestamp: found.timestamp,
            leader_epoch: epoch_at(&log, found.offset),
        }))
    }
}

/// The epoch in which the record at `offset` was written, −1 if that isn't known.
fn epoch_at(log: &Log, offset: Offset) -> LeaderEpoch {
    let epochs = log.leader_epochs();
    match epochs.iter().rev().find(|entry| entry.start_offset <= offset) {
        Some(entry) => entry.epoch,
        // What is written first is of the epoch that it is now.
        None if epochs.is_empty() => leader_epoch(log),
        None => -1,
    }
}
