//! Where records of one partition wait for others, to be appended as one batch.
//!
//! A batch is appended by whoever finds that it is time: the sender that fills it, the waiter whose `linger.ms` is
//! over, a flush, or the store's maintenance. Batches of a partition are built and appended under one lock, so that
//! records keep the order in which they were sent.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::config::ProducerConfig;
use super::memory::Memory;
use super::record::Record;
use super::transaction::Transactions;
use crate::error::{Error, Result};
use crate::log::{Appended, Log, SyncTarget};
use crate::record::{BatchBuilder, Header, RecordData};
use crate::types::{Acks, ProducerIdAndEpoch};

/// Whose batches they are.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// Nobody's: they carry neither an id nor sequence numbers.
    Anonymous,
    Idempotent(ProducerIdAndEpoch),
    Transactional(Arc<Transactions>),
}

impl Identity {
    fn producer(&self) -> Option<ProducerIdAndEpoch> {
        match self {
            Self::Anonymous => None,
            Self::Idempotent(producer) => Some(*producer),
            Self::Transactional(transactions) => Some(transactions.producer),
        }
    }

    /// A batch was not appended. Returns what to tell whoever sent its records.
    fn fail(&self, error: Error) -> Error {
        match self {
            Self::Transactional(transactions) => transactions.fail(error),
            _ => error,
        }
    }
}

/// The records of one partition that have not been appended yet.
#[derive(Debug)]
pub(super) struct Accumulator {
    pub(super) log: Log,
    memory: Arc<Memory>,
    /// As the producer is configured. The topic may have batches be smaller.
    batch_size: usize,
    identity: Identity,
    filling: Mutex<Filling>,
}

#[derive(Debug)]
struct Filling {
    builder: BatchBuilder,
    /// Whose the next batch is, in this partition.
    producer: Option<ProducerIdAndEpoch>,
    /// The sequence number of the next batch's first record. One that was not appended has not used it up.
    next_sequence: i32,
    /// What the senders of the records in the builder hold on to; None while it is empty.
    batch: Option<Arc<Batch>>,
    /// How much of `buffer.memory` the records take.
    reserved: usize,
    /// The end of what was appended last.
    appended_end: Option<SyncTarget>,
    /// Who is to be told what became of batches. A waker may run what it wakes, which may send another record here.
    to_wake: Vec<Waker>,
    /// Why no more records are taken: the topic or the producer is gone.
    refusal: Option<Error>,
}

/// A batch that is filling, and later what became of it.
#[derive(Debug)]
pub(super) struct Batch {
    /// When it is appended at the latest.
    deadline: Instant,
    outcome: Mutex<Outcome>,
    decided: Condvar,
}

#[derive(Debug, Default)]
struct Outcome {
    result: Option<Result<Appended>>,
    wakers: Vec<Waker>,
}

/// A record's place in its batch.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) batch: Arc<Batch>,
    /// How many records are before it.
    pub(super) index: i64,
    /// Its batch waits for more, and was begun for it: the deadline is news.
    pub(super) begins_to_linger: bool,
}

impl Accumulator {
    pub(super) fn new(log: Log, config: &ProducerConfig, memory: &Arc<Memory>, identity: Identity) -> Self {
        let batch_size = config.batch_size;
        let is_transactional = matches!(identity, Identity::Transactional(_));
        let filling = Filling {
            builder: BatchBuilder::new(batch_size)
                .compression(config.compression)
                .compression_level(config.level())
                .transactional(is_transactional),
            producer: identity.producer(),
            next_sequence: 0,
            batch: None,
            reserved: 0,
            appended_end: None,
            to_wake: Vec::new(),
            refusal: None,
        };
        let (memory, filling) = (memory.clone(), Mutex::new(filling));
        Self { log, memory, batch_size, identity, filling }
    }

    /// Adds a record for which `reserved` bytes of memory were taken. Appends the batch before it if the record no
    /// longer fits, and the record's own if that is full then, or if it may not linger.
    pub(super) fn add(
        &self,
        record: &Record,
        timestamp: i64,
        reserved: usize,
        deadline: Instant,
        may_linger: bool,
    ) -> Result<Place> {
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let data = RecordData { timestamp, key, value, headers: &headers };
        self.with_filling(|filling| self.add_to(filling, &data, reserved, deadline, may_linger))
    }

    /// Looks after what is filling, and then wakes who waited for a batch that was.
    fn with_filling<T>(&self, look_after: impl FnOnce(&mut Filling) -> T) -> T {
        let mut filling = self.filling.lock();
        let done = look_after(&mut filling);
        let to_wake = std::mem::take(&mut filling.to_wake);
        drop(filling);
        to_wake.into_iter().for_each(Waker::wake);
        done
    }

    fn add_to(
        &self,
        filling: &mut Filling,
        data: &RecordData<'_>,
        reserved: usize,
        deadline: Instant,
        may_linger: bool,
    ) -> Result<Place> {
        let batch_size = self.batch_size.min(self.log.max_message_bytes());
        filling.builder.set_size_limit(batch_size);
        if !filling.builder.has_room_for(data) {
            self.append(filling);
        }
        if let Err(error) = filling.refusal.clone().map_or_else(|| filling.builder.push(data), Err) {
            self.memory.release(reserved);
            return Err(error);
        }
        filling.reserved += reserved;
        let is_first = filling.batch.is_none();
        let batch = filling.batch.get_or_insert_with(|| Arc::new(Batch::new(deadline))).clone();
        let index = filling.builder.len() as i64 - 1;
        // Nothing lingers on memory that somebody waits for.
        let lingers = may_linger && filling.builder.size_in_bytes() < batch_size && !self.memory.has_waiters();
        if !lingers {
            self.append(filling);
        }
        Ok(Place { batch, index, begins_to_linger: is_first && lingers })
    }

