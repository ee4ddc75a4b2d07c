//! Exactly once: what committed transactions have written is there once, and nothing else is, whatever crashes and
//! whoever interferes.
//!
//! [`transfer`] moves records from topic to topic and is crashed at every operation that changes the disk; [`model`]
//! runs transactions of several producers, their zombies and crashes in random order beside an in-memory model. That
//! both notice when something is wrong is proven with planted bugs.
//!
//! `ESKER_SEEDS=100000` tries that many random orders instead of the default, `ESKER_SEED=17` that one alone, and
//! `ESKER_POINT=17` one crash of the transfer.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(missing_docs, reason = "a test has no users")]

#[path = "../common/mod.rs"]
mod common;
mod faults;
mod model;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use esker::sim::{FaultStorage, ManualClock};
use esker::{
    AutoOffsetReset, ConsumerConfig, IsolationLevel, Maintenance, Offset, Result, Store, StoreConfig, TopicPartition,
};

pub const START_MS: i64 = 1_700_000_000_000;

/// Opens the store on a disk, with as few files as there can be.
pub fn open(disk: &FaultStorage, clock: &ManualClock) -> Result<Store> {
    let config = StoreConfig {
        offsets_topic_num_partitions: 1,
        transaction_state_log_num_partitions: 1,
        transaction_abort_timed_out_transaction_cleanup_interval_ms: 1,
        num_recovery_threads_per_data_dir: 1,
        log_cleaner_enable: false,
        ..StoreConfig::default()
    };
    let options = Store::options().storage(Arc::new(disk.clone())).clock(Arc::new(clock.clone()));
    options.config(config).maintenance(Maintenance::Manual).open("/data")
}

/// The offsets and values that a consumer of this isolation level gets from a partition.
pub fn read(store: &Store, partition: &TopicPartition, isolation: IsolationLevel) -> Result<Vec<(Offset, String)>> {
    let config = ConsumerConfig::new().isolation_level(isolation).max_partition_fetch_bytes(300);
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest))?;
    consumer.assign([partition.clone()])?;
    let log = store.partition(&partition.topic, partition.partition)?;
    let end = match isolation {
        IsolationLevel::ReadCommitted => log.last_stable_offset(),
        _ => log.log_end(),
    };
    let mut records = Vec::new();
    while consumer.position(partition.clone())? < end {
        let polled = consumer.poll(Duration::ZERO)?;
        records.extend(polled.iter().map(|record| {
            let value = record.value.as_deref().unwrap_or_default();
            (record.offset, String::from_utf8_lossy(value).into_owned())
        }));
    }
    Ok(records)
}
