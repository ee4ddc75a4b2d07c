//! One partition of a consumer: where it stands, and what has been read from there and not handed out yet.

use super::record::ConsumerRecord;
use crate::error::{Error, Result};
use crate::log::{Fetched, Log, ReadLimits};
use crate::record::{AbortedProducers, Header, RecordCursor, RecordSet, RecordView};
use crate::store::CommittedOffset;
use crate::types::{IsolationLevel, LeaderEpoch, Offset, TimestampType, TopicPartition};

/// A partition that is being read.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) log: Log,
    /// The offset of the next record to hand out, once it is known where to start.
    position: Option<Offset>,
    /// The leader epoch of the record before the position, if that was handed out or is committed (KIP-320).
    leader_epoch: Option<LeaderEpoch>,
    /// The batches that were read last, and where among them the next one starts.
    fetched: Option<(Fetched, usize)>,
    batch: Option<OpenBatch>,
    /// Nothing is handed out until it is resumed.
    pub(super) is_paused: bool,
    isolation: IsolationLevel,
    aborted: AbortedProducers,
}

/// A batch whose records are being handed out.
#[derive(Debug)]
struct OpenBatch {
    records: RecordSet,
    cursor: RecordCursor,
    timestamp_type: TimestampType,
    leader_epoch: LeaderEpoch,
    next_offset: Offset,
}

impl Fetcher {
    pub(super) fn new(log: Log, isolation: IsolationLevel) -> Self {
        Self {
            log,
            position: None,
            leader_epoch: None,
            fetched: None,
            batch: None,
            is_paused: false,
            isolation,
            aborted: AbortedProducers::default(),
        }
    }

    /// The offset after the last one that can be handed out now.
    pub(super) fn readable_end(&self) -> Offset {
        self.log.readable_end(self.isolation)
    }

    /// The offset of the first record with this timestamp or a later one that can be handed out now, or else the end.
    pub(super) fn offset_for_timestamp(&self, timestamp: i64) -> Result<Offset> {
        let end = self.readable_end();
        Ok(self.log.offset_for_timestamp(timestamp)?.map_or(end, |found| found.offset.min(end)))
    }

    pub(super) fn topic_partition(&self) -> &TopicPartition {
        self.log.topic_partition()
    }

    pub(super) fn position(&self) -> Option<Offset> {
        self.position
    }

    /// What a commit of the position says, once it is known where to start.
    pub(super) fn to_commit(&self) -> Option<CommittedOffset> {
        let commit = CommittedOffset::new(self.position?);
        Some(match self.leader_epoch {
            Some(leader_epoch) => commit.leader_epoch(leader_epoch),
            None => commit,
        })
    }

    /// Goes on at `offset`, whatever was read before.
    pub(super) fn seek(&mut self, offset: Offset) {
        self.go_on_at(offset, None);
    }

    /// Goes on where the group left off, and knows as much of it as was committed.
    pub(super) fn resume(&mut self, committed: &CommittedOffset) {
        self.go_on_at(committed.offset, committed.leader_epoch);
    }

    fn go_on_at(&mut self, offset: Offset, leader_epoch: Option<LeaderEpoch>) {
        self.forget_position();
        self.position = Some(offset);
        self.leader_epoch = leader_epoch;
    }

    /// It is not known any more where to go on.
    pub(super) fn forget_position(&mut self) {
        self.position = None;
        self.leader_epoch = None;
        self.fetched = None;
        self.batch = None;
    }

