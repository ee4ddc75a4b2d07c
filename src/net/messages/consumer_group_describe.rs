//! ConsumerGroupDescribe: the state and members of consumer groups (KIP-848).

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Asks for groups.
    ConsumerGroupDescribeRequest {
        group_ids: Vec<String>,
        include_authorized_operations: bool,
    }

    /// The groups, each member with what it owns and is to own.
    ConsumerGroupDescribeResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        groups: Vec<DescribedGroup>,
    }

    /// An element of [`ConsumerGroupDescribeResponse::groups`].
    DescribedGroup {
        error_code: ErrorCode,
        error_message: Option<String>,
        group_id: String,
        group_state: String,
        group_epoch: i32,
        assignment_epoch: i32,
        assignor_name: String,
        members: Vec<Member>,
        authorized_operations: i32 = i32::MIN,
    }

    /// An element of [`DescribedGroup::members`].
    Member {
        member_id: String,
        instance_id: Option<String>,
        rack_id: Option<String>,
        member_epoch: i32,
        client_id: String,
        client_host: String,
        subscribed_topic_names: Vec<String>,
        subscribed_topic_regex: Option<String>,
        assignment: Assignment,
        target_assignment: Assignment,
        member_type: i8 [1.., ignorable] = -1,
    }

    /// An element of [`Assignment::topic_partitions`].
    TopicPartitions {
        topic_id: Uuid,
        topic_name: String,
        partitions: Vec<i32>,
    }

    /// The value of [`Member::assignment`] and [`Member::target_assignment`].
    Assignment {
        topic_partitions: Vec<TopicPartitions>,
    }
}
