//! How a topic is stored: one table of configs, from which come the fields, their setters, checks and texts.
//!
//! What a topic does not set comes from the store's [`TopicDefaults`](super::TopicDefaults), and what those do not set
//! from Kafka.

use super::value::{ConfigValue, Valid, any, at_least, between, minus_one_or_between, throttled_replicas};
use super::{BrokerCompressionType, CleanupPolicy, ConfigType, invalid};
use crate::error::{Error, Result};
use crate::types::TimestampType;

/// A field of a configuration, and whether somebody set it or it has a default.
#[derive(Clone, Debug, PartialEq)]
struct Setting<T> {
    value: T,
    is_set: bool,
}

impl<T> Setting<T> {
    fn default(value: T) -> Self {
        Self { value, is_set: false }
    }

    fn set(value: T) -> Self {
        Self { value, is_set: true }
    }
}

/// Topic configs that Kafka had once and knows no more, and why.
const WITHOUT_MEANING: [(&str, &str); 3] = [
    ("message.downconversion.enable", OLD_FORMATS),
    ("message.format.version", OLD_FORMATS),
    ("message.timestamp.difference.max.ms", "message.timestamp.before.max.ms and .after.max.ms took its place"),
];
const OLD_FORMATS: &str = "there is one record format";

/// The answer to a key that is not in the table.
fn unknown(key: &str, value: &str) -> Error {
    match WITHOUT_MEANING.iter().find(|(without, _)| *without == key) {
        Some((_, reason)) => Error::UnsupportedConfig { key: key.to_owned(), reason },
        None => invalid(key, value, "a topic config"),
    }
}

/// Declares the configs: field, type, default, key, and which values are valid.
macro_rules! topic_configs {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $key:literal,
        $rule:ident $(:: $of:ident)? ($($argument:tt)*) $(. $but:ident ($($limit:tt)*))?;)+) => {
        /// How a topic is stored: the topic configs of Kafka, and for a new topic its number of partitions. What does
        /// nothing here is kept, and told to who asks.
        ///
        /// It remembers which configs were set, be it to what is their default anyway.
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
        #[derive(Clone, Debug, PartialEq)]
        pub struct TopicConfig {
            partitions: i32,
            $($field: Setting<$type>,)+
        }

        impl TopicConfig {
            /// Kafka's defaults, and one partition.
            pub fn new() -> Self {
                Self { partitions: 1, $($field: Setting::default($default),)+ }
            }

            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("Config `", $key, "`",
                    in_words!($rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?),
                    "; default `", stringify!($default),
                    "`. Checked when the topic is created.")]
                #[must_use]
                pub fn $field(mut self, $field: $type) -> Self {
                    self.$field = Setting::set($field);
                    self
                }
            )+

            /// Sets a config by Kafka's name for it.
            ///
            /// # Errors
            /// [`Error::InvalidConfig`] if there is no such config or the value is not one of its values;
            /// [`Error::UnsupportedConfig`] if it is one that Kafka had once and knows no more. What a store can't do,
            /// such as `remote.storage.enable=true`, is refused with that error when the topic is created or altered,
            /// and so are values that contradict each other, with [`Error::InvalidConfig`].
            pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
                match key {
                    $($key => {
                        let valid = $rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?;
                        self.$field = Setting::set(valid.parse(key, value)?);
                    })+
                    _ => return Err(unknown(key, value)),
                }
                Ok(())
            }

            /// What Kafka says of a value that the config `key` can't have, if that is known.
            #[cfg(feature = "net")]
            pub(super) fn refusal_of(key: &str, value: &str) -> Option<String> {
                match key {
                    $($key => {
                        let valid: Valid<$type> = $rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?;
                        valid.refusal(key, value)
                    })+
                    _ => None,
                }
            }

            /// Forgets that a config was set.
            pub(super) fn unset(&mut self, key: &str) -> Result<()> {
                match key {
                    $($key => self.$field = Setting::default($default),)+
                    _ => return Err(unknown(key, "")),
                }
                Ok(())
            }

            /// This configuration, with what it does not set taken from `defaults`.
            #[must_use]
            pub(crate) fn over(mut self, defaults: &Self) -> Self {
                $(if !self.$field.is_set {
                    self.$field = Setting::default(defaults.$field.value.clone());
                })+
                self
            }

            /// The configs in the order of the table: key, type, documentation, value, and whether it was set.
            pub(super) fn entries(&self) -> Vec<(&'static str, ConfigType, &'static str, String, bool)> {
                vec![$((
                    $key,
                    <$type as ConfigValue>::TYPE,
                    concat!($($doc),+).trim_ascii(),
                    self.$field.value.print(),
                    self.$field.is_set,
                )),+]
            }

            /// The value of a config by Kafka's name for it, as Kafka writes it; None if there is no such config here.
            pub fn get(&self, key: &str) -> Option<String> {
                match key {
                    $($key => Some(self.$field.value.print()),)+
                    _ => None,
                }
            }

            /// The keys of all configs, in the order of the alphabet.
            pub fn keys() -> impl Iterator<Item = &'static str> {
                let mut keys = [$($key),+];
                keys.sort_unstable();
                keys.into_iter()
            }

            /// The configs that were set, by key.
            pub fn overrides(&self) -> Vec<(&'static str, String)> {
                let mut overrides = Vec::new();
                $(if self.$field.is_set {
                    overrides.push(($key, self.$field.value.print()));
                })+
                overrides.sort_unstable();
                overrides
            }

            /// Fails if a field is out of its range.
            fn check_values(&self) -> Result<()> {
                $({
                    let valid: Valid<$type> = $rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?;
                    valid.check($key, &self.$field.value)?;
                })+
                Ok(())
            }
        }

        /// The fields as the engine reads them.
        #[allow(dead_code, reason = "some have no meaning here, and are kept")]
        #[derive(Clone, Debug)]
        pub(crate) struct LogConfig {
            $(pub(crate) $field: $type,)+
        }

        impl From<&TopicConfig> for LogConfig {
            fn from(config: &TopicConfig) -> Self {
                Self { $($field: config.$field.value.clone(),)+ }
            }
        }
    };
}

