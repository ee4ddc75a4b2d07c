//! Fetch: read batches of partitions, as consumers and followers do. Records stay as they are, on either side.

use crate::net::codec::Records;
use crate::net::error_code::ErrorCode;
use crate::uuid::Uuid;

message! {
    /// Asks for batches from an offset on, and may wait for them.
    FetchRequest {
        cluster_id: Option<String> [12.., tag 0, ignorable],
        /// A follower's id, −1 for a consumer. From version 15 on it is in `replica_state`.
        replica_id: i32 [..=14] = -1,
        replica_state: ReplicaState [15.., tag 1],
        /// How long to wait for `min_bytes`.
        max_wait_ms: i32,
        min_bytes: i32,
        max_bytes: i32 = i32::MAX,
        /// 0 is `read_uncommitted`, 1 `read_committed`.
        isolation_level: i8,
        session_id: i32 [7.., ignorable],
        /// −1 for a request without a session, 0 to begin one (KIP-227).
        session_epoch: i32 [7.., ignorable] = -1,
        topics: Vec<FetchTopic>,
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        rack_id: String [11.., ignorable],
    }

    /// The value of [`FetchRequest::replica_state`].
    ReplicaState {
        replica_id: i32 = -1,
        replica_epoch: i64 = -1,
    }

    /// An element of [`FetchRequest::topics`].
    FetchTopic {
        topic: String [..=12, ignorable],
        topic_id: Uuid [13.., ignorable],
        partitions: Vec<FetchPartition>,
    }

    /// An element of [`FetchTopic::partitions`].
    FetchPartition {
        partition: i32,
        current_leader_epoch: i32 [9.., ignorable] = -1,
        fetch_offset: i64,
        last_fetched_epoch: i32 [12..] = -1,
        log_start_offset: i64 [5.., ignorable] = -1,
        partition_max_bytes: i32,
        replica_directory_id: Uuid [17.., tag 0, ignorable],
        high_watermark: i64 [18.., tag 1, ignorable] = i64::MAX,
    }

    /// An element of [`FetchRequest::forgotten_topics_data`].
    ForgottenTopic {
        topic: String [..=12, ignorable],
        topic_id: Uuid [13.., ignorable],
        partitions: Vec<i32>,
    }

    /// The batches, and where each partition begins and ends.
    FetchResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode [7.., ignorable],
        session_id: i32 [7..],
        responses: Vec<FetchableTopicResponse>,
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }

    /// An element of [`FetchResponse::responses`].
    FetchableTopicResponse {
        topic: String [..=12, ignorable],
        topic_id: Uuid [13.., ignorable],
        partitions: Vec<PartitionData>,
    }

    /// An element of [`FetchableTopicResponse::partitions`].
    PartitionData {
        partition_index: i32,
        error_code: ErrorCode,
        high_watermark: i64,
        last_stable_offset: i64 = -1,
        log_start_offset: i64 [5.., ignorable] = -1,
        diverging_epoch: EpochEndOffset [12.., tag 0],
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        snapshot_id: SnapshotId [12.., tag 2],
        aborted_transactions: Option<Vec<AbortedTransaction>>,
        preferred_read_replica: i32 [11..] = -1,
        /// Whole batches; the first may begin before the offset that was asked for.
        records: Option<Records>,
    }

    /// The value of [`PartitionData::diverging_epoch`].
    EpochEndOffset {
        epoch: i32 = -1,
        end_offset: i64 = -1,
    }

    /// The value of [`PartitionData::current_leader`].
    LeaderIdAndEpoch {
        leader_id: i32 = -1,
        leader_epoch: i32 = -1,
    }

    /// The value of [`PartitionData::snapshot_id`].
    SnapshotId {
        end_offset: i64 = -1,
        epoch: i32 = -1,
    }

    /// An element of [`PartitionData::aborted_transactions`].
    AbortedTransaction {
        producer_id: i64,
        first_offset: i64,
    }

    /// An element of [`FetchResponse::node_endpoints`].
    NodeEndpoint {
        node_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
    }
}
