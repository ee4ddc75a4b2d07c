//! The calls of `recorded` where nothing is counted.

use std::time::Duration;

use crate::net::codec::Encoded;

#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Metrics;

#[derive(Debug)]
pub(in crate::server) struct OpenConnection;

#[derive(Debug)]
pub(in crate::server) struct RequestTimer;

impl Metrics {
    pub(in crate::server) fn connection_opened(&self) -> OpenConnection {
        OpenConnection
    }

    pub(in crate::server) fn connection_rejected(&self) {}

    pub(in crate::server) fn connection_failed(&self) {}

    #[cfg_attr(not(feature = "sasl"), expect(dead_code, reason = "nobody is asked"))]
    pub(in crate::server) fn authenticated(&self, _mechanism: &'static str, _is_let_in: bool) {}

    pub(in crate::server) fn request_began(&self, _frame: &[u8]) -> RequestTimer {
        RequestTimer
    }

    pub(in crate::server) fn produced(&self, _topic: &str, _records: i32, _bytes: usize) {}

    pub(in crate::server) fn fetched(&self, _topic: &str, _bytes: usize) {}

    pub(in crate::server) fn sent_from_files(&self, _bytes: usize) {}

    pub(in crate::server) fn flushed(&self, _took: Duration) {}

    pub(in crate::server) fn group_rebalanced(&self) {}
}

impl RequestTimer {
    pub(in crate::server) fn answered(&self, _response: Option<&Encoded>) {}
}
