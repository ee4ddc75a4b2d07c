//! ListPartitionReassignments: partitions that are moving between brokers.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for partitions, or all.
    ListPartitionReassignmentsRequest {
        timeout_ms: i32 = 60000,
        topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    }

    /// An element of [`ListPartitionReassignmentsRequest::topics`].
    ListPartitionReassignmentsTopics {
        name: String,
        partition_indexes: Vec<i32>,
    }

    /// Those that are moving.
    ListPartitionReassignmentsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        topics: Vec<OngoingTopicReassignment>,
    }

    /// An element of [`ListPartitionReassignmentsResponse::topics`].
    OngoingTopicReassignment {
        name: String,
        partitions: Vec<OngoingPartitionReassignment>,
    }

    /// An element of [`OngoingTopicReassignment::partitions`].
    OngoingPartitionReassignment {
        partition_index: i32,
        replicas: Vec<i32>,
        adding_replicas: Vec<i32>,
        removing_replicas: Vec<i32>,
    }
}
