//! DescribeUserScramCredentials: which users can authenticate by SCRAM.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for users, or all.
    DescribeUserScramCredentialsRequest {
        users: Option<Vec<UserName>>,
    }

    /// An element of [`DescribeUserScramCredentialsRequest::users`].
    UserName {
        name: String,
    }

    /// Their mechanisms, without secrets.
    DescribeUserScramCredentialsResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        results: Vec<DescribeUserScramCredentialsResult>,
    }

    /// An element of [`DescribeUserScramCredentialsResponse::results`].
    DescribeUserScramCredentialsResult {
        user: String,
        error_code: ErrorCode,
        error_message: Option<String>,
        credential_infos: Vec<CredentialInfo>,
    }

    /// An element of [`DescribeUserScramCredentialsResult::credential_infos`].
    CredentialInfo {
        mechanism: i8,
        iterations: i32,
    }
}
