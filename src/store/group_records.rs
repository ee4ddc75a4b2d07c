//! Records about members of groups, which lie between the offsets in `__consumer_offsets`. A coordinator makes them and
//! knows what they say; here they are appended where they belong, and found again.

use super::offset_record::partition_for_group;
use super::offsets::{BATCH_BYTES, CONSUMER_OFFSETS};
use super::replay::replay;
use super::{Store, StoreInner};
use crate::error::{Error, Result};
use crate::log::{AppendOptions, Log, SyncTarget};
use crate::record::{BatchBuilder, RecordData};
use crate::types::Acks;

/// Records about a group that are in the log, and perhaps not on the device yet.
#[derive(Debug)]
pub(crate) struct AppendedGroupRecords {
    log: Log,
    target: SyncTarget,
}

impl AppendedGroupRecords {
    /// Waits until they are on the device.
    pub(crate) fn wait_synced(&self) -> Result<()> {
        self.log.wait_synced(self.target)
    }
}

impl Store {
    /// Appends records about a group, where the next coordinator will look for them: all or none.
    pub(crate) fn append_group_records(
        &self,
        group: &str,
        records: &[(Vec<u8>, Option<Vec<u8>>)],
    ) -> Result<AppendedGroupRecords> {
        let store: &StoreInner = &self.inner;
        store.check_writable()?;
        store.reserve.run(|| {
            let log = store.offsets_log(group)?;
            let mut builder = BatchBuilder::new(BATCH_BYTES);
            let now_ms = store.clock.now_ms().max(0);
            for (key, value) in records {
                builder.push(&RecordData::new(Some(key), value.as_deref()).at(now_ms))?;
            }
            let appended = log.append_with(builder.build()?, AppendOptions::new(Acks::Leader).by_coordinator())?;
            Ok(AppendedGroupRecords { target: appended.sync_target(), log })
        })
    }

    /// Waits until all that was appended about a group by now is on the device: records, and what it has committed.
    pub(crate) fn sync_group(&self, group: &str) -> Result<()> {
        self.offsets_log_of(group).map_or(Ok(()), |log| log.wait_appended())
    }

    /// Shows `take_in` all records, of offsets too, each with its key and the partition that a group must belong to for
    /// the record to count: `belongs_here`. What can't be read is passed over, and so is what `take_in` calls
    /// [`Error::InvalidRecord`].
    ///
    /// What a process that died has left in the cache alone is made durable first, for members are told of it.
    pub(crate) fn replay_group_records(
        &self,
        mut take_in: impl FnMut(&[u8], Option<&[u8]>, &dyn Fn(&str) -> bool) -> Result<()>,
    ) -> Result<()> {
        let logs = match self.logs_of(CONSUMER_OFFSETS) {
            Ok(logs) => logs,
            // Nothing was ever committed.
            Err(Error::UnknownTopicOrPartition { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (index, log) in logs.iter().enumerate() {
            if !self.is_read_only() {
                log.wait_appended()?;
            }
            let belongs_here = |group: &str| partition_for_group(group, logs.len()) == index;
            let mut next_offset = log.log_start();
            replay(log, &mut next_offset, |batch, record| match record.key {
                Some(key) if !batch.attributes.is_control() => take_in(key, record.value, &belongs_here),
                _ => Ok(()),
            })?;
        }
        Ok(())
    }
}
