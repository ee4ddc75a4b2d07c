//! FindCoordinator: this node, for every group and transactional id. One that is named twice is one.

use crate::net::ErrorCode;
use crate::net::messages::find_coordinator::Coordinator;
use crate::net::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::server::broker::Broker;
use crate::server::duplicates::once;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// From this version on a request has many keys (KIP-699).
const MANY_KEYS_VERSION: i16 = 4;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let find = |key| broker.coordinator_of(key, request.key_type);
    if version >= MANY_KEYS_VERSION {
        let coordinators = once(request.coordinator_keys).map(find).collect();
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    let Coordinator { node_id, host, port, error_code, mut error_message, .. } = find(request.key);
    // Kafka's word for that nothing is wrong, of which there is none in later versions.
    if error_code == ErrorCode::NONE {
        error_message = Some("NONE".to_owned());
    }
    FindCoordinatorResponse { error_code, error_message, node_id, host, port, ..Default::default() }
}

impl Broker {
    fn coordinator_of(&self, key: String, key_type: i8) -> Coordinator {
        match key_type {
            GROUP | TRANSACTION => Coordinator {
                key,
                node_id: self.store.node_id(),
                host: self.host.clone(),
                port: self.port.into(),
                error_message: Some(String::new()),
                ..Default::default()
            },
            // Share groups are served by brokers that have them turned on.
            _ => Coordinator {
                key,
                node_id: -1,
                port: -1,
                error_code: ErrorCode::INVALID_REQUEST,
                error_message: Some(format!("no coordinator here for keys of type {key_type}")),
                ..Default::default()
            },
        }
    }
}
