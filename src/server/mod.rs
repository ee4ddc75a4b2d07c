//! A store as a broker: Kafka clients produce to it and fetch from it.
//!
//! ```
//! use esker::net::messages::MetadataRequest;
//! use esker::server::Server;
//! use esker::{Store, TopicConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! let store = Store::temporary()?;
//! store.create_topic("payments", TopicConfig::new())?;
//! let server = Server::builder(store.clone()).bind("127.0.0.1:0").await?;
//! println!("Kafka clients find it at {}", server.bootstrap_servers());
//!
//! // In the same process a client needs no port.
//! let metadata = server.connect().send(&MetadataRequest::default(), 12).await?;
//! assert_eq!(metadata.topics[0].name.as_deref(), Some("payments"));
//! server.shutdown().await;
//! store.close()?;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! A test that wants a broker of its own does the same, with a port that the system picks; the store needs no disk for
//! that: `Store::options().storage(Arc::new(MemoryStorage::new())).open("data")`
//! ([`MemoryStorage`](crate::io::MemoryStorage)).
//!
//! - **Connections.** Each is a task, which begins one request after the other; responses leave in the order of their
//!   requests. A client that sends what is no request, or more than it may, loses its own connection and nothing else.
//! - **What may block**, because it touches the disk, runs on the runtime's threads for that. A fetch that waits for
//!   records holds no thread, and neither does a member of a group that waits for others.
//! - **What takes no more than memory and a moment** is done by the task itself, for another thread takes longer to
//!   wake up: appends of some 100 KB into files that have room, and fetches of what was appended lately. Should such a
//!   moment last, as where the system makes writers wait for a slow disk, all goes to those threads for a while.
//! - **Records** leave as they lie in the log. On Linux, over TCP without TLS, the system sends them from the file to
//!   the socket by itself (`sendfile`), from 512 KiB on; to a client on the same machine, what is not in memory
//!   (`sendfile.to.local.clients`).
//! - **Groups** have members, by Kafka's classic protocol, by the consumer protocol (KIP-848), or by both at once: see
//!   [`coordinator`](crate::coordinator).
//! - **Admin clients**, and with them `kafka-topics`, `kafka-configs`, `kafka-get-offsets`, `kafka-delete-records` and
//!   `kafka-log-dirs`, create, describe, alter and delete topics, look up and delete offsets, and see the node, its
//!   disk, its producers and its transactions.
//! - **Bounds.** One request creates 10,000 partitions at most, and produces to and fetches from no more than
//!   `request.partitions.max`; a page of topics describes `max.request.partition.size.limit`. What is named again and
//!   again is answered only so often.
//!
//! Listeners may ask for TLS (feature `tls`) and for users with passwords (feature `sasl`), by Kafka's configs: see
//! [`SecurityConfig`], and [the guide](crate::guide::operating#who-is-let-in). Pipes within the process ask for
//! nothing.
//!
//! A server is configured as a Kafka broker is: [`ServerProperties`] reads `server.properties`, of which
//! [`StoreConfig`](crate::StoreConfig) and [`StoreOptions::node_id`](crate::StoreOptions::node_id) are for the store,
//! and [`ServerConfig`] has what concerns clients. What it does is told as [`tracing`](https://docs.rs/tracing) events,
//! and counted with the feature `metrics`, for whichever recorder of the [`metrics`](https://docs.rs/metrics) crate the
//! process has installed before it builds the server; with the feature `prometheus` a server can show them itself
//! (`ServerBuilder::metrics_listener`). The guide to [operating](crate::guide::operating) lists them.

mod acceptor;
mod alteration;
mod api_error;
mod broker;
mod broker_configs;
mod config_resource;
mod connection;
mod context;
mod coordinator_error;
mod dispatch;
mod duplicates;
mod executor;
mod fetch_session;
mod groups;
mod handler;
mod limits;
mod metrics;
mod operations;
mod outgoing;
mod partitions;
mod process;
mod properties;
mod refused_batch;
mod security;
mod service;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(not(target_os = "linux"))]
#[path = "without_sendfile.rs"]
mod socket;
mod stop;
mod sync;
mod transaction_error;
mod when_woken;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

#[cfg(feature = "sasl")]
pub use crate::config::ScramMechanism;
use crate::config::invalid;
pub use crate::config::{
    ClientAuth, Listener, ListenerSecurity, ParseListenerError, Password, SaslMechanism, SecurityConfig,
    SecurityProtocol, SecurityProtocolMap, ServerConfig, ServerProperties, StoreType, TlsVersion,
};
use crate::error::Result;
use crate::net::Connection;
#[cfg(feature = "sasl")]
pub use crate::store::ScramCredential;
use crate::store::Store;
use acceptor::{Acceptor, advertised, host_of};
use broker::Node;
use dispatch::SERVED;
use limits::Limits;
#[cfg(feature = "prometheus")]
use metrics::endpoint::Endpoint;
use properties::nowhere_to_listen;
use security::Access;
#[cfg(feature = "sasl")]
pub use security::sasl::CONCURRENT_LOGINS_MAX;
use service::{Service, Tasks};

