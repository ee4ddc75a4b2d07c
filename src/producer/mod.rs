//! Records in: a producer picks a partition, packs batches and appends them, with Kafka's names for all of it.
//!
//! ```text
//!   send → partitioner → accumulator (linger.ms, batch.size, buffer.memory) → Log::append → acks
//! ```
//!
//! There is no thread of its own: a batch is appended by whoever finds it full or due.

mod accumulator;
mod config;
mod memory;
mod partitioner;
mod pending;
mod record;
mod transaction;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

pub use config::ProducerConfig;
pub use partitioner::Partitioner;
pub use pending::Pending;
pub use record::{Record, RecordMetadata};
pub use transaction::Transaction;

use crate::error::{Error, Result};
use crate::store::{Store, Task};
use crate::types::{Acks, ProducerIdAndEpoch, TopicPartition};
use accumulator::{Accumulator, Identity};
use memory::Memory;
use partitioner::Sticky;
use transaction::Transactions;

/// What a record takes of `buffer.memory` besides its key, value and headers.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// Sends records to the topics of a store.
///
/// Cheap to clone and shared between threads, whose records then share batches. Records to one partition keep the
/// order in which they were sent. Made by [`Store::producer`].
#[derive(Clone)]
pub struct Producer {
    inner: Arc<ProducerInner>,
}

struct ProducerInner {
    store: Store,
    config: ProducerConfig,
    topics: RwLock<HashMap<Arc<str>, Arc<TopicAccumulators>>>,
    memory: Arc<Memory>,
    is_idempotent: bool,
    /// Who it is, if it is idempotent and has sent something.
    producer: Mutex<Option<ProducerIdAndEpoch>>,
    /// There if it is transactional.
    transactions: Option<Arc<Transactions>>,
    /// Why no more records are taken: the producer or the store was closed.
    refusal: OnceLock<Error>,
}

/// The partitions of a topic, as a producer has them.
#[derive(Debug)]
struct TopicAccumulators {
    partitions: Vec<Arc<Accumulator>>,
    sticky: Sticky,
    /// [`Store::partitions_added`] before these were looked up.
    partitions_added: u64,
}

impl TopicAccumulators {
    fn is_deleted(&self) -> bool {
        // Partitions are deleted all together, this one first.
        self.partitions.first().is_some_and(|accumulator| accumulator.log.is_deleted())
    }
}

impl Store {
    /// Makes a producer. It keeps the store open for as long as it lives.
    ///
    /// With a [`transactional_id`](ProducerConfig::transactional_id) it takes over from whoever had that before: on
    /// return, that one is fenced, and what it had committed counts.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if configs are in conflict or out of range, [`Error::Closed`] if the store was closed;
    /// with a `transactional.id` also as [`Store::init_transactional_id`].
    pub fn producer(&self, mut config: ProducerConfig) -> Result<Producer> {
        self.check_writable()?;
        config.check_levels()?;
        let is_idempotent = config.is_idempotent()?;
        let transactions = config.transactional_id.as_ref().map(|id| {
            let producer = self.init_transactional_id(id, config.transaction_timeout)?;
            Ok::<_, Error>(Arc::new(Transactions::new(self.clone(), id.clone(), producer)))
        });
        let transactions = transactions.transpose()?;
        if transactions.is_some() {
            // The commit makes everything durable at once.
            config.acks = Acks::Leader;
        }
        let inner = Arc::new(ProducerInner {
            store: self.clone(),
            is_idempotent,
            topics: RwLock::default(),
            memory: Arc::new(Memory::new(config.buffer_memory)),
            producer: Mutex::default(),
            transactions,
            refusal: OnceLock::new(),
            config,
        });
        let task: Weak<ProducerInner> = Arc::downgrade(&inner);
        self.schedule().add(task);
        // It may have been closed before it knew of this producer.
        self.check_open()?;
        Ok(Producer { inner })
    }
}

impl Producer {
    /// Sends a record and waits until it is acknowledged as `acks` demands. Does not linger.
    ///
    /// Of a transactional producer it becomes part of the [`Transaction`] that is open.
    ///
    /// # Errors
    /// As [`send_async`](Self::send_async) and [`Pending::wait`].
    pub fn send(&self, record: Record) -> Result<RecordMetadata> {
        self.hand_over(&record, false)?.wait()
    }

