//! Kafka's configuration keys, with Kafka's defaults and ranges, as typed fields.
//!
//! At the edges configuration is strings (`"segment.bytes" = "1048576"`), inside it is numbers; [`TopicConfig::set`]
//! is the border, and an unknown key or a value out of range is an error that names key, value and range.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::types::TimestampType;

/// What happens to old records (Kafka's `cleanup.policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleanupPolicy {
    /// Whole segments are deleted when they are too old or the log is too large.
    #[default]
    Delete,
    /// The last record of each key is kept.
    ///
    /// Only `__consumer_offsets` has this policy in this version, and nothing compacts it yet: it keeps everything.
    Compact,
}

impl fmt::Display for CleanupPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
        })
    }
}

/// Declares the integer configs: field, type, key, default and range in a row, from which come the field, its setter,
/// parsing, checking and listing.
macro_rules! topic_configs {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $key:literal, $min:expr, $max:expr;)+) => {
        /// How a topic is stored: the topic configs of Kafka that have a meaning here, and for a new topic its number
        /// of partitions.
        ///
        /// ```
        /// use esker::TopicConfig;
        ///
        /// let mut config = TopicConfig::new().partitions(4).retention_ms(86_400_000);
        /// config.set("segment.bytes", "16777216")?;
        /// assert_eq!(config.get("retention.ms").as_deref(), Some("86400000"));
        /// assert!(config.set("segment.bytes", "12").is_err());
        /// # Ok::<(), esker::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct TopicConfig {
            partitions: i32,
            cleanup_policy: CleanupPolicy,
            message_timestamp_type: TimestampType,
            $($field: $type,)+
        }

        impl TopicConfig {
            /// Kafka's defaults, and one partition.
            pub fn new() -> Self {
                Self {
                    partitions: 1,
                    cleanup_policy: CleanupPolicy::Delete,
                    message_timestamp_type: TimestampType::CreateTime,
                    $($field: $default,)+
                }
            }

            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("Config `", $key, "`; default ", stringify!($default), ", from ", stringify!($min),
                    " to ", stringify!($max), ". Checked when the topic is created.")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )+

            fn set_integer(&mut self, key: &str, value: &str) -> Option<Result<()>> {
                match key {
                    $($key => Some(parse_in_range(key, value, $min, $max).map(|value| self.$field = value)),)+
                    _ => None,
                }
            }

            fn integer(&self, key: &str) -> Option<String> {
                match key {
                    $($key => Some(self.$field.to_string()),)+
                    _ => None,
                }
            }

            /// The keys of all configs, in the order of the alphabet.
            pub fn keys() -> impl Iterator<Item = &'static str> {
                let mut keys = [CLEANUP_POLICY, MESSAGE_TIMESTAMP_TYPE, $($key),+];
                keys.sort_unstable();
                keys.into_iter()
            }

            /// Fails if a field is out of its range.
            pub(crate) fn validate(&self) -> Result<()> {
                if self.partitions < 1 {
                    return Err(Error::InvalidPartitions { partitions: self.partitions });
                }
                $(check_range($key, self.$field, $min, $max)?;)+
                Ok(())
            }
        }

        /// The fields as the engine reads them.
        #[derive(Clone, Debug)]
        pub(crate) struct LogConfig {
            pub(crate) cleanup_policy: CleanupPolicy,
            pub(crate) message_timestamp_type: TimestampType,
            $(pub(crate) $field: $type,)+
        }

        impl From<&TopicConfig> for LogConfig {
            fn from(config: &TopicConfig) -> Self {
                Self {
                    cleanup_policy: config.cleanup_policy,
                    message_timestamp_type: config.message_timestamp_type,
                    $($field: config.$field,)+
                }
            }
        }
    };
}

const CLEANUP_POLICY: &str = "cleanup.policy";
const MESSAGE_TIMESTAMP_TYPE: &str = "message.timestamp.type";

