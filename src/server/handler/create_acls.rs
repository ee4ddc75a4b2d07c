//! CreateAcls: nobody would look at them.

use crate::net::ErrorCode;
use crate::net::messages::create_acls::AclCreationResult;
use crate::net::messages::{CreateAclsRequest, CreateAclsResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(_: &Broker, request: CreateAclsRequest, _: i16) -> CreateAclsResponse {
    let refused = AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured.".to_owned()),
    };
    CreateAclsResponse { results: vec![refused; request.creations.len()], ..Default::default() }
}
