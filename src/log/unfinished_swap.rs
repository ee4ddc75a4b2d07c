//! What a crash left of a swap of compacted segments, finished or undone when the partition is opened: by Kafka's
//! rules, so that either finishes what the other began. [`cleaner`](super::cleaner) has the steps that lead here.
//!
//! ```text
//!   a .cleaned file is there    its segment is not complete: it goes, and so does every .swap from its offset on
//!   a .log.swap file is there   it is complete: the old segments that it reaches go, and it takes their place
//!   only an index .swap is      all but the last names were taken
//! ```

use std::io::ErrorKind;

use super::file_name::{CLEANED, LOG, SWAP, parse_segment_file, segment_file};
use super::scan::BatchScan;
use super::segment::{Home, Segment, SegmentEnd, SegmentFiles};
use crate::error::{Error, Result};
use crate::io::DirEntry;
use crate::record::BatchRef;
use crate::types::Offset;
use std::sync::Arc;

/// A segment's file in the middle of a swap, by its name.
fn parse(name: &str, second: &str) -> Option<(Offset, &'static str)> {
    parse_segment_file(name.strip_suffix(second)?)
}

/// Finishes or undoes what is there. True if that changed names, so that `entries` are out of date.
pub(super) fn finish(home: &Arc<Home>, entries: &[DirEntry]) -> Result<bool> {
    let of = |second| entries.iter().filter_map(move |entry| Some((entry, parse(&entry.name, second)?)));
    let unfinished = Unfinished { home };
    let first_cleaned = of(CLEANED).map(|(_, (base_offset, _))| base_offset).min();
    let (mut swaps, undone): (Vec<_>, Vec<_>) =
        of(SWAP).partition(|(_, (base_offset, _))| first_cleaned.is_none_or(|first| *base_offset < first));
    if swaps.is_empty() && undone.is_empty() && first_cleaned.is_none() {
        return Ok(false);
    }
    undone
        .iter()
        .map(|(entry, _)| *entry)
        .chain(of(CLEANED).map(|(entry, _)| entry))
        .try_for_each(|entry| unfinished.remove(&entry.name))?;
    // The names that are about to decide what goes must be certain before it does.
    unfinished.home.sync_dir()?;
    let is_there = |base_offset| entries.iter().any(|entry| entry.name == segment_file(base_offset, LOG));
    let mut range: Option<(Offset, Offset)> = None;
    for (entry, (base_offset, _)) in of(SWAP).filter(|(_, (_, suffix))| *suffix == LOG) {
        if first_cleaned.is_some_and(|first| base_offset >= first) {
            continue;
        }
        let (next_offset, is_whole) = unfinished.end_of(base_offset, entry)?;
        if !is_whole && is_there(base_offset) {
            // What can't be read must not take the place of what can.
            for (entry, _) in swaps.extract_if(.., |(_, (of, _))| *of == base_offset) {
                unfinished.remove(&entry.name)?;
            }
            continue;
        }
        let (first, end) = range.unwrap_or((base_offset, base_offset));
        range = Some((first.min(base_offset), end.max(next_offset).max(base_offset + 1)));
    }
    if let Some((first, end)) = range {
        let is_replaced = |entry: &&DirEntry| {
            parse(&entry.name, "").is_some_and(|(base_offset, _)| (first..end).contains(&base_offset))
        };
        entries.iter().filter(is_replaced).try_for_each(|entry| unfinished.remove(&entry.name))?;
        // An old segment must not come back beside the new one.
        unfinished.home.sync_dir()?;
    }
    // The log comes last: while it has not its name, all of this is done again.
    swaps.sort_unstable_by_key(|(_, (_, suffix))| *suffix == LOG);
    for (entry, (base_offset, suffix)) in swaps {
        unfinished.rename(&entry.name, &segment_file(base_offset, suffix))?;
    }
    Ok(true)
}

struct Unfinished<'a> {
    home: &'a Arc<Home>,
}

impl Unfinished<'_> {
    /// Where a swapped segment ends, and whether all of it is whole.
    fn end_of(&self, base_offset: Offset, entry: &DirEntry) -> Result<(Offset, bool)> {
        let path = self.home.dir.join(&entry.name);
        let end = SegmentEnd { next_offset: base_offset + Offset::from(u32::MAX), size: entry.len };
        let log = self.home.storage.open(&path).map_err(|error| Error::io("open", &path, error))?;
        let segment = Segment::new(self.home.clone(), base_offset, end, true, entry.modified_ms);
        segment.file_slot().use_files_of_other_names(SegmentFiles {
            log,
            offset_index: None,
            time_index: None,
            transaction_index: None,
        });
        let mut scan = BatchScan::new(&segment, 0, end, base_offset)?;
        let mut is_whole = true;
        while let Some(batch) = scan.next() {
            match batch.and_then(|batch| BatchRef::parse(&scan.bytes(&batch)?).map(drop)) {
                Ok(()) => {}
                Err(Error::CorruptRecord { .. }) => is_whole = false,
                Err(error) => return Err(error),
            }
        }
        Ok((scan.expected(), is_whole))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let path = self.home.dir.join(name);
        match self.home.storage.remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.home.dir.join(from), self.home.dir.join(to));
        self.home.storage.rename(&from, &to).map_err(|error| Error::io("rename", from, error))
    }
}