/// How many bytes may be under way in a pipe within the process.
const PIPE_BYTES: usize = 64 * 1024;
/// Where a client is said to be that has no address.
const IN_PROCESS: &str = "in-process";

/// How a server is to be; made by [`Server::builder`].
#[derive(Debug)]
#[must_use = "nothing is served until it is started"]
pub struct ServerBuilder {
    store: Store,
    config: ServerConfig,
    #[cfg(feature = "prometheus")]
    metrics_listener: Option<String>,
}

impl ServerBuilder {
    /// How to serve, in place of Kafka's defaults.
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.config = config;
        self
    }

    /// Shows this server's metrics to Prometheus at `http://address/metrics`: `127.0.0.1:9404`, or a port alone, which
    /// is one of this machine's loopback interface. Whoever can connect may read them. They go nowhere else then: a
    /// recorder of the process is neither needed nor installed.
    #[cfg(feature = "prometheus")]
    pub fn metrics_listener(mut self, address: impl Into<String>) -> Self {
        self.metrics_listener = Some(address.into());
        self
    }

    /// Listens on `address` alone, such as `127.0.0.1:9092`, in place of the config's `listeners`, and asks its clients
    /// for nothing. With port 0 it takes any port that is free; without a host, as `:9092`, it listens on every
    /// interface of the machine. The server runs in the tokio runtime that this is called in.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and [`Error::InvalidConfig`](crate::Error::InvalidConfig) if the config has a
    /// listener with TLS or SASL: `start` listens there.
    pub async fn bind(mut self, address: &str) -> Result<Server> {
        let protocols = &self.config.listener_security_protocol_map;
        let is_plaintext = |listener: &&Listener| protocols.get(&listener.name) == Some(SecurityProtocol::Plaintext);
        if let Some(secured) = self.config.listeners.iter().find(|listener| !is_plaintext(listener)) {
            let expected = "plain ones, for `bind` listens in their place and asks for nothing: use `start`";
            return Err(invalid("listeners", &secured.to_string(), expected));
        }
        let listener = format!("PLAINTEXT://{address}").parse();
        self.config.listeners = vec![listener.map_err(|_| invalid("listeners", address, "host:port"))?];
        self.config.advertised_listeners.retain(|advertised| advertised.name == self.config.listeners[0].name);
        self.start().await
    }

    /// Listens wherever the config says (`listeners`). The server runs in the tokio runtime that this is called in.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, or in one without I/O or time ([`enable_all`](tokio::runtime::Builder::enable_all)).
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if an address can't be had,
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig), also if it says nowhere: for that there is
    /// [`in_memory`](Self::in_memory).
    pub async fn start(self) -> Result<Server> {
        self.config.validate()?;
        if self.config.listeners.is_empty() {
            return Err(nowhere_to_listen());
        }
        let mut acceptors = Vec::new();
        for listener in &self.config.listeners {
            acceptors.push(Acceptor::bind(listener, &self.config, &self.store).await?);
        }
        let mut server = self.build()?;
        server.local_addrs = acceptors.iter().map(Acceptor::local_addr).collect();
        server.bootstrap_servers = acceptors.first().map(Acceptor::bootstrap_server).unwrap_or_default();
        *server.accesses.get_mut() = acceptors.iter().map(Acceptor::access).collect();
        for acceptor in acceptors {
            server.service.tasks.spawn(acceptor.accept(server.service.clone()));
        }
        Ok(server)
    }

    /// Listens nowhere, and serves this process alone, through [`Server::connect`]. Whatever the config's listeners ask
    /// their clients for, nothing is asked of this process, which has the store anyway; [`Server::serve_as`] asks
    /// others for it. The server runs in the tokio runtime that this is called in.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig), and [`Error::Io`](crate::Error::Io) if there is to be an
    /// address for metrics that can't be had.
    pub fn in_memory(self) -> Result<Server> {
        self.config.validate()?;
        self.build()
    }

    fn build(self) -> Result<Server> {
        // What needs the time runs in tasks of its own: without it that would fail where nobody sees it.
        drop(tokio::time::sleep(Duration::ZERO));
        let (stop, stopped) = watch::channel(false);
        let limits = Limits::new(&self.config)?;
        #[cfg(feature = "prometheus")]
        let (endpoint, metrics) = self.metrics_listener.as_deref().map(Endpoint::bind).transpose()?.unzip();
        #[cfg(feature = "prometheus")]
        let metrics = metrics.unwrap_or_default();
        #[cfg(not(feature = "prometheus"))]
        let metrics = Default::default();
        let node = Arc::new(Node::new(self.store, self.config, metrics, SERVED));
        let service = Service { node, limits, tasks: Tasks::default(), stop: stopped };
        service.tasks.spawn(groups::keep_time(service.node.clone(), service.stop.clone()));
        Ok(Server {
            #[cfg(feature = "prometheus")]
            metrics_addr: endpoint.map(|endpoint| endpoint.spawn(&service)),
            service,
            local_addrs: Vec::new(),
            bootstrap_servers: String::new(),
            accesses: Mutex::default(),
            stop,
        })
    }
}

