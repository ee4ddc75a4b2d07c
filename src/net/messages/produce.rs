//! Produce: append batches to partitions. Records stay as they are, on either side.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Appends batches. With `acks` 0 there is no response.
    ProduceRequest {
        transactional_id: Option<String>,
        /// 0, 1, or −1 for all in-sync replicas.
        acks: i16,
        /// How long replicas may take to acknowledge.
        timeout_ms: i32,
        topic_data: Vec<TopicProduceData>,
    }

    /// An element of [`ProduceRequest::topic_data`].
    TopicProduceData {
        name: String [..=12, ignorable],
        topic_id: Uuid [13.., ignorable],
        partition_data: Vec<PartitionProduceData>,
    }

    /// An element of [`TopicProduceData::partition_data`].
    PartitionProduceData {
        index: i32,
        /// Exactly one batch, as the producer made it.
        records: Option<Bytes>,
    }

    /// What became of each batch.
    ProduceResponse {
        responses: Vec<TopicProduceResponse>,
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }

    /// An element of [`ProduceResponse::responses`].
    TopicProduceResponse {
        name: String [..=12, ignorable],
        topic_id: Uuid [13.., ignorable],
        partition_responses: Vec<PartitionProduceResponse>,
    }

    /// An element of [`TopicProduceResponse::partition_responses`].
    PartitionProduceResponse {
        index: i32,
        error_code: ErrorCode,
        base_offset: i64,
        /// −1 unless the topic gives its records the time of the append.
        log_append_time_ms: i64 = -1,
        log_start_offset: i64 [5.., ignorable] = -1,
        record_errors: Vec<BatchIndexAndErrorMessage> [8.., ignorable],
        error_message: Option<String> [8.., ignorable],
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// An element of [`PartitionProduceResponse::record_errors`].
    BatchIndexAndErrorMessage {
        batch_index: i32,
        batch_index_error_message: Option<String>,
    }

    /// The value of [`PartitionProduceResponse::current_leader`].
    LeaderIdAndEpoch {
        leader_id: i32 = -1,
        leader_epoch: i32 = -1,
    }

    /// An element of [`ProduceResponse::node_endpoints`].
    NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}
