//! Looking at the whole directory of a log that another process writes.
//!
//! Compaction takes segments away and puts others in their place, one name after the other. In the middle of that the
//! new one is there under its `.swap` name alone, and is read by that.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::super::file_name::{LOG, SWAP, parse_base_offset};
use super::super::segment::{Home, Segment, SegmentEnd, SegmentFiles, SegmentList};
use super::transactions::Transactions;
use super::{ATTEMPTS_MAX, Following, empty_segment, is_blank_before, is_gone, unbounded};
use crate::error::{Error, Result};
use crate::io::DirEntry;
use crate::record::BATCH_HEADER_BYTES;
use crate::types::Offset;

/// What may be behind the names of a compacted segment's files while they take their places one after the other.
const SWAPPED: [&str; 2] = [SWAP, ""];

impl Following {
    /// The segments that are there now, `known` ones as they are as far as that is still so.
    pub(super) fn list(
        &mut self,
        home: &Arc<Home>,
        known: Option<&SegmentList>,
        log_start: Offset,
    ) -> Result<SegmentList> {
        let mut attempt = 1;
        loop {
            match self.try_list(home, known, log_start) {
                // The writer took a file away that had just been there.
                Err(error) if is_gone(&error) && attempt < ATTEMPTS_MAX && home.storage.list(&home.dir).is_ok() => {
                    attempt += 1;
                }
                listed => return listed,
            }
        }
    }

    fn try_list(&mut self, home: &Arc<Home>, known: Option<&SegmentList>, log_start: Offset) -> Result<SegmentList> {
        let entries = home.storage.list(&home.dir).map_err(|error| Error::io("list", &home.dir, error))?;
        let mut logs = logs_of(home, &entries)?;
        logs.sort_unstable_by_key(|(base_offset, _)| *base_offset);
        let active = known.filter(|known| known.active().end().size > 0).map(|known| known.active().base_offset());
        if active.is_some_and(|active| logs.iter().all(|(base_offset, _)| *base_offset != active)) {
            self.forget_transactions();
        }
        let mut segments = Vec::with_capacity(logs.len().max(1));
        for (index, (base_offset, log)) in logs.iter().enumerate() {
            let before = known.and_then(|known| known.iter().find(|segment| segment.base_offset() == *base_offset));
            match logs.get(index + 1) {
                Some((next_base, _)) => {
                    let is_last_but_one = index + 2 == logs.len();
                    segments.push(self.closed(home, log, *base_offset, *next_base, before, is_last_but_one)?);
                }
                None => {
                    let before = before.filter(|before| known.is_some_and(|known| Arc::ptr_eq(known.active(), before)));
                    self.last(home, log, *base_offset, before, &mut segments)?;
                }
            }
        }
        if segments.is_empty() {
            let start = known.map_or(log_start, |known| known.active().end().next_offset);
            segments.push(empty_segment(home, start));
            self.last = None;
        }
        self.listed_at = Instant::now();
        Ok(SegmentList::new(segments))
    }

