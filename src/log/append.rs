//! Appending: check, take the writer's turn, look whether the batch is its producer's next one, stamp offset and epoch
//! into the header, copy, publish, wake, and wait for the device if the caller wants that.

use std::sync::Arc;

use super::active::{ActiveSegment, StampedBatch};
use super::flush::SyncTarget;
use super::leader_epoch::EpochEntry;
use super::producer_state::entry::RecentBatch;
use super::producer_state::{ProducerStates, Verdict};
use super::segment::{Segment, SegmentEnd, SegmentFiles};
#[cfg(feature = "net")]
use super::validator;
use super::validator::{Now, ValidatedBatch, validate};
use super::{Log, LogInner, Writer};
#[cfg(feature = "net")]
use crate::config::BrokerCompressionType;
use crate::config::LogConfig;
use crate::error::{Error, Result};
#[cfg(feature = "net")]
use crate::record::{BatchHeader, Compression, TimestampType};
use crate::record::{BatchRef, BatchView};
use crate::sync::atomic::Ordering;
use crate::types::{Acks, LeaderEpoch, Offset};

/// Where a batch ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The timestamp that all of its records got, if the topic's timestamps are `LogAppendTime`; that of the latest
    /// record if the batch had been sent before.
    pub log_append_time: Option<i64>,
    /// An idempotent producer had sent it before: nothing was written, and the offsets are those that it got then.
    pub is_duplicate: bool,
    /// How often the log had been truncated by then.
    pub(super) generation: u64,
}

impl Appended {
    /// What to wait for until the batch is on the device.
    pub(crate) fn sync_target(&self) -> SyncTarget {
        SyncTarget { generation: self.generation, end: self.last_offset + 1 }
    }
}

/// Under which conditions a batch is appended, and when the call returns.
///
/// The conditions let an application elect a single writer and fence a stale one.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct AppendOptions {
    acks: Acks,
    expected_offset: Option<Offset>,
    leader_epoch: Option<LeaderEpoch>,
    pub(super) origin: AppendOrigin,
}

/// Who appends (Kafka's `AppendOrigin`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AppendOrigin {
    /// A producer, whose batches are numbered.
    #[default]
    Client,
    /// One that has a new epoch for each transaction (KIP-890), so that its numbers begin with 0 wherever it isn't
    /// known.
    #[cfg(feature = "net")]
    ClientWithEpochs,
    /// A coordinator on behalf of a producer, which appends in turn and needs no sequence numbers.
    Coordinator,
}

impl AppendOrigin {
    /// Whether batches must follow each other by their sequence numbers.
    pub(super) const fn is_numbered(self) -> bool {
        !matches!(self, Self::Coordinator)
    }
}

impl AppendOptions {
    /// No conditions, and the call returns when `acks` says.
    pub fn new(acks: Acks) -> Self {
        Self { acks, ..Self::default() }
    }

    /// Appends only if the batch's first record gets this offset: nobody else has appended since the caller looked.
    pub fn expected_offset(mut self, offset: Offset) -> Self {
        self.expected_offset = Some(offset);
        self
    }

    /// Appends a batch of a producer that has a new epoch for each transaction.
    #[cfg(feature = "net")]
    pub(crate) fn by_client_with_epochs(mut self) -> Self {
        self.origin = AppendOrigin::ClientWithEpochs;
        self
    }

    /// Appends a producer's batch for it, without sequence numbers; and waits for the device only if `acks` says so,
    /// whatever `flush.messages` does.
    pub(crate) fn by_coordinator(mut self) -> Self {
        self.origin = AppendOrigin::Coordinator;
        self
    }

    /// Appends only if this is still the partition's leader epoch.
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = Some(epoch);
        self
    }
}

