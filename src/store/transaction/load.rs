//! Reading `__transaction_state` from its start, as Kafka's transaction coordinator does: what its records add up to,
//! and what of it can't be read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::metadata::TransactionMetadata;
use super::record::{decode_key, decode_value};
use super::{Entry, Transactions};
use crate::error::{Error, Result};
use crate::log::{Damage, Log, ReadLimits};
use crate::record::{BatchView, RecordView};
use crate::types::Offset;

type ById = BTreeMap<Arc<str>, TransactionMetadata>;

impl Transactions {
    /// What is known after all partitions of `__transaction_state`, with what can't be read of each: of an id whose
    /// record is lost, the one before it counts. What a process that died has left in the cache alone is made durable
    /// first, for others are told of it: a marker must not outlive the decision.
    pub(in crate::store) fn load(partitions: &[Log]) -> Result<(Self, Vec<Vec<Damage>>)> {
        partitions.iter().try_for_each(Log::wait_appended)?;
        let mut by_id = ById::new();
        let damage = partitions.iter().map(|log| load(&mut by_id, log)).collect::<Result<_>>()?;
        let is_unfinished = |(id, metadata): (&Arc<str>, &TransactionMetadata)| metadata.ending().map(|_| id.clone());
        let unfinished: BTreeSet<_> = by_id.iter().filter_map(is_unfinished).collect();
        let entry = |(id, metadata)| (id, Arc::new(Entry::new(Some(metadata))));
        let entries: BTreeMap<_, _> = by_id.into_iter().map(entry).collect();
        Ok((Self { entries: Mutex::new(entries), unfinished: Mutex::new(unfinished) }, damage))
    }
}

fn load(by_id: &mut ById, log: &Log) -> Result<Vec<Damage>> {
    let (mut offset, mut damage) = (log.log_start(), Vec::new());
    while offset < log.log_end() {
        match log.read(offset, ReadLimits::new()) {
            Ok(fetched) => {
                for batch in fetched.batches() {
                    if let Err(error) = batch.and_then(|batch| take_in(by_id, log, &batch, &mut damage)) {
                        damage.push(Damage { error });
                    }
                }
                offset = fetched.next_offset();
            }
            Err(error) => {
                let Error::CorruptRecord { offsets: Some(lost), .. } = &error else { return Err(error) };
                offset = lost.end() + 1;
                damage.push(Damage { error });
            }
        }
    }
    Ok(damage)
}

fn take_in(by_id: &mut ById, log: &Log, batch: &BatchView, damage: &mut Vec<Damage>) -> Result<()> {
    let header = batch.header();
    if header.attributes.is_control() {
        return Ok(());
    }
    let located = |error: Error| error.with_offsets(header.base_offset..=header.last_offset());
    for record in &batch.records().map_err(located)? {
        let record = record.map_err(located)?;
        if let Err(error) = take_in_record(by_id, &record) {
            damage.push(Damage { error: placed(error, log, record.offset) });
        }
    }
    Ok(())
}

fn take_in_record(by_id: &mut ById, record: &RecordView<'_>) -> Result<()> {
    let no_key = || Error::InvalidRecord { reason: "a record without a key".to_owned() };
    let Some(id) = decode_key(record.key.ok_or_else(no_key)?)? else { return Ok(()) };
    match record.value {
        Some(value) => drop(by_id.insert(id.clone(), decode_value(&id, value)?)),
        None => drop(by_id.remove(&id)),
    }
    Ok(())
}

/// Says where a record is that can be read, but not understood.
fn placed(error: Error, log: &Log, offset: Offset) -> Error {
    match error {
        Error::InvalidRecord { reason } => {
            Error::InvalidRecord { reason: format!("{reason}, at offset {offset} of {}", log.topic_partition()) }
        }
        other => other,
    }
}
