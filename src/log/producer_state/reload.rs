//! How a partition comes to know its producers again: from the newest snapshot that can be used, and the batches after
//! it.
//!
//! ```text
//!   segments    |0           |100         |200 ··· end
//!   snapshots                 100          200      └ after a clean shutdown
//!   rebuilt                  |100 ········          then from the snapshot at 100 on, or an older one
//! ```
//!
//! A segment that was gone through at an open gets its transaction index anew on the way. A snapshot that is damaged is
//! passed over; without any, everything is replayed. Only a cleanly closed log that has no snapshot at all is taken to
//! have no producers, as Kafka takes it: both write one as soon as there is a producer.

use std::collections::HashSet;
use std::io;

use super::{ProducerStates, snapshot};
use crate::error::{Error, Result};
use crate::io::replace_file;
use crate::log::file_name::{SNAPSHOT, TRANSACTION_INDEX, parse_base_offset};
use crate::log::index::transaction::{AbortedTransaction, TransactionEntry};
use crate::log::segment::{Home, Segment, SegmentList};
use crate::record::{BatchRef, DECOMPRESSED_BYTES_MAX, EndTransactionMarker};
use crate::types::Offset;

/// What is to be reloaded.
#[derive(Debug)]
pub(in crate::log) struct Reload<'a> {
    pub(in crate::log) home: &'a Home,
    pub(in crate::log) segments: &'a SegmentList,
    /// The base offsets of the segments whose transaction indexes are to be written anew.
    pub(in crate::log) rebuilt: &'a [Offset],
    /// The log was closed properly: without a snapshot it has no producers.
    pub(in crate::log) clean: bool,
    /// False only where a test plants that bug.
    pub(in crate::log) replays: bool,
}

/// What was reloaded.
#[derive(Debug)]
pub(in crate::log) struct Reloaded {
    pub(in crate::log) states: ProducerStates,
    /// The snapshots that were to be used and are damaged.
    pub(in crate::log) damaged: Vec<Offset>,
    pub(in crate::log) names_changed: bool,
}

impl Reload<'_> {
    /// Knows the producers from everything below the log's end.
    pub(in crate::log) fn run(self) -> Result<Reloaded> {
        let end = self.segments.active().end().next_offset;
        let (snapshots, mut names_changed) = self.look_around(end)?;
        let first = self.segments.first().base_offset();
        let before = self.rebuilt.first().copied().unwrap_or(end).min(end);
        let (mut states, mut from, mut damaged) = (ProducerStates::default(), first, Vec::new());
        for offset in snapshots.iter().rev().copied().filter(|offset| (first..=before).contains(offset)) {
            match snapshot::read(self.home, offset).map_err(|error| self.failed("read", offset, error))? {
                Some(read) => {
                    (states, from) = (read, offset);
                    break;
                }
                None => damaged.push(offset),
            }
        }
        if snapshots.is_empty() && self.clean && self.rebuilt.is_empty() {
            from = end;
        }
        states.last_snapshot = snapshots.last().copied();
        if from < end && self.replays {
            names_changed |= self.replay(&mut states, from)?;
            // So that the next open need not do it again, if that is to be expected.
            if states.needs_snapshot(end) {
                states.write_snapshot(self.home, end).map_err(|error| self.failed("write", end, error))?;
                names_changed = true;
            }
        }
        Ok(Reloaded { states, damaged, names_changed })
    }

    fn failed(&self, operation: &'static str, offset: Offset, error: io::Error) -> Error {
        Error::io(operation, self.home.path(offset, SNAPSHOT), error)
    }

    /// Finds out which segments have a transaction index, and the offsets of the snapshots, in order. Those beyond the
    /// log's end are gone, or they would come to be taken for what the log knows when it gets there; and those that are
    /// no segment's, as Kafka does it, but for the newest if it is in the last segment.
    fn look_around(&self, end: Offset) -> Result<(Vec<Offset>, bool)> {
        let (storage, dir) = (&self.home.storage, &self.home.dir);
        let entries = storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
        let mut found: Vec<Offset> =
            entries.iter().filter_map(|entry| parse_base_offset(&entry.name, SNAPSHOT)).collect();
        found.sort_unstable();
        let has_index: HashSet<Offset> =
            entries.iter().filter_map(|entry| parse_base_offset(&entry.name, TRANSACTION_INDEX)).collect();
        for segment in self.segments.iter() {
            segment.set_may_have_aborted(has_index.contains(&segment.base_offset()));
        }
        let bases: HashSet<Offset> = self.segments.iter().map(|segment| segment.base_offset()).collect();
        let last_base = self.segments.active().base_offset();
        let newest = found.iter().rfind(|offset| (last_base..=end).contains(*offset)).copied();
        let is_kept = |offset: &Offset| *offset <= end && (bases.contains(offset) || Some(*offset) == newest);
        let (kept, strays): (Vec<Offset>, Vec<Offset>) = found.into_iter().partition(is_kept);
        for offset in &strays {
            let path = self.home.path(*offset, SNAPSHOT);
            match storage.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", path, error)),
                _ => {}
            }
        }
        Ok((kept, !strays.is_empty()))
    }

    /// Takes in the batches from offset `from` on. Tells whether names have changed.
    fn replay(&self, states: &mut ProducerStates, from: Offset) -> Result<bool> {
        let mut names_changed = false;
        for segment in self.segments.starting_with(from) {
            let is_rebuilt = self.rebuilt.contains(&segment.base_offset());
            let mut aborted = Vec::new();
            if segment.end().size > 0 {
                replay_segment(segment, states, from, &mut aborted)?;
                segment.close_files();
            }
            if is_rebuilt {
                names_changed |= self.replace_index(segment, &aborted)?;
            }
        }
        Ok(names_changed)
    }

    /// Makes these the entries of a segment's transaction index.
    fn replace_index(&self, segment: &Segment, entries: &[TransactionEntry]) -> Result<bool> {
        let path = segment.path(TRANSACTION_INDEX);
        let bytes: Vec<u8> = entries.iter().flat_map(TransactionEntry::encode).collect();
        let storage = &*self.home.storage;
        segment.set_may_have_aborted(!entries.is_empty());
        match storage.read(&path) {
            Ok(found) if found == bytes => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound && bytes.is_empty() => Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("read", path, error)),
            Ok(_) if bytes.is_empty() => {
                storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
                Ok(true)
            }
            _ => {
                replace_file(storage, &path, &bytes).map_err(|error| Error::io("write", path, error))?;
                Ok(true)
            }
        }
    }
}

