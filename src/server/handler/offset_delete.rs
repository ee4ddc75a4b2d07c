//! OffsetDelete: forget what a group has committed for partitions.

use crate::net::ErrorCode;
use crate::net::messages::offset_delete::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::net::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::server::broker::Broker;
use crate::types::TopicPartition;

pub(in crate::server) fn answer(broker: &Broker, request: OffsetDeleteRequest, _: i16) -> OffsetDeleteResponse {
    if request.group_id.is_empty() {
        return OffsetDeleteResponse { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
    }
    let mut known = Vec::new();
    let respond = |topic: OffsetDeleteRequestTopic| {
        let check = |&OffsetDeleteRequestPartition { partition_index }: &_| {
            let checked = broker.partition(&topic.name, partition_index);
            let error_code = checked.map_or_else(
                |error| ErrorCode::from(&error),
                |_| {
                    known.push(TopicPartition::new(&*topic.name, partition_index));
                    ErrorCode::NONE
                },
            );
            OffsetDeleteResponsePartition { partition_index, error_code }
        };
        let partitions = topic.partitions.iter().map(check).collect();
        OffsetDeleteResponseTopic { name: topic.name, partitions }
    };
    let topics = request.topics.into_iter().map(respond).collect();
    match broker.store.delete_offsets(&request.group_id, known) {
        Ok(()) => OffsetDeleteResponse { topics, ..Default::default() },
        Err(error) => OffsetDeleteResponse { error_code: ErrorCode::from(&error), ..Default::default() },
    }
}
