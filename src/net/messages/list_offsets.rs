//! ListOffsets: find offsets by timestamp, and the ends of partitions.

use crate::net::error_code::ErrorCode;

/// In place of a timestamp: the end of what may be read.
pub const LATEST_TIMESTAMP: i64 = -1;
/// In place of a timestamp: the log's start.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// In place of a timestamp: the record with the largest one (KIP-734), from version 7 on.
pub const MAX_TIMESTAMP: i64 = -3;
/// In place of a timestamp: the first offset on the leader's own disk (KIP-405), from version 8 on.
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// In place of a timestamp: the last offset in tiered storage (KIP-1005), from version 9 on.
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// In place of a timestamp: the first offset that isn't in tiered storage yet (KIP-1023), from version 11 on.
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

/// In place of a follower's id: a consumer, who gets to know what consumers may read.
pub const CONSUMER_REPLICA_ID: i32 = -1;
/// In place of a follower's id: somebody who looks into things, and gets to know where the leader's log ends.
pub const DEBUGGING_REPLICA_ID: i32 = -2;

message! {
    /// Asks for one offset of each partition.
    ListOffsetsRequest {
        /// A follower's id, or [who else](CONSUMER_REPLICA_ID) asks.
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
        /// In milliseconds, or [what else](LATEST_TIMESTAMP) is asked for.
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