    /// Sends a record without waiting for it: it may linger for others, so that they are appended as one batch.
    ///
    /// Blocks only while `buffer.memory` is full, for `max.block.ms` at most.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`], [`Error::BufferExhausted`], [`Error::Closed`], or
    /// [`Error::MessageTooLarge`] and [`Error::InvalidRecord`] if no batch could hold the record; of a transactional
    /// producer [`Error::InvalidTransactionTransition`] without a transaction, and as [`Transaction::send_async`]. What
    /// goes wrong later is told by the handle.
    pub fn send_async(&self, record: Record) -> Result<Pending> {
        self.hand_over(&record, !self.inner.config.linger.is_zero())
    }

    /// Appends whatever lingers, and waits until everything sent before is acknowledged. Of a transactional producer it
    /// is appended and not synced: the commit does that.
    ///
    /// # Errors
    /// The first failure among the batches that this call appended or waited for.
    pub fn flush(&self) -> Result<()> {
        self.inner.flush()
    }

    /// Refuses further records and flushes: what was sent is acknowledged, or its failure told. All clones are closed.
    /// An open [`Transaction`] is aborted instead.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), or [`Transaction::abort`].
    pub fn close(&self) -> Result<()> {
        self.inner.refuse(Error::Closed { what: "the producer" });
        match &self.inner.transactions {
            Some(transactions) => transactions.abort_if_open(|aborted| self.inner.discard(&aborted)),
            None => self.inner.flush(),
        }
    }

    fn hand_over(&self, record: &Record, may_linger: bool) -> Result<Pending> {
        self.inner.check_taking()?;
        let Some(transactions) = &self.inner.transactions else { return self.add(record, may_linger) };
        let _entered = transactions.enter()?;
        self.add(record, may_linger).map_err(|error| transactions.fail(error))
    }

    fn add(&self, record: &Record, may_linger: bool) -> Result<Pending> {
        let inner = &self.inner;
        let size = size_of_record(record);
        let accumulator = inner.accumulator_for(record, size)?;
        if let Some(transactions) = &inner.transactions {
            transactions.add_partition(accumulator.log.topic_partition())?;
        }
        inner.take_memory(size)?;
        let timestamp = record.timestamp.unwrap_or_else(|| inner.store.clock().now_ms());
        let deadline = deadline_in(inner.config.linger);
        let place = accumulator.add(record, timestamp, size, deadline, may_linger)?;
        if place.begins_to_linger {
            inner.store.schedule().wake_by(deadline);
        }
        Ok(Pending::new(inner.clone(), accumulator, place, timestamp))
    }
}

/// When `duration` has passed. One that no clock will see the end of becomes a century.
fn deadline_in(duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + duration.min(CENTURY)
}

fn size_of_record(record: &Record) -> usize {
    let len = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers: usize = record.headers.iter().map(|(key, value)| key.len() + len(value)).sum();
    RECORD_OVERHEAD_BYTES + len(&record.key) + len(&record.value) + headers
}

impl ProducerInner {
    fn check_taking(&self) -> Result<()> {
        self.refusal.get().map_or(Ok(()), |refusal| Err(refusal.clone()))
    }

    fn accumulator_for(&self, record: &Record, size: usize) -> Result<Arc<Accumulator>> {
        let topic = self.topic(&record.topic)?;
        let partitions = topic.partitions.len() as i32;
        let by_key = || self.config.partitioner.partition_for_key(record.key.as_deref(), partitions);
        let any = || topic.sticky.partition_for(size, self.config.batch_size, partitions);
        let partition = record.partition.or_else(by_key).unwrap_or_else(any);
        let found = usize::try_from(partition).ok().and_then(|index| topic.partitions.get(index));
        found.cloned().ok_or_else(|| Error::UnknownTopicOrPartition {
            topic_partition: TopicPartition::new(record.topic.clone(), partition),
        })
    }

