//! DeleteRecords: let go of the records before an offset.

use crate::net::error_code::ErrorCode;

message! {
    /// Moves the beginning of partitions.
    DeleteRecordsRequest {
        topics: Vec<DeleteRecordsTopic>,
        timeout_ms: i32,
    }

    /// An element of [`DeleteRecordsRequest::topics`].
    DeleteRecordsTopic {
        name: String,
        partitions: Vec<DeleteRecordsPartition>,
    }

    /// An element of [`DeleteRecordsTopic::partitions`].
    DeleteRecordsPartition {
        partition_index: i32,
        offset: i64,
    }

    /// Where they begin now.
    DeleteRecordsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<DeleteRecordsTopicResult>,
    }

    /// An element of [`DeleteRecordsResponse::topics`].
    DeleteRecordsTopicResult {
        name: String,
        partitions: Vec<DeleteRecordsPartitionResult>,
    }

    /// An element of [`DeleteRecordsTopicResult::partitions`].
    DeleteRecordsPartitionResult {
        partition_index: i32,
        low_watermark: i64,
        error_code: ErrorCode,
    }
}
