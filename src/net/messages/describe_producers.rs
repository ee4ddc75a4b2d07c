//! DescribeProducers: the producers that partitions remember.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for partitions.
    DescribeProducersRequest {
        topics: Vec<TopicRequest>,
    }

    /// An element of [`DescribeProducersRequest::topics`].
    TopicRequest {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// Their producers and open transactions.
    DescribeProducersResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<TopicResponse>,
    }

    /// An element of [`DescribeProducersResponse::topics`].
    TopicResponse {
        name: String,
        partitions: Vec<PartitionResponse>,
    }

    /// An element of [`TopicResponse::partitions`].
    PartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        active_producers: Vec<ProducerState>,
    }

    /// An element of [`PartitionResponse::active_producers`].
    ProducerState {
        producer_id: i64,
        producer_epoch: i32,
        last_sequence: i32 = -1,
        last_timestamp: i64 = -1,
        coordinator_epoch: i32,
        current_txn_start_offset: i64 = -1,
    }
}
