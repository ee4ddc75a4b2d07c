//! The words that every layer shares: partitions, offsets, epochs, what timestamps and what acknowledgements mean.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, Result};

/// A record's number in its partition: 0, 1, 2, … Never negative in a log.
pub type Offset = i64;

/// Which tenure of leadership wrote a batch. −1 where no leader has stamped it yet.
pub type LeaderEpoch = i32;

/// The identity of an idempotent or transactional producer. −1 for a plain one.
pub type ProducerId = i64;

/// "No producer id": the batch comes from a producer that is not idempotent.
pub const NO_PRODUCER_ID: ProducerId = -1;

/// Producer ids get nowhere near this one by counting; whoever has a higher one has made it up.
pub(crate) const COUNTED_ID_MAX: ProducerId = 1 << 62;

/// "No timestamp": the record carries none.
pub const NO_TIMESTAMP: i64 = -1;

/// A topic's name and the index of one of its partitions.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's index, from 0.
    pub partition: i32,
}

impl TopicPartition {
    /// Names partition `partition` of `topic`. Neither needs to exist.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    /// `topic-partition`, as Kafka names the partition's directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Into<Arc<str>>> From<(T, i32)> for TopicPartition {
    fn from((topic, partition): (T, i32)) -> Self {
        Self::new(topic, partition)
    }
}

impl From<&Self> for TopicPartition {
    /// The same one, for calls that take whatever names a partition.
    fn from(partition: &Self) -> Self {
        partition.clone()
    }
}

/// Who commits offsets of a group: somebody who does not say, and is taken at its word, or a member of it in its
/// generation (Kafka's `ConsumerGroupMetadata`, KIP-447). A name alone is the former; [`Consumer::group_metadata`] says
/// the latter.
///
/// [`Consumer::group_metadata`]: crate::Consumer::group_metadata
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupMetadata {
    group: String,
    /// Empty if it does not say.
    member_id: String,
    /// −1 if it does not say.
    generation: i32,
    group_instance_id: Option<String>,
}

impl ConsumerGroupMetadata {
    /// A member of the group, as it was told.
    #[cfg(feature = "coordinator")]
    pub(crate) fn with_member(self, member_id: &str, generation: i32, group_instance_id: Option<&str>) -> Self {
        let (member_id, group_instance_id) = (member_id.to_owned(), group_instance_id.map(str::to_owned));
        Self { member_id, generation, group_instance_id, ..self }
    }

    /// The name of the group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The id of the member; empty if it does not say that it is one.
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    /// The generation that the member is in; −1 if it does not say that it is one.
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// The name of the member, if it is a static one.
    pub fn group_instance_id(&self) -> Option<&str> {
        self.group_instance_id.as_deref()
    }
}

impl From<&str> for ConsumerGroupMetadata {
    fn from(group: &str) -> Self {
        Self { group: group.to_owned(), member_id: String::new(), generation: -1, group_instance_id: None }
    }
}

/// Who a transactional producer is: its id, and which of those that came after each other under it. Only the latest
/// epoch counts; to give out the next one fences all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerIdAndEpoch {
    /// The producer id.
    pub producer_id: ProducerId,
    /// The epoch, from 0.
    pub producer_epoch: i16,
}

impl ProducerIdAndEpoch {
    /// This epoch of this id.
    pub const fn new(producer_id: ProducerId, producer_epoch: i16) -> Self {
        Self { producer_id, producer_epoch }
    }
}

impl fmt::Display for ProducerIdAndEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "producer {} epoch {}", self.producer_id, self.producer_epoch)
    }
}

/// How far the transaction of a transactional id is, by Kafka's names and numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i8)]
#[non_exhaustive]
pub enum TransactionState {
    /// There was none since the id was initialized.
    Empty = 0,
    /// Partitions take part, and nothing is decided.
    Ongoing = 1,
    /// It is decided that its records count; not all partitions have been told.
    PrepareCommit = 2,
    /// It is decided that its records are void; not all partitions have been told.
    PrepareAbort = 3,
    /// Its records count, in all partitions.
    CompleteCommit = 4,
    /// Its records are void, in all partitions.
    CompleteAbort = 5,
    /// The id has expired and is about to be forgotten. Never stored.
    Dead = 6,
    /// The producer is about to be fenced and its transaction to be aborted. Never stored.
    PrepareEpochFence = 7,
}

impl TransactionState {
    /// All of them, by number.
    pub const ALL: &[Self] = &[
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    /// The state of this number.
    pub fn from_id(id: i8) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.id() == id)
    }

    /// The state's number.
    pub const fn id(self) -> i8 {
        self as i8
    }

    /// Kafka's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the timestamps of a batch mean (Kafka's `message.timestamp.type`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// Each record carries the time that its producer gave it.
    #[default]
    CreateTime,
    /// All records of the batch carry the time at which the log took it.
    LogAppendTime,
}

/// Which records a reader gets (Kafka's `isolation.level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum IsolationLevel {
    /// All of them, up to the high watermark: those of transactions that are open or were aborted, too.
    #[default]
    ReadUncommitted,
    /// Those outside of transactions and those of committed ones, up to the last stable offset: before the first record
    /// of the oldest transaction that is still open.
    ReadCommitted,
}

impl fmt::Display for IsolationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadUncommitted => "read_uncommitted",
            Self::ReadCommitted => "read_committed",
        })
    }
}

impl FromStr for IsolationLevel {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self> {
        match value {
            "read_uncommitted" => Ok(Self::ReadUncommitted),
            "read_committed" => Ok(Self::ReadCommitted),
            _ => Err(Error::InvalidConfig {
                key: "isolation.level".into(),
                value: value.into(),
                expected: "one of read_uncommitted, read_committed".into(),
            }),
        }
    }
}

/// When an append is acknowledged, and so what it survives (Kafka's `acks`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Acks {
    /// `acks=0`: the records are handed over and nothing is waited for. Nothing is promised.
    None,
    /// `acks=1`: the batch is in the log, in the kernel's page cache. Survives the death of this process
    /// (`kill -9`), not the loss of power.
    Leader,
    /// `acks=all`: the batch has also been synced to its device. Survives the loss of power.
    ///
    /// Kafka acknowledges before any device has the data; this is the stronger promise.
    #[default]
    All,
}

impl FromStr for Acks {
    type Err = Error;

    /// Accepts Kafka's values of the `acks` config: `0`, `1`, `all` and `-1`.
    fn from_str(value: &str) -> Result<Self> {
        match value {
            "0" => Ok(Self::None),
            "1" => Ok(Self::Leader),
            "all" | "-1" => Ok(Self::All),
            _ => Err(Error::InvalidConfig {
                key: "acks".into(),
                value: value.into(),
                expected: "one of 0, 1, all, -1".into(),
            }),
        }
    }
}
