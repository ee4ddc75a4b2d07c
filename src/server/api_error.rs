//! What a response says of one thing that could not be done: Kafka's code, and words for whoever reads them.

use crate::error::Error;
use crate::net::ErrorCode;

/// Says what is wrong with the storage, which clients are told by a code alone, to whoever runs the server.
pub(super) fn tell(error: &Error) {
    let is_of_storage = match error {
        Error::CorruptRecord { file, .. } => file.is_some(),
        Error::ReadOnly { .. } => false,
        error => ErrorCode::from(error) == ErrorCode::KAFKA_STORAGE_ERROR,
    };
    if is_of_storage {
        tracing::error!(error = error as &dyn std::error::Error, "the storage fails");
    }
}

/// Why one topic, partition or resource of a request was refused. The others of the request go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) code: ErrorCode,
    pub(super) message: Option<String>,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(message.into()) }
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::INVALID_REQUEST, message)
    }
}

impl From<&Error> for ApiError {
    fn from(error: &Error) -> Self {
        Self::new(ErrorCode::from(error), error.to_string())
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

/// The two fields that a response has for how it went.
pub(super) fn outcome<T>(result: Result<T, ApiError>) -> (ErrorCode, Option<String>) {
    match result {
        Ok(_) => (ErrorCode::NONE, None),
        Err(error) => (error.code, error.message),
    }
}
