//! DeleteGroups: remove groups, and what they have committed.

use crate::coordinator::GroupError;
use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::delete_groups::DeletableGroupResult;
use crate::net::messages::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::server::broker::Broker;
use crate::types::Acks;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteGroupsRequest, _: i16) -> DeleteGroupsResponse {
    let delete = |group_id: String| {
        let error_code = broker.delete_group(&group_id).err().unwrap_or(ErrorCode::NONE);
        DeletableGroupResult { group_id, error_code }
    };
    DeleteGroupsResponse { results: request.groups_names.into_iter().map(delete).collect(), ..Default::default() }
}

impl Broker {
    /// Deletes the record of a group and its offsets, of which it may have the one, the other or both.
    fn delete_group(&self, group: &str) -> Result<(), ErrorCode> {
        self.change_group(group, |groups, _| {
            let had_record = match groups.delete(group) {
                Ok(()) => true,
                Err(GroupError::GroupIdNotFound) => false,
                Err(error) => return Err(error.into()),
            };
            match self.store.delete_where(group, Acks::Leader, |_| true) {
                Err(Error::GroupIdNotFound { .. }) if had_record => Ok(()),
                deleted => deleted.map_err(ErrorCode::from),
            }
        })
    }
}
