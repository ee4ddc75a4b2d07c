//! What a log that another process writes knows of its transactions: followed batch by batch, as its writer does.
//!
//! ```text
//!   |closed segments: their .txnindex is complete|the last one: its markers are read here      |
//!                                                |the .txnindex may lack what the log has      |
//! ```
//!
//! Nothing is known before somebody asks, for that takes a walk over the last segment, from the producer snapshot that
//! is written where a segment begins. From then on each batch that is taken in is noted.

use std::sync::Arc;

use super::super::file_name::{SNAPSHOT, parse_base_offset};
use super::super::index::transaction::TransactionEntry;
use super::super::producer_state::reload::{marker_in, replay_segment};
use super::super::producer_state::{ProducerStates, snapshot};
use super::super::segment::{Home, Segment};
use crate::error::{Error, Result};
use crate::record::BatchHeader;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicI64, Ordering};
use crate::types::Offset;

/// What readers are told.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where the oldest transaction begins that is not decided; [`Offset::MAX`] if all are, −1 as long as nothing is
    /// known.
    first_unstable: AtomicI64,
    /// The aborted transactions whose markers are in the segment that begins at this offset.
    aborted: Mutex<(Offset, Vec<TransactionEntry>)>,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { first_unstable: AtomicI64::new(-1), aborted: Mutex::new((-1, Vec::new())) })
    }

    pub(super) fn is_known(&self) -> bool {
        self.first_unstable() >= 0
    }

    pub(super) fn first_unstable(&self) -> Offset {
        self.first_unstable.load(Ordering::Acquire)
    }

    /// The aborted transactions of the segment at `base_offset`, if it is the one whose markers are read here.
    pub(super) fn aborted_of(&self, base_offset: Offset) -> Option<Vec<TransactionEntry>> {
        let aborted = self.aborted.lock();
        (aborted.0 == base_offset).then(|| aborted.1.clone())
    }
}

/// What is known of the transactions up to an offset.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) states: ProducerStates,
    known_to: Offset,
    shared: Arc<Shared>,
}

impl Transactions {
    /// Learns what is to be known up to the end of `segments`, which may be followed from there on.
    pub(super) fn load(home: &Home, segments: &[Arc<Segment>], shared: Arc<Shared>) -> Result<Self> {
        let mut transactions = Self { states: ProducerStates::default(), known_to: -1, shared };
        transactions.reload(home, segments)?;
        Ok(transactions)
    }

    /// As [`load`](Self::load), unless all of that is known.
    pub(super) fn reload(&mut self, home: &Home, segments: &[Arc<Segment>]) -> Result<()> {
        let Some((last, closed)) = segments.split_last() else { return Ok(()) };
        let end = last.end().next_offset;
        if self.known_to == end && self.is_in(last) {
            return Ok(());
        }
        let (mut states, from) = newest_snapshot(home, segments)?;
        for segment in closed.iter().filter(|segment| segment.end().next_offset > from && segment.end().size > 0) {
            replay_segment(segment, &mut states, from, &mut Vec::new())?;
            segment.close_files();
        }
        let mut aborted = Vec::new();
        if last.end().size > 0 {
            replay_segment(last, &mut states, from, &mut aborted)?;
        }
        *self.shared.aborted.lock() = (last.base_offset(), aborted);
        (self.states, self.known_to) = (states, end);
        self.publish();
        Ok(())
    }

    /// Whether the markers of this segment are the ones that are read, or it begins where everything is known.
    fn is_in(&self, segment: &Segment) -> bool {
        if self.known_to == segment.base_offset() {
            self.enter(segment);
        }
        self.shared.aborted.lock().0 == segment.base_offset()
    }

    /// The log is not what it was: nothing is known of it.
    pub(super) fn forget(&mut self) {
        self.known_to = -1;
    }

    /// Takes in a batch, before it can be read or after: a transaction is known to be open before its records can be
    /// read, and which ones are void before they are taken for decided.
    pub(super) fn apply(&mut self, segment: &Segment, header: &BatchHeader, batch: &[u8], publish: impl FnOnce()) {
        self.known_to = header.next_offset();
        self.enter(segment);
        if !header.has_producer_id() {
            return publish();
        }
        if !header.is_control() {
            self.states.append(header, header.base_offset, header.max_timestamp);
            self.publish();
            return publish();
        }
        if let Some(marker) = marker_in(batch) {
            let (id, epoch, at) = (header.producer_id, header.producer_epoch, header.base_offset);
            let completed = self.states.end_transaction(id, epoch, &marker, at, header.max_timestamp);
            let entry = completed.and_then(|completed| completed.index_entry(&marker));
            self.shared.aborted.lock().1.extend(entry);
        }
        publish();
        self.publish();
    }

    /// The segment is the one whose markers are read.
    fn enter(&self, segment: &Segment) {
        let mut aborted = self.shared.aborted.lock();
        if aborted.0 != segment.base_offset() {
            *aborted = (segment.base_offset(), Vec::new());
        }
    }

    fn publish(&self) {
        let first_unstable = self.states.first_unstable_offset().unwrap_or(Offset::MAX);
        self.shared.first_unstable.store(first_unstable, Ordering::Release);
    }

    /// Whether everything below `offset` is known.
    pub(super) fn is_known_to(&self, offset: Offset) -> bool {
        self.known_to == offset
    }
}

/// What the newest snapshot holds that is there and whole and not beyond the beginning of the last segment, and up to
/// where. A writer writes one when it begins a segment; without any, all of the log must tell.
fn newest_snapshot(home: &Home, segments: &[Arc<Segment>]) -> Result<(ProducerStates, Offset)> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Ok((ProducerStates::default(), 0));
    };
    let entries = home.storage.list(&home.dir).map_err(|error| Error::io("list", &home.dir, error))?;
    let mut offsets: Vec<Offset> =
        entries.iter().filter_map(|entry| parse_base_offset(&entry.name, SNAPSHOT)).collect();
    offsets.retain(|offset| (first.base_offset()..=last.base_offset()).contains(offset));
    offsets.sort_unstable();
    for offset in offsets.iter().rev() {
        // One that is being written is not whole yet, and one may be taken away.
        if let Ok(Some(states)) = snapshot::read(home, *offset) {
            return Ok((states, *offset));
        }
    }
    Ok((ProducerStates::default(), first.base_offset()))
}
