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
    /// How long a partition remembers a producer that has been idle, in milliseconds (`producer.id.expiration.ms`;
    /// default 86,400,000, a day). What it sends after that is appended without a look at its sequence. One with an
    /// open transaction is not forgotten.
    pub producer_id_expiration_ms: i64,
    /// How often idle producers are looked for, in milliseconds (`producer.id.expiration.check.interval.ms`; default
    /// 600,000).
    pub producer_id_expiration_check_interval_ms: i64,
    /// Whether topics are compacted by themselves (`log.cleaner.enable`; default true). Where it is off,
    /// [`Store::compact`](crate::Store::compact) still does.
    pub log_cleaner_enable: bool,
    /// How much memory the keys of a pass of compaction may take, in bytes (`log.cleaner.dedupe.buffer.size`; default
    /// 134,217,728, at least 384). 24 bytes hold a key, whatever its length. A pass takes what its part of the log needs
    /// and gives it back; where that is more than this, it takes several.
    pub log_cleaner_dedupe_buffer_size: usize,
    /// How many bytes a second compaction reads and writes by itself, in all
    /// (`log.cleaner.io.max.bytes.per.second`; default no limit, at least 1).
    pub log_cleaner_io_max_bytes_per_second: u64,
    /// How long to wait before looking for a log to compact after there was none, in milliseconds
    /// (`log.cleaner.backoff.ms`; default 15,000).
    pub log_cleaner_backoff_ms: i64,
    /// Who syncs for [`Acks::All`](crate::Acks::All).
    pub sync: SyncPolicy,
    /// Takes batches for whole without looking at their CRC when recovering. A bug, for the crash tests to find.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub plant_skipped_crc: bool,
    /// Takes what the last snapshot knows of producers for all there is to know when recovering. A bug likewise.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub plant_skipped_replay: bool,
    /// Swaps compacted segments in without the syncs between the steps. Another bug to find.
    #[cfg(feature = "sim")]
    #[doc(hidden)]
    pub plant_unsynced_swap: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            num_recovery_threads_per_data_dir: 2,
            log_retention_check_interval_ms: 300_000,
            log_flush_offset_checkpoint_interval_ms: 60_000,
            offsets_topic_num_partitions: 50,
            offset_metadata_max_bytes: 4096,
            producer_id_expiration_ms: 86_400_000,
            producer_id_expiration_check_interval_ms: 600_000,
            log_cleaner_enable: true,
            log_cleaner_dedupe_buffer_size: 134_217_728,
            log_cleaner_io_max_bytes_per_second: u64::MAX,
            log_cleaner_backoff_ms: 15_000,
            sync: SyncPolicy::Always,
            #[cfg(feature = "sim")]
            plant_skipped_crc: false,
            #[cfg(feature = "sim")]
            plant_skipped_replay: false,
            #[cfg(feature = "sim")]
            plant_unsynced_swap: false,
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

    pub(crate) fn replays_producers_at_recovery(&self) -> bool {
        #[cfg(feature = "sim")]
        return !self.plant_skipped_replay;
        #[cfg(not(feature = "sim"))]
        true
    }

    pub(crate) fn syncs_swaps(&self) -> bool {
        #[cfg(feature = "sim")]
        return !self.plant_unsynced_swap;
        #[cfg(not(feature = "sim"))]
        true
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let positive = [
            ("num.recovery.threads.per.data.dir", self.num_recovery_threads_per_data_dir as i64),
            ("log.retention.check.interval.ms", self.log_retention_check_interval_ms),
            ("log.flush.offset.checkpoint.interval.ms", self.log_flush_offset_checkpoint_interval_ms),
            ("producer.id.expiration.ms", self.producer_id_expiration_ms),
            ("producer.id.expiration.check.interval.ms", self.producer_id_expiration_check_interval_ms),
            ("offsets.topic.num.partitions", i64::from(self.offsets_topic_num_partitions)),
        ];
        positive.into_iter().try_for_each(|(key, value)| check_range(key, value, 1, i64::MAX))?;
        check_range("log.cleaner.dedupe.buffer.size", self.log_cleaner_dedupe_buffer_size, 384, usize::MAX)?;
        check_range("log.cleaner.io.max.bytes.per.second", self.log_cleaner_io_max_bytes_per_second, 1, u64::MAX)?;
        check_range("log.cleaner.backoff.ms", self.log_cleaner_backoff_ms, 0, i64::MAX)?;
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
