//! Heartbeat: a member is alive.

use crate::net::ErrorCode;
use crate::net::messages::{HeartbeatRequest, HeartbeatResponse};
use crate::net::transport::ConnectionError;
use crate::server::context::Context;
use crate::server::groups;

pub(in crate::server) async fn answer(
    context: &Context,
    request: HeartbeatRequest,
) -> Result<impl Future<Output = Result<Option<HeartbeatResponse>, ConnectionError>> + use<>, ConnectionError> {
    let HeartbeatRequest { group_id, generation_id, member_id, group_instance_id, .. } = request;
    let alive = groups::ask(&context.broker, move |groups, now_ms| {
        groups.heartbeat(&group_id, &member_id, group_instance_id.as_deref(), generation_id, now_ms)
    });
    let error_code = alive.await.flatten().err().map_or(ErrorCode::NONE, ErrorCode::from);
    Ok(std::future::ready(Ok(Some(HeartbeatResponse { error_code, ..Default::default() }))))
}