topic_configs! {
    /// How long a file stays on the disk after its segment or topic was deleted, in milliseconds.
    file_delete_delay_ms: i64 = 60_000, "file.delete.delay.ms", 0, i64::MAX;
    /// How many bytes of log lie between two entries of the indexes.
    index_interval_bytes: i32 = 4096, "index.interval.bytes", 0, i32::MAX;
    /// The size of a segment in bytes without the lower bound of `segment.bytes`, which it overrides unless it is 0.
    /// For tests, as in Kafka.
    internal_segment_bytes: i32 = 0, "internal.segment.bytes", 0, i32::MAX;
    /// The largest batch that is accepted, in bytes, as it is stored.
    max_message_bytes: i32 = 1_048_588, "max.message.bytes", 0, i32::MAX;
    /// How far ahead of the clock a record's timestamp may be, in milliseconds (KIP-937).
    message_timestamp_after_max_ms: i64 = 3_600_000, "message.timestamp.after.max.ms", 0, i64::MAX;
    /// How far behind the clock a record's timestamp may be, in milliseconds (KIP-937).
    message_timestamp_before_max_ms: i64 = i64::MAX, "message.timestamp.before.max.ms", 0, i64::MAX;
    /// How large a partition may grow in bytes before its oldest segments are deleted; −1 for no limit.
    retention_bytes: i64 = -1, "retention.bytes", i64::MIN, i64::MAX;
    /// How old the newest record of a segment may get, in milliseconds, before the segment is deleted; −1 for no limit.
    retention_ms: i64 = 604_800_000, "retention.ms", -1, i64::MAX;
    /// The size in bytes at which a segment is closed and the next one begun (lower bound from KIP-1030).
    segment_bytes: i32 = 1_073_741_824, "segment.bytes", 1_048_576, i32::MAX;
    /// The size in bytes that each index of a segment may reach; a full index closes the segment.
    segment_index_bytes: i32 = 10_485_760, "segment.index.bytes", 24, i32::MAX;
    /// How much later than a segment's first record a record may be, in milliseconds, and still go into it.
    segment_ms: i64 = 604_800_000, "segment.ms", 1, i64::MAX;
}

impl TopicConfig {
    /// The number of partitions of a new topic, at least 1.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    pub(crate) fn partition_count(&self) -> i32 {
        self.partitions
    }

    /// Whose clock a record's timestamp comes from. Config `message.timestamp.type`; default `CreateTime`.
    #[must_use]
    pub fn message_timestamp_type(mut self, message_timestamp_type: TimestampType) -> Self {
        self.message_timestamp_type = message_timestamp_type;
        self
    }

    pub(crate) fn compacted() -> Self {
        Self { cleanup_policy: CleanupPolicy::Compact, ..Self::new() }
    }

    /// Sets a config by Kafka's name for it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if there is no such config here or the value is not one of its values.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if let Some(result) = self.set_integer(key, value) {
            return result;
        }
        match key {
            CLEANUP_POLICY => match value {
                "delete" => self.cleanup_policy = CleanupPolicy::Delete,
                _ => return Err(invalid(key, value, "delete (compaction is not there yet)")),
            },
            MESSAGE_TIMESTAMP_TYPE => match value {
                "CreateTime" => self.message_timestamp_type = TimestampType::CreateTime,
                "LogAppendTime" => self.message_timestamp_type = TimestampType::LogAppendTime,
                _ => return Err(invalid(key, value, "CreateTime or LogAppendTime")),
            },
            _ => return Err(invalid(key, value, "a topic config that is supported here")),
        }
        Ok(())
    }

    /// The value of a config by Kafka's name for it, as Kafka writes it; None if there is no such config here.
    pub fn get(&self, key: &str) -> Option<String> {
        match key {
            CLEANUP_POLICY => Some(self.cleanup_policy.to_string()),
            MESSAGE_TIMESTAMP_TYPE => Some(
                match self.message_timestamp_type {
                    TimestampType::CreateTime => "CreateTime",
                    TimestampType::LogAppendTime => "LogAppendTime",
                }
                .to_owned(),
            ),
            _ => self.integer(key),
        }
    }

    /// The configs that differ from the defaults, by key.
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        let defaults = Self::new();
        Self::keys()
            .filter_map(|key| {
                self.get(key).filter(|value| defaults.get(key).as_ref() != Some(value)).map(|value| (key, value))
            })
            .collect()
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl LogConfig {
    /// The size at which a segment is closed.
    pub(crate) fn segment_size(&self) -> u64 {
        let bytes = if self.internal_segment_bytes > 0 { self.internal_segment_bytes } else { self.segment_bytes };
        u64::from(bytes.unsigned_abs())
    }
}

fn parse_in_range<T>(key: &str, value: &str, min: T, max: T) -> Result<T>
where
    T: FromStr + PartialOrd + fmt::Display + Copy,
{
    let parsed = value.parse().map_err(|_| invalid(key, value, format!("a number from {min} to {max}")))?;
    check_range(key, parsed, min, max)?;
    Ok(parsed)
}

fn check_range<T: PartialOrd + fmt::Display>(key: &str, value: T, min: T, max: T) -> Result<()> {
    if value < min || value > max {
        return Err(invalid(key, &value.to_string(), format!("a number from {min} to {max}")));
    }
    Ok(())
}

pub(crate) fn invalid(key: &str, value: &str, expected: impl Into<String>) -> Error {
    Error::InvalidConfig { key: key.to_owned(), value: value.to_owned(), expected: expected.into() }
}

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
