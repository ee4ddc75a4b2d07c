//! One pass over a log, in steps: read the keys of the dirty part, and then write each group of segments anew without
//! what those keys make superfluous.
//!
//! ```text
//!   map      first dirty ──────────► first uncleanable, or where the map is full
//!   rewrite  log start ────────────► as far as the map goes: group by group, each swapped in when it is written
//! ```
//!
//! A pass holds no lock while it reads and writes, for what it reads never changes. If a segment has gone when the new
//! one is to take its place, because retention or a truncation took it, the pass ends there and counts for nothing.

use std::ops::Range;
use std::sync::Arc;

use super::Compaction;
use super::batch_filter::{BatchFilter, Outcome, control_type};
use super::choice::Cleanable;
use super::cleaned_segment::CleanedSegment;
use super::grouping::{SegmentSize, SizeLimits, group};
use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::config::{LogConfig, invalid};
use crate::error::{Error, Result};
use crate::log::file_name::{LOG, OFFSET_INDEX, TIME_INDEX};
use crate::log::scan::ScannedBatch;
use crate::log::segment::Segment;
use crate::log::{Log, LogInner};
use crate::record::{BatchView, RetainedBatch};
use crate::types::Offset;

/// A pass that is under way.
#[derive(Debug)]
pub(crate) struct Pass {
    log: Log,
    config: Arc<LogConfig>,
    cleanable: Cleanable,
    /// The segments that it reads: first all that can be compacted, then those that the map reaches.
    sources: Vec<Arc<Segment>>,
    filter: BatchFilter,
    /// Holds what is known of transactions while the keys are read.
    map_transactions: CleanedTransactions,
    phase: Phase,
    stats: Compaction,
    /// How often the log had been truncated when the pass began.
    generation: u64,
}

#[derive(Debug)]
enum Phase {
    Map(Place),
    Rewrite { groups: Vec<Range<usize>>, group: usize, place: Place, into: Option<Box<Rewriting>> },
}

/// Where in the sources a walk is.
#[derive(Clone, Copy, Debug)]
struct Place {
    source: usize,
    /// None at the start of a segment.
    at: Option<(u64, Offset)>,
}

/// A group that is being written.
#[derive(Debug)]
struct Rewriting {
    cleaned: CleanedSegment,
    is_changed: bool,
}

/// How far a step brought a pass.
#[derive(Debug)]
pub(crate) enum Progress {
    /// There is more to do.
    Going,
    /// Everything below this offset is compacted.
    Done { end: Offset },
    /// The log has changed under it: a later pass begins anew.
    Overtaken,
}

/// How many bytes a step may read and write.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes: u64,
    spent: u64,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Self { bytes, spent: 0 }
    }

    pub(crate) fn left(&self) -> u64 {
        self.bytes.saturating_sub(self.spent)
    }

    /// What was read and written: by up to a batch more than was allowed.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }

    fn spend(&mut self, bytes: u64) {
        self.spent = self.spent.saturating_add(bytes);
    }

    fn is_spent(&self) -> bool {
        self.left() == 0
    }
}

