//! Reads records of a directory.

use std::time::Duration;

use esker::{
    Acks, AutoOffsetReset, CommittedOffset, Consumer, ConsumerConfig, Error, IsolationLevel, Offset, ReadLimits, Store,
    TopicPartition,
};

use crate::failure::Result;
use crate::source::{POLL_RECORDS, ReadRecord, Reader, Start, StartAt, explain};

/// A consumer of the library.
pub(super) struct DirectoryReader<'a> {
    store: &'a Store,
    topic: String,
    isolation_level: IsolationLevel,
    /// Whether it started where it was told to, whatever the group has committed.
    is_placed: bool,
    consumer: Consumer,
}

impl<'a> DirectoryReader<'a> {
    pub(super) fn new(store: &'a Store, start: &Start<'_>) -> Result<Self> {
        let reset = if start.from_beginning { AutoOffsetReset::Earliest } else { AutoOffsetReset::Latest };
        let mut config = ConsumerConfig::new()
            .auto_offset_reset(reset)
            .max_poll_records(POLL_RECORDS)
            .isolation_level(start.isolation_level);
        if let Some(group) = start.group {
            config = config.group_id(group);
        }
        let mut consumer = store.consumer(config)?;
        consumer.assign(start.partitions.iter().cloned())?;
        match start.at {
            Some(StartAt::Earliest) => consumer.seek_to_beginning()?,
            Some(StartAt::Latest) => consumer.seek_to_end()?,
            Some(StartAt::Timestamp(timestamp)) => consumer.seek_to_timestamp(timestamp)?,
            Some(StartAt::Offset(offset)) => {
                for partition in consumer.assignment() {
                    // Otherwise an offset that does not exist would silently become another one.
                    let log = store.partition(&partition.topic, partition.partition)?;
                    log.read(offset, ReadLimits::new().max_bytes(0))?;
                    consumer.seek(partition, offset)?;
                }
            }
            None => {}
        }
        let (topic, is_placed) = (start.topic.to_owned(), start.at.is_some());
        Ok(Self { store, topic, isolation_level: start.isolation_level, is_placed, consumer })
    }
}

impl Reader for DirectoryReader<'_> {
    fn ends(&mut self) -> Result<Vec<(TopicPartition, Offset)>> {
        let end = |partition: TopicPartition| {
            let log = self.store.partition(&partition.topic, partition.partition)?;
            let end = match self.isolation_level {
                IsolationLevel::ReadUncommitted => log.high_watermark(),
                IsolationLevel::ReadCommitted => log.last_stable_offset(),
            };
            Ok((partition, end))
        };
        self.consumer.assignment().into_iter().map(end).collect()
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset> {
        Ok(self.consumer.position(partition.clone())?)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result {
        Ok(self.consumer.seek(partition.clone(), offset)?)
    }

    fn look_for_partitions(&mut self) -> Result {
        let known = self.consumer.assignment();
        // Looks at what another process has made of it, unlike the count alone.
        let partitions = self.store.describe_topic(&self.topic)?.partitions;
        let added = partitions.get(known.len()..).unwrap_or_default();
        if added.is_empty() {
            return Ok(());
        }
        let added = added.iter().map(|at| (TopicPartition::new(&*self.topic, at.partition), at.log_start));
        let added: Vec<_> = added.collect();
        self.consumer.assign(known.into_iter().chain(added.iter().map(|(partition, _)| partition.clone())))?;
        for (partition, log_start) in added {
            let committed = self.consumer.committed(partition.clone());
            if self.is_placed || matches!(committed, Ok(None) | Err(Error::NoGroup)) {
                self.consumer.seek(partition, log_start)?;
            }
        }
        Ok(())
    }

    fn poll(&mut self, timeout: Duration) -> Result<Vec<ReadRecord>> {
        let records = self.consumer.poll(timeout).map_err(|error| explain(error, &self.topic))?;
        Ok(records.into_iter().map(ReadRecord::from).collect())
    }

    fn commit(&mut self, _time: Duration, epoch_of: &dyn Fn(&TopicPartition) -> Option<i32>) -> Result<bool> {
        for partition in self.consumer.assignment() {
            // It may not be known yet where that starts.
            self.consumer.position(partition)?;
        }
        let offset = |(partition, offset): (TopicPartition, CommittedOffset)| {
            let printed = epoch_of(&partition).filter(|_| offset.leader_epoch.is_none());
            let offset = match printed {
                Some(epoch) => offset.leader_epoch(epoch),
                None => offset,
            };
            (partition, offset)
        };
        let offsets: Vec<_> = self.consumer.positions().into_iter().map(offset).collect();
        self.consumer.commit_offsets(offsets, Acks::All)?;
        Ok(true)
    }
}
