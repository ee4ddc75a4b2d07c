//! Finding out what is to be done with a partition. Reads alone.

use std::collections::BTreeMap;
use std::io;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use super::aside::AsideNames;
use super::draft::{self, Draft, Piece};
use super::{Known, LostOffsets, Plan, RepairAction, RepairStep, Step};
use crate::error::{Error, Result};
use crate::io::DirEntry;
use crate::log::file_name::{
    CLEANED, DELETED, INDEX_SUFFIXES, LEADER_EPOCH_CHECKPOINT, LOG, OFFSET_INDEX, SNAPSHOT, SWAP, TEMPORARY,
    TIME_INDEX, TRANSACTION_INDEX, parse_base_offset, parse_segment_file, segment_file,
};
use crate::log::findings::{Finding, Problem};
use crate::log::index::Entry;
use crate::log::index::offset::OffsetEntry;
use crate::log::index::time::TimeEntry;
use crate::log::index::transaction::{TransactionEntry, has_all, is_sane};
use crate::log::leader_epoch::Epochs;
use crate::log::producer_state::reload::replay_segment;
use crate::log::producer_state::{ProducerStates, snapshot};
use crate::log::segment::{Home, Segment, SegmentList};
use crate::log::verify::{Confirm, check_index};
use crate::types::Offset;

/// Finds out what is to be done. `looked_at` is told of each file and how many bytes it has.
pub(crate) fn plan(home: Home, known: Known, mut looked_at: impl FnMut(&DirEntry)) -> Result<Plan> {
    let home = Arc::new(home);
    let mut entries = list(&home)?;
    let mut plan = Plan {
        home: home.clone(),
        steps: Vec::new(),
        actions: Vec::new(),
        lost: Vec::new(),
        unrepaired: Vec::new(),
        log_start: known.log_start,
        log_end: known.log_start,
        begins_anew: false,
    };
    let mut names = AsideNames::new(&*home.storage, &home.dir);
    if known.removes_leftovers {
        plan.remove_leftovers(&entries);
    }
    plan.finish_swaps(&mut entries, &mut names)?;
    let logs = draft::logs_of(&entries);
    let mut drafts: Vec<Draft> = Vec::with_capacity(logs.len());
    for (index, (base_offset, log)) in logs.iter().enumerate() {
        looked_at(log);
        let path = home.dir.join(&log.name);
        if log.len > u64::from(u32::MAX) {
            let problem = Problem::TooLarge { len: log.len };
            plan.unrepaired.push(Finding { path, position: u64::from(u32::MAX), problem });
            return Ok(plan.without_steps());
        }
        if draft::is_of_old_format(&*home.storage, &path)? {
            let reason = "its batches are of a format before Kafka 0.11, which is not read here".to_owned();
            plan.unrepaired.push(Finding { path, position: 0, problem: Problem::Malformed { line: 0, reason } });
            return Ok(plan.without_steps());
        }
        let draft = Draft::of(&home, *base_offset, log, index + 1 == logs.len())?;
        plan.add(&mut drafts, draft, &known, &mut names)?;
    }
    plan.end_at_recovery_point(&mut drafts, &known);
    plan.mend(drafts, &known, &mut names)?;
    Ok(plan)
}

