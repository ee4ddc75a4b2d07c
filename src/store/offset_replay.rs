//! Reading a partition of `__consumer_offsets` from its start, as Kafka's group coordinator does: what its records add
//! up to, and what of it can't be read.

use std::collections::HashMap;

use super::offset_record::OffsetKey;
use super::offsets::{ByGroup, CommittedOffset, apply};
use crate::error::{Error, Result};
use crate::log::{Damage, Log, ReadLimits};
use crate::record::{BatchView, EndTransactionMarker, RecordView, TransactionResult};
use crate::types::{Offset, ProducerId};

/// What a transaction has changed so far, by what was changed, with the offset of the record that did it.
type Pending = HashMap<OffsetKey, (Offset, Option<CommittedOffset>)>;

/// How far a partition has been taken in, and what of it is undecided.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    next_offset: Offset,
    /// What counts once its transaction is committed, by producer.
    pending: HashMap<ProducerId, Pending>,
}

impl Replayed {
    /// Whether the log has become shorter than what was taken in.
    pub(super) fn is_ahead_of(&self, log: &Log) -> bool {
        self.next_offset > log.log_end()
    }
}

/// Takes in the records of `log` from where that was left off. What can't be read is passed over and returned: a group
/// whose commit is lost goes on at the one before.
pub(super) fn replay(by_group: &mut ByGroup, log: &Log, replayed: &mut Replayed) -> Result<Vec<Damage>> {
    let mut offset = replayed.next_offset.max(log.log_start());
    let mut replay = Replay { by_group, log, pending: &mut replayed.pending, damage: Vec::new() };
    while offset < log.log_end() {
        match log.read(offset, ReadLimits::new()) {
            Ok(fetched) => {
                fetched.batches().for_each(|batch| replay.take_in_or_note(batch));
                offset = fetched.next_offset();
            }
            Err(error) => {
                let Error::CorruptRecord { offsets: Some(lost), .. } = &error else { return Err(error) };
                offset = lost.end() + 1;
                replay.note(error);
            }
        }
        replayed.next_offset = offset;
    }
    Ok(replay.damage)
}

struct Replay<'a> {
    by_group: &'a mut ByGroup,
    log: &'a Log,
    pending: &'a mut HashMap<ProducerId, Pending>,
    damage: Vec<Damage>,
}

impl Replay<'_> {
    fn take_in_or_note(&mut self, batch: Result<BatchView>) {
        if let Err(error) = batch.and_then(|batch| self.take_in(&batch)) {
            self.note(error);
        }
    }

    fn note(&mut self, error: Error) {
        self.damage.push(Damage { error });
    }

    fn take_in(&mut self, batch: &BatchView) -> Result<()> {
        let header = batch.header();
        let located = |error: Error| error.with_offsets(header.base_offset..=header.last_offset());
        let producer = header.attributes.is_transactional().then_some(header.producer_id);
        for record in &batch.records().map_err(located)? {
            let record = record.map_err(located)?;
            if header.attributes.is_control() {
                self.end_transaction(header.producer_id, EndTransactionMarker::parse(&record).map_err(located)?);
            } else if let Err(error) = self.take_in_record(&record, producer) {
                // The records after it have nothing to do with it.
                self.note(self.placed(error, record.offset));
            }
        }
        Ok(())
    }

    fn take_in_record(&mut self, record: &RecordView<'_>, producer: Option<ProducerId>) -> Result<()> {
        let no_key = || Error::InvalidRecord { reason: "a record without a key".to_owned() };
        let Some(key) = OffsetKey::decode(record.key.ok_or_else(no_key)?)? else { return Ok(()) };
        let value = record.value.map(CommittedOffset::decode).transpose()?;
        match producer {
            Some(producer) => {
                self.pending.entry(producer).or_default().insert(key, (record.offset, value));
            }
            None => self.commit(key, record.offset, value),
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer: ProducerId, marker: Option<EndTransactionMarker>) {
        let Some(marker) = marker else { return };
        let changes = self.pending.remove(&producer).unwrap_or_default();
        if marker.result == TransactionResult::Commit {
            changes.into_iter().for_each(|(key, (offset, value))| self.commit(key, offset, value));
        }
    }

    /// Of several commits the one whose record comes last counts, whenever its transaction ends.
    fn commit(&mut self, key: OffsetKey, offset: Offset, value: Option<CommittedOffset>) {
        for changes in self.pending.values_mut() {
            if changes.get(&key).is_some_and(|(of_pending, _)| *of_pending < offset) {
                changes.remove(&key);
            }
        }
        apply(self.by_group, key, value);
    }

    /// Says where a record is that can be read, but not understood.
    fn placed(&self, error: Error, offset: Offset) -> Error {
        match error {
            Error::InvalidRecord { reason } => {
                let at = self.log.topic_partition();
                Error::InvalidRecord { reason: format!("{reason}, at offset {offset} of {at}") }
            }
            other => other,
        }
    }
}
