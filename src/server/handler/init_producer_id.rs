//! InitProducerId: the identity of an idempotent or transactional producer.

use std::time::Duration;

use crate::net::ErrorCode;
use crate::net::messages::{InitProducerIdRequest, InitProducerIdResponse};
use crate::server::broker::Broker;
use crate::server::transaction_error;
use crate::types::{NO_PRODUCER_ID, ProducerIdAndEpoch};

/// From this version on clients know that a producer can be fenced.
const FENCED_VERSION: i16 = 4;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: InitProducerIdRequest,
    version: i16,
) -> InitProducerIdResponse {
    match broker.init_producer(&request, version) {
        Ok(ProducerIdAndEpoch { producer_id, producer_epoch }) => {
            InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Err(error_code) => InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() },
    }
}

impl Broker {
    fn init_producer(&self, request: &InitProducerIdRequest, version: i16) -> Result<ProducerIdAndEpoch, ErrorCode> {
        // Either the client says who it was, or it doesn't (KIP-360).
        if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == -1) {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let Some(transactional_id) = &request.transactional_id else {
            // There is nobody to fence: whoever it was, it begins anew.
            let producer_id = self.store.new_producer_id()?;
            return Ok(ProducerIdAndEpoch::new(producer_id, 0));
        };
        let was = ProducerIdAndEpoch::new(request.producer_id, request.producer_epoch);
        let expected = Some(was).filter(|was| was.producer_id != NO_PRODUCER_ID);
        // The store takes none for one that is too short, as it is.
        let timeout = Duration::from_millis(u64::try_from(request.transaction_timeout_ms).unwrap_or(0));
        let initialized = self.store.init_producer(transactional_id, timeout, expected);
        initialized.map_err(|error| transaction_error::of_coordinator(&error, version >= FENCED_VERSION))
    }
}
