//! What the handlers know: the store, and how this node is to be seen.

use crate::error::Result;
use crate::log::Log;
use crate::store::Store;
use crate::types::LeaderEpoch;

/// This node.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) store: Store,
    /// Where clients are told to connect to.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) auto_create_topics: bool,
    pub(super) socket_request_max_bytes: usize,
}

impl Broker {
    pub(super) fn partition(&self, topic: &str, partition: i32) -> Result<Log> {
        self.store.partition(topic, partition)
    }
}

/// The epoch that clients are told. Theirs begin with 0, and −1 means that one isn't known.
pub(super) fn leader_epoch(log: &Log) -> LeaderEpoch {
    log.leader_epoch().max(0)
}
