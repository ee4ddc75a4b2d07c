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
        let group_state = if broker.store.has_group(&group_id) { "Empty" } else { "Dead" };
        let is_error = group_state == "Dead" && version >= GROUP_ID_NOT_FOUND_VERSION;
        DescribedGroup {
            error_code: if is_error { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE },
            error_message: is_error.then(|| format!("group {group_id:?} isn't known")),
            group_id,
            group_state: group_state.to_owned(),
            ..Default::default()
        }
    };
    DescribeGroupsResponse { groups: request.groups.into_iter().map(describe).collect(), ..Default::default() }
}
