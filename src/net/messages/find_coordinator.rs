//! FindCoordinator: which broker looks after a group or a transactional id.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for the coordinator of a key, or of several from version 4 on.
    FindCoordinatorRequest {
        key: String [..=3],
        /// 0 is a group, 1 a transactional id, 2 a share group.
        key_type: i8 [1..],
        coordinator_keys: Vec<String> [4..],
    }

    /// The coordinators.
    FindCoordinatorResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        error_code: ErrorCode [..=3],
        error_message: Option<String> [1..=3, ignorable],
        node_id: i32 [..=3],
        host: String [..=3],
        port: i32 [..=3],
        coordinators: Vec<Coordinator> [4..],
    }

    /// An element of [`FindCoordinatorResponse::coordinators`].
    Coordinator {
        key: String,
        node_id: i32,
        host: String,
        port: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}