topic_configs! {
    /// What happens to old records: a list of `delete` and `compact`.
    cleanup_policy: CleanupPolicy = CleanupPolicy::DELETE, "cleanup.policy", any();
    /// The level at which `compression.type=gzip` compresses; −1 for the codec's default.
    compression_gzip_level: i32 = -1, "compression.gzip.level", minus_one_or_between(1, 9);
    /// The level at which `compression.type=lz4` compresses. The fast compressor is the only one here: any valid level
    /// is accepted, and means the same.
    compression_lz4_level: i32 = 9, "compression.lz4.level", between(1, 17);
    /// In which codec batches are stored.
    compression_type: BrokerCompressionType = BrokerCompressionType::Producer, "compression.type", any();
    /// The level at which `compression.type=zstd` compresses.
    compression_zstd_level: i32 = 3, "compression.zstd.level", between(-131_072, 22);
    /// How long compaction keeps a tombstone after the first pass over it, in milliseconds.
    delete_retention_ms: i64 = 86_400_000, "delete.retention.ms", at_least(0);
    /// How long a file stays on the disk after its segment or topic was deleted, in milliseconds.
    file_delete_delay_ms: i64 = 60_000, "file.delete.delay.ms", at_least(0);
    /// After how many records a partition is synced, whatever `acks` they were appended with.
    flush_messages: i64 = i64::MAX, "flush.messages", at_least(1);
    /// How long a record may go without a sync, whatever `acks` it was appended with, in milliseconds. The maintenance
    /// looks about once a second.
    flush_ms: i64 = i64::MAX, "flush.ms", at_least(0);
    /// Which replicas are throttled when they follow their leaders: `*`, or a list of `partition:broker`. There are no
    /// followers here; the value is kept, and told to who asks.
    follower_replication_throttled_replicas: Vec<String> = Vec::new(), "follower.replication.throttled.replicas",
        throttled_replicas();
    /// How many bytes of log lie between two entries of the indexes.
    index_interval_bytes: i32 = 4096, "index.interval.bytes", at_least(0);
    /// The size of a segment in bytes without the lower bound of `segment.bytes`, which it overrides unless it is 0.
    /// For tests, as in Kafka.
    internal_segment_bytes: i32 = 0, "internal.segment.bytes", at_least(0);
    /// Which replicas are throttled when they lead: `*`, or a list of `partition:broker`. There is nobody to follow
    /// them here; the value is kept, and told to who asks.
    leader_replication_throttled_replicas: Vec<String> = Vec::new(), "leader.replication.throttled.replicas",
        throttled_replicas();
    /// How many bytes of a tiered partition stay on the disk; −2 for `retention.bytes`. There are no tiers here; the
    /// value is kept, and told to who asks.
    local_retention_bytes: i64 = -2, "local.retention.bytes", at_least(-2);
    /// How long the records of a tiered partition stay on the disk, in milliseconds; −2 for `retention.ms`. There are
    /// no tiers here; the value is kept, and told to who asks.
    local_retention_ms: i64 = -2, "local.retention.ms", at_least(-2);
    /// How long a record may go uncompacted, in milliseconds; at least `min.compaction.lag.ms`. In a compacted topic it
    /// bounds `segment.ms` too, for what is in the active segment is not compacted.
    max_compaction_lag_ms: i64 = i64::MAX, "max.compaction.lag.ms", at_least(1);
    /// The largest batch that is accepted, in bytes, as it is stored.
    max_message_bytes: i32 = 1_048_588, "max.message.bytes", at_least(0);
    /// How far ahead of the clock a record's timestamp may be, in milliseconds (KIP-937).
    message_timestamp_after_max_ms: i64 = 3_600_000, "message.timestamp.after.max.ms", at_least(0);
    /// How far behind the clock a record's timestamp may be, in milliseconds (KIP-937).
    message_timestamp_before_max_ms: i64 = i64::MAX, "message.timestamp.before.max.ms", at_least(0);
    /// Whose clock a record's timestamp comes from: its producer's or the log's.
    message_timestamp_type: TimestampType = TimestampType::CreateTime, "message.timestamp.type", any();
    /// Which share of a log must be uncompacted, by bytes, before it is compacted.
    min_cleanable_dirty_ratio: f64 = 0.5, "min.cleanable.dirty.ratio", between(0.0, 1.0);
    /// How long a record stays uncompacted at least, in milliseconds.
    min_compaction_lag_ms: i64 = 0, "min.compaction.lag.ms", at_least(0);
    /// How many replicas must be in sync for an append with `acks=all`. There is one here, which always is; the value
    /// is kept, and told to who asks.
    min_insync_replicas: i32 = 1, "min.insync.replicas", at_least(1);
    /// Whether a new segment's log file takes all of its space at once.
    preallocate: bool = false, "preallocate", any();
    /// Whether no more of a tiered topic is copied to the other tier. There are no tiers here; the value is kept, and
    /// told to who asks.
    remote_log_copy_disable: bool = false, "remote.log.copy.disable", any();
    /// Whether a topic that is no longer tiered loses what lies in the other tier. There are no tiers here; the value
    /// is kept, and told to who asks.
    remote_log_delete_on_disable: bool = false, "remote.log.delete.on.disable", any();
    /// Whether a topic is tiered. There are no tiers here, as in a broker that has none configured: no topic can be.
    remote_storage_enable: bool = false, "remote.storage.enable", any();
    /// How large a partition may grow in bytes before its oldest segments are deleted; negative for no limit.
    retention_bytes: i64 = -1, "retention.bytes", any();
    /// How old the newest record of a segment may get, in milliseconds, before the segment is deleted; −1 for no limit.
    retention_ms: i64 = 604_800_000, "retention.ms", at_least(-1);
    /// The size in bytes at which a segment is closed and the next one begun (lower bound from KIP-1030).
    segment_bytes: i32 = 1_073_741_824, "segment.bytes", at_least(1_048_576);
    /// The size in bytes that each index of a segment may reach; a full index closes the segment.
    segment_index_bytes: i32 = 10_485_760, "segment.index.bytes", at_least(24);
    /// By up to how much `segment.ms` is shortened, in milliseconds, by another amount for each segment, so that those
    /// of many partitions do not end all at once.
    segment_jitter_ms: i64 = 0, "segment.jitter.ms", at_least(0);
    /// How much later than a segment's first record a record may be, in milliseconds, and still go into it.
    segment_ms: i64 = 604_800_000, "segment.ms", at_least(1);
    /// Whether a replica that is not in sync may lead when no other can. There is one replica here; the value is
    /// kept, and told to who asks.
    unclean_leader_election_enable: bool = false, "unclean.leader.election.enable", any();
}

