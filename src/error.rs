//! The one error type: Kafka's names for what went wrong, where it happened, and whether trying again can help.

mod corruption;
mod group;
mod place;
mod topic_name;

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use corruption::Corruption;
pub use group::GroupError;
use place::{Asked, Place};
pub use topic_name::TopicNameError;

use crate::types::{LeaderEpoch, Offset, ProducerId, ProducerIdAndEpoch, TopicPartition, TransactionState};

/// The result of nearly every call in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong.
///
/// Variants carry values, so that a program can act on them, and `Display` fits a line. It says what could not be done;
/// why, such as that permission is denied, is in [`source`](std::error::Error::source), down to what the operating
/// system said. Print that too where a person is to read it; `{:?}` does, and so does a `main` that returns a `Result`.
///
/// ```
/// use std::error::Error;
///
/// let refused = esker::Store::open("Cargo.toml/data").unwrap_err(); // there is a file in the way
/// eprint!("{refused}");
/// let mut cause = refused.source();
/// # assert!(cause.is_some());
/// while let Some(error) = cause {
///     eprint!(": {error}");
///     cause = error.source();
/// }
/// ```
///
/// The type is cheap to clone because one failed sync is every waiter's answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation. Whether another try helps depends on its kind.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was attempted, as a verb: "open", "sync", "rename".
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },

    /// The device or quota is full. Nothing was appended; try again once space is back.
    #[error("no space left to {operation} {}", path.display())]
    StorageFull {
        /// What was attempted.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },

    /// The process has as many files open, or mapped, as it may. What nobody was using has been let go of, and that was
    /// not enough: raise the limit (`ulimit -n` or `-v`, `vm.max_map_count`), lower `open.files.max`, or try later.
    #[error("too many open files or maps to {operation} {}", path.display())]
    TooManyOpenFiles {
        /// What was attempted.
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },

    /// The log stopped accepting appends because a write to its device may have been lost (Kafka's
    /// `KAFKA_STORAGE_ERROR`). Reads go on. Open the store again to recover from what the device holds.
    #[error("{topic_partition} takes no appends until it is opened again")]
    LogOffline {
        /// The partition.
        topic_partition: TopicPartition,
        /// The failure that stopped it.
        #[source]
        cause: Box<Error>,
    },

    /// Bytes that should be a batch, a record or an index are not (Kafka's `CORRUPT_MESSAGE`).
    ///
    /// Damage is local: where `offsets` is known, the records after it can be read by seeking past its end.
    #[error("corrupt {}: {reason}", Place { file: file.as_deref(), position: *position, offsets: offsets.as_ref() })]
    CorruptRecord {
        /// The file, if the bytes came from one.
        file: Option<PathBuf>,
        /// The byte position of the damage, in the file or else in the bytes that were handed in.
        position: u64,
        /// The offsets that can't be read, where they are known.
        offsets: Option<RangeInclusive<Offset>>,
        /// What is wrong with the bytes.
        reason: Corruption,
    },

    /// Records are compressed, or are to be, with a codec that this build leaves out.
    #[error("{codec} batches need the feature `{codec}` of this crate")]
    UnsupportedCompressionType {
        /// The codec, which is also the feature's name.
        codec: &'static str,
    },

    /// An offset outside the log was asked for.
    #[error("offset {requested} of {topic_partition} is out of range: the log holds {log_start}..{high_watermark}")]
    OffsetOutOfRange {
        /// The partition.
        topic_partition: TopicPartition,
        /// The offset that was asked for.
        requested: Offset,
        /// The first offset that can be read.
        log_start: Offset,
        /// The offset after the last one that can be read.
        high_watermark: Offset,
    },

    /// A conditional append found another record at its place: somebody else appended first.
    #[error("{topic_partition} ends at offset {actual}, not at {expected} as the append requires")]
    UnexpectedOffset {
        /// The partition.
        topic_partition: TopicPartition,
        /// The offset that the caller expected its batch to get.
        expected: Offset,
        /// The offset that it would have got.
        actual: Offset,
    },

    /// The caller's leader epoch is not the partition's: another owner took over (`FENCED_LEADER_EPOCH`).
    #[error("leader epoch {requested} of {topic_partition} is fenced: the current epoch is {current}")]
    FencedLeaderEpoch {
        /// The partition.
        topic_partition: TopicPartition,
        /// The epoch that the caller holds.
        requested: LeaderEpoch,
        /// The partition's epoch.
        current: LeaderEpoch,
    },

    /// A producer's batch does not follow the one before it: one is missing between them, or it is an old one that
    /// nobody remembers (Kafka's `OUT_OF_ORDER_SEQUENCE_NUMBER`).
    #[error(
        "sequence {actual} of producer {producer_id} epoch {producer_epoch} is out of order at offset {offset} of \
         {topic_partition}: {expected} comes next"
    )]
    OutOfOrderSequenceNumber {
        /// The partition.
        topic_partition: TopicPartition,
        /// The producer.
        producer_id: ProducerId,
        /// Its epoch.
        producer_epoch: i16,
        /// The offset that the batch would have got.
        offset: Offset,
        /// The sequence number that the batch should begin with.
        expected: i32,
        /// The one that it begins with.
        actual: i32,
    },

    /// A producer of a later epoch has taken over from this one (Kafka's `INVALID_PRODUCER_EPOCH`).
    #[error(
        "epoch {requested} of producer {producer_id} is fenced in {topic_partition}: the current epoch is {current}"
    )]
    InvalidProducerEpoch {
        /// The partition.
        topic_partition: TopicPartition,
        /// The producer.
        producer_id: ProducerId,
        /// The epoch of the batch or marker.
        requested: i16,
        /// The latest epoch that the partition has seen.
        current: i16,
    },

    /// A batch outside of any transaction came while the producer has one open here (Kafka's `INVALID_TXN_STATE`).
    #[error(
        "producer {producer_id} epoch {producer_epoch} has a transaction open in {topic_partition}, and this is none of it"
    )]
    InvalidTxnState {
        /// The partition.
        topic_partition: TopicPartition,
        /// The producer.
        producer_id: ProducerId,
        /// Its epoch.
        producer_epoch: i16,
    },

    /// A marker comes from a transaction coordinator that another one has taken over from (Kafka's
    /// `TRANSACTION_COORDINATOR_FENCED`).
    #[error(
        "coordinator epoch {requested} is fenced for producer {producer_id} in {topic_partition}: the current epoch is \
         {current}"
    )]
    TransactionCoordinatorFenced {
        /// The partition.
        topic_partition: TopicPartition,
        /// The producer whose transaction was to be ended.
        producer_id: ProducerId,
        /// The coordinator epoch of the marker.
        requested: i32,
        /// The latest that the partition has seen for this producer.
        current: i32,
    },

    /// A producer uses a transactional id that another has taken over since, or whose transaction was aborted because
    /// it took too long (Kafka's `PRODUCER_FENCED`). It can't go on; begin anew with a new producer.
    #[error("{producer} of transactional id {transactional_id:?} is fenced: the current one is {current}")]
    ProducerFenced {
        /// The transactional id.
        transactional_id: String,
        /// The producer that was refused.
        producer: ProducerIdAndEpoch,
        /// The one that the id belongs to now.
        current: ProducerIdAndEpoch,
    },

    /// The transactional id does not belong to this producer id, or is not known at all (Kafka's
    /// `INVALID_PRODUCER_ID_MAPPING`): it may have expired (`transactional.id.expiration.ms`).
    #[error("transactional id {transactional_id:?} is not that of {producer}")]
    InvalidProducerIdMapping {
        /// The transactional id.
        transactional_id: String,
        /// The producer that was refused.
        producer: ProducerIdAndEpoch,
    },

    /// A transaction can't go from its state to what was asked for: there is none to end, or it ended the other way
    /// (Kafka's `INVALID_TXN_STATE`).
    #[error("cannot {attempted} the transaction of {transactional_id:?}, which is in state {state}")]
    InvalidTransactionTransition {
        /// The transactional id.
        transactional_id: String,
        /// Its state.
        state: TransactionState,
        /// What was attempted, as a verb: "commit", "abort", "append outside of".
        attempted: &'static str,
    },

    /// Something of the transaction failed before, so that it can only be aborted (Kafka's `TRANSACTION_ABORTABLE`,
    /// KIP-1050): drop it, or abort it, and do its work again in another one.
    #[error("the transaction of {transactional_id:?} can only be aborted")]
    TransactionAbortable {
        /// The transactional id.
        transactional_id: String,
        /// What failed first.
        #[source]
        cause: Box<Error>,
    },

    /// The record was not appended, because its transaction was aborted before (Kafka's `TransactionAbortedException`).
    #[error("the transaction of {transactional_id:?} was aborted before the record was appended")]
    TransactionAborted {
        /// The transactional id.
        transactional_id: String,
    },

    /// The transaction before is decided and not yet ended in all of its partitions (Kafka's
    /// `CONCURRENT_TRANSACTIONS`). Try again: the maintenance goes on with it, and so does each call.
    #[error("the last transaction of {transactional_id:?} is in state {state} and not complete yet")]
    ConcurrentTransactions {
        /// The transactional id.
        transactional_id: String,
        /// Its state.
        state: TransactionState,
    },

    /// The timeout of a transaction is 0, or longer than allowed (Kafka's `INVALID_TRANSACTION_TIMEOUT`).
    #[error("a transaction timeout of {timeout_ms} ms is outside of 1..=transaction.max.timeout.ms = {max_ms}")]
    InvalidTransactionTimeout {
        /// The timeout in milliseconds.
        timeout_ms: u128,
        /// The longest that is allowed, in milliseconds.
        max_ms: i32,
    },

    /// The transactional id can't be used: it is empty, or longer than 32,767 bytes (Kafka's `INVALID_REQUEST`).
    #[error("a transactional id of {} bytes: it must have between 1 and 32,767", transactional_id.len())]
    InvalidTransactionalId {
        /// The transactional id.
        transactional_id: String,
    },

    /// The transactional id is not known (Kafka's `TRANSACTIONAL_ID_NOT_FOUND`).
    #[error("there is no transactional id {transactional_id:?}")]
    TransactionalIdNotFound {
        /// The transactional id.
        transactional_id: String,
    },

    /// No transaction that is open in the partition begins at this offset.
    #[error("no transaction that is open in {topic_partition} begins at offset {start_offset}")]
    NoOpenTransaction {
        /// The partition.
        topic_partition: TopicPartition,
        /// The offset.
        start_offset: Offset,
    },

    /// The log was truncated after the append and before it was acknowledged: the records are gone, and others may have
    /// their offsets. With replication that is what a change of leaders does (Kafka answers `NOT_LEADER_OR_FOLLOWER`).
    #[error("{topic_partition} was truncated to {log_end} before its records from there on were acknowledged")]
    LogTruncated {
        /// The partition.
        topic_partition: TopicPartition,
        /// Where the log ended after that.
        log_end: Offset,
    },

    /// A batch is larger than the limit that `limit` names (Kafka's `MESSAGE_TOO_LARGE`, `RECORD_LIST_TOO_LARGE`).
    #[error("a batch of {size} bytes is over {limit} = {max}")]
    MessageTooLarge {
        /// The batch's size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
        /// The config that sets the limit.
        limit: &'static str,
    },

    /// A batch or record is well-formed but not acceptable here (Kafka's `INVALID_RECORD`).
    #[error("invalid record: {reason}")]
    InvalidRecord {
        /// Which rule it breaks.
        reason: String,
    },

    /// A record's timestamp is too far from the clock (Kafka's `INVALID_TIMESTAMP`).
    #[error("timestamp {timestamp} is outside the {earliest}..={latest} that the topic accepts now")]
    InvalidTimestamp {
        /// The record's timestamp in milliseconds.
        timestamp: i64,
        /// The earliest that is accepted (`message.timestamp.before.max.ms`).
        earliest: i64,
        /// The latest that is accepted (`message.timestamp.after.max.ms`).
        latest: i64,
    },

    /// A batch came with the timestamp type `LogAppendTime`, which only the log may give (Kafka's `INVALID_TIMESTAMP`).
    #[error("a batch can't come with the timestamp type LogAppendTime: the log gives that")]
    InvalidTimestampType,

    /// The topic's configuration does not allow that (Kafka's `POLICY_VIOLATION`).
    #[error("policy violation: {reason}")]
    PolicyViolation {
        /// Which rule it breaks.
        reason: String,
    },

    /// The topic or partition does not exist here.
    #[error("unknown topic or partition {}", Asked(topic_partition))]
    UnknownTopicOrPartition {
        /// What was asked for. The partition is −1 where it was the topic, and none of its partitions.
        topic_partition: TopicPartition,
    },

    /// A topic of this name exists.
    #[error("topic {topic} already exists")]
    TopicAlreadyExists {
        /// The topic's name.
        topic: String,
    },

    /// The name can't be a topic's (Kafka's `INVALID_TOPIC_EXCEPTION`).
    #[error("invalid topic name {topic:?}: {reason}")]
    InvalidTopic {
        /// The name.
        topic: String,
        /// Which rule it breaks.
        reason: TopicNameError,
    },

    /// The partition count can't be had (Kafka's `INVALID_PARTITIONS`).
    #[error("a topic can't have {partitions} partitions: the count is at least {at_least} here")]
    InvalidPartitions {
        /// The count that was asked for.
        partitions: i32,
        /// The least that can be had: one for a new topic, one more than there are for another.
        at_least: i32,
    },

    /// The group id can't be used: it is empty, or longer than 32,767 bytes (Kafka's `INVALID_GROUP_ID`).
    #[error("invalid group id {group:?}: it must have 1 to 32767 bytes")]
    InvalidGroupId {
        /// The group id.
        group: String,
    },

    /// The group has committed no offsets here (Kafka's `GROUP_ID_NOT_FOUND`).
    #[error("there is no group {group:?}: it has no committed offsets")]
    GroupIdNotFound {
        /// The group id.
        group: String,
    },

    /// The coordinator of a group refuses its member, or one who would be. [`GroupError`] says why, by Kafka's names:
    /// [`UnknownMemberId`](GroupError::UnknownMemberId) and [`IllegalGeneration`](GroupError::IllegalGeneration) of a
    /// commit mean that the group has gone on without the consumer.
    #[error("group {group:?}: {error}")]
    Group {
        /// The group.
        group: String,
        /// Why.
        error: GroupError,
    },

    /// A transaction that is not decided yet has an offset of the group for this partition (Kafka's
    /// `UNSTABLE_OFFSET_COMMIT`). Try again when it has ended.
    #[error("an open transaction may change what group {group:?} has committed for {topic_partition}")]
    UnstableOffsetCommit {
        /// The group.
        group: String,
        /// The partition.
        topic_partition: TopicPartition,
    },

    /// A configuration key is unknown or its value out of range (Kafka's `INVALID_CONFIG`).
    #[error("invalid config {key} = {value:?}: expected {expected}")]
    InvalidConfig {
        /// The config's name.
        key: String,
        /// The value that was given.
        value: String,
        /// What would have been accepted.
        expected: String,
    },

    /// A config is one that Kafka had once; or has, and a store can't do what it says; or has, and there is nothing in
    /// process that it is about, as of a producer's or consumer's connections.
    #[error("config {key} is Kafka's and has no meaning in this store: {reason}")]
    UnsupportedConfig {
        /// The config's name.
        key: String,
        /// Why it has none.
        reason: &'static str,
    },

    /// The metadata of a commit is longer than `offset.metadata.max.bytes`, or than the 32,767 bytes that a record has.
    #[error("commit metadata of length {size} is over the limit of {max} (offset.metadata.max.bytes)")]
    OffsetMetadataTooLarge {
        /// Its length: in units of UTF-16, as Kafka counts it, or in bytes where that is what it has too many of.
        size: usize,
        /// The limit in the same.
        max: usize,
    },

    /// There is no committed offset to go on from, and nothing else says where: a consumer's `auto.offset.reset` is
    /// `none`, or an offset is to be shifted.
    #[error("group {group:?} has no committed offset for {topic_partition}, and nothing else says where to go on")]
    NoOffsetForPartition {
        /// The group, empty for a consumer without one.
        group: String,
        /// The partition.
        topic_partition: TopicPartition,
    },

    /// The call needs a group, and the consumer has none.
    #[error("this consumer has no group: give it one to commit offsets")]
    NoGroup,

    /// The call needs partitions to be assigned first.
    #[error("{topic_partition} is not assigned to this consumer")]
    NotAssigned {
        /// The partition.
        topic_partition: TopicPartition,
    },

    /// The poll would wait for nothing (an `IllegalStateException` of Kafka's consumer).
    #[error("the consumer has nothing to poll: assign partitions to it, or subscribe to topics, first")]
    NothingAssigned,

    /// The poll was ended by [`ConsumerWaker::wakeup`](crate::ConsumerWaker::wakeup) (Kafka's `WakeupException`). The
    /// consumer is as it was: poll again to go on, or drop it.
    #[error("the consumer was woken up")]
    Wakeup,

    /// `buffer.memory` stayed full for `max.block.ms` (Kafka's `BufferExhaustedException`). Try again later.
    #[error("no room in buffer.memory = {buffer_memory} for {size} bytes within max.block.ms")]
    BufferExhausted {
        /// What the record needs, in bytes.
        size: usize,
        /// The configured limit in bytes.
        buffer_memory: usize,
    },

    /// Another process, or another part of this one, has the directory open for writing.
    #[error("{} is in use by {holder}", directory.display())]
    DirectoryLocked {
        /// The data directory.
        directory: PathBuf,
        /// Who holds it, as far as the operating system tells.
        holder: String,
    },

    /// The store was opened with [`StoreOptions::open_read_only`](crate::StoreOptions::open_read_only): it changes
    /// nothing.
    #[error("{} is open read-only", directory.display())]
    ReadOnly {
        /// The data directory, or the partition's in it.
        directory: PathBuf,
    },

    /// A file of the store's own is not what it should be: a checkpoint, `meta.properties`, `partition.metadata`.
    #[error("malformed {} at line {line}: {reason}", file.display())]
    MalformedFile {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },

    /// The store, producer or consumer was closed.
    #[error("{what} is closed")]
    Closed {
        /// What was closed.
        what: &'static str,
    },
}

