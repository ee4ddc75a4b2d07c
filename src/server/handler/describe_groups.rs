//! DescribeGroups: groups without members, for consumers here assign themselves partitions.

use crate::net::ErrorCode;
use crate::net::messages::describe_groups::DescribedGroup;
use crate::net::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::server::broker::Broker;

/// From this version on a group that isn't known is an error (KIP-1043). Before, it is one that is dead.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let describe = |group_id: String| {
        let (error_code, error_message, group_state) = match broker.store.has_group(&group_id) {
            Ok(true) => (ErrorCode::NONE, None, "Empty"),
            Ok(false) if version < GROUP_ID_NOT_FOUND_VERSION => (ErrorCode::NONE, None, "Dead"),
            Ok(false) => (ErrorCode::GROUP_ID_NOT_FOUND, Some(format!("group {group_id:?} isn't known")), "Dead"),
            Err(error) => (ErrorCode::from(&error), Some(error.to_string()), ""),
        };
        DescribedGroup {
            error_code,
            error_message,
            group_id,
            group_state: group_state.to_owned(),
            ..Default::default()
        }
    };
    DescribeGroupsResponse { groups: request.groups.into_iter().map(describe).collect(), ..Default::default() }
}
