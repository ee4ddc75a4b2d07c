//! CreatePartitions: add partitions to topics.

use crate::net::error_code::ErrorCode;

message! {
    /// Raises the partition counts of topics.
    CreatePartitionsRequest {
        topics: Vec<CreatePartitionsTopic>,
        timeout_ms: i32,
        validate_only: bool,
    }

    /// An element of [`CreatePartitionsRequest::topics`].
    CreatePartitionsTopic {
        name: String,
        count: i32,
        assignments: Option<Vec<CreatePartitionsAssignment>>,
    }

    /// An element of [`CreatePartitionsTopic::assignments`].
    CreatePartitionsAssignment {
        broker_ids: Vec<i32>,
    }

    /// Whether each was raised.
    CreatePartitionsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        results: Vec<CreatePartitionsTopicResult>,
    }

    /// An element of [`CreatePartitionsResponse::results`].
    CreatePartitionsTopicResult {
        name: String,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}
