//! DeleteGroups: remove groups, and what they have committed.

use crate::net::ErrorCode;
use crate::net::messages::delete_groups::DeletableGroupResult;
use crate::net::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteGroupsRequest, _: i16) -> DeleteGroupsResponse {
    let delete = |group_id: String| {
        let deleted = broker.store.delete_group(&group_id);
        let error_code = deleted.map_or_else(|error| ErrorCode::from(&error), |()| ErrorCode::NONE);
        DeletableGroupResult { group_id, error_code }
    };
    DeleteGroupsResponse { results: request.groups_names.into_iter().map(delete).collect(), ..Default::default() }
}
