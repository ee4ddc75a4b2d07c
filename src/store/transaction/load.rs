//! Reading `__transaction_state` from its start, as Kafka's transaction coordinator does: what its records add up to,
//! and what of it can't be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::metadata::TransactionMetadata;
use super::record::{decode_key, decode_value, invalid};
use super::{Entry, Transactions};
use crate::error::{Error, Result};
use crate::log::{Damage, Log, ReadLimits};
use crate::record::{BatchView, RecordView};
use crate::store::offset_record::partition_for_group;
use crate::types::Offset;

pub(super) type ById = BTreeMap<Arc<str>, TransactionMetadata>;

impl Transactions {
    /// What is known after all partitions of `__transaction_state`, with what can't be read of each: of an id whose
    /// record is lost, the one before it counts. What a process that died has left in the cache alone is made durable
    /// first, for others are told of it: a marker must not outlive the decision.
    pub(in crate::store) fn load(partitions: &[Log]) -> Result<(Self, Vec<Vec<Damage>>)> {
        partitions.iter().try_for_each(Log::wait_appended)?;
        let (by_id, damage) = read(partitions)?;
        let is_unfinished = |(id, metadata): (&Arc<str>, &TransactionMetadata)| metadata.ending().map(|_| id.clone());
        let unfinished: BTreeSet<_> = by_id.iter().filter_map(is_unfinished).collect();
        let entry = |(id, metadata)| (id, Arc::new(Entry::new(Some(metadata))));
        let entries: BTreeMap<_, _> = by_id.into_iter().map(entry).collect();
        Ok((Self { entries: Mutex::new(entries), unfinished: Mutex::new(unfinished) }, damage))
    }
}

/// What the records add up to, and what of each partition can't be read.
pub(super) fn read(partitions: &[Log]) -> Result<(ById, Vec<Vec<Damage>>)> {
    let mut by_id = ById::new();
    let read = |(index, log)| {
        let partition = Partition { log, index, count: partitions.len(), by_id: &mut by_id, damage: Vec::new() };
        partition.read()
    };
    let damage = partitions.iter().enumerate().map(read).collect::<Result<_>>()?;
    Ok((by_id, damage))
}

/// A partition that is being read.
struct Partition<'a> {
    log: &'a Log,
    index: usize,
    /// How many partitions there are.
    count: usize,
    by_id: &'a mut ById,
    damage: Vec<Damage>,
}

impl Partition<'_> {
    fn read(mut self) -> Result<Vec<Damage>> {
        let mut offset = self.log.log_start();
        while offset < self.log.log_end() {
            match self.log.read(offset, ReadLimits::new()) {
                Ok(fetched) => {
                    for batch in fetched.batches() {
                        if let Err(error) = batch.and_then(|batch| self.take_in(&batch)) {
                            self.note(error);
                        }
                    }
                    offset = fetched.next_offset();
                }
                Err(error) => {
                    let Error::CorruptRecord { offsets: Some(lost), .. } = &error else { return Err(error) };
                    offset = lost.end() + 1;
                    self.note(error);
                }
            }
        }
        Ok(self.damage)
    }

    fn note(&mut self, error: Error) {
        self.damage.push(Damage { error });
    }

    fn take_in(&mut self, batch: &BatchView) -> Result<()> {
        let header = batch.header();
        if header.attributes.is_control() {
            return Ok(());
        }
        let located = |error: Error| error.with_offsets(header.base_offset..=header.last_offset());
        for record in &batch.records().map_err(located)? {
            let record = record.map_err(located)?;
            if let Err(error) = self.take_in_record(&record) {
                // The records after it have nothing to do with it.
                self.note(self.placed(error, record.offset));
            }
        }
        Ok(())
    }

    fn take_in_record(&mut self, record: &RecordView<'_>) -> Result<()> {
        let key = record.key.ok_or_else(|| invalid("a record without a key"))?;
        let Some(id) = decode_key(key)? else { return Ok(()) };
        // Whoever asks for the id looks in its own partition, and writes there: this would come back at each open.
        if partition_for_group(&id, self.count) != self.index {
            return Err(invalid("a transactional id that belongs in another partition"));
        }
        match record.value {
            Some(value) => drop(self.by_id.insert(id.clone(), decode_value(&id, value)?)),
            None => drop(self.by_id.remove(&id)),
        }
        Ok(())
    }

    /// Says where a record is that can be read, but not understood.
    fn placed(&self, error: Error, offset: Offset) -> Error {
        match error {
            Error::InvalidRecord { reason } => {
                invalid(&format!("{reason}, at offset {offset} of {}", self.log.topic_partition()))
            }
            other => other,
        }
    }
}
