//! Metadata: which brokers there are, which topics, and who leads their partitions.

use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Asks for topics, by name or id, and may have them created.
    MetadataRequest {
        /// Null asks for all topics; in version 0 an empty array does.
        topics: Option<Vec<MetadataRequestTopic>> [null 1..],
        allow_auto_topic_creation: bool [4..] = true,
        include_cluster_authorized_operations: bool [8..=10],
        include_topic_authorized_operations: bool [8..],
    }

    /// An element of [`MetadataRequest::topics`].
    MetadataRequestTopic {
        topic_id: Uuid [10.., ignorable],
        name: Option<String> [null 10..],
    }

    /// The brokers and the topics.
    MetadataResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [3.., ignorable],
        brokers: Vec<MetadataResponseBroker>,
        cluster_id: Option<String> [2.., ignorable],
        controller_id: i32 [1.., ignorable] = -1,
        topics: Vec<MetadataResponseTopic>,
        /// `i32::MIN` where it was not asked for.
        cluster_authorized_operations: i32 [8..=10] = i32::MIN,
        error_code: ErrorCode [13.., ignorable],
    }

    /// An element of [`MetadataResponse::brokers`].
    MetadataResponseBroker {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String> [1.., ignorable],
    }

    /// An element of [`MetadataResponse::topics`].
    MetadataResponseTopic {
        error_code: ErrorCode,
        name: Option<String> [null 12..],
        topic_id: Uuid [10.., ignorable],
        is_internal: bool [1.., ignorable],
        partitions: Vec<MetadataResponsePartition>,
        /// `i32::MIN` where it was not asked for.
        topic_authorized_operations: i32 [8..] = i32::MIN,
    }

    /// An element of [`MetadataResponseTopic::partitions`].
    MetadataResponsePartition {
        error_code: ErrorCode,
        partition_index: i32,
        leader_id: i32,
        leader_epoch: i32 [7.., ignorable] = -1,
        replica_nodes: Vec<i32>,
        isr_nodes: Vec<i32>,
        offline_replicas: Vec<i32> [5.., ignorable],
    }
}
