//! Metrics that go to a recorder.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};

use super::names;
use crate::net::codec::Encoded;
use crate::net::frame::SIZE_BYTES;
use crate::net::{ApiKey, ErrorCode};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// A server's metrics. Clones are the same ones.
#[derive(Clone)]
pub(in crate::server) struct Metrics(Arc<Inner>);

struct Inner {
    /// None for that of the process.
    recorder: Option<Arc<dyn Recorder + Send + Sync>>,
    connections: Gauge,
    connections_opened: Counter,
    connections_rejected: Counter,
    connections_failed: Counter,
    received_bytes: Counter,
    sent_bytes: Counter,
    sent_from_files_bytes: Counter,
    requests_in_flight: Gauge,
    request_bytes_in_flight: Gauge,
    log_flush_seconds: Histogram,
    group_rebalances: Counter,
}

impl Default for Metrics {
    /// Those of a process that has installed a recorder, or has not.
    fn default() -> Self {
        metrics::with_recorder(|recorder| Self::with(recorder, None))
    }
}

impl Metrics {
    /// Those of a server that has a recorder of its own.
    #[cfg(feature = "prometheus")]
    pub(in crate::server) fn to(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self::with(&recorder, Some(recorder.clone()))
    }

    fn with(registry: &dyn Recorder, recorder: Option<Arc<dyn Recorder + Send + Sync>>) -> Self {
        names::describe_all(registry);
        let counter = |name| registry.register_counter(&Key::from_static_name(name), &METADATA);
        let gauge = |name| registry.register_gauge(&Key::from_static_name(name), &METADATA);
        let histogram = |name| registry.register_histogram(&Key::from_static_name(name), &METADATA);
        Self(Arc::new(Inner {
            connections: gauge(names::CONNECTIONS),
            connections_opened: counter(names::CONNECTIONS_OPENED),
            connections_rejected: counter(names::CONNECTIONS_REJECTED),
            connections_failed: counter(names::CONNECTIONS_FAILED),
            received_bytes: counter(names::RECEIVED_BYTES),
            sent_bytes: counter(names::SENT_BYTES),
            sent_from_files_bytes: counter(names::SENT_FROM_FILES_BYTES),
            requests_in_flight: gauge(names::REQUESTS_IN_FLIGHT),
            request_bytes_in_flight: gauge(names::REQUEST_BYTES_IN_FLIGHT),
            log_flush_seconds: histogram(names::LOG_FLUSH_SECONDS),
            group_rebalances: counter(names::GROUP_REBALANCES),
            recorder,
        }))
    }

    /// A connection is open until what this returns is dropped.
    pub(in crate::server) fn connection_opened(&self) -> OpenConnection {
        self.0.connections_opened.increment(1);
        self.0.connections.increment(1);
        OpenConnection(self.clone())
    }

    pub(in crate::server) fn connection_rejected(&self) {
        self.0.connections_rejected.increment(1);
    }

    pub(in crate::server) fn connection_failed(&self) {
        self.0.connections_failed.increment(1);
    }

    /// A client has said who it is, and is let in or not.
    #[cfg_attr(not(feature = "sasl"), expect(dead_code, reason = "nobody is asked"))]
    pub(in crate::server) fn authenticated(&self, mechanism: &'static str, is_let_in: bool) {
        let name = if is_let_in { names::SUCCESSFUL_AUTHENTICATION } else { names::FAILED_AUTHENTICATION };
        self.count(name, vec![Label::new("mechanism", mechanism)], 1);
    }

    /// A request was read: its frame without the size.
    pub(in crate::server) fn request_began(&self, frame: &[u8]) -> RequestTimer {
        let bytes = frame.len() + SIZE_BYTES;
        self.0.received_bytes.increment(bytes as u64);
        self.0.requests_in_flight.increment(1);
        self.0.request_bytes_in_flight.increment(bytes as f64);
        let field = |at: usize| frame.get(at..at + 2).map_or(-1, |bytes| i16::from_be_bytes([bytes[0], bytes[1]]));
        RequestTimer { metrics: self.clone(), began: Instant::now(), bytes, key: field(0), version: field(2) }
    }

    pub(in crate::server) fn produced(&self, topic: &str, records: i32, bytes: usize) {
        let topic = Label::new("topic", topic.to_owned());
        self.count(names::TOPIC_RECORDS_IN, vec![topic.clone()], u64::try_from(records).unwrap_or(0));
        self.count(names::TOPIC_BYTES_IN, vec![topic], bytes as u64);
    }

    pub(in crate::server) fn fetched(&self, topic: &str, bytes: usize) {
        self.count(names::TOPIC_BYTES_OUT, vec![Label::new("topic", topic.to_owned())], bytes as u64);
    }

    pub(in crate::server) fn sent_from_files(&self, bytes: usize) {
        self.0.sent_from_files_bytes.increment(bytes as u64);
    }

    /// There was a sync.
    pub(in crate::server) fn flushed(&self, took: Duration) {
        self.0.log_flush_seconds.record(took);
    }

    pub(in crate::server) fn group_rebalanced(&self) {
        self.0.group_rebalances.increment(1);
    }

    fn count(&self, name: &'static str, labels: Vec<Label>, count: u64) {
        let key = Key::from_parts(name, labels);
        self.in_registry(|registry| registry.register_counter(&key, &METADATA)).increment(count);
    }

    fn in_registry<T>(&self, register: impl FnOnce(&dyn Recorder) -> T) -> T {
        match &self.0.recorder {
            Some(own) => register(own),
            None => metrics::with_recorder(register),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("has_own_recorder", &self.0.recorder.is_some()).finish_non_exhaustive()
    }
}

/// A connection as long as it is open.
#[derive(Debug)]
pub(in crate::server) struct OpenConnection(Metrics);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.connections.decrement(1);
    }
}

/// A request from when it was read until it is answered or dropped.
#[derive(Debug)]
pub(in crate::server) struct RequestTimer {
    metrics: Metrics,
    began: Instant,
    bytes: usize,
    key: i16,
    version: i16,
}

impl RequestTimer {
    /// The response was written, if there is one.
    pub(in crate::server) fn answered(&self, response: Option<&Encoded>) {
        let api = ApiKey::from_key(self.key);
        let request = api.map_or(Cow::from("unknown"), |api| api.to_string().into());
        // Anybody may ask in any version, and each would be a series.
        let is_known = api.is_some_and(|api| api.versions().contains(&self.version));
        let version = if is_known { Cow::from(self.version.to_string()) } else { "unknown".into() };
        let error = response.map_or(ErrorCode::NONE, Encoded::first_error);
        let error = error.name().map_or_else(|| error.0.to_string().into(), Cow::from);
        let request = Label::new("request", request);
        let labels = vec![request.clone(), Label::new("version", version), Label::new("error", error)];
        self.metrics.count(names::REQUESTS, labels, 1);
        let key = Key::from_parts(names::REQUEST_SECONDS, vec![request]);
        let seconds = self.metrics.in_registry(|registry| registry.register_histogram(&key, &METADATA));
        seconds.record(self.began.elapsed());
        self.metrics.0.sent_bytes.increment(response.map_or(0, Encoded::size) as u64);
    }
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        self.metrics.0.requests_in_flight.decrement(1);
        self.metrics.0.request_bytes_in_flight.decrement(self.bytes as f64);
    }
}
