//! The producer's configs, with Kafka's names and defaults.

use std::str::FromStr;
use std::time::Duration;

use super::partitioner::Partitioner;
use crate::config::{invalid, unknown_to_producers};
use crate::error::Result;
use crate::record::Compression;
use crate::types::Acks;

/// How a producer batches, and what it waits for.
///
/// ```
/// use esker::{Acks, ProducerConfig};
///
/// let mut config = ProducerConfig::new().acks(Acks::Leader);
/// config.set("linger.ms", "20")?;
/// assert!(config.set("linger.ms", "soon").is_err());
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProducerConfig {
    pub(super) acks: Acks,
    /// None if nobody asked.
    enable_idempotence: Option<bool>,
    pub(super) transactional_id: Option<String>,
    pub(super) transaction_timeout: Duration,
    pub(super) linger: Duration,
    pub(super) batch_size: usize,
    pub(super) buffer_memory: usize,
    pub(super) max_block: Duration,
    pub(super) compression: Compression,
    /// The levels of the codecs that anybody set one for.
    compression_levels: Vec<(Compression, i32)>,
    pub(super) partitioner: Partitioner,
}

impl ProducerConfig {
    /// Kafka's defaults.
    pub fn new() -> Self {
        Self {
            acks: Acks::All,
            enable_idempotence: None,
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
            linger: Duration::from_millis(5),
            batch_size: 16_384,
            buffer_memory: 32 << 20,
            max_block: Duration::from_secs(60),
            compression: Compression::None,
            compression_levels: Vec::new(),
            partitioner: Partitioner::Default,
        }
    }

