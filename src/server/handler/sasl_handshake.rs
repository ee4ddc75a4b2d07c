//! SaslHandshake of a client that is in already, where it isn't asked again who it is: too late.

use crate::net::ErrorCode;
use crate::net::messages::{SaslHandshakeRequest, SaslHandshakeResponse};
use crate::server::broker::Broker;

pub(in crate::server) fn answer(_: &Broker, _: SaslHandshakeRequest, _: i16) -> SaslHandshakeResponse {
    SaslHandshakeResponse { error_code: ErrorCode::ILLEGAL_SASL_STATE, ..Default::default() }
}
