//! What is sent, and what comes back.

use std::sync::Arc;

use bytes::Bytes;

use crate::consumer::ConsumerRecord;
use crate::types::{NO_TIMESTAMP, Offset, TopicPartition};

/// A record to be sent.
///
/// ```
/// use esker::Record;
///
/// let record = Record::to("payments").key("card-42").value("9.99 EUR").header("source", "till 3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a record does nothing until it is sent"]
pub struct Record {
    pub(super) topic: Arc<str>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// A record for a topic, without key and value.
    pub fn to(topic: impl Into<Arc<str>>) -> Self {
        let (partition, timestamp, key, value, headers) = (None, None, None, None, Vec::new());
        Self { topic: topic.into(), partition, timestamp, key, value, headers }
    }

    /// The key: records with the same key go to the same partition.
    pub fn key(mut self, key: impl Into<Bytes>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The value. A record without one is a tombstone, which is not the same as one whose value is empty.
    pub fn value(mut self, value: impl Into<Bytes>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds a header. The same key may come more than once: [`without_header`](Self::without_header) first replaces it.
    pub fn header(mut self, key: impl Into<String>, value: impl Into<Bytes>) -> Self {
        self.headers.push((key.into(), Some(value.into())));
        self
    }

    /// Adds a header that has no value, which is not the same as an empty one.
    pub fn null_header(mut self, key: impl Into<String>) -> Self {
        self.headers.push((key.into(), None));
        self
    }

    /// Takes out all headers of this key (Kafka's `Headers.remove`): those that a record which is
    /// [sent on](ConsumerRecord::forward_to) came with.
    pub fn without_header(mut self, key: &str) -> Self {
        self.headers.retain(|(of, _)| of != key);
        self
    }

    /// The partition, instead of the one that the partitioner would pick.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The timestamp in milliseconds since the Unix epoch, instead of the time of the send.
    pub fn timestamp(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }
}

impl ConsumerRecord {
    /// The same record for a topic: with its key, value and timestamp, of which any can then be set anew, and with its
    /// headers, to which [`header`](Record::header) adds. A tombstone stays one. The partition is what the partitioner
    /// picks, and a record without a timestamp gets the time of the send. Key and value are not copied.
    ///
    /// ```
    /// # use esker::{AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
    /// # use std::time::Duration;
    /// # let store = Store::temporary()?;
    /// # store.create_topic("payments", TopicConfig::new())?;
    /// # store.create_topic("archive", TopicConfig::new())?;
    /// # let producer = store.producer(ProducerConfig::new())?;
    /// # producer.send(Record::to("payments").key("card-42"))?;
    /// # let mut consumer = store.consumer(ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest))?;
    /// # consumer.assign_topics(["payments"])?;
    /// for payment in consumer.poll(Duration::from_secs(1))? {
    ///     producer.send(payment.forward_to("archive").header("from", payment.topic.to_string()))?;
    /// }
    /// # consumer.assign_topics(["archive"])?;
    /// # assert_eq!(consumer.poll(Duration::from_secs(1))?[0].value, None);
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn forward_to(&self, topic: impl Into<Arc<str>>) -> Record {
        Record {
            topic: topic.into(),
            partition: None,
            timestamp: Some(self.timestamp).filter(|timestamp| *timestamp != NO_TIMESTAMP),
            key: self.key.clone(),
            value: self.value.clone(),
            headers: self.headers.clone(),
        }
    }
}

/// Where a record ended up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The record's offset; None with [`Acks::None`](crate::Acks::None), which waits for no answer.
    pub offset: Option<Offset>,
    /// The record's timestamp in milliseconds: its own, or the log's if the topic's timestamps are `LogAppendTime`.
    pub timestamp: i64,
}
