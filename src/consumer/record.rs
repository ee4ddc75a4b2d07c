//! What comes out of a poll.

use std::sync::Arc;

use bytes::Bytes;

use crate::store::CommittedOffset;
use crate::types::{LeaderEpoch, NO_TIMESTAMP, Offset, TimestampType, TopicPartition};

/// A record as a consumer gets it. Key, value and headers are slices of the log itself where it is mapped and not
/// compressed: nothing was copied, and they stay valid however long they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's index.
    pub partition: i32,
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp in milliseconds, −1 if it has none.
    pub timestamp: i64,
    /// Whose clock the timestamp is of.
    pub timestamp_type: TimestampType,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; None is a tombstone. [`forward_to`](Self::forward_to) keeps it one, `unwrap_or_default` does not.
    pub value: Option<Bytes>,
    /// The headers in their order; a key may come more than once. See [`header`](Self::header).
    pub headers: Vec<(String, Option<Bytes>)>,
    /// The leader epoch under which it was appended, −1 if there is none.
    pub leader_epoch: LeaderEpoch,
}

impl ConsumerRecord {
    /// A record without key, value, headers, timestamp and leader epoch, as Kafka's constructor makes it: for tests of
    /// what is done with records. What it should have is set in its fields.
    ///
    /// ```
    /// # use esker::ConsumerRecord;
    /// # use bytes::Bytes;
    /// fn is_paid(record: &ConsumerRecord) -> bool {
    ///     record.header("state") == Some(b"paid")
    /// }
    ///
    /// let mut record = ConsumerRecord::new(("payments", 0), 42);
    /// assert!(!is_paid(&record));
    /// record.headers.push(("state".into(), Some(Bytes::from("paid"))));
    /// assert!(is_paid(&record));
    /// ```
    pub fn new(topic_partition: impl Into<TopicPartition>, offset: Offset) -> Self {
        let TopicPartition { topic, partition } = topic_partition.into();
        Self {
            topic,
            partition,
            offset,
            timestamp: NO_TIMESTAMP,
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: None,
            headers: Vec::new(),
            leader_epoch: -1,
        }
    }

    /// The partition that it is of.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.clone(), self.partition)
    }

    /// The value of the last header of this key (Kafka's `Headers.lastHeader`). None if there is no such header, and
    /// also if the last one has no value: [`headers`](Self::headers) tells these two apart.
    #[doc(alias = "lastHeader")]
    pub fn header(&self, key: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(name, _)| name == key)?.1.as_deref()
    }
}

impl CommittedOffset {
    /// What to commit once this record is dealt with, and all before it in its partition: the offset after it, and its
    /// leader epoch (KIP-320).
    ///
    /// ```
    /// # use esker::{Acks, AutoOffsetReset, CommittedOffset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
    /// # use std::time::Duration;
    /// # let store = Store::temporary()?;
    /// # store.create_topic("jobs", TopicConfig::new())?;
    /// # store.producer(ProducerConfig::new())?.send(Record::to("jobs").value("sweep"))?;
    /// # let mut consumer = store.consumer(ConsumerConfig::from("workers").auto_offset_reset(AutoOffsetReset::Earliest))?;
    /// # consumer.assign_topics(["jobs"])?;
    /// for job in consumer.poll(Duration::from_secs(1))? {
    ///     // Do it, and say so before the next one is begun.
    ///     consumer.commit_offsets([(job.topic_partition(), CommittedOffset::after(&job))], Acks::All)?;
    /// }
    /// # assert_eq!(store.committed_offset("workers", ("jobs", 0))?.map(|committed| committed.offset), Some(1));
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn after(record: &ConsumerRecord) -> Self {
        Self::new(record.offset + 1).leader_epoch(record.leader_epoch)
    }
}
