//! Following a log that another process writes.
//!
//! There is no lock between the two, and nobody tells the reader anything. It finds out by looking at the files:
//!
//! ```text
//!   look      at the end of the last segment, and for the file of the next: cheap, whenever a read comes to the end
//!   refresh   at the whole directory: when a look finds a new segment, when a file turns out to be gone, from time to
//!             time, and when it is asked for
//!
//!   ├─ batches that were taken in ─┤─ a batch that is being copied ─┤─ zeros: reserved space ─┤
//!                                  end                                                        length of the file
//! ```
//!
//! The writer copies batches into space that reads as zeros, one after another. So a batch is there once its CRC and
//! its offsets prove it, and until then it is not there *yet*. If whole batches follow one that never becomes whole, it
//! is damaged: readers get an error for exactly its offsets, and what follows.
//!
//! Each batch that is taken in goes through [`Following::apply`], in order: whatever a log knows beyond its end is
//! brought up to date there, its [`transactions`] too once somebody asks for them.

mod listing;
mod transactions;

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::file_name::{LOG, PARTITION_METADATA};
use super::index::transaction::TransactionEntry;
use super::leader_epoch::{EpochEntry, Epochs, LeaderEpochCache};
use super::loader::LogLoad;
use super::partition_recovery::PartitionRecovery;
use super::producer_state::ProducerStates;
use super::scan::{BatchScan, ScannedBatch, resync};
use super::segment::{Home, Segment, SegmentEnd};
use super::wait::Parker;
use super::{ActiveProducer, Log, LogInner, State};
use crate::error::{Error, Result};
use crate::io::{DirEntry, StorageFile};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchRef};
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;
use crate::types::Offset;
use transactions::{Shared, Transactions};

/// For how long a look at the end is enough.
const LIST_INTERVAL: Duration = Duration::from_secs(1);
/// How often files may vanish under a listing before that is an error.
const ATTEMPTS_MAX: usize = 10;
/// How long somebody who waits sleeps between two looks: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// How far a log has been followed. Whoever looks holds the lock; readers don't.
#[derive(Debug)]
pub(super) struct Follower {
    following: Mutex<Following>,
    shared: Arc<Shared>,
}

impl Follower {
    /// Where the oldest transaction begins that is not decided; below every offset as long as nobody has asked.
    pub(super) fn first_unstable(&self) -> Offset {
        self.shared.first_unstable()
    }
}

#[derive(Debug)]
struct Following {
    /// The file that says whose partition it is. A topic of the same name that comes later is another one.
    identity: Option<Vec<u8>>,
    /// The batch before the end of the last segment, by which it is known again.
    last: Option<LastBatch>,
    epochs: Epochs,
    transactions: Option<Transactions>,
    /// How many looks in a row found something behind the end that is no batch.
    stuck_count: u32,
    listed_at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct LastBatch {
    position: u64,
    header: BatchHeader,
}

/// Opens a partition that another process may be writing. Changes nothing.
pub(crate) fn open(home: Home, log_start: Offset) -> Result<LogLoad> {
    let home = Arc::new(home);
    // The file may be about to be replaced, and knows no more than the batches do.
    let epochs = Epochs::read(&home).unwrap_or_default();
    let mut following =
        Following { identity: None, last: None, epochs, transactions: None, stuck_count: 0, listed_at: Instant::now() };
    following.identity = read_identity(&home)?;
    let segments = following.list(&home, None, log_start)?;
    let end = segments.active().end().next_offset;
    Ok(LogLoad {
        log_start: log_start.clamp(segments.first().base_offset(), end),
        epochs: LeaderEpochCache::new(following.epochs.clone(), true),
        // What is on the device only the writer knows.
        recovery_point: 0,
        report: PartitionRecovery::nothing(home.topic_partition.clone(), end),
        segments,
        producers: ProducerStates::default(),
        home,
        follower: Some(Follower { following: Mutex::new(following), shared: Shared::new() }),
    })
}

impl Following {
    /// Takes in the batches behind the end of a segment that prove right, and stops at the first that does not. False
    /// if the file has become shorter than its end.
    fn follow(&mut self, segment: &Segment) -> Result<bool> {
        let file = segment.files()?.log.clone();
        let (end, size) = (segment.end(), file.len().min(u64::from(u32::MAX)));
        if size < end.size {
            return Ok(false);
        }
        if is_blank_after(&*file, end.size, size)? {
            self.stuck_count = 0;
            return Ok(true);
        }
        // Known from here on, so that each batch can raise it.
        segment.largest_timestamp()?;
        let bound = SegmentEnd { next_offset: segment.base_offset() + Offset::from(u32::MAX), size };
        let mut scan = BatchScan::new(segment, end.size, bound, end.next_offset)?;
        loop {
            let (position, expected) = (scan.position(), scan.expected());
            if let Some((batch, bytes)) = next_whole(&mut scan)? {
                self.apply(segment, &batch, &bytes);
                continue;
            }
            if is_blank_after(&*file, position, size)? {
                self.stuck_count = 0;
                return Ok(true);
            }
            // It is being copied, or damaged. To tell takes a search to the end of the file, so it is done ever more
            // rarely.
            self.stuck_count += 1;
            if !self.stuck_count.is_power_of_two() {
                return Ok(true);
            }
            let Some((resumed, base_offset)) = resync(segment, position, bound, expected)? else { return Ok(true) };
            // What follows it was written after it: if it is not whole by now, it never will be.
            scan = BatchScan::new(segment, position, bound, expected)?;
            match next_whole(&mut scan)? {
                Some((batch, bytes)) => self.apply(segment, &batch, &bytes),
                None => scan.resume(resumed, base_offset),
            }
        }
    }

