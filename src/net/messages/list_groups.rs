//! ListGroups: the groups of a coordinator.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for all groups, or those of some states or types.
    ListGroupsRequest {
        states_filter: Vec<String> [4..],
        types_filter: Vec<String> [5..],
    }

    /// The groups.
    ListGroupsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        error_code: ErrorCode,
        groups: Vec<ListedGroup>,
    }

    /// An element of [`ListGroupsResponse::groups`].
    ListedGroup {
        group_id: String,
        protocol_type: String,
        group_state: String [4.., ignorable],
        group_type: String [5.., ignorable],
    }
}