/// A store that is served. It ends when this is dropped, and in good order by [`shutdown`](Self::shutdown).
#[derive(Debug)]
#[must_use = "a server ends when it is dropped"]
pub struct Server {
    service: Service,
    local_addrs: Vec<SocketAddr>,
    bootstrap_servers: String,
    /// What listeners ask for, by their names: of those that listen, and of those that something came in the place of.
    accesses: Mutex<HashMap<String, Access>>,
    #[cfg(feature = "prometheus")]
    metrics_addr: Option<SocketAddr>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Begins to say how `store` is to be served. The store stays the caller's, to use and to close.
    pub fn builder(store: Store) -> ServerBuilder {
        ServerBuilder {
            store,
            config: ServerConfig::default(),
            #[cfg(feature = "prometheus")]
            metrics_listener: None,
        }
    }

    /// Where it listens first, with the port that it got. `None` if it serves this process alone.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addrs.first().copied()
    }

    /// Where clients of the first listener find it, as `host:port`: what they are to be given as `bootstrap.servers`.
    /// That is what it advertises (`advertised.listeners`), or else where it listens. Empty if it serves this process
    /// alone.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Where it shows its metrics, with the port that it got. `None` if it doesn't.
    #[cfg(feature = "prometheus")]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Where it listens, in the order of the config's `listeners`.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Connects from within this process, by a pipe in memory, and is asked for nothing. Must be called in a tokio
    /// runtime.
    pub fn connect(&self) -> Connection {
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        self.serve(server);
        Connection::over(client)
    }

    /// Serves a client that has come over a stream of another kind: a socket of the caller's, or a pipe. The limits on
    /// connections are for listeners, and don't hold for it, nor does their security: it is asked for nothing, so
    /// strangers are for [`serve_as`](Self::serve_as). All other limits do. Must be called in a tokio runtime.
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let first = self.service.node.config.listeners.first();
        self.serve_with(Access::default(), first, self.local_addr(), stream);
    }

    /// Serves a client over a stream of another kind, as [`serve`](Self::serve) does, and asks it for what the listener
    /// of this name asks its clients for: TLS, a certificate, a login.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if the config has no such listener, or one that can't be
    /// secured as it says; [`Error::Io`](crate::Error::Io) if its files can't be read.
    pub fn serve_as(&self, listener: &str, stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Result<()> {
        let Node { config, store, .. } = &*self.service.node;
        let mut listeners = config.listeners.iter().enumerate();
        let named = listeners.find(|(_, known)| known.name.eq_ignore_ascii_case(listener));
        let (index, found) = named.ok_or_else(|| invalid("listeners", listener, "the name of one of them"))?;
        let bound = self.local_addrs.get(index).copied();
        let access = {
            let mut accesses = self.accesses.lock();
            match accesses.get(&found.name) {
                Some(access) => access.clone(),
                None => {
                    let access = Access::new(found, config, store)?;
                    accesses.insert(found.name.clone(), access.clone());
                    access
                }
            }
        };
        self.serve_with(access, Some(found), bound, stream);
        Ok(())
    }

    fn serve_with(
        &self,
        access: Access,
        listener: Option<&Listener>,
        bound: Option<SocketAddr>,
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
    ) {
        // Whoever comes by a pipe is on this machine.
        let (bound_host, bound_port) = bound.map(|bound| (host_of(bound.ip()), bound.port())).unwrap_or_default();
        let advertised = listener.and_then(|listener| advertised(listener, &self.service.node.config, bound_port));
        let (host, port) = advertised.unwrap_or((None, bound_port));
        let advertised = (host.unwrap_or(bound_host), port);
        self.service.serve(stream, tokio::io::split, access, IN_PROCESS.into(), advertised, ());
    }

    /// Stops in good order: takes no more connections and requests, and returns once those that it has taken are
    /// answered. Fetches that wait are answered with what there is, and members of groups that wait for others are sent
    /// away.
    pub async fn shutdown(self) {
        // Nobody listens any more if all tasks are done.
        let _ = self.stop.send(true);
        self.service.tasks.join().await;
        // Those that were accepted meanwhile.
        self.service.tasks.join().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.service.tasks.abort();
    }
}