/// The files of a partition, by name; none if it is one that is going to be created.
fn list(home: &Home) -> Result<Vec<DirEntry>> {
    let mut entries = match home.storage.list(&home.dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        listed => listed.map_err(|error| Error::io("list", &home.dir, error))?,
    };
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

impl Plan {
    fn without_steps(mut self) -> Self {
        self.steps.clear();
        self.actions.clear();
        self.lost.clear();
        self
    }

    fn act(&mut self, name: &str, step: RepairStep) {
        self.actions.push(RepairAction { path: self.home.dir.join(name), step });
    }

    fn lose(&mut self, offsets: RangeInclusive<Offset>) {
        self.lost.push(LostOffsets { topic_partition: self.home.topic_partition.clone(), offsets });
    }

    fn remove_leftovers(&mut self, entries: &[DirEntry]) {
        let has_log = |base| entries.iter().any(|entry| draft::base_offset_of_log(&entry.name) == Some(base));
        let is_leftover = |name: &str| {
            [DELETED, TEMPORARY, CLEANED].iter().any(|suffix| name.ends_with(suffix))
                || INDEX_SUFFIXES
                    .iter()
                    .any(|suffix| parse_base_offset(name, suffix).is_some_and(|base| !has_log(base)))
        };
        for entry in entries.iter().filter(|entry| !entry.is_dir && is_leftover(&entry.name)) {
            self.steps.push(Step::Remove(entry.name.clone()));
            self.act(&entry.name, RepairStep::Removed);
        }
    }

    /// Lets compacted segments that are complete take the place of those that they were made of, as an open does, but
    /// keeps these. `entries` are then what there will be.
    fn finish_swaps(&mut self, entries: &mut Vec<DirEntry>, names: &mut AsideNames<'_>) -> Result<()> {
        // If one is not complete, it goes, and all from there on: the old segments are whole.
        let of = |name: &str, second| parse_segment_file(name.strip_suffix(second)?);
        let first_cleaned = entries.iter().filter_map(|entry| of(&entry.name, CLEANED)).map(|(base, _)| base).min();
        let has = |name: String| entries.iter().any(|entry| entry.name == name);
        let mut reaches: BTreeMap<Offset, Offset> = BTreeMap::new();
        for entry in entries.iter() {
            let Some((base_offset, LOG)) = of(&entry.name, SWAP) else { continue };
            let draft = Draft::of(&self.home, base_offset, entry, true)?;
            // What can't be read must not take the place of what can.
            if draft.is_whole() || !has(segment_file(base_offset, LOG)) {
                reaches.insert(base_offset, draft.next_offset.max(base_offset + 1));
            }
        }
        let is_undone = |base| {
            let is_refused = has(segment_file(base, &format!("{LOG}{SWAP}"))) && !reaches.contains_key(&base);
            is_refused || first_cleaned.is_some_and(|first| base >= first)
        };
        let (undone, swaps): (Vec<_>, Vec<_>) = entries
            .iter()
            .filter_map(|entry| Some((of(&entry.name, SWAP)?, entry.clone())))
            .partition(|((base, _), _)| is_undone(*base));
        entries.retain(|entry| !undone.iter().any(|(_, undone)| undone.name == entry.name));
        let mut is_replaced = vec![false; entries.len()];
        for ((base_offset, _), _) in swaps.iter().filter(|((_, suffix), _)| *suffix == LOG) {
            let next_offset = reaches.get(base_offset).copied().unwrap_or(*base_offset);
            for (entry, is_replaced) in entries.iter().zip(&mut is_replaced) {
                let old = parse_segment_file(&entry.name);
                *is_replaced |= old.is_some_and(|(base, _)| (*base_offset..next_offset).contains(&base));
            }
        }
        let mut is_replaced = is_replaced.into_iter();
        let replaced: Vec<DirEntry> = entries.extract_if(.., |_| is_replaced.next().unwrap_or_default()).collect();
        let (logs, derived): (Vec<_>, Vec<_>) = replaced.into_iter().partition(|entry| entry.name.ends_with(LOG));
        for entry in derived {
            self.steps.push(Step::Remove(entry.name));
        }
        for entry in logs {
            self.rename_aside(&entry.name, "a compacted segment takes its place", names)?;
        }
        // An old segment must not come back beside the new one.
        self.steps.extend((!swaps.is_empty()).then_some(Step::Sync));
        let (logs, indexes): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|((_, suffix), _)| *suffix == LOG);
        // The log comes last: while it has not its name, all of this is done again.
        for ((base_offset, suffix), entry) in indexes.into_iter().chain(logs) {
            let to = segment_file(base_offset, suffix);
            self.act(&entry.name, RepairStep::Renamed { to: to.clone(), reason: "it is complete".to_owned() });
            self.steps.push(Step::Rename { from: entry.name, to });
            if suffix == LOG {
                self.steps.push(Step::Sync);
            }
        }
        Ok(())
    }

    fn rename_aside(&mut self, name: &str, reason: &str, names: &mut AsideNames<'_>) -> Result<()> {
        let to = names.of_file(name)?;
        self.act(name, RepairStep::Renamed { to: to.clone(), reason: reason.to_owned() });
        self.steps.push(Step::Rename { from: name.to_owned(), to });
        Ok(())
    }

    /// Puts a segment behind those before it: without an overlap, and without a gap that should not be.
    fn add(&mut self, drafts: &mut Vec<Draft>, draft: Draft, known: &Known, names: &mut AsideNames<'_>) -> Result<()> {
        let base_offset = draft.base_offset;
        if let Some(before) = drafts.last_mut()
            && before.next_offset > base_offset
        {
            if before.next_offset >= draft.next_offset {
                // Everything in it is there already.
                let reason = format!("the segment before it reaches offset {}", before.next_offset);
                for suffix in INDEX_SUFFIXES {
                    self.steps.push(Step::Remove(segment_file(base_offset, suffix)));
                }
                self.steps.push(Step::Sync);
                self.rename_aside(&segment_file(base_offset, LOG), &reason, names)?;
                return Ok(());
            }
            before.cut_at(base_offset)?;
        }
        if let Some(before) = drafts.last() {
            let missing = before.next_offset.max(known.log_start)..=base_offset - 1;
            if !missing.is_empty() && (!known.may_have_gaps || before.ends_in_loss()) {
                self.fill(drafts, missing, base_offset);
            }
        }
        drafts.push(draft);
        Ok(())
    }

    fn fill(&mut self, drafts: &mut Vec<Draft>, missing: RangeInclusive<Offset>, base_offset: Offset) {
        if draft::can_fill(&missing) {
            draft::fill(drafts, missing);
        } else {
            let path = self.home.path(base_offset, LOG);
            self.unrepaired.push(Finding { path, position: 0, problem: Problem::Gap { missing } });
        }
    }

    /// Offsets that were acknowledged must not be given out again.
    fn end_at_recovery_point(&mut self, drafts: &mut Vec<Draft>, known: &Known) {
        let start = known.log_start.max(known.recovery_point);
        match drafts.last().map(|last| last.next_offset) {
            None if known.recovery_point > known.log_start => {
                self.lose(known.log_start..=known.recovery_point - 1);
                (self.log_start, self.log_end, self.begins_anew) = (start, start, true);
            }
            None => {}
            Some(end) if end < known.recovery_point => {
                self.fill(drafts, end.max(known.log_start)..=known.recovery_point - 1, known.recovery_point);
            }
            Some(_) => {}
        }
    }

    /// Plans what changes in the logs, and what is derived from them.
    fn mend(&mut self, drafts: Vec<Draft>, known: &Known, names: &mut AsideNames<'_>) -> Result<()> {
        let Some((first, last)) = drafts.first().zip(drafts.last()) else { return Ok(()) };
        self.log_end = last.next_offset;
        self.log_start = known.log_start.clamp(first.base_offset, self.log_end);
        self.mend_snapshots(names)?;
        self.mend_epochs(&drafts, names)?;
        // Before the logs, for it may know of markers that are going to be gone from them.
        for (base_offset, entries) in self.transactions_to_write(&drafts, known)? {
            self.act(&segment_file(base_offset, TRANSACTION_INDEX), RepairStep::Rebuilt);
            self.steps.push(Step::WriteTransactions { base_offset, entries });
        }
        drafts.into_iter().try_for_each(|draft| self.mend_log(draft, names))
    }

    fn mend_log(&mut self, draft: Draft, names: &mut AsideNames<'_>) -> Result<()> {
        let (base_offset, next_offset, is_changed) = (draft.base_offset, draft.next_offset, draft.is_changed());
        let has_wrong_indexes = match &draft.source {
            Some(source) if !is_changed => !has_right_indexes(source)?,
            _ => true,
        };
        if !has_wrong_indexes {
            return Ok(());
        }
        // Whatever a crash leaves of this, an index that is missing is found to be missing.
        for suffix in [OFFSET_INDEX, TIME_INDEX] {
            self.steps.push(Step::Remove(segment_file(base_offset, suffix)));
        }
        self.steps.push(Step::Sync);
        let log = segment_file(base_offset, LOG);
        for piece in &draft.pieces {
            match piece {
                Piece::Keep(_) => {}
                Piece::SetAside { bytes, reason } => {
                    let kept_as = self.name_of_bytes(&draft, bytes, names)?;
                    self.act(
                        &log,
                        RepairStep::SetAside {
                            position: bytes.start,
                            bytes: bytes.end - bytes.start,
                            kept_as: kept_as.clone(),
                            reason: reason.clone(),
                        },
                    );
                    self.steps.push(Step::CopyAside { file: log.clone(), bytes: bytes.clone(), kept_as });
                }
                Piece::Trim(bytes) => self.act(&log, RepairStep::Trimmed { bytes: bytes.end - bytes.start }),
                Piece::Fill(offsets) => {
                    self.act(&log, RepairStep::Filled { offsets: offsets.clone() });
                    self.lose(offsets.clone());
                }
            }
        }
        if let Some(source) = &draft.source {
            source.close_files();
        }
        match draft.shortened_to() {
            _ if !is_changed => {}
            Some(len) => self.steps.push(Step::Truncate { file: log, len }),
            None => self.steps.push(Step::WriteLog(draft)),
        }
        self.act(&segment_file(base_offset, OFFSET_INDEX), RepairStep::Rebuilt);
        self.act(&segment_file(base_offset, TIME_INDEX), RepairStep::Rebuilt);
        // Of nothing there is none.
        if next_offset > base_offset {
            self.steps.push(Step::WriteIndexes { base_offset, next_offset });
        }
        Ok(())
    }

    /// The name for bytes of a log, which may not have its own name yet.
    fn name_of_bytes(&self, draft: &Draft, bytes: &Range<u64>, names: &mut AsideNames<'_>) -> Result<String> {
        let log = segment_file(draft.base_offset, LOG);
        let swap = format!("{log}{SWAP}");
        let from = match self.steps.iter().any(|step| matches!(step, Step::Rename { from, .. } if *from == swap)) {
            true => swap,
            false => log.clone(),
        };
        names.of_bytes(&log, &from, bytes)
    }

    /// Snapshots that can't be read are of no use; what they held is found in the log.
    fn mend_snapshots(&mut self, names: &mut AsideNames<'_>) -> Result<()> {
        for entry in list(&self.home)? {
            let Some(offset) = parse_base_offset(&entry.name, SNAPSHOT) else { continue };
            let read = snapshot::read(&self.home, offset);
            if read.map_err(|error| Error::io("read", self.home.path(offset, SNAPSHOT), error))?.is_none() {
                self.rename_aside(&entry.name, "its checksum or its length is wrong", names)?;
            }
        }
        Ok(())
    }

    /// Without its file, or where that is malformed, the leader epochs are those of the batches.
    fn mend_epochs(&mut self, drafts: &[Draft], names: &mut AsideNames<'_>) -> Result<()> {
        match Epochs::read(&self.home) {
            Ok(epochs) if !epochs.is_empty() => return Ok(()),
            Ok(_) => {}
            Err(Error::MalformedFile { reason, .. }) => self.rename_aside(LEADER_EPOCH_CHECKPOINT, &reason, names)?,
            Err(error) => return Err(error),
        }
        let sources: Vec<_> = drafts.iter().filter_map(|draft| draft.source.clone()).collect();
        if sources.is_empty() {
            return Ok(());
        }
        let epochs = Epochs::of_batches(&SegmentList::new(sources))?;
        if !epochs.is_empty() {
            self.act(LEADER_EPOCH_CHECKPOINT, RepairStep::Rebuilt);
            self.steps.push(Step::WriteEpochs(epochs));
        }
        Ok(())
    }

    /// The transaction indexes that are wrong: they could not be their segments', or an aborted transaction is not in
    /// them. One that is right is not held against damage in the log: it may know what is lost.
    fn transactions_to_write(&self, drafts: &[Draft], known: &Known) -> Result<Vec<(Offset, Vec<TransactionEntry>)>> {
        let mut wrong = Vec::new();
        let first = drafts.first().map_or(0, |first| first.base_offset);
        let mut states = match snapshot::read(&self.home, first) {
            Ok(states) => states.unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => ProducerStates::default(),
            Err(error) => return Err(Error::io("read", self.home.path(first, SNAPSHOT), error)),
        };
        for (index, draft) in drafts.iter().enumerate() {
            let Some(source) = &draft.source else { continue };
            let mut aborted = Vec::new();
            if source.end().size > 0 {
                replay_segment(source, &mut states, draft.base_offset, &mut aborted)?;
            }
            let next_base = drafts.get(index + 1).map_or(Offset::MAX, |next| next.base_offset);
            let index = match &source.files()?.transaction_index {
                Some(file) => file.view(0, file.len() as usize).map(Some),
                None => Ok(None),
            };
            let index = index.map_err(|error| Error::io("read", source.path(TRANSACTION_INDEX), error))?;
            let known_before = index.unwrap_or_default();
            let is_sane = is_sane(&known_before, draft.base_offset, next_base);
            let entries = || known_before.chunks_exact(TransactionEntry::BYTES).map(TransactionEntry::decode);
            // In a compacted log a transaction without its records is none.
            if !is_sane || !known.may_have_gaps && !has_all(&known_before, &aborted) {
                // What it knows of markers that are damaged now is kept.
                let is_lost = |entry: &TransactionEntry| is_sane && draft.loses(entry.aborted.last_offset);
                let mut kept: BTreeMap<_, _> =
                    entries().filter(is_lost).map(|entry| (entry.aborted.last_offset, entry)).collect();
                kept.extend(aborted.into_iter().map(|entry| (entry.aborted.last_offset, entry)));
                wrong.push((draft.base_offset, kept.into_values().collect()));
            }
            source.close_files();
        }
        Ok(wrong)
    }
}

/// Whether the indexes of a segment are there and say what is in its log.
fn has_right_indexes(segment: &Segment) -> Result<bool> {
    fn is_right<E: Confirm>(segment: &Segment) -> Result<bool> {
        let Some(file) = E::file(&*segment.files()?).cloned() else {
            return Ok(segment.end().next_offset == segment.base_offset());
        };
        let mut is_right = file.len().is_multiple_of(E::BYTES as u64);
        check_index::<E>(segment, &*file, |_, _| is_right = false)?;
        Ok(is_right)
    }
    let is_right = is_right::<OffsetEntry>(segment)? && is_right::<TimeEntry>(segment)?;
    segment.close_files();
    Ok(is_right)
}