impl Pass {
    /// Begins a pass over what is cleanable, with a map of at most `map_bytes`.
    pub(super) fn new(log: &Log, cleanable: Cleanable, now_ms: i64, map_bytes: usize) -> Result<Self> {
        let inner = &*log.inner;
        let config = inner.config().clone();
        let generation = inner.commit.generation();
        let segments = inner.segments.load_full();
        // What lies below the log start waits to be deleted.
        let log_start = log.log_start();
        let is_source = |segment: &&Arc<Segment>| {
            segment.base_offset() < cleanable.first_uncleanable && segment.end().next_offset > log_start
        };
        let sources: Vec<_> = segments.iter().filter(is_source).cloned().collect();
        let dirty = sources.partition_point(|segment| segment.end().next_offset <= cleanable.first_dirty);
        // There are no more keys than records, and no more records than offsets.
        let keys = cleanable.first_uncleanable.saturating_sub(cleanable.first_dirty).max(0) as u64;
        let aborted = inner.aborted_transactions(sources.first().map_or(0, |first| first.base_offset()), &cleanable)?;
        let map_aborted = inner.aborted_transactions(cleanable.first_dirty, &cleanable)?;
        let filter = BatchFilter {
            map: OffsetMap::new(keys, map_bytes),
            map_end: cleanable.first_dirty,
            upper_bound: cleanable.first_uncleanable,
            now_ms,
            delete_retention_ms: config.delete_retention_ms,
            active_producers: inner.last_records_of_producers(),
            transactions: CleanedTransactions::new(aborted),
            retained: RetainedBatch::default(),
        };
        Ok(Self {
            log: log.clone(),
            config,
            sources,
            filter,
            map_transactions: CleanedTransactions::new(map_aborted),
            phase: Phase::Map(Place { source: dirty, at: None }),
            stats: Compaction::begun(now_ms, &cleanable),
            cleanable,
            generation,
        })
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Goes on, until the budget is spent or the pass is done. Whatever the budget, it gets on by a batch.
    ///
    /// # Errors
    /// What is damaged, can't be decompressed here, can't be read or can't be written. The pass has ended then: what it
    /// has swapped in stays, and nothing else has changed.
    pub(crate) fn step(&mut self, budget: &mut Budget) -> Result<Progress> {
        let progress = match self.advance(budget) {
            // A truncation or retention took a segment that was being read.
            Err(Error::Io { .. }) if self.is_overtaken() => Ok(Progress::Overtaken),
            progress => progress,
        };
        if !matches!(progress, Ok(Progress::Going | Progress::Done { .. })) {
            self.abandon();
        }
        progress
    }

    fn is_overtaken(&self) -> bool {
        let (Phase::Map(place) | Phase::Rewrite { place, .. }) = &self.phase;
        let segments = self.log.inner.segments.load();
        self.log.inner.commit.generation() != self.generation
            || self.sources.get(place.source).is_some_and(|source| !segments.has_closed(source))
    }

    /// Ends the pass before it is done.
    pub(crate) fn abandon(&mut self) {
        if let Phase::Rewrite { into, groups, group, .. } = &mut self.phase
            && into.take().is_some()
            && let Some(first) = groups.get(*group).and_then(|group| self.sources.get(group.start))
        {
            self.log.inner.discard_cleaned(first);
        }
    }

    fn advance(&mut self, budget: &mut Budget) -> Result<Progress> {
        loop {
            self.log.inner.check_open()?;
            if let Phase::Map(place) = self.phase {
                match self.map_segment(place, budget)? {
                    Some(next) => self.phase = Phase::Map(next),
                    None => self.phase = self.begin_rewriting()?,
                }
            } else if let Some(end) = self.rewrite_some(budget)? {
                return Ok(end);
            }
            if budget.is_spent() {
                return Ok(Progress::Going);
            }
        }
    }

    /// Reads the keys of a segment, or as many as the budget allows. Returns where to go on, None if the map has
    /// everything that it can hold.
    fn map_segment(&mut self, place: Place, budget: &mut Budget) -> Result<Option<Place>> {
        let Some(segment) = self.sources.get(place.source).cloned() else { return Ok(None) };
        let (position, expected) = match place.at {
            Some(at) => at,
            None => segment.position_before(self.cleanable.first_dirty)?,
        };
        let mut scan = segment.scan(position, expected)?;
        while let Some(found) = scan.next() {
            let found = found?;
            budget.spend(found.header.size() as u64);
            let batch = BatchView::parse(&scan.bytes(&found)?).map_err(|error| located(error, &segment, &found))?;
            let is_mapped = self.map_batch(&batch).map_err(|error| located(error, &segment, &found))?;
            if !is_mapped {
                return Ok(None);
            }
            self.filter.map_end = self.filter.map_end.max(found.header.next_offset());
            if budget.is_spent() {
                return Ok(Some(Place { source: place.source, at: Some((scan.position(), scan.expected())) }));
            }
        }
        // Whatever the last batch of a segment is, the next one begins where it ends.
        let end =
            self.sources.get(place.source + 1).map_or(self.cleanable.first_uncleanable, |next| next.base_offset());
        self.filter.map_end = self.filter.map_end.max(end);
        Ok(Some(Place { source: place.source + 1, at: None }))
    }

    /// Takes the keys of a batch in. False if the map has no room for them.
    fn map_batch(&mut self, batch: &BatchView) -> Result<bool> {
        let header = batch.header();
        if header.is_control() {
            self.map_transactions.is_marker_of_nothing(header, control_type(batch)?);
            return Ok(true);
        }
        if self.map_transactions.is_aborted(header) {
            return Ok(true);
        }
        for record in &batch.records()? {
            let record = record?;
            if let Some(key) = record.key
                && record.offset >= self.cleanable.first_dirty
                && !self.filter.map.put(key, record.offset)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn begin_rewriting(&mut self) -> Result<Phase> {
        let end = self.filter.map_end;
        if end <= self.cleanable.first_dirty && self.cleanable.cleanable_bytes > 0 {
            let expected = "room for the keys of a batch";
            return Err(invalid("log.cleaner.dedupe.buffer.size", "the current value", expected));
        }
        self.sources.retain(|source| source.base_offset() < end);
        self.stats.end = end;
        let size_of = |source: &Arc<Segment>| -> Result<SegmentSize> {
            // A missing index takes no room.
            let index_bytes = |suffix| source.home().storage.len(&source.path(suffix)).unwrap_or(0);
            Ok(SegmentSize {
                base_offset: source.base_offset(),
                log_bytes: source.end().size,
                offset_index_bytes: index_bytes(OFFSET_INDEX),
                time_index_bytes: index_bytes(TIME_INDEX),
            })
        };
        let sizes: Vec<_> = self.sources.iter().map(size_of).collect::<Result<_>>()?;
        let index_bytes = u64::from(self.config.segment_index_bytes.unsigned_abs());
        let limits = SizeLimits { log_bytes: self.config.segment_size(), index_bytes };
        let groups = group(&sizes, limits, self.cleanable.first_uncleanable);
        Ok(Phase::Rewrite { groups, group: 0, place: Place { source: 0, at: None }, into: None })
    }

    /// Writes some of a group, and swaps it in if that was the last of it. Something if that ends the pass.
    fn rewrite_some(&mut self, budget: &mut Budget) -> Result<Option<Progress>> {
        let Phase::Rewrite { groups, group, place, into } = &mut self.phase else { return Ok(None) };
        let Some(range) = groups.get(*group).cloned() else {
            // A truncation that cut into what stays as it is has gone unnoticed so far.
            let writer = self.log.inner.writer.lock();
            if self.log.inner.commit.generation() != self.generation {
                return Ok(Some(Progress::Overtaken));
            }
            drop(writer);
            self.log.inner.compacted(self.stats.clone());
            return Ok(Some(Progress::Done { end: self.stats.end }));
        };
        let sources = &self.sources[range.clone()];
        let rewriting = match into {
            Some(rewriting) => rewriting,
            None => into.insert(Box::new(Rewriting {
                cleaned: CleanedSegment::create(sources, &self.config)?,
                is_changed: false,
            })),
        };
        let segment = &self.sources[place.source];
        place.at = rewrite_segment(segment, place.at, rewriting, &mut self.filter, &mut self.stats, budget)?;
        if place.at.is_some() {
            return Ok(None);
        }
        place.source += 1;
        if place.source < range.end {
            return Ok(None);
        }
        let is_in_place = match (into.take(), self.sources.last()) {
            (Some(rewriting), Some(last)) => {
                take_place(&self.log.inner, *rewriting, sources, last, &mut self.filter, &self.config)?
            }
            _ => true,
        };
        *group += 1;
        Ok((!is_in_place).then_some(Progress::Overtaken))
    }
}

/// Writes what stays of a segment, or as much as the budget allows. Returns where to go on in it, None at its end.
fn rewrite_segment(
    segment: &Arc<Segment>,
    at: Option<(u64, Offset)>,
    into: &mut Rewriting,
    filter: &mut BatchFilter,
    stats: &mut Compaction,
    budget: &mut Budget,
) -> Result<Option<(u64, Offset)>> {
    let (position, expected) = at.unwrap_or((0, segment.base_offset()));
    let mut scan = segment.scan(position, expected)?;
    while let Some(found) = scan.next() {
        let found = found?;
        let batch = BatchView::parse(&scan.bytes(&found)?).map_err(|error| located(error, segment, &found))?;
        let header = batch.header();
        stats.read(header);
        budget.spend(header.size() as u64);
        match filter.filter(&batch).map_err(|error| located(error, segment, &found))? {
            Outcome::Dropped => into.is_changed = true,
            Outcome::Unchanged => {
                into.cleaned.append(header, batch.bytes())?;
                stats.kept(header);
                budget.spend(header.size() as u64);
            }
            Outcome::Rewritten(rewritten) => {
                into.is_changed = true;
                into.cleaned.append(rewritten.header(), rewritten.bytes())?;
                stats.kept(rewritten.header());
                budget.spend(rewritten.header().size() as u64);
            }
        }
        if budget.is_spent() {
            return Ok(Some((scan.position(), scan.expected())));
        }
    }
    Ok(None)
}

/// Ends a segment and puts it in the place of its sources. False if they are gone, or `last`, the last segment of which
/// the keys are known.
fn take_place(
    log: &LogInner,
    rewriting: Rewriting,
    sources: &[Arc<Segment>],
    last: &Arc<Segment>,
    filter: &mut BatchFilter,
    config: &LogConfig,
) -> Result<bool> {
    let aborted = filter.transactions.take_retained();
    let Some(first) = sources.first() else { return Ok(true) };
    // One segment that has lost nothing can stay what it is.
    if sources.len() == 1 && !rewriting.is_changed {
        drop(rewriting);
        log.discard_cleaned(first);
        return Ok(true);
    }
    let cleaned = rewriting.cleaned.finish(&aborted).inspect_err(|_| log.discard_cleaned(first))?;
    log.replace_segments(sources, last, &cleaned, config)
}

/// Says where in which file the damage is.
fn located(error: Error, segment: &Segment, batch: &ScannedBatch) -> Error {
    let lost = batch.header.base_offset..=batch.header.last_offset();
    error.in_file(&segment.path(LOG), batch.position).with_offsets(lost)
}
