//! Driving the coordinator's decisions: each is written down before it counts, and then told to the partitions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::metadata::{Ending, Init, TransactionMetadata, TransactionVersion, unmapped};
use super::record::{encode_key, encode_value};
use super::{Entry, TRANSACTION_STATE, Turn};
use crate::error::{Error, Result};
use crate::log::{Appended, Log};
use crate::record::{BatchBuilder, EndTransactionMarker, RecordData, TransactionResult};
use crate::store::offset_record::partition_for_group;
use crate::store::offsets::check_group_id;
use crate::store::topic_list::TopicList;
use crate::store::{Store, StoreInner, Topic, in_parallel};
use crate::types::{Acks, ProducerIdAndEpoch, TopicPartition, TransactionState};

/// How large a batch of records of `__transaction_state` may get.
pub(super) const BATCH_BYTES: usize = 1 << 20;

impl Store {
    /// Makes the caller the producer of a transactional id, and fences whoever was that before: a transaction that it
    /// left open is aborted first. To be called once before the first transaction. `timeout` is how long a transaction
    /// may stay open before the maintenance aborts it.
    ///
    /// This and the calls after it are for those who build a producer or a broker. A transaction is: batches with the
    /// producer's id and epoch and the transactional bit, each appended after its partition was
    /// [added](Self::add_partitions_to_transaction), and then the [end](Self::end_transaction).
    ///
    /// ```
    /// use std::time::Duration;
    /// use esker::record::{BatchBuilder, RecordData, TransactionResult};
    /// use esker::{Acks, IsolationLevel, ReadLimits, Store, TopicConfig};
    ///
    /// let store = Store::temporary()?;
    /// store.create_topic("payments", TopicConfig::new())?;
    /// let producer = store.init_transactional_id("billing-1", Duration::from_secs(60))?;
    ///
    /// store.add_partitions_to_transaction("billing-1", producer, [("payments", 0)])?;
    /// let mut batch = BatchBuilder::new(1000)
    ///     .producer(producer.producer_id, producer.producer_epoch, 0)
    ///     .transactional(true);
    /// batch.push(&RecordData::new(None, Some(b"9.99 EUR")))?;
    /// let log = store.partition("payments", 0)?;
    /// log.append(batch.build()?, Acks::Leader)?;
    /// assert_eq!(log.last_stable_offset(), 0);
    ///
    /// store.end_transaction("billing-1", producer, TransactionResult::Commit)?;
    /// assert_eq!(log.last_stable_offset(), 2); // the record, and the marker after it
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidTransactionalId`] and [`Error::InvalidTransactionTimeout`] (`transaction.max.timeout.ms`);
    /// [`Error::ConcurrentTransactions`] if the last transaction can't be completed now; what an append to
    /// `__transaction_state` and its creation can bring: nobody is fenced then, or it is done again by another try.
    pub fn init_transactional_id(&self, transactional_id: &str, timeout: Duration) -> Result<ProducerIdAndEpoch> {
        self.inner.init_transactional_id(transactional_id, timeout)
    }

    /// Lets partitions take part in the producer's transaction, which begins with the first. On return that survives
    /// the loss of power; only then may records of the transaction be appended to them.
    ///
    /// # Errors
    /// [`Error::ProducerFenced`] if another producer has the transactional id, or the transaction took too long;
    /// [`Error::InvalidProducerIdMapping`] if the id is not known, or never was this producer's;
    /// [`Error::UnknownTopicOrPartition`] before anything is added; [`Error::ConcurrentTransactions`] if the last
    /// transaction can't be completed now; otherwise as [`Log::append`].
    pub fn add_partitions_to_transaction<P: Into<TopicPartition>>(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partitions: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        self.inner.add_partitions_to_transaction(transactional_id, producer, partitions.into_iter().map(P::into))
    }

    /// Lets the committed offsets of a group take part in the producer's transaction: the partition of
    /// `__consumer_offsets` that they are in.
    ///
    /// # Errors
    /// [`Error::InvalidGroupId`]; otherwise as [`add_partitions_to_transaction`](Self::add_partitions_to_transaction).
    pub fn add_offsets_to_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        group: &str,
    ) -> Result<()> {
        self.inner.add_offsets_to_transaction(transactional_id, producer, group)
    }

    /// Ends the producer's transaction: all of its records count, or none of them does.
    ///
    /// On return that is decided, and survives the loss of power, the records included, by whatever acks they were
    /// appended. Readers have been told in all partitions, if that was possible: where a marker could not be appended,
    /// [`take_maintenance_error`](Self::take_maintenance_error) says why, and the maintenance goes on trying. To end a
    /// transaction again in the same way does no harm.
    ///
    /// # Errors
    /// [`Error::ProducerFenced`] and [`Error::InvalidProducerIdMapping`] as
    /// [`add_partitions_to_transaction`](Self::add_partitions_to_transaction);
    /// [`Error::InvalidTransactionTransition`] if there is no transaction, or it ended the other way;
    /// [`Error::LogOffline`] if a sync of the records failed, and nothing is decided, or of the decision, and what
    /// the next open finds counts; otherwise as [`Log::append`], with the transaction open as before.
    pub fn end_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        result: TransactionResult,
    ) -> Result<()> {
        self.inner.end_transaction(transactional_id, producer, result)
    }
}

impl StoreInner {
    pub(crate) fn init_transactional_id(
        &self,
        transactional_id: &str,
        timeout: Duration,
    ) -> Result<ProducerIdAndEpoch> {
        self.init_producer(transactional_id, timeout, None)
    }

    /// As [`init_transactional_id`](Self::init_transactional_id), for a producer that goes on after an error and may
    /// have been fenced meanwhile: it was `expected` (KIP-360).
    pub(crate) fn init_producer(
        &self,
        transactional_id: &str,
        timeout: Duration,
        expected: Option<ProducerIdAndEpoch>,
    ) -> Result<ProducerIdAndEpoch> {
        self.check_writable()?;
        if transactional_id.is_empty() || transactional_id.len() > i16::MAX as usize {
            return Err(Error::InvalidTransactionalId { transactional_id: transactional_id.to_owned() });
        }
        let (timeout_ms, max_ms) = (timeout.as_millis(), self.config.transaction_max_timeout_ms);
        let invalid = || Error::InvalidTransactionTimeout { timeout_ms, max_ms };
        let timeout_ms = i32::try_from(timeout_ms).ok().filter(|ms| (1..=max_ms).contains(ms)).ok_or_else(invalid)?;
        // Before anybody's turn: it takes a lock that the maintenance may hold.
        self.transaction_topic()?;
        let id: Arc<str> = transactional_id.into();
        self.in_turn(&id, true, |entry, turn| {
            loop {
                self.finish(&id, entry, turn)?;
                let current = entry.current();
                let now_ms = self.clock.now_ms();
                match TransactionMetadata::init(&id, current.as_deref(), timeout_ms, expected, now_ms, || {
                    self.new_producer_id()
                })? {
                    Init::Own(next) => {
                        let producer = next.producer;
                        self.write_down(entry, next, Acks::All)?;
                        return Ok(producer);
                    }
                    Init::AbortFirst(next) => self.write_down(entry, next, Acks::All)?,
                }
            }
        })
    }

    pub(crate) fn add_partitions_to_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<()> {
        self.check_writable()?;
        let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
        for partition in &partitions {
            self.partition(&partition.topic, partition.partition)?;
        }
        let id: Arc<str> = transactional_id.into();
        self.in_turn(&id, false, |entry, turn| self.take_in(&id, entry, turn, producer, partitions))
            .map_err(|error| name_producer(error, producer))
    }

    pub(super) fn take_in(
        &self,
        id: &Arc<str>,
        entry: &Entry,
        turn: &mut Turn,
        producer: ProducerIdAndEpoch,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<()> {
        self.finish(id, entry, turn)?;
        let current = entry.current().ok_or_else(|| unmapped(id, producer))?;
        match current.add_partitions(producer, partitions, self.clock.now_ms())? {
            Some(next) => self.write_down(entry, next, Acks::All),
            None => Ok(()),
        }
    }

    pub(crate) fn add_offsets_to_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        group: &str,
    ) -> Result<()> {
        self.check_writable()?;
        check_group_id(group)?;
        let log = self.offsets_log(group)?;
        self.add_partitions_to_transaction(transactional_id, producer, [log.topic_partition().clone()])
    }

    pub(crate) fn end_transaction(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        result: TransactionResult,
    ) -> Result<()> {
        self.end_transaction_of(transactional_id, producer, result, TransactionVersion::V0).map(drop)
    }

    /// As [`end_transaction`](Self::end_transaction), by a client of any version. Returns who the producer is from now
    /// on.
    pub(crate) fn end_transaction_of(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        result: TransactionResult,
        version: TransactionVersion,
    ) -> Result<ProducerIdAndEpoch> {
        self.check_writable()?;
        let id: Arc<str> = transactional_id.into();
        self.in_turn(&id, false, |entry, turn| {
            self.finish(&id, entry, turn)?;
            let current = entry.current().ok_or_else(|| unmapped(&id, producer))?;
            let now_ms = self.clock.now_ms();
            let Some(next) = current.end(producer, result, version, now_ms, || self.new_producer_id())? else {
                return Ok(current.next_producer());
            };
            if result == TransactionResult::Commit && self.config.syncs_records() {
                self.sync_records(&current)?;
            }
            let producer = next.next_producer();
            self.write_down(entry, next, if self.config.syncs_decisions() { Acks::All } else { Acks::Leader })?;
            // It is decided. What is left to do is done again and again until it succeeds.
            if let Err(failure) = self.finish(&id, entry, turn) {
                self.schedule.note_failure(failure);
            }
            Ok(producer)
        })
        .map_err(|error| name_producer(error, producer))
    }

    /// Does something with a transactional id while nobody else does. One that is not known is an error, unless it is
    /// to be created.
    pub(super) fn in_turn<T>(
        &self,
        id: &Arc<str>,
        creates: bool,
        run: impl FnOnce(&Arc<Entry>, &mut Turn) -> Result<T>,
    ) -> Result<T> {
        let not_found = || Error::TransactionalIdNotFound { transactional_id: id.to_string() };
        loop {
            let entry = match creates {
                true => self
                    .transactions
                    .entries
                    .lock()
                    .entry(id.clone())
                    .or_insert_with(|| Entry::new(None).into())
                    .clone(),
                false => self.transactions.entry(id).ok_or_else(not_found)?,
            };
            let mut turn = entry.turn.lock();
            // It may have expired meanwhile.
            if !self.transactions.is_entry(id, &entry) {
                continue;
            }
            let done = run(&entry, &mut turn);
            if entry.current().is_none() {
                self.transactions.entries.lock().remove(id);
            }
            return done;
        }
    }

    /// Writes down what is known of an id from now on.
    pub(super) fn write_down(&self, entry: &Entry, next: TransactionMetadata, acks: Acks) -> Result<()> {
        let log = self.transaction_log(&next.transactional_id)?;
        let (key, value) = (encode_key(&next.transactional_id), encode_value(&next));
        let mut builder = BatchBuilder::new(BATCH_BYTES);
        builder.push(&RecordData::new(Some(&key), Some(&value)).at(next.last_update_timestamp.max(0)))?;
        let batch = builder.build()?;
        let append = || log.append(batch, acks);
        // What is held back for a full disk is there to end transactions, not to begin them.
        match next.state {
            TransactionState::Empty | TransactionState::Ongoing => append()?,
            _ => self.reserve.run(append)?,
        };
        if next.ending().is_some() {
            self.transactions.unfinished.lock().insert(next.transactional_id.clone());
        }
        *entry.current.lock() = Some(Arc::new(next));
        Ok(())
    }

    /// Completes a transaction that is decided: tells its partitions, and writes down that they know. Does nothing if
    /// there is nothing to complete.
    ///
    /// # Errors
    /// The first reason why a partition could not be told; the others have been.
    pub(super) fn finish(&self, id: &Arc<str>, entry: &Entry, turn: &mut Turn) -> Result<()> {
        let Some(current) = entry.current() else { return Ok(()) };
        let Some(ending) = current.ending() else { return Ok(()) };
        let unmarked = turn.unmarked.get_or_insert_with(|| current.partitions.clone());
        self.mark(unmarked, ending, self.transaction_log(id)?.leader_epoch())?;
        // It need not be on the device: the markers are, and to append them again does no harm.
        self.write_down(entry, current.complete(self.clock.now_ms()), Acks::Leader)?;
        turn.unmarked = None;
        self.transactions.unfinished.lock().remove(id);
        Ok(())
    }

    /// Tells partitions how the transaction ended, for good. Leaves those in the set that could not be told.
    fn mark(&self, unmarked: &mut BTreeSet<TopicPartition>, ending: Ending, coordinator_epoch: i32) -> Result<()> {
        let (mut appended, mut failure) = (Vec::new(), None);
        unmarked.retain(|partition| {
            // Nobody reads the records of a topic that was deleted any more.
            let Ok(log) = self.partition(&partition.topic, partition.partition) else { return false };
            match self.append_marker(&log, ending, coordinator_epoch) {
                Ok(marker) => appended.push((log, marker)),
                Err(_) if self.is_gone(&log) => return false,
                Err(error) => drop(failure.get_or_insert(error)),
            }
            true
        });
        // All markers are in their logs before the first sync: readers need not wait for that.
        let unmarked = Mutex::new(unmarked);
        let synced = in_parallel::for_each(&appended, |(log, marker)| {
            if let Some(marker) = marker.as_ref().filter(|_| self.config.syncs_markers()) {
                log.wait_synced(marker.sync_target())?;
            }
            unmarked.lock().remove(log.topic_partition());
            Ok(())
        });
        failure.map_or(synced, Err)
    }

    /// Tells a partition how the transaction ended. None if it knows of a later epoch of the producer, whose
    /// transaction that is not.
    pub(super) fn append_marker(&self, log: &Log, ending: Ending, coordinator_epoch: i32) -> Result<Option<Appended>> {
        let append = |coordinator_epoch| {
            let marker = EndTransactionMarker { result: ending.result, coordinator_epoch };
            self.reserve.run(|| log.append_end_transaction_marker(ending.producer, marker, Acks::Leader))
        };
        match append(coordinator_epoch) {
            // Here is no other coordinator: a broker had this directory before.
            Err(Error::TransactionCoordinatorFenced { current, .. }) => append(current).map(Some),
            Err(fenced @ Error::InvalidProducerEpoch { .. }) => {
                self.schedule.note_failure(fenced);
                Ok(None)
            }
            appended => appended.map(Some),
        }
    }

    /// Makes the records of a transaction durable.
    fn sync_records(&self, transaction: &TransactionMetadata) -> Result<()> {
        // Of a topic that was deleted there is nothing to keep.
        let log = |partition: &TopicPartition| self.partition(&partition.topic, partition.partition).ok();
        let logs: Vec<Log> = transaction.partitions.iter().filter_map(log).collect();
        in_parallel::for_each(&logs, |log| {
            log.wait_appended().or_else(|error| if self.is_gone(log) { Ok(()) } else { Err(error) })
        })
    }

    /// Whether a partition is deleted for good, if only as far as the deletion got before it failed. While that is not
    /// written down, the next open may find the partition whole, and then it must be told how the transaction ended.
    fn is_gone(&self, log: &Log) -> bool {
        let is_written_down = |list: TopicList| list.is_deleting(&log.topic_partition().topic);
        log.is_deleted() && TopicList::read(&self.layout).is_ok_and(is_written_down)
    }

    /// The topic `__transaction_state`, which the first transactional id creates.
    pub(in crate::store) fn transaction_topic(&self) -> Result<Arc<Topic>> {
        self.internal_topic(TRANSACTION_STATE, self.config.transaction_state_log_num_partitions)
    }

    /// The partition of `__transaction_state` that has an id's records.
    pub(super) fn transaction_log(&self, transactional_id: &str) -> Result<Log> {
        let topic = self.topic(TRANSACTION_STATE)?;
        // Kafka's choice is the one that it makes for groups.
        Ok(topic.partitions[partition_for_group(transactional_id, topic.partitions.len())].clone())
    }
}

/// Who asks about an id that nobody knows is not its producer.
pub(super) fn name_producer(error: Error, producer: ProducerIdAndEpoch) -> Error {
    match error {
        Error::TransactionalIdNotFound { transactional_id } => unmapped(&transactional_id, producer),
        other => other,
    }
}
