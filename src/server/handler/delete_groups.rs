//! DeleteGroups: remove groups, and what they have committed. One that is named twice is one.

use crate::net::ErrorCode;
use crate::net::messages::delete_groups::DeletableGroupResult;
use crate::net::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::server::broker::Broker;
use crate::server::coordinator_error;
use crate::server::duplicates::once;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteGroupsRequest, _: i16) -> DeleteGroupsResponse {
    let delete = |group_id: String| {
        let deleted = broker.store.delete_group(&group_id);
        let error_code = deleted.map_or_else(coordinator_error::of, |()| ErrorCode::NONE);
        DeletableGroupResult { group_id, error_code }
    };
    DeleteGroupsResponse { results: once(request.groups_names).map(delete).collect(), ..Default::default() }
}
