//! OffsetDelete: forget what a group has committed for partitions.

use crate::net::error_code::ErrorCode;

message! {
    /// Deletes committed offsets.
    OffsetDeleteRequest {
        group_id: String,
        topics: Vec<OffsetDeleteRequestTopic>,
    }

    /// An element of [`OffsetDeleteRequest::topics`].
    OffsetDeleteRequestTopic {
        name: String,
        partitions: Vec<OffsetDeleteRequestPartition>,
    }

    /// An element of [`OffsetDeleteRequestTopic::partitions`].
    OffsetDeleteRequestPartition {
        partition_index: i32,
    }

    /// Whether each was deleted.
    OffsetDeleteResponse {
        error_code: ErrorCode,
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<OffsetDeleteResponseTopic>,
    }

    /// An element of [`OffsetDeleteResponse::topics`].
    OffsetDeleteResponseTopic {
        name: String,
        partitions: Vec<OffsetDeleteResponsePartition>,
    }

    /// An element of [`OffsetDeleteResponseTopic::partitions`].
    OffsetDeleteResponsePartition {
        partition_index: i32,
        error_code: ErrorCode,
    }
}
