//! ListGroups: the groups that have members or offsets.

use std::collections::BTreeMap;

use crate::coordinator::{GroupState, GroupType};
use crate::net::ErrorCode;
use crate::net::messages::list_groups::ListedGroup;
use crate::net::messages::{ListGroupsRequest, ListGroupsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(broker: &Broker, request: ListGroupsRequest, _: i16) -> ListGroupsResponse {
    let includes = |filter: &[String], value: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
    };
    let with_members = broker.groups.ask(|groups, _| {
        let known = groups
            .groups()
            .map(|group| (group.group.to_owned(), (group.group_type, group.state, group.protocol_type.to_owned())));
        known.collect::<BTreeMap<_, _>>()
    });
    let mut groups = match with_members {
        Ok(groups) => groups,
        Err(error) => return ListGroupsResponse { error_code: error.into(), ..Default::default() },
    };
    match broker.store.groups() {
        Ok(with_offsets) => with_offsets.into_iter().for_each(|group| {
            groups.entry(group).or_insert((GroupType::Classic, GroupState::Empty, String::new()));
        }),
        Err(error) => return ListGroupsResponse { error_code: ErrorCode::from(&error), ..Default::default() },
    }
    let list = |(group_id, (group_type, state, protocol_type)): (_, (GroupType, GroupState, _))| ListedGroup {
        group_id,
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
