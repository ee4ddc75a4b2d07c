//! Looking through a whole partition: every batch decoded, every index entry confirmed, every file accounted for. Reads
//! alone; what is found is told to a [`Findings`].
//!
//! The walk is the one of [`survey`](super::survey).

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::checkpoint;
use super::file_name::{
    CUT, DELETED, LEADER_EPOCH_CHECKPOINT, LOG, OFFSET_INDEX, PARTITION_METADATA, SNAPSHOT, SYNC_FAILED, TEMPORARY,
    TIME_INDEX, TRANSACTION_INDEX, parse_base_offset,
};
use super::findings::{Findings, Problem};
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::{Entry, entry, entry_count};
use super::producer_state::snapshot;
use super::segment::{Home, Segment, SegmentEnd, SegmentFiles};
use super::survey::{Found, survey};
use super::verify_producers::{Transactions, verify_snapshots};
use crate::error::{Error, Result};
use crate::io::{DirEntry, Storage, StorageFile};
use crate::record::BatchRef;
use crate::types::Offset;

/// No batch is larger.
const TAIL_BYTES_MAX: u64 = i32::MAX as u64;
/// The suffixes of what an interrupted deletion, compaction or replacement leaves.
const LEFTOVERS: [&str; 4] = [DELETED, TEMPORARY, ".swap", ".cleaned"];

/// Looks through the partition at `home`, whose records have `log_start` as the first. A gap between two segments is
/// fine if it `may_have_gaps`, because it is compacted.
pub(crate) fn verify(home: Home, log_start: Offset, may_have_gaps: bool, findings: &mut Findings<'_>) -> Result<()> {
    let home = Arc::new(home);
    let mut entries = home.storage.list(&home.dir).map_err(|error| Error::io("list", &home.dir, error))?;
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    for entry in &entries {
        verify_name(&home, entry, &entries, findings);
    }
    if let Err(error) = checkpoint::read::<2>(&*home.storage, &home.dir.join(LEADER_EPOCH_CHECKPOINT)).and_then(numbers)
    {
        findings.add_error(&home.dir.join(LEADER_EPOCH_CHECKPOINT), error)?;
    }
    verify_snapshots(&home, &entries, findings)?;
    let logs = logs_of(&entries);
    let mut transactions = Transactions::new(&home, logs.first().map_or(0, |(first, _)| *first), may_have_gaps);
    let mut before: Option<Offset> = None;
    for (index, (base_offset, log)) in logs.iter().enumerate() {
        if let Some(end) = before.filter(|end| *end != *base_offset)
            && (end > *base_offset || !may_have_gaps && *base_offset > log_start)
        {
            let problem = match end > *base_offset {
                true => Problem::Overlap { expected: end, found: *base_offset },
                false => Problem::Gap { missing: end.max(log_start)..=*base_offset - 1 },
            };
            findings.add(&home.path(*base_offset, LOG), 0, problem);
        }
        let next_base = logs.get(index + 1).map_or(Offset::MAX, |(next, _)| *next);
        let verifier = Verifier { home: &home, segment: unbounded(&home, *base_offset, log), log_len: log.len };
        match verifier.verify(logs.len() - index <= 2, next_base, &mut transactions, findings) {
            Ok(next_offset) => before = Some(next_offset),
            // Whoever writes the log has deleted it meanwhile.
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                before = None;
                transactions.lose_track();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Looks once more at what was behind the ends of logs, and at snapshots: what is whole now was being written.
pub(crate) fn verify_tails(storage: &dyn Storage, findings: &mut Findings<'_>) -> Result<()> {
    for tail in findings.take_tails() {
        let is_whole = || -> io::Result<bool> {
            let file = storage.open(&tail.path)?;
            let len = file.len().saturating_sub(tail.position).min(TAIL_BYTES_MAX);
            let bytes = file.view(tail.position, len as usize)?;
            Ok(BatchRef::parse(&bytes).is_ok_and(|batch| batch.header().base_offset >= tail.expected))
        };
        match is_whole() {
            Ok(true) => {}
            Ok(false) => findings.add(&tail.path, tail.position, Problem::TornTail { bytes: tail.bytes }),
            // It was deleted, or cut.
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::UnexpectedEof].contains(&error.kind()) => {}
            Err(error) => return Err(Error::io("read", tail.path, error)),
        }
    }
    for path in findings.take_snapshots() {
        match snapshot::is_whole(storage, &path) {
            Ok(false) => findings.add(&path, 0, Problem::DamagedSnapshot),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("read", path, error)),
            _ => {}
        }
    }
    Ok(())
}

fn logs_of(entries: &[DirEntry]) -> Vec<(Offset, &DirEntry)> {
    entries.iter().filter_map(|entry| Some((parse_base_offset(&entry.name, LOG)?, entry))).collect()
}

fn unbounded(home: &Arc<Home>, base_offset: Offset, log: &DirEntry) -> Segment {
    let size = log.len.min(u64::from(u32::MAX));
    let end = SegmentEnd { next_offset: base_offset + Offset::from(u32::MAX), size };
    Segment::new(home.clone(), base_offset, end, true, log.modified_ms)
}

/// Whether the entries are all numbers.
fn numbers(entries: Vec<[String; 2]>) -> Result<()> {
    let file = Path::new(LEADER_EPOCH_CHECKPOINT);
    entries.iter().flatten().try_for_each(|field| checkpoint::number::<i64>(file, field).map(drop))
}

/// Accounts for one name in a partition's directory.
fn verify_name(home: &Home, entry: &DirEntry, entries: &[DirEntry], findings: &mut Findings<'_>) {
    let name = entry.name.as_str();
    let has_log = |base_offset| entries.iter().any(|entry| parse_base_offset(&entry.name, LOG) == Some(base_offset));
    let index_of =
        [OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX].iter().find_map(|suffix| parse_base_offset(name, suffix));
    let problem = match name {
        PARTITION_METADATA | LEADER_EPOCH_CHECKPOINT if !entry.is_dir => return,
        SYNC_FAILED => Problem::SyncFailed,
        _ if entry.is_dir => Problem::Unknown,
        _ if LEFTOVERS.iter().any(|suffix| name.ends_with(suffix)) => Problem::Leftover,
        _ if name.ends_with(CUT) => Problem::SetAside { bytes: entry.len },
        _ if index_of.is_some_and(|base_offset| !has_log(base_offset)) => Problem::Leftover,
        _ if index_of.is_some() => return,
        _ if [LOG, SNAPSHOT].iter().any(|suffix| parse_base_offset(name, suffix).is_some()) => return,
        _ => Problem::Unknown,
    };
    findings.add(&home.dir.join(name), 0, problem);
}

struct Verifier<'a> {
    home: &'a Home,
    segment: Segment,
    log_len: u64,
}

