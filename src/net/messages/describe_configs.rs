//! DescribeConfigs: the configs of topics and brokers.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for all configs of resources, or some by name.
    DescribeConfigsRequest {
        resources: Vec<DescribeConfigsResource>,
        include_synonyms: bool,
        include_documentation: bool [3..],
    }

    /// An element of [`DescribeConfigsRequest::resources`].
    DescribeConfigsResource {
        /// 2 is a topic, 4 a broker, 32 a group.
        resource_type: i8,
        resource_name: String,
        configuration_keys: Option<Vec<String>>,
    }

    /// The configs: values, where they come from, and their types.
    DescribeConfigsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        results: Vec<DescribeConfigsResult>,
    }

    /// An element of [`DescribeConfigsResponse::results`].
    DescribeConfigsResult {
        error_code: ErrorCode,
        error_message: Option<String>,
        resource_type: i8,
        resource_name: String,
        configs: Vec<DescribeConfigsResourceResult>,
    }

    /// An element of [`DescribeConfigsResult::configs`].
    DescribeConfigsResourceResult {
        name: String,
        value: Option<String>,
        read_only: bool,
        config_source: i8 = -1,
        is_sensitive: bool,
        synonyms: Vec<DescribeConfigsSynonym>,
        config_type: i8 [3.., ignorable],
        documentation: Option<String> [3.., ignorable],
    }

    /// An element of [`DescribeConfigsResourceResult::synonyms`].
    DescribeConfigsSynonym {
        name: String,
        value: Option<String>,
        source: i8,
    }
}
