//! CreateAcls: allow something, or forbid it.

use crate::net::error_code::ErrorCode;

message! {
    /// The ACLs that there are to be.
    CreateAclsRequest {
        creations: Vec<AclCreation>,
    }

    /// An element of [`CreateAclsRequest::creations`].
    AclCreation {
        /// Kafka's number for a kind of resource.
        resource_type: i8,
        resource_name: String,
        /// How the name is meant: 3 as it is, 4 as a prefix.
        resource_pattern_type: i8 = 3,
        principal: String,
        host: String,
        /// Kafka's number for what is done.
        operation: i8,
        /// 2 is forbidden, 3 is allowed.
        permission_type: i8,
    }

    /// What became of each, in order.
    CreateAclsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        results: Vec<AclCreationResult>,
    }

    /// An element of [`CreateAclsResponse::results`].
    AclCreationResult {
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}
