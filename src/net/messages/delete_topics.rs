//! DeleteTopics: remove topics and their records.

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Deletes topics by name, or by id from version 6 on.
    DeleteTopicsRequest {
        topics: Vec<DeleteTopicState> [6..],
        topic_names: Vec<String> [..=5, ignorable],
        timeout_ms: i32,
    }

    /// An element of [`DeleteTopicsRequest::topics`].
    DeleteTopicState {
        name: Option<String>,
        topic_id: Uuid,
    }

    /// Whether each was deleted.
    DeleteTopicsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        responses: Vec<DeletableTopicResult>,
    }

    /// An element of [`DeleteTopicsResponse::responses`].
    DeletableTopicResult {
        name: Option<String> [null 6..],
        topic_id: Uuid [6.., ignorable],
        error_code: ErrorCode,
        error_message: Option<String> [5.., ignorable],
    }
}