impl Verifier<'_> {
    /// Returns the offset after the last one in the segment. Reserved space behind the batches `may_be_reserved` if it
    /// may be appended to, or was just before the next one began.
    fn verify(
        self,
        may_be_reserved: bool,
        next_base: Offset,
        transactions: &mut Transactions,
        findings: &mut Findings<'_>,
    ) -> Result<Offset> {
        let (path, end) = (self.segment.path(LOG), self.segment.end());
        if self.log_len > end.size {
            findings.add(&path, end.size, Problem::TooLarge { len: self.log_len });
        }
        let (mut seen, mut is_whole) = (0, true);
        let next_offset = survey(&self.segment, |position, found| {
            findings.looked_at(&path, position - seen);
            seen = position;
            match found {
                Found::Whole(_) => Ok(()),
                Found::Damaged { offsets, error, .. } => {
                    is_whole = false;
                    let offsets = offsets.start..=(offsets.end - 1).max(offsets.start);
                    findings.add_damage(&path, position, offsets, error)
                }
                Found::Tail { expected, error } => {
                    self.tail(&path, position, expected, may_be_reserved, error, findings)
                }
            }
        })?;
        findings.looked_at(&path, end.size - seen);
        self.segment.publish(SegmentEnd { next_offset, size: end.size });
        self.verify_index::<OffsetEntry>(findings)?;
        self.verify_index::<TimeEntry>(findings)?;
        if !is_whole {
            transactions.lose_track();
        }
        transactions.verify(&self.segment, next_base, findings)?;
        self.segment.close_files();
        Ok(next_offset)
    }

    /// What is behind the last batch that is whole.
    fn tail(
        &self,
        path: &Path,
        position: u64,
        expected: Offset,
        may_be_reserved: bool,
        error: Error,
        findings: &mut Findings<'_>,
    ) -> Result<()> {
        let content_end = super::loader::content_end(&self.segment, position)?;
        match (content_end == position, may_be_reserved) {
            (true, true) => {}
            (true, false) => findings.add(path, position, Problem::Reserved { bytes: self.log_len - position }),
            (false, true) => {
                // It may be on its way in: only if it is still not whole in the end, it is torn.
                findings.add_tail(path, position, content_end - position, expected);
            }
            (false, false) => findings.add_damage(path, position, expected..=expected, error)?,
        }
        Ok(())
    }

    fn verify_index<E: Confirm>(&self, findings: &mut Findings<'_>) -> Result<()> {
        let path = self.segment.path(E::SUFFIX);
        let Some(file) = E::file(&*self.segment.files()?).cloned() else {
            if self.segment.end().next_offset > self.segment.base_offset() {
                findings.add(&path, 0, Problem::MissingIndex);
            }
            return Ok(());
        };
        let len = self.home.storage.len(&path).map_err(|error| Error::io("look at", &path, error))?;
        check_index::<E>(&self.segment, &*file, |position, problem| findings.add(&path, position, problem))?;
        let left = len % E::BYTES as u64;
        if left != 0 {
            findings.add(&path, len - left, Problem::TornIndexEntry);
        }
        findings.looked_at(&path, len);
        Ok(())
    }
}

