//! TLS: a listener's keys and certificates, and the handshake.
//!
//! Certificates run out, and others take their place in the same files. Whoever comes next is shown those: the files
//! are read again when a client comes, which is little beside a handshake, and is right however they are replaced.
//! Those that come meanwhile are shown what there was: many clients read them no more often than one, and a slow disk
//! stops nobody else. Kafka reads them again when it is told to, by setting their configs to what they are.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
pub(super) use tokio_rustls::server::TlsStream;

use super::distinguished_name;
use crate::config::{ClientAuth, ListenerSecurity, invalid};
use crate::error::Result;
use crate::io::{FsStorage, Storage};
use crate::net::security::pem::{self, Source};
use crate::server::executor;

/// What a listener shows its clients, and wants to see of them. Clones are the same.
#[derive(Clone)]
pub(super) struct Tls(Arc<Inner>);

struct Inner {
    security: ListenerSecurity,
    current: Mutex<TlsAcceptor>,
    /// What the files held when they were looked at last. Who looks keeps it, and nobody waits for it.
    seen: Mutex<Seen>,
}

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
    /// [`Error::InvalidConfig`] names the config that is missing, or of which nothing can be made; [`Error::Io`] the
    /// file that can't be read.
    pub(super) fn new(security: &ListenerSecurity) -> Result<Self> {
        let seen = Mutex::new(look(security));
        let current = Mutex::new(load(security)?);
        Ok(Self(Arc::new(Inner { security: security.clone(), current, seen })))
    }

    /// Does the handshake, in the time that the client takes.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let inner = self.0.clone();
        let acceptor = executor::run(move || inner.acceptor()).await;
        acceptor.accept(stream).await
    }
}

impl Inner {
    /// By what the files hold now, or held when something could be made of it last.
    fn acceptor(&self) -> TlsAcceptor {
        if let Some(mut seen) = self.seen.try_lock() {
            self.look_again(&mut seen);
        }
        self.current.lock().clone()
    }

    fn look_again(&self, seen: &mut Seen) {
        let now = look(&self.security);
        if *seen == now {
            return;
        }
        *seen = now;
        match load(&self.security) {
            Ok(acceptor) => {
                tracing::info!("the files of keys and certificates have changed");
                *self.current.lock() = acceptor;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "nothing can be made of keys or certificates that have changed");
            }
        }
    }
}

/// What tells the contents of files from others: of those of keys and of authorities, None where one can't be read.
type Seen = [Option<u64>; 2];

fn look(security: &ListenerSecurity) -> Seen {
    [&security.ssl_keystore_location, &security.ssl_truststore_location].map(|path| {
        let contents = FsStorage::new().read(Path::new(path)).ok()?;
        let mut hasher = DefaultHasher::new();
        contents.hash(&mut hasher);
        Some(hasher.finish())
    })
}

/// Reads what the configs name, and the files.
fn load(security: &ListenerSecurity) -> Result<TlsAcceptor> {
    // By name: another part of the program may have chosen another one for itself.
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&pem::versions(&security.ssl_enabled_protocols))
        .map_err(|error| pem::unusable("ssl.enabled.protocols", &error))?;
    let builder = match client_verifier(security, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let (key_source, chain_source) = keystore(security)?;
    let chain = chain_source.certificates()?;
    let key = key_source.private_key()?;
    let config = builder.with_single_cert(chain, key).map_err(|error| pem::unusable(key_source.key, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Who the client is by its certificate, as Kafka writes it. None if it has shown none.
pub(super) fn subject<S>(stream: &TlsStream<S>) -> Option<String> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    // What rustls reads of a certificate it keeps to itself, but for this.
    let mut reader = RootCertStore::empty();
    reader.add(certificate.clone()).ok()?;
    distinguished_name::to_text(reader.subjects().first()?.as_ref())
}

/// Who looks at clients' certificates, if they are asked for any.
fn client_verifier(
    security: &ListenerSecurity,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
    if security.ssl_client_auth == ClientAuth::None {
        return Ok(None);
    }
    let roots = roots(security)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = match security.ssl_client_auth {
        ClientAuth::Requested => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map(Some).map_err(|error| pem::unusable("ssl.truststore.location", &error))
}

/// Where the private key is, and where the certificates are.
fn keystore(security: &ListenerSecurity) -> Result<(Source<'_>, Source<'_>)> {
    let ListenerSecurity { ssl_keystore_location, ssl_keystore_key, ssl_keystore_certificate_chain, .. } = security;
    let found = pem::keystore(ssl_keystore_location, ssl_keystore_key, ssl_keystore_certificate_chain)?;
    found.ok_or_else(|| {
        let expected = "a file with a private key and certificates in PEM, for a listener of SSL or SASL_SSL";
        invalid("ssl.keystore.location", "", expected)
    })
}

/// The authorities that clients' certificates have to come from.
fn roots(security: &ListenerSecurity) -> Result<RootCertStore> {
    let found = pem::truststore(&security.ssl_truststore_location, &security.ssl_truststore_certificates)?;
    let source = found.ok_or_else(|| {
        let expected = "a file with certificates in PEM, for a listener with ssl.client.auth";
        invalid("ssl.truststore.location", "", expected)
    })?;
    source.roots()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn what_is_missing_is_named() {
        let missing = |change: fn(&mut ListenerSecurity)| {
            let mut security = ListenerSecurity::default();
            change(&mut security);
            match Tls::new(&security) {
                Err(Error::InvalidConfig { key, .. }) => key,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(missing(|_| ()), "ssl.keystore.location");
        assert_eq!(missing(|of| of.ssl_client_auth = ClientAuth::Required), "ssl.truststore.location");
        assert_eq!(missing(|of| of.ssl_keystore_certificate_chain = "x".into()), "ssl.keystore.key");
        assert_eq!(missing(|of| of.ssl_keystore_location = "Cargo.toml".into()), "ssl.keystore.location");
        let security = ListenerSecurity { ssl_keystore_location: "missing.pem".into(), ..Default::default() };
        assert!(matches!(Tls::new(&security), Err(Error::Io { .. })));
    }
}
