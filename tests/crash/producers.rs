//! The producers with an id that send to a partition: what they have sent, what they send again after a crash, and
//! which of their transactions are open, committed or aborted.
//!
//! The first two are idempotent, the others transactional. After an open each sends its last batch that is in the log
//! once more, which must be told for a duplicate, and then those that a crash took, in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use esker::record::{BatchBuilder, TransactionResult};
use esker::{AutoOffsetReset, ConsumerConfig, IsolationLevel, Log, Offset, ProducerId, ReadLimits, Store};

use crate::common::Sent;

/// How many there are for each partition.
pub const PRODUCERS: usize = 4;
const IDEMPOTENT: usize = 2;

/// What a producer has sent at once.
#[derive(Clone, Debug)]
pub struct Batch {
    pub epoch: i16,
    pub sequence: i32,
    /// Where it is in the log, or would be; None if it has to be sent.
    pub offset: Option<Offset>,
    pub records: Vec<Sent>,
}

#[derive(Clone, Debug, Default)]
struct Producer {
    epoch: i16,
    /// In the order of offsets.
    sent: Vec<Batch>,
    /// Those that are to be sent again, oldest first.
    lost: Vec<Batch>,
    /// It has not sent anything since the open.
    is_new: bool,
}

/// All of a partition's.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    producers: [Producer; PRODUCERS],
    /// The markers, by their offset.
    ends: BTreeMap<Offset, (usize, TransactionResult)>,
}

/// What became of a transaction: who, its first offset, and its marker if it has one.
type Transaction = (usize, Offset, Option<(Offset, TransactionResult)>);

impl Producers {
    pub fn id(producer: usize) -> ProducerId {
        500 + producer as ProducerId
    }

    pub fn builder(producer: usize, batch: &Batch) -> BatchBuilder {
        let builder = BatchBuilder::new(1 << 20).producer(Self::id(producer), batch.epoch, batch.sequence);
        builder.transactional(producer >= IDEMPOTENT)
    }

    pub fn epoch(&self, producer: usize) -> i16 {
        self.producers[producer].epoch
    }

    pub fn who_have_sent(&self) -> Vec<usize> {
        (0..PRODUCERS).filter(|index| !self.producers[*index].sent.is_empty()).collect()
    }

    /// What a producer sends first after an open: its last batch, which must be there, and those that are not. Where
    /// that one's records were deleted, the log may know of the producer or not: it begins a new epoch.
    pub fn reconnect(&mut self, producer: usize, log_start: Offset) -> Vec<Batch> {
        let producer = &mut self.producers[producer];
        let last = producer.sent.last().filter(|_| mem::take(&mut producer.is_new)).cloned();
        if last.as_ref().is_some_and(|last| last.offset < Some(log_start)) {
            producer.epoch += 1;
            let mut sequence = 0;
            for lost in &mut producer.lost {
                (lost.epoch, lost.sequence) = (producer.epoch, sequence);
                sequence += lost.records.len() as i32;
            }
        }
        let known = last.filter(|last| last.epoch == producer.epoch);
        known.into_iter().chain(producer.lost.iter().cloned()).collect()
    }

    pub fn next_batch(&self, producer: usize, records: Vec<Sent>) -> Batch {
        let epoch = self.epoch(producer);
        let last = self.producers[producer].sent.last().filter(|last| last.epoch == epoch);
        let sequence = last.map_or(0, |last| last.sequence + last.records.len() as i32);
        Batch { epoch, sequence, offset: None, records }
    }

    /// Notes a batch that was sent, whether or not that returned.
    pub fn sent(&mut self, producer: usize, batch: Batch) {
        let producer = &mut self.producers[producer];
        producer.lost.retain(|lost| (lost.epoch, lost.sequence) != (batch.epoch, batch.sequence));
        producer.sent.push(batch);
    }

    pub fn ended(&mut self, producer: usize, result: TransactionResult, offset: Offset) {
        self.ends.insert(offset, (producer, result));
    }

    /// The transactions in the order in which they began.
    fn transactions(&self) -> Vec<Transaction> {
        let mut transactions = Vec::new();
        for (index, producer) in self.producers.iter().enumerate().skip(IDEMPOTENT) {
            let mut after = -1;
            while let Some(first) = producer.sent.iter().filter_map(|batch| batch.offset).find(|first| *first > after) {
                let mut ends = self.ends.range(first..).filter(|(_, (who, _))| *who == index);
                let end = ends.next().map(|(offset, (_, result))| (*offset, *result));
                transactions.push((index, first, end));
                after = end.map_or(Offset::MAX, |(offset, _)| offset);
            }
        }
        transactions.sort_unstable_by_key(|(_, first, _)| *first);
        transactions
    }

