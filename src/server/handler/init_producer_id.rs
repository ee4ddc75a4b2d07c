//! InitProducerId: the identity of an idempotent producer.

use crate::net::ErrorCode;
use crate::net::messages::{InitProducerIdRequest, InitProducerIdResponse};
use crate::server::broker::Broker;
use crate::types::{NO_PRODUCER_ID, ProducerIdAndEpoch};

pub(in crate::server) fn answer(broker: &Broker, request: InitProducerIdRequest, _: i16) -> InitProducerIdResponse {
    match broker.init_producer(&request) {
        Ok(ProducerIdAndEpoch { producer_id, producer_epoch }) => {
            InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Err(error_code) => InitProducerIdResponse { error_code, producer_epoch: -1, ..Default::default() },
    }
}

impl Broker {
    fn init_producer(&self, request: &InitProducerIdRequest) -> Result<ProducerIdAndEpoch, ErrorCode> {
        // Either the client says who it was, or it doesn't (KIP-360).
        if (request.producer_id == NO_PRODUCER_ID) != (request.producer_epoch == -1) {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if request.transactional_id.is_some() {
            // Its transactions could not be ended, for that isn't served.
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        // Without a transactional id there is nobody to fence: whoever it was, it begins anew.
        let producer_id = self.store.new_producer_id().map_err(|error| ErrorCode::from(&error))?;
        Ok(ProducerIdAndEpoch::new(producer_id, 0))
    }
}