    /// When a record counts as sent (`acks`; default `all`).
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self
    }

    /// Whether each batch carries the producer's id and a sequence number, by which a partition tells one that is
    /// missing or comes twice (`enable.idempotence`; default true). As in Kafka it needs `acks=all`: with other `acks`
    /// it is off unless it is asked for, and then the two are in conflict.
    pub fn enable_idempotence(mut self, enable_idempotence: bool) -> Self {
        self.enable_idempotence = Some(enable_idempotence);
        self
    }

    /// Makes the producer transactional, under this name (`transactional.id`; none by default). Of all producers that
    /// ever have it the last one alone can write: making it fences the one before, wherever that is, and aborts the
    /// transaction that it left open. So the name is that of a task and not of a process: `transfer-3`, for whoever
    /// transfers partition 3.
    ///
    /// It needs `acks=all` and idempotence, as in Kafka. What is synced, and when, is up to the commit:
    /// [`Transaction`](super::Transaction).
    pub fn transactional_id(mut self, transactional_id: impl Into<String>) -> Self {
        self.transactional_id = Some(transactional_id.into());
        self
    }

    /// How long a transaction may be open before it is aborted and the producer fenced (`transaction.timeout.ms`;
    /// default one minute), so that one that is gone does not keep readers of committed records waiting. At most the
    /// store's `transaction.max.timeout.ms`.
    pub fn transaction_timeout(mut self, transaction_timeout: Duration) -> Self {
        self.transaction_timeout = transaction_timeout;
        self
    }

    /// How long a batch waits for more records before it is appended (`linger.ms`; default 5 ms). Only
    /// [`send_async`](super::Producer::send_async) lingers; zero appends each record at once.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// The size at which a batch is appended without waiting longer, in bytes before compression (`batch.size`;
    /// default 16,384). A larger record gets a batch of its own.
    ///
    /// No batch is filled beyond the topic's `max.message.bytes`. If that is lowered below a batch that is filling, the
    /// batch fails with [`Error::MessageTooLarge`](crate::Error::MessageTooLarge), and none of its records is in the
    /// log; it isn't split, as Kafka's producer does it, for here the limit is known before a batch is filled, and what
    /// is left is the one batch at that moment.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// How many bytes of records may linger in all (`buffer.memory`; default 32 MiB).
    pub fn buffer_memory(mut self, buffer_memory: usize) -> Self {
        self.buffer_memory = buffer_memory;
        self
    }

    /// How long a send waits for room in `buffer.memory` (`max.block.ms`; default one minute).
    pub fn max_block(mut self, max_block: Duration) -> Self {
        self.max_block = max_block;
        self
    }

    /// The codec of the batches (`compression.type`; default none).
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// How hard `codec` compresses, if it is the one that is used (`compression.gzip.level`, `compression.lz4.level`,
    /// `compression.zstd.level`; defaults and ranges are Kafka's). Snappy has no levels, and of lz4 the fast compressor
    /// is the only one here. A level out of range is refused when the producer is made.
    pub fn compression_level(mut self, codec: Compression, level: i32) -> Self {
        self.put_level(codec, level);
        self
    }

    /// Who picks the partition of a record that names none.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.partitioner = partitioner;
        self
    }

    /// Sets a config by Kafka's name for it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if Kafka's producer has no such config, or the value is
    /// not one of its values; [`Error::UnsupportedConfig`](crate::Error::UnsupportedConfig) if it has it, and it has no
    /// meaning to a producer in process: the error says why. Who takes over what was written for Kafka's producer may
    /// pass over the second.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "acks" => self.acks = value.parse()?,
            "enable.idempotence" => {
                let parsed = value.parse().map_err(|_| invalid(key, value, "true or false"))?;
                self.enable_idempotence = Some(parsed);
            }
            "transactional.id" => self.transactional_id = Some(value.to_owned()),
            "transaction.timeout.ms" => self.transaction_timeout = Duration::from_millis(number(key, value)?),
            "linger.ms" => self.linger = Duration::from_millis(number(key, value)?),
            "batch.size" => self.batch_size = number(key, value)?,
            "buffer.memory" => self.buffer_memory = number(key, value)?,
            "max.block.ms" => self.max_block = Duration::from_millis(number(key, value)?),
            "compression.type" => self.compression = value.parse()?,
            "compression.gzip.level" => self.set_level(Compression::Gzip, key, value)?,
            "compression.lz4.level" => self.set_level(Compression::Lz4, key, value)?,
            "compression.zstd.level" => self.set_level(Compression::Zstd, key, value)?,
            _ => return Err(unknown_to_producers(key, value)),
        }
        Ok(())
    }

    /// What a config is, as [`set`](Self::set) takes it: for those who send what a producer of their own batches. None
    /// if there is no such config here, or if it is not set and has no value then.
    ///
    /// ```
    /// let mut config = esker::ProducerConfig::new();
    /// assert_eq!(config.get("enable.idempotence").as_deref(), Some("true"));
    /// config.set("acks", "1")?;
    /// assert_eq!(["acks", "enable.idempotence"].map(|key| config.get(key)), ["1", "false"].map(|value| Some(value.into())));
    /// assert_eq!(config.get("compression.zstd.level"), None);
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn get(&self, key: &str) -> Option<String> {
        let level = |codec| self.level_of(codec).map(|level| level.to_string());
        Some(match key {
            "acks" => acks_name(self.acks).to_owned(),
            "enable.idempotence" => self.enable_idempotence.unwrap_or(self.acks == Acks::All).to_string(),
            "transactional.id" => self.transactional_id.clone()?,
            "transaction.timeout.ms" => self.transaction_timeout.as_millis().to_string(),
            "linger.ms" => self.linger.as_millis().to_string(),
            "batch.size" => self.batch_size.to_string(),
            "buffer.memory" => self.buffer_memory.to_string(),
            "max.block.ms" => self.max_block.as_millis().to_string(),
            "compression.type" => self.compression.to_string(),
            "compression.gzip.level" => level(Compression::Gzip)?,
            "compression.lz4.level" => level(Compression::Lz4)?,
            "compression.zstd.level" => level(Compression::Zstd)?,
            _ => return None,
        })
    }

    /// Checks what making a producer with this config checks.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if configs are in conflict or out of range.
    pub fn validate(&self) -> Result<()> {
        self.check_levels()?;
        self.is_idempotent().map(drop)
    }

    fn set_level(&mut self, codec: Compression, key: &str, value: &str) -> Result<()> {
        let level = value.parse().map_err(|_| invalid(key, value, "a number"))?;
        codec.check_level(Some(level))?;
        self.put_level(codec, level);
        Ok(())
    }

    fn put_level(&mut self, codec: Compression, level: i32) {
        self.compression_levels.retain(|(other, _)| *other != codec);
        self.compression_levels.push((codec, level));
    }

    /// The level of the codec; None for its default.
    pub(super) fn level(&self) -> Option<i32> {
        self.level_of(self.compression)
    }

    fn level_of(&self, codec: Compression) -> Option<i32> {
        self.compression_levels.iter().find(|(other, _)| *other == codec).map(|(_, level)| *level)
    }

    /// Fails if a level is out of its codec's range.
    pub(super) fn check_levels(&self) -> Result<()> {
        self.compression_levels.iter().try_for_each(|(codec, level)| codec.check_level(Some(*level)))
    }

    /// Whether the producer is idempotent; an error if it is to be and can't.
    pub(super) fn is_idempotent(&self) -> Result<bool> {
        if self.transactional_id.is_some() {
            self.check_transactional()?;
        }
        match (self.enable_idempotence, self.acks) {
            (Some(true), Acks::None | Acks::Leader) => {
                Err(invalid("enable.idempotence", "true", "false, or acks=all beside it"))
            }
            (asked, acks) => Ok(asked.unwrap_or(acks == Acks::All)),
        }
    }
}

impl ProducerConfig {
    fn check_transactional(&self) -> Result<()> {
        if self.acks != Acks::All {
            return Err(invalid("acks", acks_name(self.acks), "all, with a transactional.id"));
        }
        match self.enable_idempotence {
            Some(false) => Err(invalid("enable.idempotence", "false", "true, with a transactional.id")),
            _ => Ok(()),
        }
    }
}

impl Default for ProducerConfig {
    fn default() -> Self {
        Self::new()
    }
}

fn acks_name(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    }
}

fn number<T: FromStr>(key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| invalid(key, value, "a number from 0 up"))
}
