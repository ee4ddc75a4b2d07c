//! Reading a partition of one of the store's own topics in the order of its offsets, as Kafka's coordinators do: record
//! by record, past what can't be read, which is told.

use crate::error::{Error, Result};
use crate::log::{Damage, Log, ReadLimits};
use crate::record::{BatchHeader, BatchView, RecordView};
use crate::types::Offset;

/// Shows `take_in` every record from `next_offset` to the end of `log`, with the header of its batch, and moves
/// `next_offset` on. Returns what can't be read: damage, and records that `take_in` calls [`Error::InvalidRecord`],
/// which have nothing to do with the ones after them. Another error of it ends its batch.
///
/// # Errors
/// What keeps the log from being read at all. What was shown by then is below `next_offset`.
pub(super) fn replay(
    log: &Log,
    next_offset: &mut Offset,
    mut take_in: impl FnMut(&BatchHeader, &RecordView<'_>) -> Result<()>,
) -> Result<Vec<Damage>> {
    let mut damage = Vec::new();
    while *next_offset < log.log_end() {
        match log.read((*next_offset).max(log.log_start()), ReadLimits::new()) {
            Ok(fetched) => {
                for batch in fetched.batches() {
                    let taken_in = batch.and_then(|batch| each_record(log, &batch, &mut take_in, &mut damage));
                    damage.extend(taken_in.err().map(|error| Damage { error }));
                }
                *next_offset = fetched.next_offset();
            }
            Err(error) => {
                let Error::CorruptRecord { offsets: Some(lost), .. } = &error else { return Err(error) };
                *next_offset = lost.end() + 1;
                damage.push(Damage { error });
            }
        }
    }
    Ok(damage)
}

fn each_record(
    log: &Log,
    batch: &BatchView,
    take_in: &mut impl FnMut(&BatchHeader, &RecordView<'_>) -> Result<()>,
    damage: &mut Vec<Damage>,
) -> Result<()> {
    let header = batch.header();
    let located = |error: Error| error.with_offsets(header.base_offset..=header.last_offset());
    for record in &batch.records().map_err(located)? {
        let record = record.map_err(located)?;
        match take_in(header, &record) {
            Err(Error::InvalidRecord { reason }) => {
                let reason = format!("{reason}, at offset {} of {}", record.offset, log.topic_partition());
                damage.push(Damage { error: Error::InvalidRecord { reason } });
            }
            taken_in => taken_in.map_err(located)?,
        }
    }
    Ok(())
}
