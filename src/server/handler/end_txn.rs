//! EndTxn: a transaction counts, or it doesn't. Readers have been told when the answer goes.

use crate::net::ErrorCode;
use crate::net::messages::{EndTxnRequest, EndTxnResponse};
use crate::record::TransactionResult;
use crate::server::broker::Broker;
use crate::server::transaction_error;
use crate::types::{NO_PRODUCER_ID, ProducerIdAndEpoch};

/// From this version on clients know that a producer can be fenced.
const FENCED_VERSION: i16 = 2;
/// From this version on the producer goes on with another epoch (KIP-890).
const NEXT_EPOCH_VERSION: i16 = 5;
/// What clients of earlier versions take for who they are: they are not told.
const NOT_TOLD: ProducerIdAndEpoch = ProducerIdAndEpoch::new(NO_PRODUCER_ID, -1);

pub(in crate::server) fn answer(broker: &Broker, request: EndTxnRequest, version: i16) -> EndTxnResponse {
    if request.transactional_id.is_empty() {
        return EndTxnResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() };
    }
    let producer = ProducerIdAndEpoch::new(request.producer_id, request.producer_epoch);
    let id = &request.transactional_id;
    let result = if request.committed { TransactionResult::Commit } else { TransactionResult::Abort };
    let ended = match version {
        NEXT_EPOCH_VERSION.. => broker.store.end_transaction_with_next_epoch(id, producer, result),
        _ => broker.store.end_transaction(id, producer, result).map(|()| NOT_TOLD),
    };
    match ended {
        Ok(ProducerIdAndEpoch { producer_id, producer_epoch }) => {
            EndTxnResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Err(error) => EndTxnResponse {
            error_code: transaction_error::of_coordinator(&error, version >= FENCED_VERSION),
            ..Default::default()
        },
    }
}
