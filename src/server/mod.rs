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
//! println!("Kafka clients find it at {:?}", server.local_addr());
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
//! Each connection is a task, which takes one request after the other, so that responses leave in the order of their
//! requests. What may block, because it touches the disk, runs on the runtime's threads for that; a fetch that waits for
//! records holds no thread. A client that sends what is no request loses its own connection and nothing else.
//!
//! It answers ApiVersions, Metadata, Produce and Fetch so far. Topics are spoken of by name, as up to Fetch version 12.

mod broker;
mod connection;
mod dispatch;
mod executor;
mod groups;
mod handler;

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::{Error, Result};
use crate::net::Connection;
use crate::net::frame::SOCKET_REQUEST_MAX_BYTES;
use crate::store::Store;
use broker::Broker;
use groups::Groups;

/// How many bytes may be under way in a pipe within the process.
const PIPE_BYTES: usize = 64 * 1024;
/// Where a client is said to be that has no address.
const IN_PROCESS: &str = "in-process";

/// How a server is to be; made by [`Server::builder`].
#[derive(Debug)]
#[must_use = "nothing is served until it is bound"]
pub struct ServerBuilder {
    store: Store,
    advertised: Option<(String, u16)>,
    auto_create_topics: bool,
    socket_request_max_bytes: usize,
}

impl ServerBuilder {
    /// Where clients are told to connect to (`advertised.listeners`). By default, the address that is bound.
    pub fn advertised_listener(mut self, host: impl Into<String>, port: u16) -> Self {
        self.advertised = Some((host.into(), port));
        self
    }

    /// Whether a topic that a client asks for is created if it doesn't exist (`auto.create.topics.enable`). By default it
    /// is.
    pub fn auto_create_topics(mut self, auto_create_topics: bool) -> Self {
        self.auto_create_topics = auto_create_topics;
        self
    }

    /// The largest request that is taken, in bytes (`socket.request.max.bytes`). By default 100 MiB. A connection takes no
    /// more memory than that for the request that it reads.
    pub fn socket_request_max_bytes(mut self, bytes: usize) -> Self {
        self.socket_request_max_bytes = bytes;
        self
    }

    /// Listens on `address`, such as `127.0.0.1:9092`; with port 0, on any port that is free. Must be called in a tokio
    /// runtime, which the server then runs in.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address can't be had.
    pub async fn bind(self, address: &str) -> Result<Server> {
        let cannot = |source| Error::io("listen on", address, source);
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let bound = listener.local_addr().map_err(cannot)?;
        let server = self.start(Some(bound));
        server.spawn(accept(listener, server.broker.clone(), server.connections.clone(), server.stop.subscribe()));
        Ok(server)
    }

    /// Serves this process alone, through [`Server::connect`]. Must be called in a tokio runtime, which the server then
    /// runs in.
    pub fn in_memory(self) -> Server {
        self.start(None)
    }

    fn start(self, local_addr: Option<SocketAddr>) -> Server {
        let advertised = self.advertised.or(local_addr.map(|bound| (bound.ip().to_string(), bound.port())));
        let (host, port) = advertised.unwrap_or_default();
        let broker = Broker {
            groups: Arc::new(Groups::new(self.store.clone())),
            store: self.store,
            host,
            port,
            auto_create_topics: self.auto_create_topics,
            socket_request_max_bytes: self.socket_request_max_bytes,
        };
        let (stop, _) = watch::channel(false);
        let server = Server { broker: Arc::new(broker), local_addr, connections: Connections::default(), stop };
        server.spawn(groups::keep_time(server.broker.groups.clone(), server.stop.subscribe()));
        server
    }
}

/// The tasks of a server.
type Connections = Arc<Mutex<JoinSet<()>>>;

/// A store that is served. It ends when this is dropped, and in good order by [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Server {
    broker: Arc<Broker>,
    local_addr: Option<SocketAddr>,
    connections: Connections,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Begins to say how `store` is to be served. The store stays the caller's, to use and to close.
    pub fn builder(store: Store) -> ServerBuilder {
        ServerBuilder {
            store,
            advertised: None,
            auto_create_topics: true,
            socket_request_max_bytes: SOCKET_REQUEST_MAX_BYTES,
        }
    }

    /// Where it listens, with the port that it got. `None` if it serves this process alone.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Connects from within this process, by a pipe in memory.
    pub fn connect(&self) -> Connection {
        let (client, server) = tokio::io::duplex(PIPE_BYTES);
        self.spawn(serve(server, self.broker.clone(), IN_PROCESS.into(), self.stop.subscribe()));
        Connection::over(client)
    }

    /// Stops in good order: takes no more connections and requests, and returns once those that it has taken are answered.
    /// Fetches that wait are answered with what there is.
    pub async fn shutdown(self) {
        // Nobody listens any more if all tasks are done.
        let _ = self.stop.send(true);
        let mut connections = std::mem::take(&mut *self.connections.lock());
        while connections.join_next().await.is_some() {}
        // Those that were accepted meanwhile.
        let mut connections = std::mem::take(&mut *self.connections.lock());
        while connections.join_next().await.is_some() {}
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        spawn(&self.connections, task);
    }
}

fn spawn(connections: &Mutex<JoinSet<()>>, task: impl Future<Output = ()> + Send + 'static) {
    let mut connections = connections.lock();
    while connections.try_join_next().is_some() {}
    connections.spawn(task);
}

async fn accept(listener: TcpListener, broker: Arc<Broker>, connections: Connections, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Responses are written whole. A connection that is gone already ends by itself.
                let _ = stream.set_nodelay(true);
                // As Java writes an address, which clients show.
                let client_host = format!("/{}", peer.ip()).into();
                spawn(&connections, serve(stream, broker.clone(), client_host, stop.clone()));
            }
            // Too many open files, or the client has gone: let others get on, and look again.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    broker: Arc<Broker>,
    client_host: Arc<str>,
    stop: watch::Receiver<bool>,
) {
    // Why a connection ended is the client's affair.
    let _ = connection::serve(stream, &broker, &client_host, stop).await;
}
