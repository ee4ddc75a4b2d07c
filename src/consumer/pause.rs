//! Partitions that are left alone for a while.

use super::Consumer;
use crate::error::Result;
use crate::types::TopicPartition;

impl Consumer {
    /// Returns no records of these partitions from now on, until they are [resumed](Self::resume): where what was made
    /// of their records has to drain first, or other partitions come before them.
    ///
    /// They stay assigned, and keep their positions, which are committed as before; seeks move them. What was read of
    /// them and not returned yet is not lost. A consumer that subscribes stays in its group as long as it goes on
    /// polling, which it may also do with everything paused. When the group rebalances a partition that the consumer
    /// keeps stays paused, and one that it gives up is not paused when it gets it back: with an eager assignor, which
    /// gives up all, that is every one (Kafka's `KafkaConsumer.pause`).
    ///
    /// ```
    /// # use esker::{ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
    /// # use std::time::Duration;
    /// # let store = Store::temporary()?;
    /// # store.create_topic("jobs", TopicConfig::new())?;
    /// # store.producer(ProducerConfig::new())?.send(Record::to("jobs").value("sweep"))?;
    /// # let mut consumer = store.consumer(ConsumerConfig::new())?;
    /// # consumer.assign([("jobs", 0)])?;
    /// # consumer.seek_to_beginning()?;
    /// consumer.pause(consumer.assignment())?; // the workers have enough to do
    /// assert_eq!(consumer.poll(Duration::ZERO)?, []);
    /// consumer.resume(consumer.paused())?;
    /// assert_eq!(consumer.poll(Duration::ZERO)?.len(), 1);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAssigned`](crate::Error::NotAssigned) if one of them isn't; then none is paused.
    pub fn pause<P: Into<TopicPartition>>(&mut self, partitions: impl IntoIterator<Item = P>) -> Result<()> {
        self.set_paused(partitions, true)
    }

    /// Returns records of these partitions again, from where they stand. Nothing happens to those that are not paused.
    ///
    /// # Errors
    /// [`Error::NotAssigned`](crate::Error::NotAssigned) if one of them isn't; then none is resumed.
    pub fn resume<P: Into<TopicPartition>>(&mut self, partitions: impl IntoIterator<Item = P>) -> Result<()> {
        self.set_paused(partitions, false)
    }

    /// The partitions that are paused, in the order in which they were assigned.
    pub fn paused(&self) -> Vec<TopicPartition> {
        let paused = self.fetchers.iter().filter(|fetcher| fetcher.is_paused);
        paused.map(|fetcher| fetcher.topic_partition().clone()).collect()
    }

    fn set_paused<P: Into<TopicPartition>>(
        &mut self,
        partitions: impl IntoIterator<Item = P>,
        is_paused: bool,
    ) -> Result<()> {
        let index_of = |partition: P| self.index_of(&partition.into());
        let indices = partitions.into_iter().map(index_of).collect::<Result<Vec<_>>>()?;
        indices.into_iter().for_each(|index| self.fetchers[index].is_paused = is_paused);
        Ok(())
    }
}