/// Takes in the batches of a segment from offset `from` on, by their headers; only markers are read. What is damaged is
/// passed over.
pub(in crate::log) fn replay_segment(
    segment: &Segment,
    states: &mut ProducerStates,
    from: Offset,
    aborted: &mut Vec<TransactionEntry>,
) -> Result<()> {
    let mut scan = segment.scan_to(from)?;
    while let Some(batch) = scan.next() {
        match batch {
            Ok(batch) if batch.header.has_producer_id() && batch.header.base_offset >= from => {
                let header = &batch.header;
                if !header.is_control() {
                    states.append(header, header.base_offset, header.max_timestamp);
                    continue;
                }
                let bytes = scan.bytes(&batch)?;
                let Some(marker) = marker_in(&bytes) else { continue };
                let (id, epoch, at) = (header.producer_id, header.producer_epoch, header.base_offset);
                let completed = states.end_transaction(id, epoch, &marker, at, header.max_timestamp);
                aborted.extend(completed.and_then(|completed| completed.index_entry(&marker)));
            }
            Ok(_) => {}
            Err(Error::CorruptRecord { .. }) => {
                if !scan.skip_damage()? {
                    break;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The marker that a control batch holds, if it is whole and compaction has left it there.
pub(in crate::log) fn marker_in(bytes: &[u8]) -> Option<EndTransactionMarker> {
    let batch = BatchRef::parse(bytes).ok()?;
    let mut marker = None;
    let read = batch.for_each_record(DECOMPRESSED_BYTES_MAX, |record| {
        marker = marker.or(EndTransactionMarker::parse(record)?);
        Ok(())
    });
    read.ok().and(marker)
}

impl super::CompletedTransaction {
    /// What the transaction index says of it: nothing if it was committed.
    pub(in crate::log) fn index_entry(&self, marker: &EndTransactionMarker) -> Option<TransactionEntry> {
        (marker.result == crate::record::TransactionResult::Abort).then_some(TransactionEntry {
            version: 0,
            aborted: AbortedTransaction {
                producer_id: self.producer_id,
                first_offset: self.first_offset,
                last_offset: self.last_offset,
            },
            last_stable_offset: self.last_stable_offset,
        })
    }
}
