//! What the tests of TLS and SASL share: an authority with its certificates, and a client that knows what it sends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker::net::messages::{Body, MetadataRequest, Request, request_frame};
use esker::net::{FrameBuffer, RequestHeader, ResponseHeader};
use esker::server::{Server, ServerConfig};
use esker::{Store, TopicConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

pub(crate) use super::certificates::{Authority, Identity};

/// A directory for what has to be in files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }
}

/// Configs from their names.
pub(crate) fn config(pairs: &[(&str, &str)]) -> ServerConfig {
    let mut config = ServerConfig::default();
    for (key, value) in pairs {
        config.set(key, value).unwrap();
    }
    config
}

/// A server on any port, of a store with topic "t".
pub(crate) async fn serve(config: ServerConfig) -> (Store, Server) {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store.clone()).config(config).start().await.unwrap();
    (store, server)
}

/// Why a server can't be as a config says.
pub(crate) async fn refused(config: ServerConfig) -> String {
    let server = Server::builder(Store::temporary().unwrap()).config(config).start().await;
    server.expect_err("it can't be so").to_string()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A client that trusts an authority, with an identity of its own or without.
pub(crate) fn tls_client(
    authority: &Authority,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

pub(crate) const BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub(crate) async fn tls_connect(server: &Server, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// A client that sends what it is told to.
pub(crate) struct Client<S> {
    stream: S,
    frames: FrameBuffer,
}

impl Client<TcpStream> {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::over(TcpStream::connect(server.local_addr().unwrap()).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream, frames: FrameBuffer::new(1 << 28) }
    }

    /// The response to a request. None if the server ends the connection instead.
    pub(crate) async fn call<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        let header = RequestHeader { api_key: R::API_KEY, api_version: version, correlation_id: 7, client_id: None };
        let chunks = request_frame(&header, request).unwrap();
        let mut response = self.exchange(&chunks.chunks().concat()).await?;
        assert_eq!(ResponseHeader::decode(&mut response, R::API_KEY, version).unwrap().correlation_id, 7);
        Some(R::Response::from_bytes(response, version).unwrap())
    }

    /// The bytes of the frame that comes back for these bytes, which should have their size before them.
    pub(crate) async fn exchange(&mut self, bytes: &[u8]) -> Option<bytes::Bytes> {
        // It may be closed while this is written.
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()?;
        let mut read = vec![0; 1 << 16];
        loop {
            // What is no frame is no answer: an alert of TLS.
            if let Some(frame) = self.frames.next_frame().ok()? {
                return Some(frame);
            }
            match self.stream.read(&mut read).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.frames.extend(&read[..count]),
            }
        }
    }

    pub(crate) async fn is_served(&mut self) -> bool {
        self.call(&MetadataRequest::default(), 12).await.is_some()
    }
}
