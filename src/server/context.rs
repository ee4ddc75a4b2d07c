//! What a handler that waits knows besides its request.

use std::sync::Arc;

use tokio::sync::watch;

use super::broker::Broker;
use crate::net::RequestHeader;

#[derive(Debug)]
pub(super) struct Context {
    pub(super) broker: Arc<Broker>,
    pub(super) header: RequestHeader,
    /// Turns true when the server stops or the client sends no more: then nothing is waited for any more.
    pub(super) stop: watch::Receiver<bool>,
}
