//! IncrementalAlterConfigs: change some configs of a topic or broker.

use crate::net::error_code::ErrorCode;

message! {
    /// Sets, resets, extends or shortens configs.
    IncrementalAlterConfigsRequest {
        resources: Vec<AlterConfigsResource>,
        validate_only: bool,
    }

    /// An element of [`IncrementalAlterConfigsRequest::resources`].
    AlterConfigsResource {
        /// 2 is a topic, 4 a broker.
        resource_type: i8,
        resource_name: String,
        configs: Vec<AlterableConfig>,
    }

    /// An element of [`AlterConfigsResource::configs`].
    AlterableConfig {
        name: String,
        /// 0 sets, 1 deletes, 2 appends, 3 subtracts.
        config_operation: i8,
        value: Option<String>,
    }

    /// Whether each resource was altered.
    IncrementalAlterConfigsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        responses: Vec<AlterConfigsResourceResponse>,
    }

    /// An element of [`IncrementalAlterConfigsResponse::responses`].
    AlterConfigsResourceResponse {
        error_code: ErrorCode,
        error_message: Option<String>,
        resource_type: i8,
        resource_name: String,
    }
}
