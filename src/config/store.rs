//! What a store does beyond its topics: Kafka's broker configs by their names.

use std::fmt;

use super::invalid;
use crate::error::Result;

/// What a store does beyond its topics: recovery, checkpoints, internal topics. Kafka's broker configs by their names.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// How many threads open partitions (`num.recovery.threads.per.data.dir`; default 2).
    pub num_recovery_threads_per_data_dir: usize,
    /// How often old segments are looked for, in milliseconds (`log.retention.check.interval.ms`; default 300,000).
    pub log_retention_check_interval_ms: i64,
    /// How often the recovery points are written down, in milliseconds
    /// (`log.flush.offset.checkpoint.interval.ms`; default 60,000). A crash scans what was appended since.
    pub log_flush_offset_checkpoint_interval_ms: i64,
    /// The partitions of `__consumer_offsets` when it is created (`offsets.topic.num.partitions`; default 50).
    pub offsets_topic_num_partitions: i32,
    /// How long the metadata of a commit may be, in bytes (`offset.metadata.max.bytes`; default 4096, at most 32,767).
    pub offset_metadata_max_bytes: usize,
    /// Who syncs for [`Acks::All`](crate::Acks::All).
    pub sync: SyncPolicy,
    /// Takes batches for whole without looking at their CRC when recovering. A bug, for the crash tests to find.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub plant_skipped_crc: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            num_recovery_threads_per_data_dir: 2,
            log_retention_check_interval_ms: 300_000,
            log_flush_offset_checkpoint_interval_ms: 60_000,
            offsets_topic_num_partitions: 50,
            offset_metadata_max_bytes: 4096,
            sync: SyncPolicy::Always,
            #[cfg(feature = "sim")]
            plant_skipped_crc: false,
        }
    }
}

impl StoreConfig {
    pub(crate) fn checks_crc_at_recovery(&self) -> bool {
        #[cfg(feature = "sim")]
        return !self.plant_skipped_crc;
        #[cfg(not(feature = "sim"))]
        true
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let positive = [
            ("num.recovery.threads.per.data.dir", self.num_recovery_threads_per_data_dir as i64),
            ("log.retention.check.interval.ms", self.log_retention_check_interval_ms),
            ("log.flush.offset.checkpoint.interval.ms", self.log_flush_offset_checkpoint_interval_ms),
            ("offsets.topic.num.partitions", i64::from(self.offsets_topic_num_partitions)),
        ];
        positive.into_iter().try_for_each(|(key, value)| check_range(key, value, 1, i64::MAX))?;
        // The length of a commit's metadata is 16 bits wide in its record.
        check_range("offset.metadata.max.bytes", self.offset_metadata_max_bytes, 0, i16::MAX as usize)
    }
}

/// Whether `acks=all` waits for the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// [`Acks::All`](crate::Acks::All) is acknowledged after a sync: it survives the loss of power.
    #[default]
    Always,
    /// The operating system writes when it sees fit, as with Kafka's defaults: `All` promises no more than `Leader`.
    OsManaged,
}

fn check_range<T: PartialOrd + fmt::Display>(key: &str, value: T, min: T, max: T) -> Result<()> {
    if value < min || value > max {
        return Err(invalid(key, &value.to_string(), format!("a number from {min} to {max}")));
    }
    Ok(())
}
