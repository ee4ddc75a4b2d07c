//! Heartbeat: a member is alive.

use crate::net::ErrorCode;
use crate::net::messages::{HeartbeatRequest, HeartbeatResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(broker: &Broker, request: HeartbeatRequest, _: i16) -> HeartbeatResponse {
    let HeartbeatRequest { group_id, generation_id, member_id, group_instance_id, .. } = request;
    let alive = broker.groups.ask(|groups, now_ms| {
        groups.heartbeat(&group_id, &member_id, group_instance_id.as_deref(), generation_id, now_ms)
    });
    let error_code = alive.flatten().err().map_or(ErrorCode::NONE, ErrorCode::from);
    HeartbeatResponse { error_code, ..Default::default() }
}
