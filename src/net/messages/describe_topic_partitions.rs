//! DescribeTopicPartitions: topics page by page (KIP-966).

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Asks for topics from a cursor on.
    DescribeTopicPartitionsRequest {
        topics: Vec<TopicRequest>,
        response_partition_limit: i32 = 2000,
        cursor: Option<Cursor>,
    }

    /// An element of [`DescribeTopicPartitionsRequest::topics`].
    TopicRequest {
        name: String,
    }

    /// The value of [`DescribeTopicPartitionsRequest::cursor`] and [`DescribeTopicPartitionsResponse::next_cursor`].
    Cursor {
        topic_name: String,
        partition_index: i32,
    }

    /// A page of topics, and the cursor of the next.
    DescribeTopicPartitionsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<DescribeTopicPartitionsResponseTopic>,
        next_cursor: Option<Cursor>,
    }

    /// An element of [`DescribeTopicPartitionsResponse::topics`].
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode,
        name: Option<String>,
        topic_id: Uuid,
        is_internal: bool,
        partitions: Vec<DescribeTopicPartitionsResponsePartition>,
        /// `i32::MIN` where it was not asked for.
        topic_authorized_operations: i32 = i32::MIN,
    }

    /// An element of [`DescribeTopicPartitionsResponseTopic::partitions`].
    DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        leader_epoch: i32 = -1,
        replica_nodes: Vec<i32>,
        isr_nodes: Vec<i32>,
        eligible_leader_replicas: Option<Vec<i32>>,
        last_known_elr: Option<Vec<i32>>,
        offline_replicas: Vec<i32>,
    }
}
