//! LeaveGroup: members of a classic group go.

use crate::net::error_code::ErrorCode;

message! {
    /// Takes members out of a group, one before version 3.
    LeaveGroupRequest {
        group_id: String,
        member_id: String [..=2],
        members: Vec<MemberIdentity> [3..],
    }

    /// An element of [`LeaveGroupRequest::members`].
    MemberIdentity {
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String>,
        reason: Option<String> [5.., ignorable],
    }

    /// Whether each has left.
    LeaveGroupResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        error_code: ErrorCode,
        members: Vec<MemberResponse> [3..],
    }

    /// An element of [`LeaveGroupResponse::members`].
    MemberResponse {
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String>,
        error_code: ErrorCode,
    }
}
