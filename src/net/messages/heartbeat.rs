//! Heartbeat: a member of a classic group is alive.

use crate::net::error_code::ErrorCode;

message! {
    /// Says that a member is alive.
    HeartbeatRequest {
        group_id: String,
        generation_id: i32,
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [3..],
    }

    /// Whether it still is a member of this generation.
    HeartbeatResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        error_code: ErrorCode,
    }
}
