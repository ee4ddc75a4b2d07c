//! DeleteGroups: remove groups without members, and what they have committed.

use crate::net::error_code::ErrorCode;

message! {
    /// Deletes groups.
    DeleteGroupsRequest {
        groups_names: Vec<String>,
    }

    /// Whether each was deleted.
    DeleteGroupsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        results: Vec<DeletableGroupResult>,
    }

    /// An element of [`DeleteGroupsResponse::results`].
    DeletableGroupResult {
        group_id: String,
        error_code: ErrorCode,
    }
}
