//! In place of TLS where it isn't built in: a client can't have it.

use std::convert::Infallible;

use crate::config::{ClientConfig, invalid};
use crate::error::Result;
use crate::net::transport::ConnectionError;

/// There is none.
#[derive(Clone, Debug)]
pub(super) struct Tls(Infallible);

impl Tls {
    pub(super) fn new(config: &ClientConfig) -> Result<Self> {
        let expected = "PLAINTEXT or SASL_PLAINTEXT: feature `tls` isn't built in";
        Err(invalid("security.protocol", config.security_protocol.name(), expected))
    }

    pub(super) async fn connect<S>(&self, _: S, _: &str) -> Result<S, ConnectionError> {
        match self.0 {}
    }
}
