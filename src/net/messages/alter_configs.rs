//! AlterConfigs: replace all configs of a topic or broker. `IncrementalAlterConfigs` has taken its place.

use crate::net::error_code::ErrorCode;

message! {
    /// Sets configs, and resets those that it doesn't name.
    AlterConfigsRequest {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    }

    /// An element of [`AlterConfigsRequest::resources`].
    AlterConfigsResource {
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        resource_name: String,
        configs: Vec<AlterableConfig>,
    }

    /// An element of [`AlterConfigsResource::configs`].
    AlterableConfig {
        name: String,
        value: Option<String>,
    }

    /// Whether each resource was altered.
    AlterConfigsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// An element of [`AlterConfigsResponse::responses`].
    AlterConfigsResourceResponse {
        error_code: ErrorCode,
        error_message: Option<String>,
        resource_type: i8,
        resource_name: String,
    }
}