impl Log {
    /// Appends a batch, giving its records the next offsets.
    ///
    /// A batch of an idempotent producer is appended once: one of its last five that comes again is answered with the
    /// offsets that it has ([`Appended::is_duplicate`]), and `acks` holds for it as for any other.
    ///
    /// Returns when `acks` says; see [`Acks`] for what the batch survives from then on. With [`Acks::None`] and
    /// [`Acks::Leader`] alike it is in the log on return. Where `flush.messages` records have not been synced, any
    /// append waits for a sync.
    ///
    /// A batch that was read from another log can be appended too. It is treated as any producer's: it gets the next
    /// offsets here and this log's leader epoch, which [`append_with`](Self::append_with) can make a condition of, and
    /// whatever the topic says of timestamps and compression. So what follows another log batch by batch is a copy of
    /// it only as long as that log has no gaps, which compaction leaves; control batches come by
    /// [`append_end_transaction_marker`](Self::append_end_transaction_marker).
    ///
    /// # Errors
    /// The log's end is unchanged, and the batch can be appended again, after [`Error::MessageTooLarge`]
    /// (`max.message.bytes`, `segment.bytes`), [`Error::InvalidRecord`], [`Error::InvalidTimestamp`],
    /// [`Error::InvalidTimestampType`], [`Error::CorruptRecord`], [`Error::UnsupportedCompressionType`],
    /// [`Error::StorageFull`], [`Error::Io`], [`Error::Closed`] and [`Error::ReadOnly`]; and for a batch with a
    /// producer id after [`Error::OutOfOrderSequenceNumber`], [`Error::InvalidProducerEpoch`] and
    /// [`Error::InvalidTxnState`].
    ///
    /// [`Error::LogOffline`] means that a sync failed: whether the batch is on the device is not known, and the log
    /// takes no more appends until the store is opened again.
    pub fn append<'a>(&self, batch: impl Into<BatchRef<'a>>, acks: Acks) -> Result<Appended> {
        self.append_with(batch, AppendOptions::new(acks))
    }

    /// Appends a batch if the conditions of `options` hold; otherwise as [`append`](Self::append).
    ///
    /// # Errors
    /// Besides those of [`append`](Self::append): [`Error::UnexpectedOffset`] and [`Error::FencedLeaderEpoch`] if a
    /// condition does not hold.
    pub fn append_with<'a>(&self, batch: impl Into<BatchRef<'a>>, options: AppendOptions) -> Result<Appended> {
        let log = &*self.inner;
        let (appended, flush_messages) = log.write_and_wake(&batch.into(), &options)?;
        // A coordinator has others wait for it meanwhile, and waits itself when they don't.
        let flush_messages = if options.origin == AppendOrigin::Coordinator { i64::MAX } else { flush_messages };
        log.acknowledge(&appended, options.acks, flush_messages)?;
        Ok(appended)
    }

    /// Appends a batch, and leaves it to the caller to [wait](Self::sync_if_due) where `flush.messages` says so: for
    /// one who has to know that the batch is in the log, whatever becomes of its sync.
    pub(crate) fn append_unsynced<'a>(&self, batch: impl Into<BatchRef<'a>>) -> Result<Appended> {
        self.inner.write_and_wake(&batch.into(), &AppendOptions::default()).map(|(appended, _)| appended)
    }

    /// Waits for a sync if `flush.messages` records have not been synced.
    pub(crate) fn sync_if_due(&self, appended: &Appended) -> Result<()> {
        let flush_messages = self.inner.config().flush_messages;
        self.inner.acknowledge(appended, Acks::Leader, flush_messages)
    }

    /// Whether a batch with this header is appended in a moment: nobody else is at it, its records are not packed anew,
    /// and no sync is due after it. A guess, for a caller who should not block; a batch that is refused, it may take
    /// for either.
    #[cfg(feature = "net")]
    pub(crate) fn appends_at_once(&self, header: &BatchHeader) -> bool {
        let log = &*self.inner;
        let Some(writer) = log.writer.try_lock() else { return false };
        let Writer { active: Some(active), config, .. } = &*writer else { return false };
        let now = Now::new(&*log.clock, &log.clock_last_read);
        let time = match config.message_timestamp_type {
            TimestampType::CreateTime => header.max_timestamp,
            TimestampType::LogAppendTime => now.fresh(),
        };
        matches!(header.compression(), Ok(Compression::None))
            && matches!(config.compression_type, BrokerCompressionType::Producer | BrokerCompressionType::Uncompressed)
            && config.flush_messages == i64::MAX
            && active.appends_at_once(header, time, &now, config)
    }

    /// Which records of a batch that was refused this log does not take, by their index in it, and why; the first `max`
    /// of them (Kafka's `RecordError`s).
    #[cfg(feature = "net")]
    pub(crate) fn rejected_records(&self, batch: &BatchRef<'_>, max: usize) -> Vec<(i32, Error)> {
        let log = &*self.inner;
        let now = Now::new(&*log.clock, &log.clock_last_read);
        validator::rejected_records(batch, &log.config(), &now, max)
    }

    /// Makes `epoch` the partition's leader epoch, which fences whoever appends under an older one. Returns the log's
    /// end, from where on batches carry it.
    ///
    /// # Errors
    /// [`Error::FencedLeaderEpoch`] if the partition has a later epoch already, and what writing the
    /// `leader-epoch-checkpoint` can bring.
    pub fn set_leader_epoch(&self, epoch: LeaderEpoch) -> Result<Offset> {
        let log = &*self.inner;
        let mut writer = log.writer.lock();
        log.check_open()?;
        let current = log.leader_epoch.load(Ordering::Acquire);
        if epoch < current {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::FencedLeaderEpoch { topic_partition, requested: epoch, current });
        }
        let Writer { active, config, .. } = &mut *writer;
        log.activate(active, config, &Now::new(&*log.clock, &log.clock_last_read))?;
        let end = log.log_end();
        if epoch > current {
            log.epochs.assign(&log.home, EpochEntry { epoch, start_offset: end })?;
            log.leader_epoch.store(epoch, Ordering::Release);
        }
        Ok(end)
    }
}

