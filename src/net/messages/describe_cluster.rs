//! DescribeCluster: the cluster's id, controller and brokers.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for them.
    DescribeClusterRequest {
        include_cluster_authorized_operations: bool,
        endpoint_type: i8 [1..] = 1,
        include_fenced_brokers: bool [2..],
    }

    /// The cluster.
    DescribeClusterResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        endpoint_type: i8 [1..] = 1,
        cluster_id: String,
        controller_id: i32 = -1,
        brokers: Vec<DescribeClusterBroker>,
        /// `i32::MIN` where it was not asked for.
        cluster_authorized_operations: i32 = i32::MIN,
    }

    /// An element of [`DescribeClusterResponse::brokers`].
    DescribeClusterBroker {
        broker_id: i32,
        host: String,
        port: i32,
        rack: Option<String>,
        is_fenced: bool [2..],
    }
}
