//! ListOffsets: find offsets by timestamp, and the ends of partitions.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for one offset of each partition.
    ListOffsetsRequest {
        /// A follower's id, −1 for a consumer.
        replica_id: i32,
        /// 0 is `read_uncommitted`, 1 `read_committed`.
        isolation_level: i8 [2..],
        topics: Vec<ListOffsetsTopic>,
        timeout_ms: i32 [10.., ignorable],
    }

    /// An element of [`ListOffsetsRequest::topics`].
    ListOffsetsTopic {
        name: String,
        partitions: Vec<ListOffsetsPartition>,
    }

    /// An element of [`ListOffsetsTopic::partitions`].
    ListOffsetsPartition {
        partition_index: i32,
        current_leader_epoch: i32 [4.., ignorable] = -1,
        /// In milliseconds; −1 asks for the latest offset, −2 for the earliest, −3 for that of the largest timestamp.
        timestamp: i64,
    }

    /// The offsets that were found, −1 where there is none.
    ListOffsetsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [2.., ignorable],
        topics: Vec<ListOffsetsTopicResponse>,
    }

    /// An element of [`ListOffsetsResponse::topics`].
    ListOffsetsTopicResponse {
        name: String,
        partitions: Vec<ListOffsetsPartitionResponse>,
    }

    /// An element of [`ListOffsetsTopicResponse::partitions`].
    ListOffsetsPartitionResponse {
        partition_index: i32,
        error_code: ErrorCode,
        timestamp: i64 = -1,
        offset: i64 = -1,
        leader_epoch: i32 [4..] = -1,
    }
}
