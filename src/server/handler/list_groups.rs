//! ListGroups: the groups that have members or offsets.

use crate::coordinator::GroupListing;
use crate::net::messages::list_groups::ListedGroup;
use crate::net::messages::{ListGroupsRequest, ListGroupsResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;

pub(in crate::server) fn answer(broker: &Broker, request: ListGroupsRequest, _: i16) -> ListGroupsResponse {
    let includes = |filter: &[String], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
    };
    let groups = match broker.store.list_groups() {
        Ok(groups) => groups,
        Err(error) => return ListGroupsResponse { error_code: coordinator_error::of(&error), ..Default::default() },
    };
    let list = |GroupListing { group, group_type, state, protocol_type }| ListedGroup {
        group_id: group,
        protocol_type,
        group_state: state.to_string(),
        group_type: group_type.to_string(),
    };
    let is_wanted = |group: &ListedGroup| {
        includes(&request.types_filter, &group.group_type) && includes(&request.states_filter, &group.group_state)
    };
    let listed = groups.into_iter().map(list).filter(is_wanted);
    ListGroupsResponse { groups: listed.collect(), ..Default::default() }
}