impl LogInner {
    /// Appends a batch, and wakes those who wait for it. Also returns after how many records a sync is due.
    #[inline]
    fn write_and_wake(&self, batch: &BatchRef<'_>, options: &AppendOptions) -> Result<(Appended, i64)> {
        let now = Now::new(&*self.clock, &self.clock_last_read);
        let (appended, flush_messages) = self.validate_and_write(batch, options, &now)?;
        self.wake_readers(appended.last_offset + 1);
        Ok((appended, flush_messages))
    }

    /// Also returns after how many records a sync is due.
    #[inline]
    fn validate_and_write(
        &self,
        batch: &BatchRef<'_>,
        options: &AppendOptions,
        now: &Now<'_>,
    ) -> Result<(Appended, i64)> {
        // A batch that was built here is mostly validated by its header alone: in the writer's turn, where the
        // configuration is at hand, that takes less than to get hold of the configuration outside of it.
        if batch.is_built() {
            let mut writer = self.writer.lock();
            let Writer { active, producers, config } = &mut *writer;
            if !config.inspects_built_batches() {
                let batch = validate(batch, config, options.origin, now)?;
                return Ok((self.write(active, producers, &batch, options, config, now)?, config.flush_messages));
            }
        }
        self.inspect_and_write(batch, options, now)
    }

    /// The same for a batch whose records must be looked at, outside of the writer's turn.
    #[inline(never)]
    fn inspect_and_write(
        &self,
        batch: &BatchRef<'_>,
        options: &AppendOptions,
        now: &Now<'_>,
    ) -> Result<(Appended, i64)> {
        let config = self.config.load_full();
        let validated = validate(batch, &config, options.origin, now)?;
        let recoded = validated.recode(&config)?;
        let recoded = recoded.as_ref().map(BatchView::as_ref);
        let batch = recoded.as_ref().map_or(validated, |recoded| validated.recoded(recoded));
        let Writer { active, producers, .. } = &mut *self.writer.lock();
        let appended = self.write(active, producers, &batch, options, &config, now)?;
        Ok((appended, config.flush_messages))
    }