impl TopicConfig {
    /// Whether the config `key` is a list.
    pub(super) fn is_list(key: &str) -> Result<bool> {
        let found = Self::new().entries().into_iter().find(|(known, ..)| *known == key);
        found.map(|(_, config_type, ..)| config_type == ConfigType::List).ok_or_else(|| unknown(key, ""))
    }

    /// The number of partitions of a new topic, at least 1.
    #[must_use]
    pub fn partitions(mut self, partitions: i32) -> Self {
        self.partitions = partitions;
        self
    }

    pub(crate) fn partition_count(&self) -> i32 {
        self.partitions
    }

    /// Fails if a value is out of its range, or two contradict each other.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.partitions < 1 {
            return Err(Error::InvalidPartitions { partitions: self.partitions, at_least: 1 });
        }
        self.check_values()?;
        if self.remote_storage_enable.value {
            let reason = "there is no tiered storage";
            return Err(Error::UnsupportedConfig { key: "remote.storage.enable".to_owned(), reason });
        }
        let (min, max) = (self.min_compaction_lag_ms.value, self.max_compaction_lag_ms.value);
        if max < min {
            let expected = format!("at least min.compaction.lag.ms = {min}");
            return Err(invalid("max.compaction.lag.ms", &max.to_string(), expected));
        }
        Ok(())
    }
}

impl Default for TopicConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl LogConfig {
    /// Whether the records of a batch must be looked at even if it was built here and its header is right.
    #[inline]
    pub(crate) fn inspects_built_batches(&self) -> bool {
        self.cleanup_policy.compact
            || self.compression_type != BrokerCompressionType::Producer
            || (self.message_timestamp_type == TimestampType::CreateTime
                && self.message_timestamp_before_max_ms < i64::MAX)
    }

    /// The size at which a segment is closed.
    pub(crate) fn segment_size(&self) -> u64 {
        let bytes = if self.internal_segment_bytes > 0 { self.internal_segment_bytes } else { self.segment_bytes };
        u64::from(bytes.unsigned_abs())
    }
}
