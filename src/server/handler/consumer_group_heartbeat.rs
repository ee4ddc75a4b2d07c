//! ConsumerGroupHeartbeat: a member of a consumer group joins, stays or leaves (KIP-848).

use std::collections::BTreeSet;

use crate::coordinator::driver::{Coordinator, Waiter};
use crate::coordinator::{ConsumerHeartbeat, ConsumerHeartbeatRequest, GroupError, Partitions, Response};
use crate::net::ErrorCode;
use crate::net::messages::consumer_group_heartbeat::{Assignment, TopicPartitions};
use crate::net::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use crate::net::transport::ConnectionError;
use crate::server::context::Context;
use crate::server::groups;
use crate::uuid::Uuid;

/// From this version on members name themselves (KIP-1082).
const MEMBER_ID_VERSION: i16 = 1;

/// Answers when what it tells is durable, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<
    impl Future<Output = Result<Option<ConsumerGroupHeartbeatResponse>, ConnectionError>> + use<>,
    ConnectionError,
> {
    let is_served = context.broker.config.has_consumer_protocol();
    let heartbeat = if is_served { Some(begin(context, request).await) } else { None };
    Ok(async move {
        let Some(heartbeat) = heartbeat else { return Ok(Some(unsupported())) };
        Ok(Some(match heartbeat.await {
            Ok(Response::ConsumerHeartbeat(Ok(heartbeat))) => accept(heartbeat),
            Ok(Response::ConsumerHeartbeat(Err(error))) | Err(error) => refuse(error),
            Ok(Response::Join(_) | Response::Sync(_)) => unreachable!("a heartbeat is answered as a heartbeat"),
        }))
    })
}

async fn begin(
    context: &Context,
    request: ConsumerGroupHeartbeatRequest,
) -> impl Future<Output = Result<Response, GroupError>> + Send + use<> {
    let is_named = !request.member_id.is_empty() || context.header.api_version < MEMBER_ID_VERSION;
    let fresh_id = if request.member_id.is_empty() { Uuid::random() } else { Uuid::ZERO };
    let owned = request.topic_partitions.map(|topics| {
        let with_some = topics.into_iter().filter(|topic| !topic.partitions.is_empty());
        with_some.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
    });
    let heartbeat = ConsumerHeartbeatRequest {
        group: request.group_id,
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        instance_id: request.instance_id,
        rack_id: request.rack_id,
        client_id: context.header.client_id.clone().unwrap_or_default(),
        client_host: context.broker.client_host.clone(),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        topic_names: request.subscribed_topic_names,
        topic_regex: request.subscribed_topic_regex,
        server_assignor: request.server_assignor,
        owned,
        fresh_id,
    };
    let ask = move |groups: &mut Coordinator, waiter: Waiter, now_ms| match is_named {
        true => groups.consumer_heartbeat(heartbeat, waiter, now_ms),
        // Nobody else waits on this channel.
        false => {
            let unnamed = GroupError::InvalidRequest("MemberId can't be empty.");
            waiter.answer(Response::ConsumerHeartbeat(Err(unnamed)));
        }
    };
    groups::begin(context, ask).await
}

/// The protocol is turned off (`group.coordinator.rebalance.protocols`).
fn unsupported() -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..Default::default() }
}

fn accept(heartbeat: ConsumerHeartbeat) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        member_id: Some(heartbeat.member_id),
        member_epoch: heartbeat.member_epoch,
        heartbeat_interval_ms: heartbeat.heartbeat_interval_ms,
        assignment: heartbeat.assignment.map(|partitions| Assignment { topic_partitions: list(partitions) }),
        ..Default::default()
    }
}

fn list(partitions: Partitions) -> Vec<TopicPartitions> {
    let list = |(topic_id, partitions): (_, BTreeSet<i32>)| TopicPartitions {
        topic_id,
        partitions: partitions.into_iter().collect(),
    };
    partitions.into_iter().map(list).collect()
}

fn refuse(error: GroupError) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: ErrorCode::from(error),
        error_message: Some(error.to_string()),
        ..Default::default()
    }
}
