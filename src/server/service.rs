//! What all connections of a server have in common, and the tasks that they are.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::broker::{Broker, Node};
use super::connection;
use super::limits::Limits;
use super::outgoing::Outgoing;
use super::security::{Access, Secured};
use crate::net::ConnectionError;

/// Who serves clients, however they come.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) node: Arc<Node>,
    pub(super) limits: Arc<Limits>,
    pub(super) tasks: Tasks,
    pub(super) stop: watch::Receiver<bool>,
}

impl Service {
    /// Serves a client at `client_host` that is told to connect to `host` and `port`, over what `split` makes of the
    /// stream if nothing comes in between. The task ends with `guard`.
    pub(super) fn serve<S, R, W>(
        &self,
        stream: S,
        split: impl FnOnce(S) -> (R, W) + Send + 'static,
        access: Access,
        client_host: String,
        (host, port): (String, u16),
        guard: impl Send + 'static,
    ) where
        S: AsyncRead + AsyncWrite + Send + 'static,
        R: AsyncRead + Send + Unpin + 'static,
        W: Outgoing + Send + 'static,
    {
        let span = tracing::info_span!("connection", client = client_host, principal = tracing::field::Empty);
        let sends_files = W::SENDS_FILES && !access.has_tls();
        let broker = Arc::new(Broker { node: self.node.clone(), host, port, client_host, sends_files });
        let (limits, stop) = (self.limits.clone(), self.stop.clone());
        let (metrics, open) = (self.node.metrics.clone(), self.node.metrics.connection_opened());
        let served = async move {
            let _guard = (guard, open);
            if let Err(error) = serve(stream, split, &access, broker, &limits, stop).await {
                metrics.connection_failed();
                tracing::info!(error = &error as &dyn std::error::Error, "a connection ends");
            }
        };
        self.tasks.spawn(served.instrument(span));
    }
}

/// Serves a client once its stream is secured as its listener asks.
async fn serve<S: AsyncRead + AsyncWrite, R: AsyncRead + Unpin, W: Outgoing>(
    stream: S,
    split: impl FnOnce(S) -> (R, W),
    access: &Access,
    broker: Arc<Broker>,
    limits: &Arc<Limits>,
    stop: watch::Receiver<bool>,
) -> Result<(), ConnectionError> {
    match access.secure(stream, &broker, stop.clone()).await? {
        Some(Secured::Plaintext(stream)) => connection::serve(split(stream), access, broker, limits, stop).await,
        Some(Secured::Tls(stream)) => connection::serve(tokio::io::split(stream), access, broker, limits, stop).await,
        None => Ok(()),
    }
}

/// The tasks of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock();
        while tasks.try_join_next().is_some() {}
        // In a box of its own, which goes with the connection: the rest of a task stays until the next one begins.
        tasks.spawn(Box::pin(task));
    }

    /// Returns when all that were begun by now have ended.
    pub(super) async fn join(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock());
        while tasks.join_next().await.is_some() {}
    }

    /// Ends them where they are.
    pub(super) fn abort(&self) {
        self.0.lock().abort_all();
    }
}
