//! Esker is the log of Apache Kafka as an embeddable library: topics, partitions, append-only segments, offset
//! indexes, consumer-group offsets and durability by acknowledgement level, behind a synchronous API. No server, no
//! runtime, no set-up: what SQLite is to a database server, esker is to a Kafka broker.
//!
//! ```
//! use esker::{AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
//! use std::time::Duration;
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::temporary()?; // Store::open("data")? to keep it
//! store.create_topic("payments", TopicConfig::new().partitions(4))?;
//!
//! let producer = store.producer(ProducerConfig::new())?; // acks=all: on return it survives the loss of power
//! producer.send(Record::to("payments").key("card-42").value("9.99 EUR"))?;
//!
//! let config = ConsumerConfig::from("billing").auto_offset_reset(AutoOffsetReset::Earliest);
//! let mut consumer = store.consumer(config)?;
//! consumer.assign_topics(["payments"])?;
//! for record in consumer.poll(Duration::from_millis(100))? {
//!     println!("{:?} = {:?} at offset {}", record.key, record.value, record.offset);
//! }
//! consumer.commit()?; // the group goes on from here, also after a restart
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - **It is Kafka's log.** Batches, segments, indexes, checkpoints and committed offsets are Kafka's, byte for byte;
//!   so are names, configs, defaults and rules.
//! - **Acknowledged means kept.** [`Acks`] says what a record survives once a call returns. Where Kafka answers
//!   `acks=all` before any device has the data, esker syncs first; many callers share one sync.
//! - **Nothing is thrown away.** Recovery keeps every byte that it can't read, damage stays local to its batch, and a
//!   [`RecoveryReport`] says what was found.
//! - **Bounded, and yours to drive.** Disk, clock and maintenance are handed in; at most two threads per store, which
//!   can be turned off; where many partitions are opened, synced or closed at once, some more help for that long.
//!
//! # The path of a record
//!
//! In: [`Producer::send`] picks a partition and packs a batch ([`record::BatchBuilder`]); [`Log::append`] checks it,
//! stamps offset and leader epoch into its header, copies it into the active segment and publishes the new end; with
//! [`Acks::All`] the caller then shares a sync. Out: [`Consumer::poll`] calls [`Log::read`], which finds segment and
//! position without a lock and hands out a slice of the log; records are decoded from it as they are asked for.
//!
//! # Who it is for
//!
//! - A program that wants a durable queue in its own process: [`Store`], [`Producer`], [`Consumer`]; and
//!   [`Transaction`] where records and progress must go together.
//! - A team that builds a broker: [`Log`] and [`record`] are the whole engine of a partition.
//! - Whoever wants a Kafka broker of one node, in a program, in its tests or by itself: `server::Server` (feature
//!   `net`), `esker serve`, with which stock clients and Kafka's own tools work.
//!
//! Of other crates it exposes `bytes::Bytes` (1.x), so that records are handed on without copies, and with the feature
//! `net` tokio's `AsyncRead` and `AsyncWrite` (1.x); nothing else.
//!
//! # Map
//!
//! Each layer knows only those above it in this list.
//!
//! | module | what lives there |
//! |---|---|
//! | [`record`] | the batch format: pure bytes, no I/O |
//! | [`io`] | the one door to the operating system: the real disk, memory |
//! | `log` | one partition: [`Log`] |
//! | `store` | a data directory of many: [`Store`], committed offsets, recovery, maintenance |
#![cfg_attr(feature = "coordinator", doc = "| [`coordinator`] | groups: membership, assignors |")]
//! | `producer`, `consumer` | the in-process API |
#![cfg_attr(
    feature = "net",
    doc = "| [`net`] | Kafka's wire protocol, and a client's connection |\n| [`server`] | a store as a broker |"
)]
#![cfg_attr(feature = "sim", doc = "| [`sim`] | a simulated disk and clock, to test crashes and disk faults |")]
//! | [`guide`] | longer reading: durability, groups, retention, operating, testing, moving to and from Kafka |
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | what it adds |
//! |---|---|
//! | `gzip`, `snappy`, `lz4`, `zstd` | a codec each; `compression` is all four |
//! | `coordinator` | members of groups, among whom topics are shared out |
//! | `net` | Kafka's wire protocol: a client's connection, and a server. Brings along `compression` and `coordinator` |
//! | `tls` | listeners with TLS, and clients' certificates; clients of such brokers |
//! | `sasl` | listeners whose clients log in, with users in the data directory; clients that log in |
//! | `metrics`, `prometheus` | what a server does, as numbers: for the `metrics` crate, or at an address for Prometheus |
//! | `sim` | a simulated disk that crashes and fails on demand, and a clock to set, for tests |
//! | `cli` | the `esker` command |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_debug_implementations, clippy::missing_errors_doc, clippy::return_self_not_must_use)]

pub mod clock;
mod config;
mod consumer;
#[cfg(feature = "coordinator")]
pub mod coordinator;
mod error;
pub mod guide;
pub mod io;
mod log;
#[cfg(feature = "net")]
pub mod net;
mod producer;
pub mod record;
#[cfg(feature = "net")]
pub mod server;
#[cfg(feature = "sim")]
pub mod sim;
mod store;
mod sync;
mod types;
mod uuid;

pub use config::{
    AlterConfigOp, AlterConfigOpType, BrokerCompressionType, CleanupPolicy, ConfigEntry, ConfigSource, ConfigSynonym,
    ConfigType, ConsumerGroupAssignor, ConsumerGroupMigrationPolicy, GroupConfig, StoreConfig, SyncPolicy, TopicConfig,
    TopicDefaults,
};
#[cfg(feature = "coordinator")]
pub use consumer::RebalanceListener;
pub use consumer::{AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, ConsumerWaker};
pub use error::{Corruption, Error, GroupError, Result, TopicNameError};
pub use log::{
    AbortedTransaction, ActiveProducer, AppendOptions, Appended, Compaction, Cut, Damage, EpochEndOffset, EpochEntry,
    Fetched, FetchedBatches, Finding, Log, LostOffsets, OffsetAndTimestamp, PartitionRecovery, Problem, ReadLimits,
    Readable, RepairAction, RepairOptions, RepairReport, RepairStep, Synced, VerifyProgress, VerifyReport,
};
pub use producer::{Partitioner, Pending, Producer, ProducerConfig, Record, RecordMetadata, Transaction};
pub use store::{
    CommittedOffset, GroupDescription, GroupOffset, HangingTransaction, Maintenance, OffsetReset, PartitionDescription,
    PlannedOffset, RecoveryReport, SnapshotProgress, SnapshotReport, Store, StoreOptions, TopicDescription,
    TransactionDescription, TransactionFilter,
};
pub use types::{
    Acks, ConsumerGroupMetadata, IsolationLevel, LeaderEpoch, NO_PRODUCER_ID, NO_TIMESTAMP, Offset, ProducerId,
    ProducerIdAndEpoch, TopicPartition, TransactionState,
};
pub use uuid::{ParseUuidError, Uuid};
