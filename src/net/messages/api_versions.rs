//! ApiVersions: which APIs and versions a broker speaks. Every client begins with it.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for them.
    ApiVersionsRequest {
        client_software_name: String [3.., ignorable],
        client_software_version: String [3.., ignorable],
    }

    /// The APIs, and the features of the cluster. Also the answer to a version that the broker doesn't know, in version
    /// 0.
    ApiVersionsResponse {
        error_code: ErrorCode,
        api_keys: Vec<ApiVersion>,
        /// How long the request was held back by a quota.
        throttle_time_ms: i32 [1.., ignorable],
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0, ignorable],
        finalized_features_epoch: i64 [3.., tag 1, ignorable] = -1,
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2, ignorable],
        zk_migration_ready: bool [3.., tag 3, ignorable],
    }

    /// An element of [`ApiVersionsResponse::api_keys`].
    ApiVersion {
        api_key: i16,
        min_version: i16,
        max_version: i16,
    }

    /// An element of [`ApiVersionsResponse::supported_features`].
    SupportedFeatureKey {
        name: String,
        min_version: i16,
        max_version: i16,
    }

    /// An element of [`ApiVersionsResponse::finalized_features`].
    FinalizedFeatureKey {
        name: String,
        max_version_level: i16,
        min_version_level: i16,
    }
}