    /// Answers further records with `refusal`. Those that were added before are for the caller to append.
    pub(super) fn refuse(&self, refusal: Error) {
        self.filling.lock().refusal.get_or_insert(refusal);
    }

    /// Appends what there is.
    pub(super) fn drain(&self) {
        self.with_filling(|filling| self.append(filling));
    }

    /// Appends `batch` if it is still filling.
    pub(super) fn drain_batch(&self, batch: &Arc<Batch>) {
        self.with_filling(|filling| {
            if filling.batch.as_ref().is_some_and(|filling| Arc::ptr_eq(filling, batch)) {
                self.append(filling);
            }
        });
    }

    /// Appends what has waited long enough, and tells when more will have.
    pub(super) fn drain_due(&self, now: Instant) -> Option<Instant> {
        self.with_filling(|filling| {
            let deadline = filling.batch.as_ref()?.deadline;
            if deadline > now {
                return Some(deadline);
            }
            self.append(filling);
            None
        })
    }

    /// The one place where batches go to the log. Returns what became of the batch, if there was one.
    fn append(&self, filling: &mut Filling) -> Option<Result<Appended>> {
        let batch = filling.batch.take()?;
        let records = filling.builder.len() as i32;
        let mut appended = self.append_numbered(filling);
        if let Err(Error::OutOfOrderSequenceNumber { expected, .. }) = appended {
            // The log was truncated: batches before this one are gone, and this one is not in it.
            match self.identity {
                Identity::Idempotent(_) if filling.begin_epoch() => appended = self.append_numbered(filling),
                // Its transaction can only be aborted. The next one goes on from what is there.
                Identity::Transactional(_) => filling.next_sequence = expected,
                _ => {}
            }
        }
        filling.builder.clear();
        if let Ok(appended) = &appended {
            filling.appended_end = Some(appended.sync_target());
            // It is in the log, whatever becomes of its sync. After the last sequence number comes 0.
            filling.next_sequence = filling.next_sequence.wrapping_add(records) & i32::MAX;
        }
        self.memory.release(std::mem::take(&mut filling.reserved));
        let synced = appended.and_then(|appended| self.log.sync_if_due(&appended).map(|()| appended));
        let result = synced.map_err(|error| self.identity.fail(error));
        filling.to_wake.extend(batch.decide(result.clone()));
        Some(result)
    }

    fn append_numbered(&self, filling: &mut Filling) -> Result<Appended> {
        if let Some(ProducerIdAndEpoch { producer_id, producer_epoch }) = filling.producer {
            filling.builder.set_producer(producer_id, producer_epoch, filling.next_sequence);
        }
        // Syncs are waited for by whoever waits for the record, not under this lock.
        filling.builder.build().and_then(|built| self.log.append_unsynced(built))
    }

    /// Lets go of what there is, and tells whoever sent it why.
    pub(super) fn discard(&self, reason: &Error) {
        self.with_filling(|filling| {
            if let Some(batch) = filling.batch.take() {
                filling.builder.clear();
                self.memory.release(std::mem::take(&mut filling.reserved));
                filling.to_wake.extend(batch.decide(Err(reason.clone())));
            }
        });
    }

    /// Appends what there is, and waits for the device if `acks` asks for that.
    pub(super) fn flush(&self, acks: Acks) -> Result<()> {
        let (result, end) = self.with_filling(|filling| (self.append(filling), filling.appended_end));
        result.transpose()?;
        match end {
            Some(end) if acks == Acks::All => self.log.wait_synced(end),
            _ => Ok(()),
        }
    }
}

impl Filling {
    /// Numbers batches from 0 on, in the next epoch (KIP-360): so none can be taken for one that had its number and is
    /// gone. False if there is no next one.
    fn begin_epoch(&mut self) -> bool {
        let next = self.producer.and_then(|producer| {
            Some(ProducerIdAndEpoch::new(producer.producer_id, producer.producer_epoch.checked_add(1)?))
        });
        if next.is_some() {
            (self.producer, self.next_sequence) = (next, 0);
        }
        next.is_some()
    }
}

impl Batch {
    fn new(deadline: Instant) -> Self {
        Self { deadline, outcome: Mutex::default(), decided: Condvar::new() }
    }

    /// Returns who is to be woken.
    #[must_use]
    fn decide(&self, result: Result<Appended>) -> Vec<Waker> {
        let mut outcome = self.outcome.lock();
        outcome.result = Some(result);
        self.decided.notify_all();
        std::mem::take(&mut outcome.wakers)
    }

    /// What became of it; None while it is filling.
    pub(super) fn result(&self) -> Option<Result<Appended>> {
        self.outcome.lock().result.clone()
    }

    /// Waits until it is appended, or its deadline has passed.
    pub(super) fn wait_until_deadline(&self) -> Option<Result<Appended>> {
        let mut outcome = self.outcome.lock();
        while outcome.result.is_none() && !self.decided.wait_until(&mut outcome, self.deadline).timed_out() {}
        outcome.result.clone()
    }

    /// What became of it; while it is filling, `waker` is woken once that is known.
    pub(super) fn poll_result(&self, waker: &Waker) -> Option<Result<Appended>> {
        let mut outcome = self.outcome.lock();
        if outcome.result.is_none() && !outcome.wakers.iter().any(|known| known.will_wake(waker)) {
            outcome.wakers.push(waker.clone());
        }
        outcome.result.clone()
    }
}