    #[inline(always)]
    fn write(
        &self,
        active: &mut Option<ActiveSegment>,
        producers: &mut ProducerStates,
        batch: &ValidatedBatch<'_>,
        options: &AppendOptions,
        config: &LogConfig,
        now: &Now<'_>,
    ) -> Result<Appended> {
        self.check_open()?;
        let leader_epoch = self.leader_epoch.load(Ordering::Relaxed); // changes under the writer lock only
        if let Some(requested) = options.leader_epoch
            && requested != leader_epoch
        {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::FencedLeaderEpoch { topic_partition, requested, current: leader_epoch });
        }
        let active = self.activate(active, config, now)?;
        let base_offset = active.segment().end().next_offset;
        let header = batch.header();
        if header.has_producer_id()
            && let Verdict::Duplicate(recent) =
                producers.check(header, options.origin, base_offset, self.topic_partition())?
        {
            return Ok(self.duplicate(&recent));
        }
        if let Some(expected) = options.expected_offset
            && expected != base_offset
        {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::UnexpectedOffset { topic_partition, expected, actual: base_offset });
        }
        let stamped = batch.stamp(base_offset, leader_epoch, now);
        self.make_room(active, producers, &stamped, config, now)?;
        if header.is_transactional() {
            // Before readers see the batch they know that it is not decided yet.
            self.first_unstable.fetch_min(base_offset, Ordering::AcqRel);
        }
        if let Err(failure) = self.put(active, &stamped, now) {
            self.publish_first_unstable(producers);
            return Err(failure);
        }
        if header.has_producer_id() {
            producers.append(header, base_offset, stamped.max_timestamp);
        }
        Ok(self.appended(&stamped))
    }

    /// Waits for what an append has to wait for.
    #[inline]
    pub(super) fn acknowledge(&self, appended: &Appended, acks: Acks, flush_messages: i64) -> Result<()> {
        let target = appended.sync_target();
        if target.end - self.recovery_point.load(Ordering::Acquire) >= flush_messages {
            self.sync_to(target)
        } else if acks == Acks::All {
            self.wait_synced(target)
        } else {
            Ok(())
        }
    }

    /// Sees to it that the active segment has room for a batch.
    #[inline]
    pub(super) fn make_room(
        &self,
        active: &mut ActiveSegment,
        producers: &mut ProducerStates,
        stamped: &StampedBatch<'_>,
        config: &LogConfig,
        now: &Now<'_>,
    ) -> Result<()> {
        if active.is_full_for(stamped, now, config) {
            self.roll(active, producers, stamped.base_offset, config, now.fresh())?;
        } else if active.is_too_small_for(stamped) {
            *active = ActiveSegment::open(&active.segment().clone(), config, now.fresh())?;
        }
        Ok(())
    }

    /// Appends a stamped batch to the active segment, which has room for it.
    #[inline]
    pub(super) fn put(&self, active: &mut ActiveSegment, stamped: &StampedBatch<'_>, now: &Now<'_>) -> Result<()> {
        active.append(stamped)?;
        if stamped.max_timestamp < 0 {
            active.segment().set_modified(now.fresh());
        }
        if active.is_to_be_looked_at() {
            self.keep_pace(active);
        }
        Ok(())
    }

    #[cold]
    fn keep_pace(&self, active: &mut ActiveSegment) {
        let (recent, is_hurried) = active.look();
        self.set_recent(recent, active);
        if let Some(helper) = self.helper.as_ref().filter(|_| is_hurried)
            && let Some(file) = active.file_to_populate()
        {
            helper.populate_ahead(file);
        }
    }

    /// From `offset` on all was appended lately. Known to be in memory only where it is read in place.
    pub(super) fn set_recent(&self, offset: Offset, active: &ActiveSegment) {
        let recent = if active.is_viewed_in_place() { offset } else { Offset::MAX };
        self.recent.store(recent, Ordering::Release);
    }

    #[inline]
    pub(super) fn check_open(&self) -> Result<()> {
        self.check_state()?;
        self.check_writable()?;
        match self.commit.failure() {
            None => Ok(()),
            Some(cause) => Err(self.offline(cause)),
        }
    }

    /// The active segment, opened for appending.
    #[inline]
    pub(super) fn activate<'w>(
        &self,
        active: &'w mut Option<ActiveSegment>,
        config: &LogConfig,
        now: &Now<'_>,
    ) -> Result<&'w mut ActiveSegment> {
        if self.epochs.is_doubtful() {
            self.epochs.ensure(&self.home, self.leader_epoch.load(Ordering::Relaxed), self.log_end())?;
        }
        if active.as_ref().is_none_or(ActiveSegment::is_at_rest) {
            self.open_active(active, config, now.fresh())?;
        }
        Ok(active.as_mut().expect("opened above"))
    }

    /// Names were created. Noted after that, so that a sync that came too early for them does not count, and before
    /// anything is appended, so that one that covers an append covers the name of its file.
    pub(super) fn note_names(&self) {
        self.names_created.fetch_add(1, Ordering::AcqRel);
    }

    /// Closes the active segment and begins one at `base_offset`. After an error the next append tries again.
    #[cold]
    pub(super) fn roll(
        &self,
        active: &mut ActiveSegment,
        producers: &mut ProducerStates,
        base_offset: Offset,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<()> {
        active.abandon();
        let end = SegmentEnd { next_offset: base_offset, size: 0 };
        let segment = Arc::new(Segment::new(self.home.clone(), base_offset, end, false, now_ms));
        let open = || ActiveSegment::open(&segment, config, now_ms);
        let opened = self.home.open_files.with_room(SegmentFiles::USUAL_COUNT, Some(self), open)?;
        // Where the next open may begin to look at the producers. Without it that takes longer, and no more.
        let _ = producers.write_snapshot(&self.home, base_offset);
        self.note_names();
        active.seal()?;
        self.segments.store(Arc::new(self.segments.load().with(segment)));
        *active = opened;
        self.set_recent(base_offset, active);
        Ok(())
    }

    /// What the append of a batch is answered with, in the writer's turn.
    pub(super) fn appended(&self, batch: &StampedBatch<'_>) -> Appended {
        Appended {
            base_offset: batch.base_offset,
            last_offset: batch.last_offset,
            log_append_time: batch.log_append_time,
            is_duplicate: false,
            generation: self.commit.generation(), // changes under the writer lock only
        }
    }

    /// What the append of a batch that came before is answered with.
    #[cold]
    fn duplicate(&self, recent: &RecentBatch) -> Appended {
        Appended {
            base_offset: recent.first_offset(),
            last_offset: recent.last_offset,
            log_append_time: Some(recent.timestamp),
            is_duplicate: true,
            generation: self.commit.generation(),
        }
    }
}
