//! In place of TLS where it isn't built in: a listener can't have it.

use std::convert::Infallible;
use std::io;

use crate::config::{ListenerSecurity, invalid};
use crate::error::Result;

/// There is none.
#[derive(Clone, Debug)]
pub(super) struct Tls(Infallible);

/// What it would make of a stream.
pub(super) type TlsStream<S> = S;

impl Tls {
    pub(super) fn new(_: &ListenerSecurity) -> Result<Self> {
        let expected = "PLAINTEXT or SASL_PLAINTEXT: feature `tls` isn't built in";
        Err(invalid("listener.security.protocol.map", "SSL", expected))
    }

    pub(super) async fn accept<S>(&self, _: S) -> io::Result<TlsStream<S>> {
        match self.0 {}
    }
}

pub(super) fn subject<S>(_: &TlsStream<S>) -> Option<String> {
    None
}
