//! AddOffsetsToTxn: a transaction will commit offsets of a group.

use crate::net::ErrorCode;
use crate::net::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::server::broker::Broker;
use crate::server::transaction_error;
use crate::types::ProducerIdAndEpoch;

/// From this version on clients know that a producer can be fenced.
const FENCED_VERSION: i16 = 2;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: AddOffsetsToTxnRequest,
    version: i16,
) -> AddOffsetsToTxnResponse {
    if request.transactional_id.is_empty() {
        return AddOffsetsToTxnResponse { error_code: ErrorCode::INVALID_REQUEST, ..Default::default() };
    }
    let producer = ProducerIdAndEpoch::new(request.producer_id, request.producer_epoch);
    let added = broker.store.add_offsets_to_transaction(&request.transactional_id, producer, &request.group_id);
    let refused = added.err().map(|error| transaction_error::of_coordinator(&error, version >= FENCED_VERSION));
    AddOffsetsToTxnResponse { error_code: refused.unwrap_or_default(), ..Default::default() }
}
