//! A server that is what its process is for: it may have as many files open as there are, and goes on until it is told
//! to end.

use std::path::Path;
use std::time::Duration;

use super::Server;
use crate::config::ServerProperties;
use crate::error::Result;
use crate::io::raise_open_files_limit;
use crate::store::Store;

/// How long a failure of the store's maintenance may stay untold.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

impl ServerProperties {
    /// Opens the store in `dir` as these configs say, for a process that does nothing but serve it: it lets itself have
    /// as many files open as the system allows first, for every connection is one ([`raise_open_files_limit`]). If that
    /// fails, a [`tracing`](https://docs.rs/tracing) event says so.
    ///
    /// # Errors
    ///
    /// As [`StoreOptions::open`](crate::StoreOptions::open).
    pub fn open_store(&self, dir: impl AsRef<Path>) -> Result<Store> {
        if let Err(error) = raise_open_files_limit() {
            tracing::warn!(error = &error as &dyn std::error::Error, "the limit on open files stays as it is");
        }
        Store::options().config(self.store.clone()).node_id(self.node_id).open(dir)
    }
}

impl Server {
    /// Serves until `stop` is ready, and [stops in good order](Self::shutdown) then; the store stays open. Meanwhile
    /// [`tracing`](https://docs.rs/tracing) events say what the store's maintenance fails at, which
    /// [`Store::take_maintenance_error`] says no more then.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) {
        let looking = async {
            let mut look = tokio::time::interval(LOOK_INTERVAL);
            loop {
                look.tick().await;
                if let Some(error) = self.service.node.store.take_maintenance_error() {
                    tracing::error!(error = &error as &dyn std::error::Error, "maintenance of the store fails");
                }
            }
        };
        tokio::select! {
            () = stop => {}
            () = looking => {}
        }
        tracing::info!("stopping");
        self.shutdown().await;
    }
}
