//! In place of SASL where it isn't built in: a listener can't have it.

use std::convert::Infallible;

use bytes::Bytes;

use super::Entrance;
use crate::config::{ListenerSecurity, invalid};
use crate::error::Result;
use crate::net::ConnectionError;
use crate::store::Store;

/// There is none.
#[derive(Debug)]
pub(super) struct Sasl(Infallible);

/// There is none.
#[derive(Clone, Debug)]
pub(super) struct Session(Infallible);

impl Sasl {
    pub(super) fn new(security: &ListenerSecurity, _: &Store) -> Result<Self> {
        Self::users_of(security)
    }

    pub(super) fn users_of(_: &ListenerSecurity) -> Result<Self> {
        let expected = "PLAINTEXT or SSL: feature `sasl` isn't built in";
        Err(invalid("listener.security.protocol.map", "SASL", expected))
    }

    pub(super) async fn log_in<R, W>(
        &self,
        _: Entrance<'_, R, W>,
        _: Option<(Session, Bytes)>,
    ) -> Result<Option<Session>, ConnectionError> {
        match self.0 {}
    }
}

impl Session {
    pub(super) fn user(&self) -> &str {
        match self.0 {}
    }

    pub(super) fn is_renewed_by(&self, _: &[u8]) -> Result<bool, ConnectionError> {
        match self.0 {}
    }
}
