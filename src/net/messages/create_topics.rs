//! CreateTopics: make topics.

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Creates topics, or only checks whether that would work.
    CreateTopicsRequest {
        topics: Vec<CreatableTopic>,
        timeout_ms: i32 = 60000,
        validate_only: bool,
    }

    /// An element of [`CreateTopicsRequest::topics`].
    CreatableTopic {
        name: String,
        num_partitions: i32,
        replication_factor: i16,
        assignments: Vec<CreatableReplicaAssignment>,
        configs: Vec<CreatableTopicConfig>,
    }

    /// An element of [`CreatableTopic::assignments`].
    CreatableReplicaAssignment {
        partition_index: i32,
        broker_ids: Vec<i32>,
    }

    /// An element of [`CreatableTopic::configs`].
    CreatableTopicConfig {
        name: String,
        value: Option<String>,
    }

    /// Whether each was created, and as what.
    CreateTopicsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        topics: Vec<CreatableTopicResult>,
    }

    /// An element of [`CreateTopicsResponse::topics`].
    CreatableTopicResult {
        name: String,
        topic_id: Uuid [7.., ignorable],
        error_code: ErrorCode,
        error_message: Option<String>,
        topic_config_error_code: ErrorCode [5.., tag 0, ignorable],
        num_partitions: i32 [5.., ignorable] = -1,
        replication_factor: i16 [5.., ignorable] = -1,
        configs: Option<Vec<CreatableTopicConfigs>> [5.., ignorable],
    }

    /// An element of [`CreatableTopicResult::configs`].
    CreatableTopicConfigs {
        name: String,
        value: Option<String>,
        read_only: bool,
        config_source: i8 = -1,
        is_sensitive: bool,
    }
}
