//! OffsetFetch: what groups have committed.

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Asks for the committed offsets of a group, or of several from version 8 on.
    OffsetFetchRequest {
        group_id: String [..=7],
        topics: Option<Vec<OffsetFetchRequestTopic>> [..=7, null 2..],
        groups: Vec<OffsetFetchRequestGroup> [8..],
        /// Whether offsets of open transactions are to be waited for (KIP-447).
        require_stable: bool [7..],
    }

    /// An element of [`OffsetFetchRequest::topics`].
    OffsetFetchRequestTopic {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// An element of [`OffsetFetchRequest::groups`].
    OffsetFetchRequestGroup {
        group_id: String,
        member_id: Option<String> [9.., ignorable],
        member_epoch: i32 [9.., ignorable] = -1,
        topics: Option<Vec<OffsetFetchRequestTopics>>,
    }

    /// An element of [`OffsetFetchRequestGroup::topics`].
    OffsetFetchRequestTopics {
        name: String [..=9, ignorable],
        topic_id: Uuid [10.., ignorable],
        partition_indexes: Vec<i32>,
    }

    /// The offsets, −1 where there is none.
    OffsetFetchResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [3.., ignorable],
        topics: Vec<OffsetFetchResponseTopic> [..=7],
        error_code: ErrorCode [2..=7, ignorable],
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }

    /// An element of [`OffsetFetchResponse::topics`].
    OffsetFetchResponseTopic {
        name: String,
        partitions: Vec<OffsetFetchResponsePartition>,
    }

    /// An element of [`OffsetFetchResponseTopic::partitions`].
    OffsetFetchResponsePartition {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 [5.., ignorable] = -1,
        metadata: Option<String>,
        error_code: ErrorCode,
    }

    /// An element of [`OffsetFetchResponse::groups`].
    OffsetFetchResponseGroup {
        group_id: String,
        topics: Vec<OffsetFetchResponseTopics>,
        error_code: ErrorCode,
    }

    /// An element of [`OffsetFetchResponseGroup::topics`].
    OffsetFetchResponseTopics {
        name: String [..=9, ignorable],
        topic_id: Uuid [10.., ignorable],
        partitions: Vec<OffsetFetchResponsePartitions>,
    }

    /// An element of [`OffsetFetchResponseTopics::partitions`].
    OffsetFetchResponsePartitions {
        partition_index: i32,
        committed_offset: i64,
        committed_leader_epoch: i32 = -1,
        metadata: Option<String>,
        error_code: ErrorCode,
    }
}