    /// Takes in a batch: from here on it can be read.
    fn apply(&mut self, segment: &Segment, batch: &ScannedBatch, bytes: &[u8]) {
        let header = &batch.header;
        segment.raise_largest_timestamp(header.max_timestamp);
        self.epochs.regain(EpochEntry::of(header));
        self.last = Some(LastBatch { position: batch.position, header: *header });
        self.stuck_count = 0;
        let end = SegmentEnd { next_offset: header.next_offset(), size: batch.position + header.size() as u64 };
        match &mut self.transactions {
            Some(transactions) => transactions.apply(segment, header, bytes, || segment.publish(end)),
            None => segment.publish(end),
        }
    }
}

/// The next batch of a walk, if it is whole.
fn next_whole(scan: &mut BatchScan<'_>) -> Result<Option<(ScannedBatch, Bytes)>> {
    match scan.next() {
        Some(Ok(batch)) => {
            let bytes = scan.bytes(&batch)?;
            Ok(BatchRef::parse(&bytes).is_ok().then_some((batch, bytes)))
        }
        None | Some(Err(Error::CorruptRecord { .. })) => Ok(None),
        Some(Err(error)) => Err(error),
    }
}

fn unbounded(home: &Arc<Home>, log: &DirEntry, base_offset: Offset) -> Segment {
    let size = log.len.min(u64::from(u32::MAX));
    let end = SegmentEnd { next_offset: base_offset + Offset::from(u32::MAX), size };
    Segment::new(home.clone(), base_offset, end, true, log.modified_ms)
}

/// A segment that has no files yet.
fn empty_segment(home: &Arc<Home>, start: Offset) -> Arc<Segment> {
    Arc::new(Segment::new(home.clone(), start, SegmentEnd { next_offset: start, size: 0 }, true, 0))
}

/// Whether there is nothing behind `position`: the place of a header is zeros, or not there.
fn is_blank_after(file: &dyn StorageFile, position: u64, size: u64) -> Result<bool> {
    is_blank(file, position, size.saturating_sub(position).min(BATCH_HEADER_BYTES as u64))
}

/// Whether there is nothing before `size`: the last bytes, as many as the smallest batch has, are zeros.
fn is_blank_before(file: &dyn StorageFile, size: u64) -> Result<bool> {
    let len = size.min(BATCH_HEADER_BYTES as u64);
    Ok(len > 0 && is_blank(file, size - len, len)?)
}

fn is_blank(file: &dyn StorageFile, position: u64, len: u64) -> Result<bool> {
    let mut bytes = [0; BATCH_HEADER_BYTES];
    let bytes = &mut bytes[..len as usize];
    match file.read_at(position, bytes) {
        Ok(()) => Ok(bytes.iter().all(|byte| *byte == 0)),
        // It was cut just now: there is nothing any more.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        Err(error) => Err(Error::io("read", "the end of a log", error)),
    }
}

fn read_identity(home: &Home) -> Result<Option<Vec<u8>>> {
    let path = home.dir.join(PARTITION_METADATA);
    match home.storage.read(&path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Whether a file, or a part of it, was not there: the writer took it away.
fn is_gone(error: &Error) -> bool {
    let Error::Io { source, .. } = error else { return false };
    matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
}

impl Log {
    /// Looks at the files again, of a log that was opened read-only: takes in what another process has appended to it,
    /// and what it has done to its segments. Reads that come to the end do that by themselves. Does nothing with a log
    /// that is open for writing.
    ///
    /// # Errors
    /// [`Error::Io`] if the files can't be read.
    pub fn refresh(&self) -> Result<()> {
        self.inner.refresh()
    }

    /// What lies below `log_start` was deleted by the process that writes this log.
    pub(crate) fn follow_log_start(&self, log_start: Offset) {
        self.inner.log_start.fetch_max(log_start.min(self.log_end()), Ordering::AcqRel);
    }

    /// Takes in what has come in at the end, if another process writes this log.
    pub(crate) fn look(&self) -> Result<()> {
        self.inner.look()
    }
}

impl LogInner {
    pub(super) fn is_followed(&self) -> bool {
        self.follower.is_some()
    }

    /// Sees to it that the transactions of a log are known that another process writes.
    pub(super) fn follow_transactions(&self) -> Result<()> {
        let Some(follower) = self.follower.as_ref().filter(|follower| !follower.shared.is_known()) else {
            return Ok(());
        };
        let mut following = follower.following.lock();
        if following.transactions.is_none() {
            let segments: Vec<_> = self.segments.load().iter().cloned().collect();
            following.transactions = Some(Transactions::load(&self.home, &segments, follower.shared.clone())?);
        }
        Ok(())
    }

    /// The producers of a log that another process writes, as far as they can be told.
    pub(super) fn followed_producers(&self) -> Option<Vec<ActiveProducer>> {
        let follower = self.follower.as_ref()?;
        let _ = self.follow_transactions();
        let following = follower.following.lock();
        let states = following.transactions.as_ref().map(|transactions| &transactions.states);
        Some(states.into_iter().flat_map(|states| states.iter()).map(ActiveProducer::from).collect())
    }

    /// The aborted transactions with records in `range` and a marker in `segment`, if that is the one that another
    /// process is writing: its index may not have them yet. Of a closed one the index tells, if it is still that of the
    /// log which is open.
    pub(super) fn followed_aborted(
        &self,
        segment: &Segment,
        range: &Range<Offset>,
    ) -> Result<Option<impl Iterator<Item = TransactionEntry> + use<>>> {
        let Some(follower) = &self.follower else { return Ok(None) };
        let range = range.clone();
        let is_in = move |entry: &TransactionEntry| {
            entry.aborted.last_offset >= range.start && entry.aborted.first_offset < range.end
        };
        match follower.shared.aborted_of(segment.base_offset()) {
            Some(entries) => Ok(Some(entries.into_iter().filter(is_in))),
            None if segment.is_in_place()? => Ok(None),
            None => Err(Error::io("read", segment.path(LOG), io::ErrorKind::NotFound.into())),
        }
    }

    /// Looks at the end of the log.
    pub(super) fn look(&self) -> Result<()> {
        let Some(follower) = &self.follower else { return Ok(()) };
        let mut following = follower.following.lock();
        if self.state() != State::Open {
            return Ok(());
        }
        let segments = self.segments.load_full();
        let active = segments.active();
        let before = active.end();
        let is_as_it_was = match following.follow(active) {
            Ok(is_as_it_was) => is_as_it_was,
            // A segment without files is a partition that nothing was appended to yet.
            Err(error) if is_gone(&error) => before.size == 0 && following.listed_at.elapsed() < LIST_INTERVAL,
            Err(error) => return Err(error),
        };
        if is_as_it_was && following.listed_at.elapsed() < LIST_INTERVAL && !self.has_next(active) {
            self.end_look(&following, before.next_offset);
            return Ok(());
        }
        self.refresh_with(&mut following)
    }

    /// Whether a segment begins where this one ends.
    fn has_next(&self, active: &Segment) -> bool {
        let next_offset = active.end().next_offset;
        next_offset > active.base_offset() && self.home.storage.len(&self.home.path(next_offset, LOG)).is_ok()
    }

    /// Looks at everything.
    fn refresh(&self) -> Result<()> {
        let Some(follower) = &self.follower else { return Ok(()) };
        let mut following = follower.following.lock();
        self.check_state()?;
        self.refresh_with(&mut following)
    }

    fn refresh_with(&self, following: &mut Following) -> Result<()> {
        let identity = read_identity(&self.home)?;
        let known = self.segments.load_full();
        let before = known.active().end().next_offset;
        let listed = match following.list(&self.home, Some(&known), self.log_start.load(Ordering::Acquire)) {
            _ if following.identity.is_some() && identity != following.identity => None,
            Err(error) if is_gone(&error) && self.home.storage.list(&self.home.dir).is_err() => None,
            listed => Some(listed?),
        };
        let Some(segments) = listed else {
            // The directory is gone, or another topic's.
            self.set_state(State::Deleted);
            self.wake_all_readers();
            return Ok(());
        };
        following.identity = identity;
        let is_same = |(a, b)| Arc::ptr_eq(a, b);
        if known.len() != segments.len() || !known.iter().zip(segments.iter()).all(is_same) {
            let (first, end) = (segments.first().base_offset(), segments.active().end().next_offset);
            let log_start = self.log_start.load(Ordering::Acquire).max(first).min(end);
            // Readers are told first: an offset is out of range before its segment is gone.
            self.log_start.store(log_start, Ordering::Release);
            self.segments.store(Arc::new(segments));
            if end < before {
                // It was truncated, and its epochs with it.
                following.epochs = Epochs::read(&self.home).unwrap_or_default();
                self.epochs.replace(&following.epochs);
            }
        }
        self.end_look(following, before);
        Ok(())
    }

    fn end_look(&self, following: &Following, before: Offset) {
        let latest = following.epochs.latest().map_or(0, |latest| latest.epoch);
        if latest != self.epochs.current() {
            self.epochs.replace(&following.epochs);
        }
        self.leader_epoch.fetch_max(latest, Ordering::AcqRel);
        if self.log_end() != before {
            self.wake_readers(self.log_end());
        }
    }

    /// Reads, and if that comes upon what the writer has taken away or replaced, looks again at what is there.
    pub(super) fn read_followed<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        for _ in 1..ATTEMPTS_MAX {
            let before = self.segments.load_full();
            match read() {
                Err(error @ (Error::Io { .. } | Error::CorruptRecord { .. } | Error::OffsetOutOfRange { .. }))
                    if self.is_followed() =>
                {
                    let end = before.active().end();
                    self.refresh()?;
                    let now = self.segments.load_full();
                    if Arc::ptr_eq(&before, &now) && end == now.active().end() {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
        read()
    }
}

/// Parks as [`Parker::park_until`] does. Nobody wakes those who wait for another process to append: where logs are
/// followed, looks at them from time to time. The waker has to be registered with them.
pub(crate) fn park_until<'a>(
    parker: &Parker,
    deadline: Option<Instant>,
    logs: impl Iterator<Item = &'a Log> + Clone,
) -> bool {
    if !logs.clone().any(|log| log.inner.is_followed()) {
        return parker.park_until(deadline);
    }
    let mut pause = PAUSE_MIN;
    loop {
        // What went wrong comes up again in the read that this ends in.
        if logs.clone().any(|log| log.look().is_err()) {
            return true;
        }
        let look_at = Instant::now() + pause;
        if parker.park_until(Some(deadline.map_or(look_at, |deadline| deadline.min(look_at)))) {
            return true;
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return false;
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
