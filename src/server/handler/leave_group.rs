//! LeaveGroup: members go.

use crate::coordinator::LeaveRequest;
use crate::net::ErrorCode;
use crate::net::messages::leave_group::{MemberIdentity, MemberResponse};
use crate::net::messages::{LeaveGroupRequest, LeaveGroupResponse};
use crate::server::broker::Broker;

/// From this version on several members may go at once (KIP-345).
const BATCH_VERSION: i16 = 3;

pub(in crate::server) fn answer(broker: &Broker, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let leaving = match version >= BATCH_VERSION {
        true => request.members,
        false => vec![MemberIdentity { member_id: request.member_id, ..Default::default() }],
    };
    let leave = |member: &MemberIdentity| LeaveRequest {
        member_id: member.member_id.clone(),
        group_instance_id: member.group_instance_id.clone(),
    };
    let requests: Vec<_> = leaving.iter().map(leave).collect();
    let left = broker.groups.ask(|groups, now_ms| groups.leave(&request.group_id, &requests, now_ms)).flatten();
    let left: Vec<ErrorCode> = match left {
        Ok(left) => left.into_iter().map(|left| left.err().map_or(ErrorCode::NONE, ErrorCode::from)).collect(),
        Err(error) => return LeaveGroupResponse { error_code: error.into(), ..Default::default() },
    };
    if version < BATCH_VERSION {
        return LeaveGroupResponse { error_code: left.into_iter().next().unwrap_or_default(), ..Default::default() };
    }
    let members = leaving.into_iter().zip(left).map(|(member, error_code)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code,
    });
    LeaveGroupResponse { members: members.collect(), ..Default::default() }
}