    /// Hands out up to `max_records` records, in order, as far as there are any. The position moves with each.
    pub(super) fn take(
        &mut self,
        position: Offset,
        max_records: usize,
        limits: ReadLimits,
        records: &mut Vec<ConsumerRecord>,
    ) -> Result<()> {
        if self.batch.is_none() && self.fetched.is_none() {
            if position >= self.readable_end() {
                self.log.look()?;
            }
            if position >= self.readable_end() {
                // Also how a position beyond the log, which can't be read, is told from one that can't be read yet.
                self.log.read(position, limits)?;
                return Ok(());
            }
            let fetched = self.log.read(position, limits)?;
            let aborted = fetched.aborted_transactions().iter();
            self.aborted = AbortedProducers::new(aborted.map(|aborted| (aborted.producer_id, aborted.first_offset)));
            self.fetched = Some((fetched, 0));
        }
        let wanted = records.len() + max_records;
        while records.len() < wanted && (self.batch.is_some() || self.open_next(position)?) {
            let Some(batch) = &mut self.batch else { break };
            match batch.records.next(&mut batch.cursor) {
                Some(Ok(record)) if record.offset < position => {}
                Some(record) => {
                    let at = self.position.unwrap_or(position);
                    match record.and_then(|record| own(self.log.topic_partition(), batch, &record)) {
                        Ok(record) => {
                            self.position = Some(record.offset + 1);
                            self.leader_epoch = Some(record.leader_epoch);
                            records.push(record);
                        }
                        Err(error) => {
                            // The position stays before the damage, so that who polls again is told again; who wants
                            // to go on seeks past it.
                            let lost = at..=batch.next_offset - 1;
                            self.go_on_at(at, self.leader_epoch);
                            return Err(error.with_offsets(lost));
                        }
                    }
                }
                None => {
                    self.position = Some(batch.next_offset);
                    self.batch = None;
                }
            }
        }
        Ok(())
    }

    /// Opens the next batch that was read and has something at or after the position. False if there is none.
    fn open_next(&mut self, position: Offset) -> Result<bool> {
        while let Some((fetched, at)) = &mut self.fetched {
            let Some(batch) = fetched.batch_at(at) else {
                let next_offset = fetched.next_offset();
                self.position = self.position.max(Some(next_offset));
                self.fetched = None;
                return Ok(false);
            };
            let opened = batch.and_then(|batch| {
                let header = *batch.header();
                // What control batches say is for the log, not for its readers.
                let is_void = self.aborted.is_void(&batch);
                let is_wanted = header.last_offset() >= position && !header.attributes.is_control() && !is_void;
                Ok((header, if is_wanted { Some(batch.records()?) } else { None }))
            });
            match opened {
                Ok((header, Some(records))) => {
                    let cursor = RecordCursor::default();
                    let (leader_epoch, next_offset) = (header.partition_leader_epoch, header.next_offset());
                    let timestamp_type = header.timestamp_type();
                    self.batch = Some(OpenBatch { records, cursor, timestamp_type, leader_epoch, next_offset });
                    return Ok(true);
                }
                Ok((header, None)) => self.position = self.position.max(Some(header.next_offset())),
                Err(error) => {
                    self.fetched = None;
                    return Err(error);
                }
            }
        }
        Ok(false)
    }

    /// Whether there is something to hand out at `position`, or to say of it: a position beyond the log is an error.
    pub(super) fn is_ready(&self, position: Offset) -> bool {
        let is_there = self.batch.is_some() || self.fetched.is_some() || position < self.readable_end();
        !self.is_paused && (is_there || position > self.log.high_watermark())
    }
}

fn own(partition: &TopicPartition, batch: &OpenBatch, record: &RecordView<'_>) -> Result<ConsumerRecord> {
    let owned = |bytes: Option<&[u8]>| bytes.map(|bytes| batch.records.slice_ref(bytes));
    let header = |header: Result<Header<'_>>| header.map(|header| (header.key.to_owned(), owned(header.value)));
    let headers = record.headers().map(header).collect::<Result<Vec<_>>>()?;
    Ok(ConsumerRecord {
        topic: partition.topic.clone(),
        partition: partition.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        timestamp_type: batch.timestamp_type,
        key: owned(record.key),
        value: owned(record.value),
        headers,
        leader_epoch: batch.leader_epoch,
    })
}

/// What a consumer without a place to start gets.
pub(super) fn no_offset(group: Option<&str>, partition: &TopicPartition) -> Error {
    Error::NoOffsetForPartition { group: group.unwrap_or_default().to_owned(), topic_partition: partition.clone() }
}
