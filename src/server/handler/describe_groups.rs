//! DescribeGroups: where groups stand, and who is in them.

use crate::coordinator::{self, GroupState};
use crate::net::ErrorCode;
use crate::net::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::net::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::server::broker::Broker;

/// From this version on a group that isn't known is an error (KIP-1043). Before, it is one that is dead.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let describe = |group_id: String| broker.describe_group(group_id, version);
    DescribeGroupsResponse { groups: request.groups.into_iter().map(describe).collect(), ..Default::default() }
}

impl Broker {
    fn describe_group(&self, group_id: String, version: i16) -> DescribedGroup {
        match self.groups.ask(|groups, _| groups.describe(&group_id)) {
            Ok(Some(known)) => describe(known),
            // Offsets without members.
            Ok(None) if self.store.has_group(&group_id) => {
                DescribedGroup { group_id, group_state: GroupState::Empty.to_string(), ..Default::default() }
            }
            Ok(None) => {
                let is_error = version >= GROUP_ID_NOT_FOUND_VERSION;
                DescribedGroup {
                    error_code: if is_error { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE },
                    error_message: is_error.then(|| format!("group {group_id:?} isn't known")),
                    group_id,
                    group_state: GroupState::Dead.to_string(),
                    ..Default::default()
                }
            }
            Err(error) => DescribedGroup { error_code: error.into(), group_id, ..Default::default() },
        }
    }
}

fn describe(group: coordinator::DescribedGroup) -> DescribedGroup {
    let members = group.members.into_iter().map(|member| DescribedGroupMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    });
    DescribedGroup {
        group_id: group.group,
        group_state: group.state.to_string(),
        protocol_type: group.protocol_type,
        protocol_data: group.protocol_name,
        members: members.collect(),
        ..Default::default()
    }
}
