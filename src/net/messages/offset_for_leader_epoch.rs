//! OffsetForLeaderEpoch: where a leader epoch ends, which shows where logs diverge (KIP-101, KIP-320).

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for the ends of epochs.
    OffsetForLeaderEpochRequest {
        replica_id: i32 [3.., ignorable] = -2,
        topics: Vec<OffsetForLeaderTopic>,
    }

    /// An element of [`OffsetForLeaderEpochRequest::topics`].
    OffsetForLeaderTopic {
        topic: String,
        partitions: Vec<OffsetForLeaderPartition>,
    }

    /// An element of [`OffsetForLeaderTopic::partitions`].
    OffsetForLeaderPartition {
        partition: i32,
        current_leader_epoch: i32 = -1,
        leader_epoch: i32,
    }

    /// The ends, −1 where an epoch isn't known.
    OffsetForLeaderEpochResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<OffsetForLeaderTopicResult>,
    }

    /// An element of [`OffsetForLeaderEpochResponse::topics`].
    OffsetForLeaderTopicResult {
        topic: String,
        partitions: Vec<EpochEndOffset>,
    }

    /// An element of [`OffsetForLeaderTopicResult::partitions`].
    EpochEndOffset {
        error_code: ErrorCode,
        partition: i32,
        leader_epoch: i32 = -1,
        end_offset: i64 = -1,
    }
}
