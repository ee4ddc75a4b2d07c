//! DeleteGroups: remove groups, and what they have committed. One that is named twice is one.

use std::collections::HashSet;

use crate::net::ErrorCode;
use crate::net::messages::delete_groups::DeletableGroupResult;
use crate::net::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteGroupsRequest, _: i16) -> DeleteGroupsResponse {
    let delete = |group_id: String| {
        let error_code = broker.store.delete_whole_group(&group_id).map_or_else(ErrorCode::from, |()| ErrorCode::NONE);
        DeletableGroupResult { group_id, error_code }
    };
    let mut named = HashSet::new();
    let groups = request.groups_names.into_iter().filter(|group_id| named.insert(group_id.clone()));
    DeleteGroupsResponse { results: groups.map(delete).collect(), ..Default::default() }
}
