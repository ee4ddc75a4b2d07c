//! AlterUserScramCredentials: set and remove SCRAM credentials.

use bytes::Bytes;

use crate::net::error_code::ErrorCode;

message! {
    /// Changes credentials.
    AlterUserScramCredentialsRequest {
        deletions: Vec<ScramCredentialDeletion>,
        upsertions: Vec<ScramCredentialUpsertion>,
    }

    /// An element of [`AlterUserScramCredentialsRequest::deletions`].
    ScramCredentialDeletion {
        name: String,
        mechanism: i8,
    }

    /// An element of [`AlterUserScramCredentialsRequest::upsertions`].
    ScramCredentialUpsertion {
        name: String,
        mechanism: i8,
        iterations: i32,
        salt: Bytes,
        salted_password: Bytes,
    }

    /// Whether each user was changed.
    AlterUserScramCredentialsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        results: Vec<AlterUserScramCredentialsResult>,
    }

    /// An element of [`AlterUserScramCredentialsResponse::results`].
    AlterUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        error_message: Option<String>,
    }
}
