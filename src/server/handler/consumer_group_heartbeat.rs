//! ConsumerGroupHeartbeat: a member of a consumer group joins, stays or leaves (KIP-848).

use std::collections::BTreeSet;

use crate::config::ConsumerGroupAssignor;
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

/// The epochs with which a member joins, leaves, and leaves to be back as the same static member.
const JOINS: i32 = 0;
const LEAVES: i32 = -1;
const WILL_BE_BACK: i32 = -2;

/// Answers when what it tells is durable, or the server stops.
pub(in crate::server) async fn answer(
    context: &Context,
    request: ConsumerGroupHeartbeatRequest,
) -> Result<
    impl Future<Output = Result<Option<ConsumerGroupHeartbeatResponse>, ConnectionError>> + use<>,
    ConnectionError,
> {
    let is_served = context.broker.config.has_consumer_protocol();
    let said = Said::by(&request, context.header.api_version);
    let heartbeat = if is_served { Some(begin(context, request).await) } else { None };
    let broker = context.broker.clone();
    Ok(async move {
        let Some(heartbeat) = heartbeat else { return Ok(Some(unsupported())) };
        Ok(Some(match heartbeat.await {
            Ok(Response::ConsumerHeartbeat(Ok(heartbeat))) => accept(heartbeat),
            Ok(Response::ConsumerHeartbeat(Err(error))) | Err(error) => {
                refuse(error, said.words(error, &broker.store.config().group_consumer_assignors))
            }
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
        false => waiter.answer(Response::ConsumerHeartbeat(Err(GroupError::InvalidRequest))),
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

fn refuse(error: GroupError, words: String) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: ErrorCode::from(error),
        error_message: Some(words),
        ..Default::default()
    }
}

/// What a heartbeat says, as far as it takes to tell what is wrong with it.
struct Said {
    group: String,
    leaves: bool,
    server_assignor: Option<String>,
    topic_regex: Option<String>,
    lacks: Option<&'static str>,
}

impl Said {
    fn by(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Self {
        Self {
            group: request.group_id.clone(),
            leaves: request.member_epoch < JOINS,
            server_assignor: request.server_assignor.clone(),
            topic_regex: request.subscribed_topic_regex.clone(),
            lacks: lacks(request, version),
        }
    }

    /// Why it is refused. Clients show these words to their users, so they are Kafka's where it has any.
    fn words(&self, error: GroupError, assignors: &[ConsumerGroupAssignor]) -> String {
        match (error, &self.server_assignor, &self.topic_regex) {
            (GroupError::InvalidRequest, ..) => self.lacks.map_or_else(|| error.to_string(), str::to_owned),
            (GroupError::GroupIdNotFound, ..) if self.leaves => format!("Group {} not found.", self.group),
            (GroupError::GroupIdNotFound, ..) => format!("Consumer group {} not found.", self.group),
            (GroupError::UnsupportedAssignor, Some(name), _) => {
                let known: Vec<_> = assignors.iter().map(|assignor| assignor.name()).collect();
                format!("ServerAssignor {name} is not supported. Supported assignors: {}.", known.join(", "))
            }
            (GroupError::InvalidRegularExpression, _, Some(regex)) => {
                format!("SubscribedTopicRegex `{regex}` is not a valid regular expression.")
            }
            _ => error.to_string(),
        }
    }
}

/// What is missing from a heartbeat, or should be, in Kafka's order.
fn lacks(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Option<&'static str> {
    let is_blank = |text: &str| text.trim().is_empty();
    let is_some_blank = |text: &Option<String>| text.as_deref().is_some_and(is_blank);
    let (joins, epoch) = (request.member_epoch == JOINS, request.member_epoch);
    let must_be_named = version >= MEMBER_ID_VERSION || epoch > JOINS || epoch == LEAVES;
    let says_topics = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let checks = [
        (must_be_named && is_blank(&request.member_id), "MemberId can't be empty."),
        (is_blank(&request.group_id), "GroupId can't be empty."),
        (is_some_blank(&request.instance_id), "InstanceId can't be empty."),
        (is_some_blank(&request.rack_id), "RackId can't be empty."),
        (joins && request.rebalance_timeout_ms < 0, "RebalanceTimeoutMs must be provided in first request."),
        (
            joins && request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()),
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            joins && !says_topics,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (epoch == WILL_BE_BACK && request.instance_id.is_none(), "InstanceId can't be null."),
        (epoch < WILL_BE_BACK, "MemberEpoch is invalid."),
    ];
    checks.into_iter().find_map(|(is_wrong, words)| is_wrong.then_some(words))
}
