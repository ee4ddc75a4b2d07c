//! DescribeAcls: who is allowed what.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for the ACLs that are like this one.
    DescribeAclsRequest {
        /// Kafka's number for a kind of resource; 1 for any.
        resource_type_filter: i8,
        /// Null for any.
        resource_name_filter: Option<String>,
        /// How the name is meant: 1 for any way, 3 as it is, 4 as a prefix.
        pattern_type_filter: i8 = 3,
        /// Null for any.
        principal_filter: Option<String>,
        /// Null for any.
        host_filter: Option<String>,
        /// Kafka's number for what is done; 1 for any.
        operation: i8,
        /// 1 for either, 2 is forbidden, 3 is allowed.
        permission_type: i8,
    }

    /// The ACLs, by resource.
    DescribeAclsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        resources: Vec<DescribeAclsResource>,
    }

    /// An element of [`DescribeAclsResponse::resources`].
    DescribeAclsResource {
        resource_type: i8,
        resource_name: String,
        pattern_type: i8 = 3,
        acls: Vec<AclDescription>,
    }

    /// An element of [`DescribeAclsResource::acls`].
    AclDescription {
        principal: String,
        host: String,
        operation: i8,
        permission_type: i8,
    }
}
