//! SyncGroup: a member gets its part of the assignment, which the leader brings.

use bytes::Bytes;

use crate::coordinator::{GroupError, Response, SyncRequest, Synced};
use crate::net::messages::sync_group::SyncGroupRequestAssignment;
use crate::net::messages::{SyncGroupRequest, SyncGroupResponse};
use crate::net::transport::ConnectionError;
use crate::server::context::Context;
use crate::server::groups;

/// From this version on a member must say which protocol it goes by.
const PROTOCOL_VERSION: i16 = 5;

/// Answers when the leader has assigned, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: SyncGroupRequest,
) -> Result<impl Future<Output = Result<Option<SyncGroupResponse>, ConnectionError>> + use<>, ConnectionError> {
    let says_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    let may_ask = context.header.api_version < PROTOCOL_VERSION || says_protocol;
    // A copy: the group keeps it for longer than the request, in the memory of which it is.
    let assignment =
        |SyncGroupRequestAssignment { member_id, assignment, .. }| (member_id, Bytes::copy_from_slice(&assignment));
    let sync = SyncRequest {
        group: request.group_id,
        generation: request.generation_id,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignments: request.assignments.into_iter().map(assignment).collect(),
    };
    let syncing = groups::begin(context, move |groups, waiter, now_ms| match may_ask {
        true => groups.sync(sync, waiter, now_ms),
        // Nobody else waits on this channel.
        false => waiter.answer(Response::Sync(Err(GroupError::InconsistentGroupProtocol))),
    });
    let syncing = syncing.await;
    Ok(async move {
        Ok(Some(match syncing.await {
            Ok(Response::Sync(Ok(synced))) => accept(synced),
            Ok(Response::Join(_) | Response::ConsumerHeartbeat(_)) => unreachable!("a sync is answered as a sync"),
            Ok(Response::Sync(Err(error))) | Err(error) => refuse(error),
        }))
    })
}

fn accept(synced: Synced) -> SyncGroupResponse {
    SyncGroupResponse {
        protocol_type: synced.protocol_type,
        protocol_name: synced.protocol_name,
        assignment: synced.assignment,
        ..Default::default()
    }
}

fn refuse(error: GroupError) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.into(), ..Default::default() }
}
