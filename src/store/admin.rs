//! What a server asks about topics beyond what an application does: whether a change would work, and changes as Kafka's
//! older requests put them.

use super::Store;
use super::offsets::CONSUMER_OFFSETS;
use super::topic_name::refuse_internal;
use super::transaction::TRANSACTION_STATE;
use crate::config::{AlterConfigOp, Alterable, ConfigEntry, TopicConfig};
use crate::error::{Error, Result};
use crate::io::DiskSpace;
use crate::types::{Offset, TopicPartition};
use crate::uuid::Uuid;

impl Store {
    /// Whether [`create_topic`](Self::create_topic) would work.
    pub(crate) fn check_new_topic(&self, name: &str, config: TopicConfig) -> Result<()> {
        refuse_internal(name)?;
        let _altering = self.inner.altering.lock();
        self.inner.check_new_topic(name, &config.over(&self.inner.topic_defaults)).map(drop)
    }

    /// [Creates](Self::create_topic) some topics in much less time than one after the other. What became of each is in
    /// their order. Nobody else changes topics meanwhile, so they should not be too many at a time.
    pub(crate) fn create_topics(&self, topics: Vec<(&str, TopicConfig)>) -> Vec<Result<Uuid>> {
        self.inner.create_topics(topics)
    }

    /// Creates one of the store's own topics, if it isn't there, before it is needed.
    pub(crate) fn create_internal_topic(&self, name: &str) -> Result<()> {
        match name {
            CONSUMER_OFFSETS => self.inner.offsets_topic().map(drop),
            TRANSACTION_STATE => self.inner.transaction_topic().map(drop),
            other => refuse_internal(other),
        }
    }

    /// What there would be to say of the configs of a topic that is created with `config`.
    pub(crate) fn describe_new_topic_configs(&self, config: &TopicConfig) -> Vec<ConfigEntry> {
        config.clone().over(&self.inner.topic_defaults).describe(&self.inner.config.topic_defaults)
    }

    /// [Deletes](Self::delete_topic) the topic of this name only if this is its id.
    pub(crate) fn delete_topic_with_id(&self, name: &str, id: Uuid) -> Result<()> {
        refuse_internal(name)?;
        self.inner.delete_topic(name, Some(id))
    }

    /// Whether [`create_partitions`](Self::create_partitions) would work.
    pub(crate) fn check_new_partitions(&self, topic: &str, total: i32) -> Result<()> {
        refuse_internal(topic)?;
        self.inner.create_partitions(topic, total, true)
    }

    /// Whether [`alter_topic_configs`](Self::alter_topic_configs) would work.
    pub(crate) fn check_topic_configs(&self, topic: &str, changes: &[AlterConfigOp]) -> Result<()> {
        self.inner.alter_topic_configs(topic, |config| config.altered(changes), true)
    }

    /// Gives a topic these configs, by key, in the place of all that were set (Kafka's `AlterConfigs`), unless it is
    /// only to be seen whether that works. Otherwise as [`alter_topic_configs`](Self::alter_topic_configs).
    pub(crate) fn replace_topic_configs(
        &self,
        topic: &str,
        configs: &[(String, String)],
        validate_only: bool,
    ) -> Result<()> {
        self.inner.alter_topic_configs(topic, |config| config.replaced(configs), validate_only)
    }

    /// [Deletes the records](crate::Log::delete_records) of an application's partitions below an offset of each, and
    /// writes that down once for all of them. What became of each is in their order.
    pub(crate) fn delete_records(&self, deletions: Vec<(TopicPartition, Offset)>) -> Vec<Result<Offset>> {
        let delete = |(at, before_offset): (TopicPartition, Offset)| {
            let log = self.partition(&at.topic, at.partition)?;
            refuse_internal(&at.topic)?;
            log.delete_records_unwritten(before_offset)
        };
        let deleted: Vec<Result<Offset>> = deletions.into_iter().map(delete).collect();
        let is_any = deleted.iter().any(Result::is_ok);
        let written = self.inner.checkpoints.write_if(|| self.check_open().map(|()| is_any));
        deleted.into_iter().map(|deleted| deleted.and_then(|log_start| written.clone().map(|()| log_start))).collect()
    }

    /// Whether what is read of a log takes memory of its own for as long as somebody keeps it.
    pub(crate) fn copies_reads(&self) -> bool {
        self.inner.layout.storage().copies_views()
    }

    /// How much space there is for the data directory, if that is known.
    pub(crate) fn disk_space(&self) -> Result<Option<DiskSpace>> {
        let layout = &self.inner.layout;
        layout.storage().space(&layout.dir).map_err(|error| Error::io("look at the space for", &layout.dir, error))
    }
}
