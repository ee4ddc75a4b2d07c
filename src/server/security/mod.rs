//! Who is let in: what a listener asks of its clients before their requests are answered.
//!
//! ```text
//!   accepted → TLS handshake → SASL login → requests
//!              SSL, SASL_SSL   SASL_…
//! ```
//!
//! All of it happens in the connection's own task, in its place among the connections that there may be. The handshake
//! has to be done in [`LOGIN_MAX`], and so has the login after it. What comes of it is a principal, as Kafka has them:
//! `User:alice` by SASL, `User:CN=alice` by a certificate, `User:ANONYMOUS` otherwise. It stands in the events of the
//! connection. Whoever is let in may do everything.

#[cfg(feature = "tls")]
mod distinguished_name;
#[cfg(feature = "sasl")]
pub(super) mod sasl;
#[cfg(not(feature = "sasl"))]
#[path = "without_sasl.rs"]
mod sasl;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::broker::Broker;
use super::limits::Limits;
use super::stop::told_to_stop;
use crate::config::{ClientAuth, Listener, ListenerSecurity, SecurityProtocol, ServerConfig, invalid};
use crate::error::Result;
use crate::net::{ConnectionError, FrameBuffer};
use crate::store::Store;
use sasl::{Sasl, Session};
use tls::{Tls, TlsStream};

/// How long a client may take for the handshake, and again for the login, if `connections.max.idle.ms` isn't less.
const LOGIN_MAX: Duration = Duration::from_secs(30);

/// What a listener asks of its clients. By default, nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Access {
    tls: Option<Tls>,
    sasl: Option<Arc<Sasl>>,
}

/// A stream as its listener wants it.
pub(super) enum Secured<S> {
    Plaintext(S),
    Tls(Box<TlsStream<Pin<Box<S>>>>),
}

/// What a client has shown of itself. Nothing, where it is asked for nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Admission {
    session: Option<Session>,
}

/// A client that is to be let in: what it sends, what it is told, and where it is.
#[cfg_attr(not(feature = "sasl"), expect(dead_code, reason = "nobody asks who it is"))]
pub(super) struct Entrance<'a, R, W> {
    /// What has come.
    pub(super) frames: &'a mut FrameBuffer,
    pub(super) reading: &'a mut R,
    pub(super) writing: &'a mut W,
    pub(super) broker: &'a Broker,
    pub(super) limits: &'a Limits,
}

impl Access {
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, can't be used, or wants
    /// a feature that isn't built in; [`Error::Io`](crate::Error::Io) the file that can't be read.
    pub(super) fn new(listener: &Listener, config: &ServerConfig, store: &Store) -> Result<Self> {
        let (protocol, security) = wanted(listener, config)?;
        Ok(Self {
            tls: protocol.has_tls().then(|| Tls::new(&security)).transpose()?,
            sasl: protocol.has_sasl().then(|| Sasl::new(&security, store)).transpose()?.map(Arc::new),
        })
    }

    /// Whether there can be one, as far as shows without a store.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub(super) fn check(listener: &Listener, config: &ServerConfig) -> Result<()> {
        let (protocol, security) = wanted(listener, config)?;
        if protocol.has_tls() {
            Tls::new(&security)?;
        }
        if protocol.has_sasl() {
            Sasl::users_of(&security)?;
        }
        Ok(())
    }

    /// Whether what is written is not what is sent.
    pub(super) fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Secures a client's stream, if that is asked for. None if the server stops meanwhile.
    pub(super) async fn secure<S: AsyncRead + AsyncWrite>(
        &self,
        stream: S,
        broker: &Broker,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Option<Secured<S>>, ConnectionError> {
        let Some(tls) = &self.tls else {
            self.note_without_sasl(None);
            return Ok(Some(Secured::Plaintext(stream)));
        };
        let stream = tokio::select! {
            accepted = timeout(login_max(broker), tls.accept(Box::pin(stream))) => accepted.map_err(io::Error::from)??,
            () = told_to_stop(&mut stop) => return Ok(None),
        };
        self.note_without_sasl(tls::subject(&stream));
        Ok(Some(Secured::Tls(Box::new(stream))))
    }

    /// Lets a client in that has come this far, or one that has been let in before and begins anew with a request. None
    /// if it leaves, or if it may not come in; then it was told so.
    pub(super) async fn admit<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &self,
        entrance: Entrance<'_, R, W>,
        again: Option<(Admission, Bytes)>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Option<Admission>, ConnectionError> {
        let Some(sasl) = &self.sasl else { return Ok(Some(Admission::default())) };
        let is_first = again.is_none();
        let again = again.and_then(|(admission, request)| Some((admission.session?, request)));
        let login_max = login_max(entrance.broker);
        let session = tokio::select! {
            session = timeout(login_max, sasl.log_in(entrance, again)) => session.map_err(io::Error::from)??,
            () = told_to_stop(&mut stop) => None,
        };
        let Some(session) = session else { return Ok(None) };
        if is_first {
            note_principal(session.user());
        }
        Ok(Some(Admission { session: Some(session) }))
    }

    /// Who a client is that isn't asked.
    fn note_without_sasl(&self, subject: Option<String>) {
        if self.sasl.is_none() {
            note_principal(subject.as_deref().unwrap_or("ANONYMOUS"));
        }
    }
}

impl Admission {
    /// Whether a request is the beginning of another login, in place of this one.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Closed`] if the login is not good any more, and this is another request.
    pub(super) fn is_renewed_by(&self, request: &[u8]) -> Result<bool, ConnectionError> {
        self.session.as_ref().map_or(Ok(false), |session| session.is_renewed_by(request))
    }
}

/// The protocol of a listener, and what it is configured with.
fn wanted(listener: &Listener, config: &ServerConfig) -> Result<(SecurityProtocol, ListenerSecurity)> {
    let Some(protocol) = config.listener_security_protocol_map.get(&listener.name) else {
        let expected = format!("{}:PROTOCOL among the others, for it is a listener", listener.name);
        return Err(invalid("listener.security.protocol.map", &listener.to_string(), expected));
    };
    let mut security = config.security.of(&listener.name);
    if protocol == SecurityProtocol::SaslSsl && !config.security.has_own(&listener.name, "ssl.client.auth") {
        security.ssl_client_auth = ClientAuth::None;
    }
    Ok((protocol, security))
}

fn login_max(broker: &Broker) -> Duration {
    LOGIN_MAX.min(Duration::from_millis(broker.config.connections_max_idle_ms))
}

fn note_principal(name: &str) {
    tracing::Span::current().record("principal", format_args!("User:{name}"));
    tracing::debug!("let in");
}
