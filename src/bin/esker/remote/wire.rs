//! Requests and their responses, for callers that wait: the one file of the command line's network side that knows the
//! runtime.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use esker::net::messages::{ApiVersionsRequest, Request};
use esker::net::{ApiKey, Connection, ConnectionError, Connector, ErrorCode};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::trouble::Trouble;
use crate::failure::{Failure, Result};
use crate::hint::SPEAKS_NO_TLS;

/// How long it may take to connect and to be let in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a broker may take to answer, as `request.timeout.ms` has it, beyond what the request itself lets it wait.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The same as requests say it.
pub(super) const REQUEST_TIMEOUT_MS: i32 = REQUEST_TIMEOUT.as_millis() as i32;
/// As which version brokers are asked for theirs. Those before Kafka 2.4 don't know it, and few of the others here
/// either.
const API_VERSIONS_VERSION: i16 = 3;

/// A runtime on this thread, which runs while somebody waits for a response.
#[derive(Debug)]
pub(super) struct Wire {
    runtime: Runtime,
    connector: Connector,
}

/// A broker that is connected to.
#[derive(Debug)]
pub(super) struct Peer {
    /// Its address, as people write it.
    pub(super) address: String,
    connection: Connection,
    versions: HashMap<i16, (i16, i16)>,
}

impl Wire {
    pub(super) fn new(connector: Connector) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::because("cannot use the network", error))?;
        Ok(Self { runtime, connector })
    }

    /// Connects, logs in if it is to, and asks for the versions that the broker speaks.
    pub(super) fn connect(&self, address: &str) -> Result<Peer, Trouble> {
        let cannot = || format!("cannot connect to {address}");
        let connected =
            self.runtime.block_on(async { timeout(CONNECT_TIMEOUT, self.connector.connect(address)).await });
        let connection = match connected {
            Ok(Ok(connection)) => connection,
            Ok(Err(ConnectionError::Io(error))) => {
                let is_unfinished = error.kind() == ErrorKind::UnexpectedEof;
                let failure = Failure::because(cannot(), error);
                return Err(Trouble::Lost(if is_unfinished { failure.with_hint(SPEAKS_NO_TLS) } else { failure }));
            }
            // It is not let in, or doesn't trust whom it has come to: that stays so.
            Ok(Err(error @ (ConnectionError::Tls(_) | ConnectionError::Authentication(_)))) => {
                return Err(Trouble::Final(Failure::because(cannot(), error)));
            }
            Ok(Err(error)) => return Err(Trouble::Lost(Failure::because(cannot(), error))),
            Err(_) => return Err(Trouble::Lost(Failure::new(format!("{} within {CONNECT_TIMEOUT:?}", cannot())))),
        };
        let mut peer = Peer { address: address.to_owned(), connection, versions: HashMap::new() };
        let request = ApiVersionsRequest {
            client_software_name: "esker".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let asked = self.runtime.block_on(peer.send(&request, API_VERSIONS_VERSION, REQUEST_TIMEOUT));
        // A server that is going away may still accept.
        let asked = asked.map_err(|trouble| match trouble {
            Trouble::Lost(failure) => Trouble::Lost(failure.within(cannot())),
            other => other,
        })?;
        if asked.error_code != ErrorCode::NONE {
            return Err(Trouble::refused(asked.error_code, None, address));
        }
        peer.versions = asked.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(peer)
    }

    /// Sends a request, in the highest version up to `max_version` that both sides know, and waits for the response.
    pub(super) fn ask<R: Request>(&self, peer: &Peer, request: &R, max_version: i16) -> Result<R::Response, Trouble> {
        let version = peer.version(R::API_KEY, max_version)?;
        self.runtime.block_on(peer.send(request, version, REQUEST_TIMEOUT))
    }

    /// Sends requests, those to a peer in their order, and waits for all responses, `wait` longer than for others.
    pub(super) fn ask_all<R>(
        &self,
        requests: Vec<(Arc<Peer>, R)>,
        max_version: i16,
        wait: Duration,
    ) -> Vec<Result<R::Response, Trouble>>
    where
        R: Request + Send + Sync + 'static,
        R::Response: Send,
    {
        self.runtime.block_on(async {
            // Tasks begin in the order in which they are spawned, and so do their requests.
            let begin = |(peer, request): (Arc<Peer>, R)| {
                tokio::spawn(async move {
                    let version = peer.version(R::API_KEY, max_version)?;
                    peer.send(&request, version, REQUEST_TIMEOUT.saturating_add(wait)).await
                })
            };
            let begun: Vec<_> = requests.into_iter().map(begin).collect();
            let mut responses = Vec::new();
            for task in begun {
                responses.push(task.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())));
            }
            responses
        })
    }

    /// Sends a request that has no response.
    pub(super) fn tell<R: Request>(&self, peer: &Peer, request: &R, max_version: i16) -> Result<(), Trouble> {
        let version = peer.version(R::API_KEY, max_version)?;
        let sent = self.runtime.block_on(peer.connection.send_without_response(request, version));
        sent.map_err(|error| peer.lost(error))
    }
}

impl Peer {
    /// Whether another connection is to take the place of this one, before the broker ends it.
    pub(super) fn is_expiring(&self) -> bool {
        self.connection.is_expiring()
    }

    /// Whether the broker speaks this API in some version up to `max_version`.
    pub(super) fn speaks(&self, api_key: ApiKey, max_version: i16) -> bool {
        self.version(api_key, max_version).is_ok()
    }

    fn version(&self, api_key: ApiKey, max_version: i16) -> Result<i16, Trouble> {
        let (min, max) = self.versions.get(&api_key.key()).copied().unwrap_or((0, -1));
        let known = api_key.versions();
        let version = max.min(max_version).min(*known.end());
        if version < min.max(*known.start()) {
            let what = format!("{} does not speak {api_key:?} in a version that esker knows", self.address);
            return Err(Trouble::Final(Failure::new(what)));
        }
        Ok(version)
    }

    async fn send<R: Request>(&self, request: &R, version: i16, within: Duration) -> Result<R::Response, Trouble> {
        match timeout(within, self.connection.send(request, version)).await {
            Ok(response) => response.map_err(|error| self.lost(error)),
            Err(_) => Err(Trouble::Lost(Failure::new(format!("{} did not answer within {within:?}", self.address)))),
        }
    }

    fn lost(&self, error: ConnectionError) -> Trouble {
        let what = format!("lost the connection to {}", self.address);
        Trouble::Lost(match error {
            ConnectionError::Io(error) => Failure::because(what, error),
            ConnectionError::Closed => Failure::new(what),
            other => Failure::because(what, other),
        })
    }
}