    /// A segment with one behind it.
    fn closed(
        &mut self,
        home: &Arc<Home>,
        log: &DirEntry,
        base_offset: Offset,
        next_base: Offset,
        before: Option<&Arc<Segment>>,
        is_last_but_one: bool,
    ) -> Result<Arc<Segment>> {
        let end = SegmentEnd { next_offset: next_base.min(base_offset + Offset::from(u32::MAX)), size: log.len };
        if let Some(before) = before {
            if before.end() == end {
                if log.name.ends_with(LOG) {
                    before.file_slot().take_names();
                }
                return Ok(before.clone());
            }
            // It was the last one, and something came into it before the next one began.
            if before.end().next_offset < next_base && self.is_unchanged(before)? {
                self.follow(before)?;
                if before.end().next_offset == end.next_offset && before.end().size <= log.len {
                    return Ok(before.clone());
                }
            }
        }
        if before.is_some() {
            self.forget_transactions();
        }
        let segment = unbounded(home, log, base_offset);
        if log.name.ends_with(SWAP) {
            segment.file_slot().use_files_of_other_names(SegmentFiles::open_first(home, base_offset, &SWAPPED)?);
        }
        segment.publish(end);
        // The writer gives reserved space back only after it has begun the next segment.
        if is_last_but_one && is_blank_before(&*segment.files()?.log, end.size)? {
            let from = segment.position_before(Offset::MAX)?;
            segment.publish(SegmentEnd { next_offset: from.1, size: from.0 });
            let (last, transactions) = (self.last.take(), self.transactions.take());
            let followed = self.follow(&segment);
            (self.last, self.transactions) = (last, transactions);
            followed?;
            if segment.end().next_offset != end.next_offset {
                segment.publish(end);
            }
        }
        segment.close_files();
        Ok(Arc::new(segment))
    }

    /// Puts the segment that is being written behind those before it.
    fn last(
        &mut self,
        home: &Arc<Home>,
        log: &DirEntry,
        base_offset: Offset,
        before: Option<&Arc<Segment>>,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<()> {
        let segment = match before {
            Some(before) if self.is_unchanged(before)? => before.clone(),
            _ => {
                if before.is_some() {
                    self.forget_transactions();
                }
                let segment = unbounded(home, log, base_offset);
                // Of a segment that begins where everything is known no batch is left out.
                let is_next = self.transactions.as_ref().is_some_and(|known| known.is_known_to(base_offset));
                let (position, next_offset) = match is_next {
                    true => (0, base_offset),
                    false => segment.position_before(Offset::MAX)?,
                };
                segment.publish(SegmentEnd { next_offset, size: position });
                (self.last, self.stuck_count) = (None, 0);
                Arc::new(segment)
            }
        };
        segments.push(segment.clone());
        if let Some(transactions) = &mut self.transactions {
            transactions.reload(home, segments)?;
        }
        self.follow(&segment)?;
        Ok(())
    }

    fn forget_transactions(&mut self) {
        self.transactions.iter_mut().for_each(Transactions::forget);
    }

    /// Whether the segment that was the last one still has the batch before its end; it is opened anew for that, for
    /// its file may have been replaced. If not, the log was truncated.
    fn is_unchanged(&self, segment: &Segment) -> Result<bool> {
        segment.close_files();
        let Some(last) = self.last else { return Ok(segment.end().size == 0) };
        let mut bytes = [0; BATCH_HEADER_BYTES];
        match segment.files()?.log.read_at(last.position, &mut bytes) {
            Ok(()) => Ok(bytes == last.header.to_bytes()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(Error::io("read", segment.path(LOG), error)),
        }
    }
}

/// The logs that are there, each by the name under which it can be read.
fn logs_of(home: &Arc<Home>, entries: &[DirEntry]) -> Result<Vec<(Offset, DirEntry)>> {
    let of = |suffix| {
        let parse = move |name: &str| parse_base_offset(name.strip_suffix(suffix)?, LOG);
        entries.iter().filter_map(move |entry| Some((parse(&entry.name)?, entry.clone())))
    };
    let mut logs: Vec<_> = of("").collect();
    for (base_offset, swap) in of(SWAP) {
        // While the old one is there, all of those that the new one was made of are.
        if logs.iter().any(|(known, _)| *known == base_offset) {
            continue;
        }
        let segment = unbounded(home, &swap, base_offset);
        segment.file_slot().use_files_of_other_names(SegmentFiles::open_first(home, base_offset, &SWAPPED)?);
        let mut scan = segment.scan_to(Offset::MAX)?;
        while scan.next().transpose()?.is_some() {}
        let next_offset = scan.expected();
        logs.retain(|(known, _)| !(base_offset..next_offset).contains(known));
        logs.push((base_offset, swap));
    }
    Ok(logs)
}