impl Error {
    /// Wraps what the operating system said about `operation` on `path`; a full device gets its own variant.
    pub(crate) fn io(operation: &'static str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let (path, source) = (path.as_ref().to_owned(), Arc::new(source));
        match source.kind() {
            // A sync that found no space is a failed sync: trying it again proves nothing.
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded if operation != "sync" => {
                Self::StorageFull { operation, path, source }
            }
            _ if is_out_of_files(&source, operation) => Self::TooManyOpenFiles { operation, path, source },
            _ => Self::Io { operation, path, source },
        }
    }

    /// Damage at `position` of bytes whose file and offsets the caller does not know.
    pub(crate) fn corrupt(position: usize, reason: Corruption) -> Self {
        Self::CorruptRecord { file: None, position: position as u64, offsets: None, reason }
    }

    /// Places damage found in a slice of a file: the slice began at `base` of `file`.
    pub(crate) fn in_file(self, path: &Path, base: u64) -> Self {
        match self {
            Self::CorruptRecord { file: None, position, offsets, reason } => {
                Self::CorruptRecord { file: Some(path.to_owned()), position: base + position, offsets, reason }
            }
            other => other,
        }
    }

    /// Says which offsets the damage makes unreadable, unless that is known already.
    pub(crate) fn with_offsets(self, damaged: RangeInclusive<Offset>) -> Self {
        match self {
            Self::CorruptRecord { file, position, offsets: None, reason } => {
                Self::CorruptRecord { file, position, offsets: Some(damaged), reason }
            }
            other => other,
        }
    }

    /// Whether the same call can succeed later with nothing else changed: space may come back, a buffer may drain, a
    /// transaction may end.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::StorageFull { .. }
            | Self::TooManyOpenFiles { .. }
            | Self::BufferExhausted { .. }
            | Self::UnstableOffsetCommit { .. }
            | Self::ConcurrentTransactions { .. } => true,
            Self::Group { error, .. } => {
                matches!(error, GroupError::RebalanceInProgress | GroupError::CoordinatorNotAvailable)
            }
            Self::Io { source, .. } => {
                matches!(
                    source.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
                )
            }
            _ => false,
        }
    }
}

/// Whether the process, or the system, can open no more files, or map no more.
fn is_out_of_files(error: &io::Error, operation: &str) -> bool {
    #[cfg(unix)]
    const CODES: [i32; 2] = [23, 24]; // ENFILE, EMFILE, on every Unix
    #[cfg(not(unix))]
    const CODES: [i32; 1] = [4]; // ERROR_TOO_MANY_OPEN_FILES
    let is_out_of_maps = error.kind() == io::ErrorKind::OutOfMemory && operation == "open";
    error.raw_os_error().is_some_and(|code| CODES.contains(&code)) || is_out_of_maps
}
