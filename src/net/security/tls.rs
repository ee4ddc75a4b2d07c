//! TLS at a client's end: which brokers it trusts, and what it shows them.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{self, ClientConfig as RustlsConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::pem;
use crate::config::{ClientConfig, EndpointIdentification, invalid};
use crate::error::Result;
use crate::net::transport::ConnectionError;

/// Whom a client trusts, and who it is. Clones are the same.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files that the configs name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) names the config that is missing, or of which nothing can
    /// be made; [`Error::Io`](crate::Error::Io) the file that can't be read.
    pub(super) fn new(config: &ClientConfig) -> Result<Self> {
        // By name: another part of the program may have chosen another one for itself.
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = RustlsConfig::builder_with_provider(provider)
            .with_protocol_versions(&pem::versions(&config.ssl_enabled_protocols))
            .map_err(|error| pem::unusable("ssl.enabled.protocols", &error))?;
        let roots = roots(config)?;
        let builder = match config.ssl_endpoint_identification_algorithm {
            EndpointIdentification::Https => builder.with_root_certificates(roots),
            EndpointIdentification::None => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(OfAnyName { roots, algorithms }))
            }
        };
        let ClientConfig { ssl_keystore_location, ssl_keystore_key, ssl_keystore_certificate_chain, .. } = config;
        let config = match pem::keystore(ssl_keystore_location, ssl_keystore_key, ssl_keystore_certificate_chain)? {
            None => builder.with_no_client_auth(),
            Some((key, chain)) => builder
                .with_client_auth_cert(chain.certificates()?, key.private_key()?)
                .map_err(|error| pem::unusable(key.key, &error))?,
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Does the handshake with the broker of this host.
    pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        host: &str,
    ) -> Result<TlsStream<S>, ConnectionError> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| ConnectionError::Tls(Arc::new(io::Error::new(io::ErrorKind::InvalidInput, error))))?;
        self.0.connect(name, stream).await.map_err(|error| {
            let is_of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            if is_of_tls { ConnectionError::Tls(Arc::new(error)) } else { error.into() }
        })
    }
}

/// The authorities that brokers' certificates have to come from.
fn roots(config: &ClientConfig) -> Result<RootCertStore> {
    let found = pem::truststore(&config.ssl_truststore_location, &config.ssl_truststore_certificates)?;
    let source = found.ok_or_else(|| {
        let expected = "a file with the certificates of authorities in PEM, for a security.protocol with SSL: \
            those of the system are not known here unless it names them";
        invalid("ssl.truststore.location", "", expected)
    })?;
    source.roots()
}

/// Trusts every certificate that comes from an authority, whatever host it is for. All else is looked at as it is by
/// default.
#[derive(Debug)]
struct OfAnyName {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for OfAnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, self.algorithms.all)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
