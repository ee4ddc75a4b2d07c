//! DeleteAcls: there are none.

use crate::net::ErrorCode;
use crate::net::messages::delete_acls::DeleteAclsFilterResult;
use crate::net::messages::{DeleteAclsRequest, DeleteAclsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(_: &Broker, request: DeleteAclsRequest, _: i16) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: vec![refused; request.filters.len()], ..Default::default() }
}