    /// The log ends at `end`, because of a crash or a truncation: whoever sent what lay beyond it sends that again.
    pub fn cut(&mut self, end: Offset) {
        self.ends.split_off(&end);
        for producer in &mut self.producers {
            let first_lost = producer.sent.partition_point(|batch| batch.offset < Some(end));
            let lost = producer.sent.split_off(first_lost).into_iter().map(|batch| Batch { offset: None, ..batch });
            producer.lost.splice(0..0, lost);
            producer.is_new = true;
        }
    }

    /// What became of the records of a log from `log_start` to `end`.
    pub fn fates(&self, log_start: Offset, end: Offset) -> Fates {
        let transactions = self.transactions();
        let open = transactions.iter().find(|(_, _, marker)| marker.is_none());
        let last_stable = open.map_or(end, |(_, first, _)| *first);
        let mut senders = BTreeMap::new();
        for (index, producer) in self.producers.iter().enumerate().skip(IDEMPOTENT) {
            for (batch, offset) in producer.sent.iter().filter_map(|batch| Some((batch, batch.offset?))) {
                senders.extend((offset..offset + batch.records.len() as Offset).map(|offset| (offset, index)));
            }
        }
        let markers = self.ends.keys().copied().collect();
        Fates { transactions, senders, markers, last_stable, log_start }
    }

    /// Compares what an open found, up to the end of the log, with what must be there. `found` are the offsets of all
    /// records that can be read.
    pub fn check(&self, store: &Store, log: &Log, found: &[Offset], is_compacted: bool) -> Result<(), String> {
        let fates = self.fates(log.log_start(), log.log_end());
        // Of transactions whose beginning is deleted it is for the store to know or not.
        if log.log_start() > 0 {
            return Ok(());
        }
        let last_stable = fates.last_stable;
        if log.last_stable_offset() != last_stable {
            return Err(format!("the last stable offset is {}, not {last_stable}", log.last_stable_offset()));
        }
        let expected: Vec<Offset> = found.iter().copied().filter(|offset| fates.counts(*offset)).collect();
        let committed = committed(store, log).map_err(|error| format!("reading what is committed: {error}"))?;
        if committed != expected {
            return Err(format!("{committed:?} are committed, it seems, and {expected:?} are"));
        }
        // Where nothing of it is left, nobody need know that a transaction was aborted.
        if is_compacted {
            return Ok(());
        }
        let limits = ReadLimits::new().isolation_level(IsolationLevel::ReadCommitted).max_bytes(usize::MAX >> 1);
        for (index, first, marker) in &fates.transactions {
            let Some((last, result)) = marker else { continue };
            if *last >= last_stable {
                continue;
            }
            let fetched = log.read(*first, limits).map_err(|error| error.to_string())?;
            let is_it = fetched.aborted_transactions().iter().any(|aborted| {
                (aborted.producer_id, aborted.first_offset, aborted.last_offset) == (Self::id(*index), *first, *last)
            });
            if is_it != (*result == TransactionResult::Abort) {
                return Err(format!("the transaction from {first} to {last} is aborted: {is_it}"));
            }
        }
        Ok(())
    }
}

/// What became of the records of a log.
pub struct Fates {
    transactions: Vec<Transaction>,
    /// The producers of those that were sent in transactions.
    senders: BTreeMap<Offset, usize>,
    markers: BTreeSet<Offset>,
    last_stable: Offset,
    log_start: Offset,
}

impl Fates {
    pub fn is_marker(&self, offset: Offset) -> bool {
        self.markers.contains(&offset)
    }

    /// It was sent in a transaction that was aborted.
    pub fn is_void(&self, offset: Offset) -> bool {
        let sender = self.senders.get(&offset);
        self.transactions.iter().any(|(index, first, marker)| match marker {
            Some((last, TransactionResult::Abort)) => Some(index) == sender && (*first..*last).contains(&offset),
            _ => false,
        })
    }

    /// It is a record that is decided to be there.
    pub fn counts(&self, offset: Offset) -> bool {
        offset < self.last_stable && !self.is_marker(offset) && !self.is_void(offset)
    }

    /// Of transactions whose beginning is deleted it is for the store to know or not.
    pub fn is_sure(&self, offset: Offset) -> bool {
        self.log_start == 0 || !self.senders.contains_key(&offset)
    }

    /// It may have been compacted if a later one has its key: nothing before it is undecided.
    pub fn is_stable(&self, offset: Offset) -> bool {
        offset < self.last_stable
    }
}

/// The offsets of all records that a consumer of committed ones gets.
fn committed(store: &Store, log: &Log) -> esker::Result<Vec<Offset>> {
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted).max_partition_fetch_bytes(500);
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest))?;
    let partition = log.topic_partition().clone();
    consumer.assign([partition.clone()])?;
    let mut offsets = Vec::new();
    while consumer.position(partition.clone())? < log.last_stable_offset() {
        offsets.extend(consumer.poll(Duration::ZERO)?.iter().map(|record| record.offset));
    }
    Ok(offsets)
}
