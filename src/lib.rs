//! Esker: the log of Apache Kafka as an embeddable library.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod clock;
mod config;
mod consumer;
mod error;
pub mod io;
mod log;
mod producer;
pub mod record;
#[cfg(feature = "sim")]
pub mod sim;
mod store;
mod types;

pub use config::{CleanupPolicy, StoreConfig, SyncPolicy, TopicConfig};
pub use consumer::{AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord};
pub use error::{Corruption, Error, Result};
pub use log::{
    AppendOptions, Appended, Cut, Damage, Fetched, FetchedBatches, Log, OffsetAndTimestamp, PartitionRecovery,
    ReadLimits, Readable,
};
pub use producer::{Partitioner, Pending, Producer, ProducerConfig, Record, RecordMetadata};
pub use store::{
    CommittedOffset, Maintenance, ParseUuidError, PartitionDescription, RecoveryReport, Store, StoreOptions,
    TopicDescription, Uuid,
};
pub use types::{Acks, LeaderEpoch, NO_PRODUCER_ID, NO_TIMESTAMP, Offset, ProducerId, TopicPartition};
