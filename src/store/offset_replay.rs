//! Reading a partition of `__consumer_offsets` in the order of its offsets, as Kafka's group coordinator does: from its
//! start when a store opens, and then on, whenever somebody looks.

use super::offset_record::OffsetKey;
use super::offset_state::PartitionOffsets;
use super::offsets::CommittedOffset;
use crate::error::{Error, Result};
use crate::log::{Damage, Log, ReadLimits};
use crate::record::{BatchView, EndTransactionMarker, RecordView};
use crate::types::{Offset, ProducerId, ProducerIdAndEpoch};

/// A partition of `__consumer_offsets`, as far as it has been taken in.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) offsets: PartitionOffsets,
    next_offset: Offset,
    /// How often the log had been truncated then.
    generation: u64,
}

impl Replayed {
    /// Takes in what has come into `log` since the last time; or everything anew, if the log is not what it was. What
    /// can't be read is passed over and returned: a group whose commit is lost goes on at the one before.
    pub(super) fn follow(&mut self, log: &Log) -> Result<Vec<Damage>> {
        let generation = log.generation();
        if self.generation != generation || self.next_offset > log.log_end() {
            *self = Self { generation, ..Self::default() };
        }
        let mut damage = Vec::new();
        while self.next_offset < log.log_end() {
            match log.read(self.next_offset.max(log.log_start()), ReadLimits::new()) {
                Ok(fetched) => {
                    let mut replay = Replay { offsets: &mut self.offsets, log, damage: &mut damage };
                    fetched.batches().for_each(|batch| replay.take_in_or_note(batch));
                    self.next_offset = fetched.next_offset();
                }
                Err(error) => {
                    let Error::CorruptRecord { offsets: Some(lost), .. } = &error else { return Err(error) };
                    self.next_offset = lost.end() + 1;
                    damage.push(Damage { error });
                }
            }
        }
        Ok(damage)
    }

    /// Takes in a batch that was just appended at `base_offset`, which saves a read; unless something came before it that
    /// has to be read first.
    pub(super) fn take_in_appended(
        &mut self,
        base_offset: Offset,
        batch: impl ExactSizeIterator<Item = (OffsetKey, Option<CommittedOffset>)>,
        transaction: Option<ProducerIdAndEpoch>,
    ) {
        if self.next_offset != base_offset {
            return;
        }
        self.next_offset += batch.len() as Offset;
        let transaction = transaction.map(|producer| producer.producer_id);
        for (position, (key, offset)) in (base_offset..).zip(batch) {
            match offset {
                Some(offset) => self.offsets.commit(key, position, offset, transaction),
                None => self.offsets.take_back(&key),
            }
        }
    }
}

struct Replay<'a> {
    offsets: &'a mut PartitionOffsets,
    log: &'a Log,
    damage: &'a mut Vec<Damage>,
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
        let transaction = header.attributes.is_transactional().then_some(header.producer_id);
        for record in &batch.records().map_err(located)? {
            let record = record.map_err(located)?;
            if header.attributes.is_control() {
                if let Some(marker) = EndTransactionMarker::parse(&record).map_err(located)? {
                    self.offsets.end_transaction(header.producer_id, marker.result);
                }
            } else if let Err(error) = self.take_in_record(&record, transaction) {
                // The records after it have nothing to do with it.
                self.note(self.placed(error, record.offset));
            }
        }
        Ok(())
    }

    fn take_in_record(&mut self, record: &RecordView<'_>, transaction: Option<ProducerId>) -> Result<()> {
        let no_key = || Error::InvalidRecord { reason: "a record without a key".to_owned() };
        let Some(key) = OffsetKey::decode(record.key.ok_or_else(no_key)?)? else { return Ok(()) };
        match record.value {
            Some(value) => self.offsets.commit(key, record.offset, CommittedOffset::decode(value)?, transaction),
            None => self.offsets.take_back(&key),
        }
        Ok(())
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
