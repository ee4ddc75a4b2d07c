//! SaslAuthenticate of a client that is in already: too late.

use crate::net::ErrorCode;
use crate::net::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(_: &Broker, _: SaslAuthenticateRequest, _: i16) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some("nobody asks who you are at this point".to_owned()),
        ..Default::default()
    }
}
