//! ListGroups: the groups of the store.

use crate::net::ErrorCode;
use crate::net::messages::list_groups::ListedGroup;
use crate::net::messages::{ListGroupsRequest, ListGroupsResponse};
use crate::server::broker::Broker;

/// The state of a group without members.
const EMPTY: &str = "Empty";
/// The type of a group whose members assign partitions among themselves, or each to itself.
const CLASSIC: &str = "classic";

pub(in crate::server) fn answer(broker: &Broker, request: ListGroupsRequest, _: i16) -> ListGroupsResponse {
    let includes = |filter: &[String], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
    };
    if !includes(&request.states_filter, EMPTY) || !includes(&request.types_filter, CLASSIC) {
        return ListGroupsResponse::default();
    }
    let list = |group_id| ListedGroup {
        group_id,
        group_state: EMPTY.to_owned(),
        group_type: CLASSIC.to_owned(),
        ..Default::default()
    };
    match broker.store.groups() {
        Ok(groups) => ListGroupsResponse { groups: groups.into_iter().map(list).collect(), ..Default::default() },
        Err(error) => ListGroupsResponse { error_code: ErrorCode::from(&error), ..Default::default() },
    }
}
