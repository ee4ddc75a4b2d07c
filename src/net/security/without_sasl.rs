//! In place of SASL where it isn't built in: a client can't log in.

use std::convert::Infallible;
use std::time::Instant;

use crate::config::{ClientConfig, invalid};
use crate::error::Result;
use crate::net::client::Connection;
use crate::net::transport::ConnectionError;

/// There is none.
#[derive(Clone, Debug)]
pub(super) struct Sasl(Infallible);

impl Sasl {
    pub(super) fn new(config: &ClientConfig) -> Result<Self> {
        let expected = "PLAINTEXT or SSL: feature `sasl` isn't built in";
        Err(invalid("security.protocol", config.security_protocol.name(), expected))
    }

    pub(super) async fn log_in(&self, _: &Connection) -> Result<Option<Instant>, ConnectionError> {
        match self.0 {}
    }
}
