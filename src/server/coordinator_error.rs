//! What clients of a coordinator are told of what keeps something from its log, or from being read there. They don't
//! look for what is said of partitions, and give up where they would look for a coordinator again and go on (Kafka's
//! `CoordinatorOperationExceptionHelper`).

use std::borrow::Borrow;

use crate::error::Error;
use crate::net::ErrorCode;

/// What to say of what the store says.
pub(super) fn of(error: impl Borrow<Error>) -> ErrorCode {
    instead_of(error.borrow().into())
}

/// What to say in the place of a code that is meant for those who write or read partitions.
pub(super) fn instead_of(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::KAFKA_STORAGE_ERROR | ErrorCode::NOT_LEADER_OR_FOLLOWER => ErrorCode::NOT_COORDINATOR,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => ErrorCode::UNKNOWN_SERVER_ERROR,
        code => code,
    }
}
