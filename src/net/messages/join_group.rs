//! JoinGroup: become a member of a classic group, or stay one in its next generation.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;

message! {
    /// Joins a group.
    JoinGroupRequest {
        group_id: String,
        session_timeout_ms: i32,
        rebalance_timeout_ms: i32 [1.., ignorable] = -1,
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [5..],
        protocol_type: String,
        protocols: Vec<JoinGroupRequestProtocol>,
        reason: Option<String> [8.., ignorable],
    }

    /// An element of [`JoinGroupRequest::protocols`].
    JoinGroupRequestProtocol {
        name: String,
        metadata: Bytes,
    }

    /// The generation; its leader also gets the members.
    JoinGroupResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [2.., ignorable],
        error_code: ErrorCode,
        generation_id: i32 = -1,
        protocol_type: Option<String> [7.., ignorable],
        protocol_name: Option<String> [null 7..],
        leader: String,
        skip_assignment: bool [9..],
        member_id: String,
        members: Vec<JoinGroupResponseMember>,
    }

    /// An element of [`JoinGroupResponse::members`].
    JoinGroupResponseMember {
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [5.., ignorable],
        metadata: Bytes,
    }
}
