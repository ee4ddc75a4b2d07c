//! What a partition of `__consumer_offsets` adds up to: read from its start when a store opens, and then on, whenever
//! somebody looks.

use super::offset_record::OffsetKey;
use super::offset_state::PartitionOffsets;
use super::offsets::CommittedOffset;
use super::record_fields::invalid;
use super::replay::replay;
use crate::error::Result;
use crate::log::{Damage, Log};
use crate::record::{BatchHeader, EndTransactionMarker, RecordView};
use crate::types::{Offset, ProducerIdAndEpoch};

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
        let Self { offsets, next_offset, .. } = self;
        replay(log, next_offset, |batch, record| take_in(offsets, batch, record))
    }

    /// Takes in a batch that was just appended at `base_offset`, which saves a read; unless something came before it
    /// that has to be read first.
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

fn take_in(offsets: &mut PartitionOffsets, batch: &BatchHeader, record: &RecordView<'_>) -> Result<()> {
    if batch.attributes.is_control() {
        if let Some(marker) = EndTransactionMarker::parse(record)? {
            offsets.end_transaction(batch.producer_id, marker.result);
        }
        return Ok(());
    }
    let key = record.key.ok_or_else(|| invalid("a record without a key"))?;
    let Some(key) = OffsetKey::decode(key)? else { return Ok(()) };
    let transaction = batch.attributes.is_transactional().then_some(batch.producer_id);
    match record.value {
        Some(value) => offsets.commit(key, record.offset, CommittedOffset::decode(value)?, transaction),
        None => offsets.take_back(&key),
    }
    Ok(())
}
