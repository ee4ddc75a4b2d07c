//! EndTxn: a transaction counts, or it doesn't. Readers have been told when the answer goes.

use crate::net::ErrorCode;
use crate::net::messages::{EndTxnRequest, EndTxnResponse};
use crate::server::broker::Broker;
use crate::server::transaction_error;
use crate::types::ProducerIdAndEpoch;

/// From this version on clients know that a producer can be fenced.
const FENCED_VERSION: i16 = 2;

pub(in crate::server) fn answer(broker: &Broker, request: EndTxnRequest, version: i16) -> EndTxnResponse {
    if request.transactional_id.is_empty() {
        return EndTxnResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() };
    }
    let producer = ProducerIdAndEpoch::new(request.producer_id, request.producer_epoch);
    let ended = broker.store.end_transaction(&request.transactional_id, producer, request.committed);
    let refused = ended.err().map(|error| transaction_error::of_coordinator(&error, version >= FENCED_VERSION));
    EndTxnResponse { error_code: refused.unwrap_or_default(), ..Default::default() }
}
