//! OffsetCommit: how far a group has read.

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Commits offsets of a group.
    OffsetCommitRequest {
        group_id: String,
        generation_id_or_member_epoch: i32 = -1,
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [7..],
        retention_time_ms: i64 [..=4, ignorable] = -1,
        topics: Vec<OffsetCommitRequestTopic>,
    }

    /// An element of [`OffsetCommitRequest::topics`].
    OffsetCommitRequestTopic {
        name: String [..=9, ignorable],
        topic_id: Uuid [10.., ignorable],
        partitions: Vec<OffsetCommitRequestPartition>,
    }

    /// An element of [`OffsetCommitRequestTopic::partitions`].
    OffsetCommitRequestPartition {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 [6.., ignorable] = -1,
        committed_metadata: Option<String>,
    }

    /// Whether each was committed.
    OffsetCommitResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [3.., ignorable],
        topics: Vec<OffsetCommitResponseTopic>,
    }

    /// An element of [`OffsetCommitResponse::topics`].
    OffsetCommitResponseTopic {
        name: String [..=9, ignorable],
        topic_id: Uuid [10.., ignorable],
        partitions: Vec<OffsetCommitResponsePartition>,
    }

    /// An element of [`OffsetCommitResponseTopic::partitions`].
    OffsetCommitResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}
