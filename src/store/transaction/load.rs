//! What the records of `__transaction_state` add up to, read from its start, and what of it can't be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::metadata::TransactionMetadata;
use super::record::{decode_key, decode_value};
use super::{Entry, Transactions};
use crate::error::Result;
use crate::log::{Damage, Log};
use crate::record::RecordView;
use crate::store::offset_record::partition_for_group;
use crate::store::record_fields::invalid;
use crate::store::replay::replay;

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
    let read = |(index, log): (usize, &Log)| {
        let mut next_offset = log.log_start();
        replay(log, &mut next_offset, |batch, record| match batch.attributes.is_control() {
            true => Ok(()),
            false => take_in(&mut by_id, record, |id| partition_for_group(id, partitions.len()) == index),
        })
    };
    let damage = partitions.iter().enumerate().map(read).collect::<Result<_>>()?;
    Ok((by_id, damage))
}

fn take_in(by_id: &mut ById, record: &RecordView<'_>, belongs_here: impl Fn(&str) -> bool) -> Result<()> {
    let key = record.key.ok_or_else(|| invalid("a record without a key"))?;
    let Some(id) = decode_key(key)? else { return Ok(()) };
    // Whoever asks for the id looks in its own partition, and writes there: this would come back at each open.
    if !belongs_here(&id) {
        return Err(invalid("a transactional id that belongs in another partition"));
    }
    match record.value {
        Some(value) => drop(by_id.insert(id.clone(), decode_value(&id, value)?)),
        None => drop(by_id.remove(&id)),
    }
    Ok(())
}
