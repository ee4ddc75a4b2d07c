//! DeleteAcls: take back what was allowed or forbidden.

use crate::net::error_code::ErrorCode;

message! {
    /// Which ACLs are to go.
    DeleteAclsRequest {
        filters: Vec<DeleteAclsFilter>,
    }

    /// An element of [`DeleteAclsRequest::filters`]: all that are like this one.
    DeleteAclsFilter {
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

    /// What became of each filter, in order.
    DeleteAclsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        filter_results: Vec<DeleteAclsFilterResult>,
    }

    /// An element of [`DeleteAclsResponse::filter_results`].
    DeleteAclsFilterResult {
        error_code: ErrorCode,
        error_message: Option<String>,
        matching_acls: Vec<DeleteAclsMatchingAcl>,
    }

    /// An element of [`DeleteAclsFilterResult::matching_acls`].
    DeleteAclsMatchingAcl {
        error_code: ErrorCode,
        error_message: Option<String>,
        resource_type: i8,
        resource_name: String,
        pattern_type: i8 = 3,
        principal: String,
        host: String,
        operation: i8,
        permission_type: i8,
    }
}
