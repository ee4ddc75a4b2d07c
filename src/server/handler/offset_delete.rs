//! OffsetDelete: forget what a group has committed for partitions.

use std::collections::HashSet;

use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::offset_delete::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::net::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;
use crate::types::{Acks, TopicPartition};

pub(in crate::server) fn answer(broker: &Broker, request: OffsetDeleteRequest, _: i16) -> OffsetDeleteResponse {
    if request.group_id.is_empty() {
        return OffsetDeleteResponse { error_code: ErrorCode::INVALID_GROUP_ID, ..Default::default() };
    }
    let group = &*request.group_id;
    let deleted = broker.change_group(group, |groups, _| {
        groups.check_offset_delete(group)?;
        let mut known = HashSet::new();
        let respond = |topic: OffsetDeleteRequestTopic| {
            let is_subscribed = groups.is_subscribed_to(group, &topic.name);
            let check = |&OffsetDeleteRequestPartition { partition_index }: &_| {
                let error_code = match broker.partition(&topic.name, partition_index) {
                    Err(error) => ErrorCode::from(&error),
                    Ok(_) if is_subscribed => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                    Ok(_) => {
                        known.insert(TopicPartition::new(&*topic.name, partition_index));
                        ErrorCode::NONE
                    }
                };
                OffsetDeleteResponsePartition { partition_index, error_code }
            };
            let partitions = topic.partitions.iter().map(check).collect();
            OffsetDeleteResponseTopic { name: topic.name, partitions }
        };
        let is_answered = |topic: &OffsetDeleteRequestTopic| broker.is_answered(&topic.name, topic.partitions.len());
        let topics = request.topics.into_iter().filter(is_answered).map(respond).collect();
        match broker.store.delete_where(group, Acks::Leader, |partition| known.contains(partition)) {
            // It has members, and nothing to delete.
            Err(Error::GroupIdNotFound { .. }) if groups.is_known(group) => Ok(topics),
            deleted => deleted.map(|()| topics).map_err(coordinator_error::of),
        }
    });
    match deleted {
        Ok(topics) => OffsetDeleteResponse { topics, ..Default::default() },
        Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
    }
}
