//! ConsumerGroupHeartbeat: be a member of a consumer group that the coordinator assigns (KIP-848).

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Joins with member epoch 0, stays, or leaves with −1; −2 for a static member that comes back.
    ConsumerGroupHeartbeatRequest {
        group_id: String,
        member_id: String,
        member_epoch: i32,
        instance_id: Option<String>,
        rack_id: Option<String>,
        rebalance_timeout_ms: i32 = -1,
        subscribed_topic_names: Option<Vec<String>>,
        subscribed_topic_regex: Option<String> [1..],
        server_assignor: Option<String>,
        topic_partitions: Option<Vec<TopicPartitions>>,
    }

    /// An element of [`ConsumerGroupHeartbeatRequest::topic_partitions`] and [`Assignment::topic_partitions`].
    TopicPartitions {
        topic_id: Uuid,
        partitions: Vec<i32>,
    }

    /// The member's epoch, and its assignment where that has changed.
    ConsumerGroupHeartbeatResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        member_id: Option<String>,
        member_epoch: i32,
        heartbeat_interval_ms: i32,
        assignment: Option<Assignment>,
    }

    /// The value of [`ConsumerGroupHeartbeatResponse::assignment`].
    Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }
}
