//! SaslHandshake: how to authenticate.

use crate::net::error_code::ErrorCode;

message! {
    /// Names a mechanism. After version 0 its bytes follow in bare frames, after version 1 in `SaslAuthenticate`.
    SaslHandshakeRequest {
        mechanism: String,
    }

    /// The mechanisms that can be had.
    SaslHandshakeResponse {
        error_code: ErrorCode,
        mechanisms: Vec<String>,
    }
}
