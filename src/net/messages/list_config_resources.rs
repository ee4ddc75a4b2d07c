//! ListConfigResources: what has configs (KIP-1142). Version 0 is Kafka's former ListClientMetricsResources.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for the resources of some types, or of all.
    ListConfigResourcesRequest {
        /// 2 is a topic, 4 a broker, 8 a broker's loggers, 16 a subscription to client metrics, 32 a group.
        resource_types: Vec<i8> [1..],
    }

    /// The resources.
    ListConfigResourcesResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        config_resources: Vec<ConfigResource>,
    }

    /// An element of [`ListConfigResourcesResponse::config_resources`].
    ConfigResource {
        resource_name: String,
        resource_type: i8 [1.., ignorable] = 16,
    }
}
