//! What a client does before its first request: TLS, then SASL, as its [`ClientConfig`] says.
//!
//! ```text
//!   TCP → TLS handshake → SASL login → requests
//!         SSL, SASL_SSL   SASL_…
//! ```
//!
//! The server's end of both is in `server::security`; what both have in common, keys and certificates in PEM and the
//! functions of SCRAM, is here.

#[cfg(feature = "tls")]
pub(crate) mod pem;
#[cfg(feature = "sasl")]
pub(crate) mod sasl;
#[cfg(not(feature = "sasl"))]
#[path = "without_sasl.rs"]
mod sasl;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;

use tokio::io::{AsyncRead, AsyncWrite};

use super::client::{self, Connection};
use super::transport::ConnectionError;
use crate::config::ClientConfig;
use crate::error::Result;
use sasl::Sasl;
use tls::Tls;

/// How to connect to brokers: over TCP, secured as a [`ClientConfig`] says.
///
/// ```no_run
/// use esker::net::messages::MetadataRequest;
/// use esker::net::{ClientConfig, Connector};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = ClientConfig::default();
/// config.read(&std::fs::read_to_string("client.properties")?)?;
/// let connection = Connector::new(&config)?.connect("broker.example.org:9093").await?;
/// let metadata = connection.send(&MetadataRequest::default(), 12).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connector {
    client_id: String,
    tls: Option<Tls>,
    sasl: Option<Sasl>,
}

impl Connector {
    /// Reads the files that the configs name; those that are replaced later are not read again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, can't be used, or wants
    /// a feature that isn't built in; [`Error::Io`](crate::Error::Io) the file that can't be read.
    pub fn new(config: &ClientConfig) -> Result<Self> {
        config.validate()?;
        let protocol = config.security_protocol;
        Ok(Self {
            client_id: config.client_id.clone(),
            tls: protocol.has_tls().then(|| Tls::new(config)).transpose()?,
            sasl: protocol.has_sasl().then(|| Sasl::new(config)).transpose()?,
        })
    }

    /// Connects to `host:port`: to the first address of the host that can be connected to. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// [`ConnectionError::Tls`] and [`ConnectionError::Authentication`] if one side doesn't accept what the other
    /// shows, which won't change by itself; otherwise as [`Connection::send`].
    pub async fn connect(&self, address: &str) -> Result<Connection, ConnectionError> {
        let mut failed = ConnectionError::Closed;
        for found in tokio::net::lookup_host(address).await? {
            match client::open(found).await {
                Ok(stream) => return self.connect_over(stream, host_of(address)).await,
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }

    /// Connects over a stream that is there, such as a pipe, to the broker of this host. Must be called in a tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        host: &str,
    ) -> Result<Connection, ConnectionError> {
        let mut connection = match &self.tls {
            Some(tls) => Connection::over(tls.connect(Box::pin(stream), host).await?),
            None => Connection::over(stream),
        };
        if !self.client_id.is_empty() {
            connection = connection.client_id(&*self.client_id);
        }
        if let Some(sasl) = &self.sasl {
            connection.log_in_again_at = sasl.log_in(&connection).await?;
        }
        Ok(connection)
    }
}

/// The host of `host:port`; an address of IPv6 is in brackets there.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_what_comes_before_the_port() {
        for (address, host) in [("localhost:9092", "localhost"), ("[::1]:9092", "::1"), ("10.0.0.1:1", "10.0.0.1")] {
            assert_eq!(host_of(address), host);
        }
    }

    #[test]
    fn what_is_not_built_in_is_refused() {
        for (protocol, feature, is_built_in) in
            [("SSL", "`tls`", cfg!(feature = "tls")), ("SASL_PLAINTEXT", "`sasl`", cfg!(feature = "sasl"))]
        {
            let mut config = ClientConfig::default();
            config.set("security.protocol", protocol).expect("valid");
            let error = Connector::new(&config).expect_err("not enough is said, or it is not built in").to_string();
            assert_eq!(error.contains(feature), !is_built_in, "{error}");
        }
    }
}
