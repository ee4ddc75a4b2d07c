//! OffsetForLeaderEpoch: where leader epochs end, which tells a client whether what it has read is still so (KIP-320).

use crate::log;
use crate::net::ErrorCode;
use crate::net::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use crate::net::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
use crate::server::broker::{Broker, check_leader_epoch, end_of_epoch};

pub(in crate::server) fn answer(
    broker: &Broker,
    request: OffsetForLeaderEpochRequest,
    _: i16,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition = wanted.partition;
            match broker.epoch_end(&topic.topic, wanted) {
                Ok(Some(end)) => EpochEndOffset {
                    partition,
                    leader_epoch: end.leader_epoch,
                    end_offset: end.end_offset,
                    ..Default::default()
                },
                Ok(None) => EpochEndOffset { partition, ..Default::default() },
                Err(error_code) => EpochEndOffset { partition, error_code, ..Default::default() },
            }
        });
        OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic }
    });
    OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() }
}

impl Broker {
    fn epoch_end(
        &self,
        topic: &str,
        wanted: &OffsetForLeaderPartition,
    ) -> Result<Option<log::EpochEndOffset>, ErrorCode> {
        let log = self.partition(topic, wanted.partition)?;
        check_leader_epoch(&log, wanted.current_leader_epoch)?;
        Ok(end_of_epoch(&log, wanted.leader_epoch))
    }
}
