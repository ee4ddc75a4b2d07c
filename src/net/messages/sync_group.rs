//! SyncGroup: the leader of a classic group hands out the assignment.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for a member's assignment; the leader sends everyone's.
    SyncGroupRequest {
        group_id: String,
        generation_id: i32,
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [3..],
        protocol_type: Option<String> [5.., ignorable],
        protocol_name: Option<String> [5.., ignorable],
        assignments: Vec<SyncGroupRequestAssignment>,
    }

    /// An element of [`SyncGroupRequest::assignments`].
    SyncGroupRequestAssignment {
        member_id: String,
        assignment: Bytes,
    }

    /// The member's assignment.
    SyncGroupResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        error_code: ErrorCode,
        protocol_type: Option<String> [5.., ignorable],
        protocol_name: Option<String> [5.., ignorable],
        assignment: Bytes,
    }
}
