//! ElectLeaders: choose leaders of partitions anew (KIP-183, KIP-460).

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for partitions, or all.
    ElectLeadersRequest {
        /// 0 for the preferred replica, 1 for one that is alive, even if it isn't in sync.
        election_type: i8 [1..],
        topic_partitions: Option<Vec<TopicPartitions>>,
        timeout_ms: i32 = 60000,
    }

    /// An element of [`ElectLeadersRequest::topic_partitions`].
    TopicPartitions {
        topic: String,
        partitions: Vec<i32>,
    }

    /// How it went for each partition; of those that nobody named, for those alone that had no such leader.
    ElectLeadersResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode [1..],
        replica_election_results: Vec<ReplicaElectionResult>,
    }

    /// An element of [`ElectLeadersResponse::replica_election_results`].
    ReplicaElectionResult {
        topic: String,
        partition_result: Vec<PartitionResult>,
    }

    /// An element of [`ReplicaElectionResult::partition_result`].
    PartitionResult {
        partition_id: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}