/// Holds every whole entry of an index of `segment` against its log, and the entry before.
pub(super) fn check_index<E: Confirm>(
    segment: &Segment,
    file: &dyn StorageFile,
    mut found: impl FnMut(u64, Problem),
) -> Result<()> {
    let mut before: Option<E> = None;
    for slot in 0..entry_count::<E>(file) {
        let entry = match entry::<E>(file, slot) {
            Ok(entry) => entry,
            // It was cut meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(Error::io("read", segment.path(E::SUFFIX), error)),
        };
        let position = slot * E::BYTES as u64;
        if before.as_ref().is_some_and(|before| !entry.follows(before)) {
            found(position, Problem::UnsortedIndexEntry);
        } else if !entry.is_confirmed(segment)? {
            found(position, Problem::WrongIndexEntry);
        }
        before = Some(entry);
    }
    Ok(())
}

/// An index entry that can be held against its log.
pub(super) trait Confirm: Entry {
    const SUFFIX: &'static str;
    /// Its file among those of a segment.
    fn file(files: &SegmentFiles) -> Option<&Arc<dyn StorageFile>>;
    /// Whether it may come after another.
    fn follows(&self, before: &Self) -> bool;
    /// Whether the log has what it says.
    fn is_confirmed(&self, segment: &Segment) -> Result<bool>;
}

impl Confirm for OffsetEntry {
    const SUFFIX: &'static str = OFFSET_INDEX;

    fn file(files: &SegmentFiles) -> Option<&Arc<dyn StorageFile>> {
        files.offset_index.as_ref()
    }

    fn follows(&self, before: &Self) -> bool {
        before.relative_offset < self.relative_offset && before.position < self.position
    }

    fn is_confirmed(&self, segment: &Segment) -> Result<bool> {
        Ok(segment.confirm_append(&*segment.files()?, self).is_some())
    }
}

impl Confirm for TimeEntry {
    const SUFFIX: &'static str = TIME_INDEX;

    fn file(files: &SegmentFiles) -> Option<&Arc<dyn StorageFile>> {
        files.time_index.as_ref()
    }

    fn follows(&self, before: &Self) -> bool {
        before.timestamp < self.timestamp && before.relative_offset <= self.relative_offset
    }

    fn is_confirmed(&self, segment: &Segment) -> Result<bool> {
        segment.confirms(self)
    }
}
