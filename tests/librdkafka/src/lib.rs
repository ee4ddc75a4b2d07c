//! A server in this process that can be stopped and started again, as the clients of the tests see it.

use std::net::SocketAddr;

use esker::server::{Server, ServerConfig};
use esker::{Result, Store, StoreConfig};
use tempfile::TempDir;

/// A server on a port of its own, and its data directory. It runs in the runtime of the test.
pub struct Broker {
    dir: TempDir,
    address: SocketAddr,
    running: Option<(Store, Server)>,
}

impl Broker {
    /// Starts with nothing in the data directory. Topics that a client asks for have three partitions.
    ///
    /// # Errors
    /// What keeps the store from being opened, or the server from being started.
    pub async fn start() -> Result<Self> {
        let dir = TempDir::new().map_err(|source| esker::Error::Io {
            operation: "create",
            path: "a directory for a test".into(),
            source: std::sync::Arc::new(source),
        })?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut broker = Self { dir, address, running: None };
        broker.resume().await?;
        Ok(broker)
    }

    /// What clients call `bootstrap.servers`.
    pub fn bootstrap_servers(&self) -> String {
        self.address.to_string()
    }

    /// The store that is served, if it is at the moment.
    pub fn store(&self) -> Option<&Store> {
        self.running.as_ref().map(|(store, _)| store)
    }

    /// Stops in good order.
    ///
    /// # Errors
    /// What keeps the store from being closed.
    pub async fn stop(&mut self) -> Result<()> {
        match self.running.take() {
            Some((store, server)) => {
                server.shutdown().await;
                store.close()
            }
            None => Ok(()),
        }
    }

    /// Starts again, on the same port and directory.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn resume(&mut self) -> Result<()> {
        let mut store_config = StoreConfig::default();
        store_config.set("offsets.topic.num.partitions", "1")?;
        // Groups begin with whoever comes first.
        store_config.set("group.initial.rebalance.delay.ms", "0")?;
        let store = Store::options().config(store_config).open(self.dir.path())?;
        let mut config = ServerConfig { num_partitions: 3, ..ServerConfig::default() };
        config.set("listeners", &format!("PLAINTEXT://{}", self.address))?;
        let server = Server::builder(store.clone()).config(config).start().await?;
        self.address = server.local_addr().unwrap_or(self.address);
        self.running = Some((store, server));
        Ok(())
    }
}
