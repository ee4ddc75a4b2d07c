//! DescribeGroups: the state and members of classic groups.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for groups.
    DescribeGroupsRequest {
        groups: Vec<String>,
        include_authorized_operations: bool [3..],
    }

    /// The groups. One that doesn't exist is "Dead".
    DescribeGroupsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        groups: Vec<DescribedGroup>,
    }

    /// An element of [`DescribeGroupsResponse::groups`].
    DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<String> [6..],
        group_id: String,
        group_state: String,
        protocol_type: String,
        protocol_data: String,
        members: Vec<DescribedGroupMember>,
        authorized_operations: i32 [3..] = i32::MIN,
    }

    /// An element of [`DescribedGroup::members`].
    DescribedGroupMember {
        member_id: String,
        /// The id of a static member (KIP-345).
        group_instance_id: Option<String> [4.., ignorable],
        client_id: String,
        client_host: String,
        member_metadata: Bytes,
        member_assignment: Bytes,
    }
}
