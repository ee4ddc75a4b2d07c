//! DescribeGroups: where groups stand, and who is in them. One that is named twice is one.

use crate::coordinator::{self, GroupState};
use crate::net::ErrorCode;
use crate::net::messages::describe_groups::{DescribedGroup, DescribedGroupMember};
use crate::net::messages::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::server::broker::Broker;
use crate::server::duplicates::once;
use crate::server::{coordinator_error, groups, operations};

/// From this version on a group that isn't known is an error (KIP-1043). Before, it is one that is dead.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 6;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeGroupsRequest,
    version: i16,
) -> DescribeGroupsResponse {
    let describe = |group_id: String| {
        let described = broker.describe_group(group_id, version);
        let authorized_operations =
            operations::told_of_group(request.include_authorized_operations, described.error_code);
        DescribedGroup { authorized_operations, ..described }
    };
    DescribeGroupsResponse { groups: once(request.groups).map(describe).collect(), ..Default::default() }
}

impl Broker {
    fn describe_group(&self, group_id: String, version: i16) -> DescribedGroup {
        let asked = self.groups.ask(|groups, _| (groups.describe(&group_id), groups.is_known(&group_id)));
        let (error_code, error_message, state) = match asked {
            Ok((Some(known), _)) => return describe(known),
            // A consumer group is none that this API knows.
            Ok((None, is_known)) => match self.store.has_group(&group_id).map(|has_offsets| has_offsets && !is_known) {
                // Offsets without members.
                Ok(true) => (ErrorCode::NONE, None, Some(GroupState::Empty)),
                Ok(false) if version < GROUP_ID_NOT_FOUND_VERSION => (ErrorCode::NONE, None, Some(GroupState::Dead)),
                Ok(false) => {
                    let message = groups::not_found(&group_id, is_known, "classic");
                    (ErrorCode::GROUP_ID_NOT_FOUND, Some(message), Some(GroupState::Dead))
                }
                Err(error) => (coordinator_error::of(&error), Some(error.to_string()), None),
            },
            Err(error) => (error.into(), Some(error.to_string()), None),
        };
        let group_state = state.map(|state| state.to_string()).unwrap_or_default();
        DescribedGroup { error_code, error_message, group_id, group_state, ..Default::default() }
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
