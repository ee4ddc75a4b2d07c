//! Appending: check, take the writer's turn, stamp offset and epoch into the header, copy, publish, wake, and wait for
//! the device if the caller wants that.

use std::sync::Arc;

use super::active::ActiveSegment;
use super::flush::SyncTarget;
use super::leader_epoch::EpochEntry;
use super::segment::{Segment, SegmentEnd};
use super::validator::{Now, ValidatedBatch, validate};
use super::{Log, LogInner, Writer};
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::record::BatchRef;
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
    /// The timestamp that all of its records got, if the topic's timestamps are `LogAppendTime`.
    pub log_append_time: Option<i64>,
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

    /// Appends only if this is still the partition's leader epoch.
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = Some(epoch);
        self
    }
}

impl Log {
    /// Appends a batch, giving its records the next offsets.
    ///
    /// Returns when `acks` says; see [`Acks`] for what the batch survives from then on. With [`Acks::None`] and
    /// [`Acks::Leader`] alike it is in the log on return. Where `flush.messages` records have not been synced, any append
    /// waits for a sync.
    ///
    /// # Errors
    /// The log's end is unchanged, and the batch can be appended again, after
    /// [`Error::MessageTooLarge`] (`max.message.bytes`, `segment.bytes`), [`Error::InvalidRecord`],
    /// [`Error::InvalidTimestamp`], [`Error::CorruptRecord`], [`Error::UnsupportedCompressionType`],
    /// [`Error::StorageFull`], [`Error::Io`], [`Error::Closed`] and [`Error::ReadOnly`].
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
        let now = Now::new(&*log.clock, &log.clock_last_read);
        let config = log.config();
        let batch = validate(batch.into(), &config, &now)?;
        let appended = {
            let mut writer = log.writer.lock();
            log.write(&mut writer, &batch, &options, &config, &now)?
        };
        log.readers.notify(appended.last_offset + 1);
        let target = appended.sync_target();
        if target.end - self.recovery_point() >= config.flush_messages {
            log.sync_to(target)?;
        } else if options.acks == Acks::All {
            log.wait_synced(target)?;
        }
        Ok(appended)
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
        log.activate(&mut writer, &log.config(), &Now::new(&*log.clock, &log.clock_last_read))?;
        let end = log.log_end();
        if epoch > current {
            log.epochs.assign(&log.home, EpochEntry { epoch, start_offset: end })?;
            log.leader_epoch.store(epoch, Ordering::Release);
        }
        Ok(end)
    }
}

impl LogInner {
    #[inline]
    fn write(
        &self,
        writer: &mut Writer,
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
        let active = self.activate(writer, config, now)?;
        let base_offset = active.segment().end().next_offset;
        if let Some(expected) = options.expected_offset
            && expected != base_offset
        {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::UnexpectedOffset { topic_partition, expected, actual: base_offset });
        }
        let stamped = batch.stamp(base_offset, leader_epoch, now);
        if active.is_full_for(&stamped, now, config) {
            self.roll(active, base_offset, config, now.fresh())?;
        } else if active.is_too_small_for(&stamped) {
            *active = ActiveSegment::open(&active.segment().clone(), config, now.fresh())?;
        }
        active.append(&stamped)?;
        if stamped.max_timestamp < 0 {
            active.segment().set_modified(now.fresh());
        }
        if let Some(helper) = &self.helper
            && let Some(file) = active.hurried_file()
        {
            helper.populate_ahead(file);
        }
        Ok(Appended {
            base_offset,
            last_offset: stamped.last_offset,
            log_append_time: stamped.log_append_time,
            generation: self.commit.generation(), // changes under the writer lock only
        })
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
        writer: &'w mut Writer,
        config: &LogConfig,
        now: &Now<'_>,
    ) -> Result<&'w mut ActiveSegment> {
        match &mut writer.active {
            Some(active) => Ok(active),
            none => {
                self.epochs.ensure(&self.home, self.leader_epoch.load(Ordering::Relaxed), self.log_end())?;
                let opened = ActiveSegment::open(self.segments.load().active(), config, now.fresh())?;
                self.note_names();
                Ok(none.insert(opened))
            }
        }
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
        base_offset: Offset,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<()> {
        active.abandon();
        let end = SegmentEnd { next_offset: base_offset, size: 0 };
        let segment = Arc::new(Segment::new(self.home.clone(), base_offset, end, false, now_ms));
        let opened = ActiveSegment::open(&segment, config, now_ms)?;
        self.note_names();
        active.seal()?;
        self.segments.store(Arc::new(self.segments.load().with(segment)));
        *active = opened;
        Ok(())
    }
}
