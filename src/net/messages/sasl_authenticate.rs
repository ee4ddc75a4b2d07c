//! SaslAuthenticate: the bytes of a SASL mechanism.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;

message! {
    /// What the client has to say.
    SaslAuthenticateRequest {
        auth_bytes: Bytes,
    }

    /// The answer to it.
    SaslAuthenticateResponse {
        error_code: ErrorCode,
        error_message: Option<String>,
        auth_bytes: Bytes,
        session_lifetime_ms: i64 [1.., ignorable],
    }
}
