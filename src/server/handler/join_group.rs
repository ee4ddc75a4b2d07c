//! JoinGroup: a client becomes a member of a group, or stays one.

use bytes::Bytes;

use crate::coordinator::{JoinProtocol, JoinRequest, Joined, NotJoined, Response};
use crate::net::messages::join_group::{JoinGroupRequestProtocol, JoinGroupResponseMember};
use crate::net::messages::{JoinGroupRequest, JoinGroupResponse};
use crate::net::transport::ConnectionError;
use crate::server::context::Context;
use crate::server::groups;
use crate::uuid::Uuid;

/// From this version on a new member comes back with the id that it is given (KIP-394).
const MEMBER_ID_VERSION: i16 = 4;
/// From this version on the name of the protocol may be null.
const NULL_PROTOCOL_VERSION: i16 = 7;
/// From this version on a static leader can be told not to assign (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// Answers when the group's next generation begins, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: JoinGroupRequest,
) -> Result<impl Future<Output = Result<Option<JoinGroupResponse>, ConnectionError>> + use<>, ConnectionError> {
    let version = context.header.api_version;
    let member_id = request.member_id.clone();
    // A copy: the group keeps it for longer than the request, in the memory of which it is.
    let protocol = |JoinGroupRequestProtocol { name, metadata, .. }| JoinProtocol {
        name,
        metadata: Bytes::copy_from_slice(&metadata),
    };
    let join = JoinRequest {
        group: request.group_id,
        member_id: request.member_id,
        group_instance_id: request.group_instance_id,
        client_id: context.header.client_id.clone().unwrap_or_default(),
        client_host: context.broker.client_host.clone(),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 has but one timeout.
        rebalance_timeout_ms: if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms },
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(protocol).collect(),
        comes_back_with_id: version >= MEMBER_ID_VERSION,
        can_skip_assignment: version >= SKIP_ASSIGNMENT_VERSION,
        fresh_id: Uuid::random(),
    };
    let joining = groups::begin(context, move |groups, waiter, now_ms| groups.join(join, waiter, now_ms)).await;
    let metrics = context.broker.metrics.clone();
    Ok(async move {
        Ok(Some(match joining.await {
            Ok(Response::Join(Ok(joined))) => {
                // Each generation has one leader.
                if joined.leader == joined.member_id {
                    metrics.group_rebalanced();
                }
                accept(joined)
            }
            Ok(Response::Join(Err(refused))) => refuse(refused, version),
            Ok(Response::Sync(_) | Response::ConsumerHeartbeat(_)) => unreachable!("a join is answered as a join"),
            Err(error) => refuse(NotJoined { error, member_id }, version),
        }))
    })
}

fn accept(joined: Joined) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        metadata: member.metadata,
    });
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type,
        protocol_name: joined.protocol_name,
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id,
        members: members.collect(),
        ..Default::default()
    }
}

fn refuse(NotJoined { error, member_id }: NotJoined, version: i16) -> JoinGroupResponse {
    let protocol_name = (version < NULL_PROTOCOL_VERSION).then(String::new);
    JoinGroupResponse { error_code: error.into(), protocol_name, member_id, ..Default::default() }
}
