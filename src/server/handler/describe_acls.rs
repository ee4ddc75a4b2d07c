//! DescribeAcls: there are none, and nobody who would look at them, which is what tools are told by a broker of Kafka's
//! without an authorizer.

use crate::net::ErrorCode;
use crate::net::messages::{DescribeAclsRequest, DescribeAclsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(_: &Broker, _: DescribeAclsRequest, _: i16) -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured on the broker".to_owned()),
        ..Default::default()
    }
}