    fn topic(&self, name: &Arc<str>) -> Result<Arc<TopicAccumulators>> {
        let partitions_added = self.store.partitions_added();
        let is_current =
            |topic: &&Arc<TopicAccumulators>| topic.partitions_added == partitions_added && !topic.is_deleted();
        if let Some(topic) = self.topics.read().get(name).filter(is_current) {
            return Ok(topic.clone());
        }
        self.forget_deleted();
        let logs = self.store.logs_of(name)?;
        let identity = self.identity()?;
        let mut topics = self.topics.write();
        // Looked at under the lock: who refuses goes through the topics after this.
        self.check_taking()?;
        // Those that are there go on with what lingers in them.
        let mut partitions = match topics.get(name) {
            // It was deleted just now: what lingers in it is told so by the next call.
            Some(topic) if topic.is_deleted() => return Ok(topic.clone()),
            Some(topic) => topic.partitions.clone(),
            None => Vec::new(),
        };
        let accumulator = |log| Arc::new(Accumulator::new(log, &self.config, &self.memory, identity.clone()));
        partitions.extend(logs.into_iter().skip(partitions.len()).map(accumulator));
        let sticky = Sticky::new(partitions.len() as i32);
        let topic = Arc::new(TopicAccumulators { partitions, sticky, partitions_added });
        topics.insert(name.clone(), topic.clone());
        Ok(topic)
    }

    /// Whose the batches are. An id is taken when it is needed first.
    fn identity(&self) -> Result<Identity> {
        if let Some(transactions) = &self.transactions {
            return Ok(Identity::Transactional(transactions.clone()));
        }
        if !self.is_idempotent {
            return Ok(Identity::Anonymous);
        }
        let mut producer = self.producer.lock();
        let known = match *producer {
            Some(known) => known,
            // Partitions that were truncated go on in later epochs, each for itself.
            None => *producer.insert(ProducerIdAndEpoch::new(self.store.new_producer_id()?, 0)),
        };
        Ok(Identity::Idempotent(known))
    }

    /// Lets go of topics that were deleted: one of the same name that comes later is another topic. What lingers for
    /// them fails now.
    fn forget_deleted(&self) {
        if !self.topics.read().values().any(|topic| topic.is_deleted()) {
            return;
        }
        let deleted: Vec<_> = self.topics.write().extract_if(|_, topic| topic.is_deleted()).collect();
        for accumulator in deleted.iter().flat_map(|(_, topic)| &topic.partitions) {
            let topic_partition = accumulator.log.topic_partition().clone();
            accumulator.refuse(Error::UnknownTopicOrPartition { topic_partition });
            accumulator.drain();
        }
    }

    fn accumulators(&self) -> Vec<Arc<Accumulator>> {
        self.topics.read().values().flat_map(|topic| topic.partitions.iter().cloned()).collect()
    }

    /// Takes no more records from now on: whatever has been accepted is there to be appended.
    fn refuse(&self, refusal: Error) {
        let refusal = self.refusal.get_or_init(|| refusal);
        self.accumulators().iter().for_each(|accumulator| accumulator.refuse(refusal.clone()));
    }

    /// Takes room for a record. If there is none, what lingers is appended now: that is what makes room.
    fn take_memory(&self, size: usize) -> Result<()> {
        if self.memory.try_take(size) {
            return Ok(());
        }
        self.memory.take(size, deadline_in(self.config.max_block), || self.drain())
    }

    fn drain(&self) {
        self.accumulators().iter().for_each(|accumulator| accumulator.drain());
    }

    fn discard(&self, reason: &Error) {
        self.accumulators().iter().for_each(|accumulator| accumulator.discard(reason));
    }

    fn flush(&self) -> Result<()> {
        // The failure of one partition keeps none of the others.
        let flushed: Vec<Result<()>> =
            self.accumulators().iter().map(|accumulator| accumulator.flush(self.config.acks)).collect();
        flushed.into_iter().collect()
    }
}

impl Task for ProducerInner {
    fn run(&self, now: Instant) -> Option<Instant> {
        self.forget_deleted();
        let accumulators = self.accumulators();
        accumulators.iter().filter_map(|accumulator| accumulator.drain_due(now)).min()
    }

    fn close(&self) {
        self.refuse(Error::Closed { what: "the store" });
        self.drain();
    }
}

impl Drop for ProducerInner {
    fn drop(&mut self) {
        // Who wants to know about failures closes the producer, or waits for the records.
        let _ = self.flush();
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
