//! What the handlers know: the node that all connections share, and how one of them sees it.

use std::ops::{Deref, RangeInclusive};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::executor::Promptness;
use super::fetch_session::FetchSessions;
use super::metrics::Metrics;
use crate::config::ServerConfig;
use crate::coordinator::driver::Groups;
use crate::error::Error;
use crate::log::{EpochEndOffset, Log};
use crate::net::{ApiKey, ErrorCode};
use crate::store::Store;
use crate::types::LeaderEpoch;
use crate::uuid::Uuid;

/// Up to how many partitions one request appends to, or reads from, on the thread that has read it.
const AT_ONCE_PARTITIONS_MAX: usize = 16;

/// How many requests may decompress batches at a time that are to be appended. A runtime has 512 threads for what
/// blocks, unless it is told otherwise.
const DECOMPRESSING_MAX: usize = 32;

/// How many bytes of records a fetch has at most where they are copied into memory.
const COPIED_BYTES_MAX: usize = 1024 * 1024;

/// The APIs that there are, with the versions of each.
pub(super) type Served = &'static [(ApiKey, RangeInclusive<i16>)];

/// This node, whoever asks.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) store: Store,
    pub(super) groups: Arc<Groups>,
    pub(super) config: ServerConfig,
    pub(super) fetch_sessions: Mutex<FetchSessions>,
    pub(super) metrics: Metrics,
    /// Of what is done where it was read.
    pub(super) promptness: Promptness,
    /// How many more requests may decompress batches that are to be appended.
    pub(super) decompressing: Arc<Semaphore>,
    pub(super) served: Served,
}

impl Node {
    pub(super) fn new(store: Store, config: ServerConfig, metrics: Metrics, served: Served) -> Self {
        let fetch_sessions =
            FetchSessions::new(config.max_incremental_fetch_session_cache_slots, config.request_partitions_max);
        let groups = Groups::of(&store);
        let fetch_sessions = Mutex::new(fetch_sessions);
        let (promptness, decompressing) = (Promptness::default(), Arc::new(Semaphore::new(DECOMPRESSING_MAX)));
        Self { store, groups, config, fetch_sessions, metrics, promptness, decompressing, served }
    }

    /// Where this broker is (`broker.rack`), if somebody says so.
    pub(super) fn rack(&self) -> Option<String> {
        Some(self.config.broker_rack.clone()).filter(|rack| !rack.is_empty())
    }

    /// The name of the topic that a request means: `by_id` in newer versions, which don't have the name.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UNKNOWN_TOPIC_ID`].
    pub(super) fn topic_meant(&self, name: &str, id: Uuid, by_id: bool) -> Result<Arc<str>, ErrorCode> {
        match by_id {
            true => self.store.topic_name(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID),
            false => Ok(name.into()),
        }
    }

    /// Whether a topic is in the answer to what was asked of its partitions. One that exists, and of which none were
    /// named, is in none of Kafka's.
    pub(super) fn is_answered(&self, topic: &str, partitions: usize) -> bool {
        partitions > 0 || self.store.topic_id(topic).is_none()
    }

    /// Whether one request may name partitions in these numbers.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::INVALID_REQUEST`] if they are more than `request.partitions.max` together.
    pub(super) fn check_partitions(&self, counts: impl Iterator<Item = usize>) -> Result<(), ErrorCode> {
        let is_fine = counts.sum::<usize>() <= self.config.request_partitions_max;
        is_fine.then_some(()).ok_or(ErrorCode::INVALID_REQUEST)
    }

    /// How many bytes of records the response to a fetch has at most, beside what its first batch has more.
    pub(super) fn fetch_bytes_max(&self) -> usize {
        let max = self.config.fetch_max_bytes;
        if self.store.copies_reads() { max.min(COPIED_BYTES_MAX) } else { max }
    }

    /// How many bytes of memory that response may take until it is written, a batch that is larger aside.
    pub(super) fn fetch_bytes_copied_max(&self) -> usize {
        if self.store.copies_reads() { COPIED_BYTES_MAX } else { 0 }
    }

    /// Whether what should take but a moment for each of so many partitions may be done where it was read. What another
    /// process writes has to be looked for.
    pub(super) fn may_do_at_once(&self, partitions: usize) -> bool {
        partitions <= AT_ONCE_PARTITIONS_MAX && self.promptness.is_expected() && !self.store.is_read_only()
    }

    pub(super) fn partition(&self, topic: &str, partition: i32) -> Result<Log, Error> {
        self.store.partition(topic, partition)
    }
}

/// This node as the clients of one connection see it.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    pub(super) node: Arc<Node>,
    /// Where clients are told to connect to.
    pub(super) host: String,
    pub(super) port: u16,
    /// Where the client is, as Java writes addresses and tools show them.
    pub(super) client_host: String,
    /// Whether it gets records from the files that they are in.
    pub(super) sends_files: bool,
}

impl Deref for Broker {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// Whether a client's view of who leads is that of here (KIP-320): it may be older or newer. −1 is no view.
///
/// # Errors
///
/// [`ErrorCode::FENCED_LEADER_EPOCH`], [`ErrorCode::UNKNOWN_LEADER_EPOCH`].
pub(super) fn check_leader_epoch(log: &Log, current: LeaderEpoch) -> Result<(), ErrorCode> {
    match current {
        -1 => Ok(()),
        epoch if epoch < leader_epoch(log) => Err(ErrorCode::FENCED_LEADER_EPOCH),
        epoch if epoch > leader_epoch(log) => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// Where an epoch ends: the latest one with the log, also if nothing was written in it yet.
pub(super) fn end_of_epoch(log: &Log, epoch: LeaderEpoch) -> Option<EpochEndOffset> {
    let latest = || EpochEndOffset { leader_epoch: epoch, end_offset: log.log_end() };
    log.end_offset_for_epoch(epoch).or_else(|| (epoch == leader_epoch(log)).then(latest))
}

/// The epoch that clients are told.
pub(super) fn leader_epoch(log: &Log) -> LeaderEpoch {
    told_epoch(log.leader_epoch())
}

/// What clients are told of an epoch. Theirs begin with 0, and −1 means that one isn't known.
pub(super) fn told_epoch(epoch: LeaderEpoch) -> LeaderEpoch {
    epoch.max(0)
}
