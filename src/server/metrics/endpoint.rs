//! Where Prometheus reads the metrics: `GET /metrics`, answered in its text format over HTTP/1.0.
//!
//! No more of HTTP is spoken than a scraper needs: one request a connection, its head of at most 8 KiB, a few of them
//! at a time, each with a deadline.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::Metrics;
use crate::error::{Error, Result};
use crate::server::executor;
use crate::server::service::Service;
use crate::server::stop::told_to_stop;

const HEAD_BYTES_MAX: usize = 8 * 1024;
const SCRAPES_MAX: usize = 8;
const SCRAPE_MAX: Duration = Duration::from_secs(5);
/// How often samples are put into their buckets. Until then each takes memory, whether or not anybody scrapes.
const UPKEEP: Duration = Duration::from_secs(1);

/// The upper bounds of the buckets for durations, in seconds: from a request that finds all in memory to a long poll.
const SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// A listener that is bound, and the recorder that it shows.
#[derive(Debug)]
pub(in crate::server) struct Endpoint {
    listener: TcpListener,
    bound: SocketAddr,
    handle: PrometheusHandle,
}

impl Endpoint {
    /// Listens on `address`, which may be a port of this machine's own interface alone. The metrics that it shows are
    /// those that come with it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the address can't be had.
    pub(in crate::server) fn bind(address: &str) -> Result<(Self, Metrics)> {
        let cannot = |source| Error::io("listen on", address, source);
        let listener = match address.parse::<u16>() {
            Ok(port) => TcpListener::bind(("127.0.0.1", port)),
            Err(_) => TcpListener::bind(address),
        };
        let listener = listener.map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let bound = listener.local_addr().map_err(cannot)?;
        let recorder = recorder();
        let endpoint = Self { listener, bound, handle: recorder.handle() };
        tracing::info!(%bound, "metrics");
        Ok((endpoint, Metrics::to(Arc::new(recorder))))
    }

    /// Begins to answer scrapes, and returns where.
    pub(in crate::server) fn spawn(self, service: &Service) -> SocketAddr {
        let bound = self.bound;
        service.tasks.spawn(self.serve(service.stop.clone()));
        bound
    }

    /// Answers scrapes until the server stops.
    async fn serve(self, mut stop: watch::Receiver<bool>) {
        let listener = match tokio::net::TcpListener::from_std(self.listener) {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(error = &error as &dyn std::error::Error, "metrics can't be shown");
            }
        };
        let mut upkeep = interval(UPKEEP);
        let mut scrapes = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if scrapes.len() < SCRAPES_MAX => match accepted {
                    Ok((stream, _)) => drop(scrapes.spawn(timeout(SCRAPE_MAX, answer(stream, self.handle.clone())))),
                    // Too many open files, or the client has gone.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                // What went wrong is the scraper's to notice.
                Some(_) = scrapes.join_next() => {}
                _ = upkeep.tick() => {
                    let handle = self.handle.clone();
                    executor::run(move || handle.run_upkeep()).await;
                }
                () = told_to_stop(&mut stop) => return,
            }
        }
    }
}

fn recorder() -> PrometheusRecorder {
    let durations = Matcher::Suffix("_seconds".to_owned());
    match PrometheusBuilder::new().set_buckets_for_metric(durations, &SECONDS) {
        Ok(builder) => builder.build_recorder(),
        Err(_) => unreachable!("there are buckets"),
    }
}

async fn answer(mut stream: TcpStream, handle: PrometheusHandle) -> std::io::Result<()> {
    let (status, body) = match request_line(&mut stream).await? {
        Some(line) => match line.split(' ').collect::<Vec<_>>()[..] {
            ["GET", path, _] if path == "/metrics" || path.starts_with("/metrics?") => {
                ("200 OK", executor::run(move || handle.render()).await)
            }
            ["GET", ..] => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
            _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
        },
        None => ("400 Bad Request", "GET /metrics\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The first line of a request, once all of its head is there. `None` if there is no such thing.
async fn request_line(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(std::str::from_utf8(line).ok().map(str::to_owned))
}
