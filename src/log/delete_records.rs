//! Deleting records from the start of a log on demand (KIP-107).

use super::{Log, LogInner};
use crate::error::{Error, Result};
use crate::types::Offset;

impl Log {
    /// Deletes the records below `before_offset`, which becomes the log start; −1 stands for the high watermark.
    /// Returns the log start, which is later if those records were gone already.
    ///
    /// Reads below it are out of range at once, and on return that survives the loss of power (Kafka's does after its
    /// next checkpoint, a minute later). Disk space comes back with the next look at retention: segments that lie
    /// wholly below the log start go, whatever else the topic retains. Works with no space left on the device, as long
    /// as the store holds its reserve.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] for an offset above the high watermark, and [`Error::PolicyViolation`] if the
    /// topic's `cleanup.policy` is `compact` alone: nothing is deleted. [`Error::Io`] and [`Error::StorageFull`] mean
    /// that the records are gone, and may be back after a crash; call this again. [`Error::Closed`] and
    /// [`Error::LogOffline`].
    pub fn delete_records(&self, before_offset: Offset) -> Result<Offset> {
        // Held until that is written down: a store that is closed writes nothing more.
        let _writer = self.inner.writer.lock();
        let log_start = self.delete_below(before_offset)?;
        self.inner.write_checkpoints()?;
        Ok(log_start)
    }

    /// The same without writing it down, for a store that does so once for many logs.
    #[cfg(feature = "net")]
    pub(crate) fn delete_records_unwritten(&self, before_offset: Offset) -> Result<Offset> {
        let _writer = self.inner.writer.lock();
        self.delete_below(before_offset)
    }

    /// Raises the log start, in the writer's turn, and returns where it is then.
    fn delete_below(&self, before_offset: Offset) -> Result<Offset> {
        /// Kafka's `DeleteRecordsRequest.HIGH_WATERMARK`.
        const HIGH_WATERMARK: Offset = -1;
        let log = &*self.inner;
        log.check_open()?;
        let policy = log.config().cleanup_policy;
        if policy.compact && !policy.delete {
            let reason = format!("the cleanup.policy of {} is compact alone", self.topic_partition());
            return Err(Error::PolicyViolation { reason });
        }
        let high_watermark = self.high_watermark();
        let before_offset = if before_offset == HIGH_WATERMARK { high_watermark } else { before_offset };
        if !(0..=high_watermark).contains(&before_offset) {
            return Err(log.out_of_range(before_offset));
        }
        log.raise_log_start(before_offset);
        Ok(self.log_start())
    }
}

impl LogInner {
    /// Makes the log start and the recovery point durable as they are now.
    pub(super) fn write_checkpoints(&self) -> Result<()> {
        self.checkpoints.as_ref().map_or(Ok(()), |checkpoints| checkpoints.write())
    }
}
