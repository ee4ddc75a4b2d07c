//! What clients are told of transactions that are not as they think: the same thing has different names by version, and
//! by who says it. Where a producer is told the wrong one, it gives up instead of aborting (Kafka's
//! `TransactionManager`).

use super::coordinator_error;
use crate::error::Error;
use crate::net::ErrorCode;

/// What a coordinator answers. Before some version of each of its APIs, clients know no other name for a producer that
/// was fenced than that of its epoch.
pub(super) fn of_coordinator(error: &Error, knows_fenced: bool) -> ErrorCode {
    match error {
        Error::ProducerFenced { .. } if !knows_fenced => ErrorCode::INVALID_PRODUCER_EPOCH,
        other => coordinator_error::of(other),
    }
}

/// What an answer to records or offsets says that can't be part of a transaction. Clients know from some version of
/// each API on that a transaction can still be aborted (KIP-1050); `unavailable` is what makes them try again.
pub(super) fn of_write(error: &Error, knows_abortable: bool, unavailable: ErrorCode) -> ErrorCode {
    match error {
        Error::ProducerFenced { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Error::InvalidTransactionTransition { .. } if knows_abortable => ErrorCode::TRANSACTION_ABORTABLE,
        Error::ConcurrentTransactions { .. } => unavailable,
        other => other.into(),
    }
}
