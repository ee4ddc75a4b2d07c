//! A segment as it is to be: which of its bytes stay, which are set aside, and which offsets are lost.

use std::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::{DirEntry, Storage};
use crate::log::file_name::{LOG, SWAP, parse_base_offset};
use crate::log::loader::{PAGE_BYTES, content_end};
use crate::log::segment::{Home, Segment, SegmentEnd, SegmentFiles};
use crate::log::survey::{Found, survey};
use crate::types::Offset;

/// How many offsets one segment may span, so that Kafka can index it.
const SPAN_MAX: Offset = i32::MAX as Offset;

/// A segment, and what is to become of it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) base_offset: Offset,
    /// The offset after the last one that it will have.
    pub(super) next_offset: Offset,
    /// What it is read from; None if there is nothing yet.
    pub(super) source: Option<Arc<Segment>>,
    pub(super) pieces: Vec<Piece>,
    /// What follows its last batch is lost, up to where the next segment begins.
    ends_in_loss: bool,
}

/// A part of a segment, in the order of positions and offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Whole batches.
    Keep(Range<u64>),
    /// Bytes that can't be used.
    SetAside { bytes: Range<u64>, reason: String },
    /// Reserved space.
    Trim(Range<u64>),
    /// Offsets that are lost.
    Fill(RangeInclusive<Offset>),
}

impl Draft {
    /// Looks through the segment whose log is the file `log`, which may be the last.
    pub(super) fn of(home: &Arc<Home>, base_offset: Offset, log: &DirEntry, is_last: bool) -> Result<Self> {
        let end = SegmentEnd { next_offset: base_offset + Offset::from(u32::MAX), size: log.len };
        let source = Segment::new(home.clone(), base_offset, end, true, log.modified_ms);
        if log.name.ends_with(SWAP) {
            source.file_slot().use_files_of_other_names(SegmentFiles::open_first(home, base_offset, &[SWAP])?);
        }
        let mut pieces = Pieces::default();
        let mut tail = None;
        let next_offset = survey(&source, |position, found| {
            match found {
                Found::Whole(header) => pieces.keep(position..position + header.size() as u64),
                Found::Damaged { resumes_at, offsets, error } => {
                    pieces.lose(position..resumes_at, offsets, reason_of(error));
                }
                Found::Tail { error, .. } => tail = Some((position, reason_of(error))),
            }
            Ok(())
        })?;
        let mut ends_in_loss = false;
        if let Some((position, reason)) = tail {
            let content_end = content_end(&source, position)?;
            // Zeros may be the end of a record too: those of the page are kept.
            let kept_end =
                if content_end > position { content_end.next_multiple_of(PAGE_BYTES).min(log.len) } else { position };
            if kept_end > position {
                pieces.lose(position..kept_end, next_offset..next_offset, reason);
                ends_in_loss = !is_last;
            }
            if log.len > kept_end {
                pieces.0.push(Piece::Trim(kept_end..log.len));
            }
        }
        source.publish(SegmentEnd { next_offset, size: log.len });
        Ok(Self { base_offset, next_offset, source: Some(Arc::new(source)), pieces: pieces.0, ends_in_loss })
    }

    /// A segment that is not there yet.
    fn new(base_offset: Offset) -> Self {
        Self { base_offset, next_offset: base_offset, source: None, pieces: Vec::new(), ends_in_loss: true }
    }

    /// Whether anything about its log is to change.
    pub(super) fn is_changed(&self) -> bool {
        self.source.is_none() || self.pieces.iter().any(|piece| !matches!(piece, Piece::Keep(_)))
    }

    /// Whether every byte of it can be read, but for reserved space.
    pub(super) fn is_whole(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Keep(_) | Piece::Trim(_)))
    }

    /// How much of it stays if that is a part from its beginning, and nothing comes in.
    pub(super) fn shortened_to(&self) -> Option<u64> {
        let is_kept = |piece: &&Piece| matches!(piece, Piece::Keep(_));
        let kept = self.pieces.iter().take_while(is_kept).count();
        let is_cut = |piece: &Piece| matches!(piece, Piece::SetAside { .. } | Piece::Trim(_));
        let size = match self.pieces.first() {
            Some(Piece::Keep(bytes)) => bytes.end,
            _ => 0,
        };
        (self.source.is_some() && kept <= 1 && self.pieces.iter().skip(kept).all(is_cut)).then_some(size)
    }

    pub(super) fn ends_in_loss(&self) -> bool {
        self.ends_in_loss
    }

    /// Sets aside everything from the first batch on that reaches `limit`, where another segment begins.
    pub(super) fn cut_at(&mut self, limit: Offset) -> Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        let (mut cut, mut next_offset) = (None, self.base_offset);
        survey(source, |position, found| {
            match found {
                Found::Whole(header) if cut.is_none() && header.next_offset() <= limit => {
                    next_offset = header.next_offset();
                }
                Found::Damaged { offsets, .. } if cut.is_none() && offsets.end <= limit => next_offset = offsets.end,
                _ => cut = cut.or(Some(position)),
            }
            Ok(())
        })?;
        let Some(cut) = cut else { return Ok(()) };
        for piece in &mut self.pieces {
            match piece {
                Piece::Keep(bytes) | Piece::SetAside { bytes, .. } | Piece::Trim(bytes) => {
                    bytes.end = bytes.end.min(cut);
                }
                Piece::Fill(offsets) => *offsets = *offsets.start()..=next_offset.min(offsets.end() + 1) - 1,
            }
        }
        self.pieces.retain(|piece| !piece.is_empty());
        let reason = format!("the next segment begins at offset {limit}");
        self.pieces.push(Piece::SetAside { bytes: cut..source.end().size, reason });
        (self.next_offset, self.ends_in_loss) = (next_offset, true);
        Ok(())
    }

    /// Whether this offset is lost.
    pub(super) fn loses(&self, offset: Offset) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Fill(offsets) if offsets.contains(&offset)))
    }

    /// How many of `offsets`, which follow, can be filled in here.
    fn room(&self, offsets: &RangeInclusive<Offset>) -> Option<Offset> {
        let takes = self.next_offset == *offsets.start() && (self.ends_in_loss || self.next_offset == self.base_offset);
        let end = (*offsets.end()).min(self.base_offset + SPAN_MAX - 1);
        (takes && end >= *offsets.start()).then_some(end)
    }
}

/// How many segments are made to fill one gap: beyond that it is no gap, but a name that is wrong.
const FILLING_MAX: Offset = 16;

/// Whether a gap is small enough to be filled.
pub(super) fn can_fill(offsets: &RangeInclusive<Offset>) -> bool {
    (offsets.end() - offsets.start()) / SPAN_MAX < FILLING_MAX
}

/// Fills in offsets that are lost behind the last of `drafts`.
pub(super) fn fill(drafts: &mut Vec<Draft>, offsets: RangeInclusive<Offset>) {
    let (mut start, end) = offsets.into_inner();
    while start <= end {
        let room = drafts.last().and_then(|last| last.room(&(start..=end)));
        match (room, drafts.last_mut()) {
            (Some(filled), Some(last)) => {
                last.pieces.push(Piece::Fill(start..=filled));
                last.next_offset = filled + 1;
                start = filled + 1;
            }
            _ => drafts.push(Draft::new(start)),
        }
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn keep(&mut self, bytes: Range<u64>) {
        match self.0.last_mut() {
            Some(Piece::Keep(before)) if before.end == bytes.start => before.end = bytes.end,
            _ => self.0.push(Piece::Keep(bytes)),
        }
    }

    /// Damage that follows damage is one with it.
    fn lose(&mut self, bytes: Range<u64>, offsets: Range<Offset>, reason: String) {
        let last = self.0.iter_mut().rev().find(|piece| !matches!(piece, Piece::Fill(_)));
        match last {
            Some(Piece::SetAside { bytes: before, .. }) if before.end == bytes.start => before.end = bytes.end,
            _ => self.0.push(Piece::SetAside { bytes, reason }),
        }
        match self.0.last_mut() {
            _ if offsets.is_empty() => {}
            Some(Piece::Fill(before)) if before.end() + 1 == offsets.start => {
                *before = *before.start()..=offsets.end - 1;
            }
            _ => self.0.push(Piece::Fill(offsets.start..=offsets.end - 1)),
        }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        match self {
            Self::Keep(bytes) | Self::SetAside { bytes, .. } | Self::Trim(bytes) => bytes.is_empty(),
            Self::Fill(offsets) => offsets.is_empty(),
        }
    }
}

/// What is wrong, without the file and the position, which the reader has.
fn reason_of(error: Error) -> String {
    match error {
        Error::CorruptRecord { reason, .. } => reason.to_string(),
        error => error.to_string(),
    }
}

/// The logs among these files, in order.
pub(super) fn logs_of(entries: &[DirEntry]) -> Vec<(Offset, DirEntry)> {
    let log = |entry: &DirEntry| Some((base_offset_of_log(&entry.name)?, entry.clone()));
    let mut logs: Vec<_> = entries.iter().filter_map(log).collect();
    logs.sort_unstable_by_key(|(base_offset, _)| *base_offset);
    logs
}

/// The base offset of a log, which may wait to take its place.
pub(super) fn base_offset_of_log(name: &str) -> Option<Offset> {
    parse_base_offset(name.strip_suffix(SWAP).unwrap_or(name), LOG)
}

/// Whether a log begins with a message set of Kafka's format 0 or 1, whole: nothing in it is damaged, it is only not
/// read here.
pub(super) fn is_of_old_format(storage: &dyn Storage, path: &Path) -> Result<bool> {
    const CRC_POSITION: usize = 12;
    const MAGIC_POSITION: usize = 16;
    let read = || {
        let file = storage.open(path)?;
        let head = file.view(0, file.len().min(MAGIC_POSITION as u64 + 1) as usize)?;
        let Some((size, magic)) = head.get(8..CRC_POSITION).zip(head.get(MAGIC_POSITION)) else { return Ok(None) };
        let size = size.iter().fold(0_u64, |size, byte| (size << 8) | u64::from(*byte));
        let len = CRC_POSITION as u64 + size;
        (*magic < 2 && len > MAGIC_POSITION as u64 && len <= file.len()).then(|| file.view(0, len as usize)).transpose()
    };
    let message = read().map_err(|error| Error::io("read", path, error))?;
    Ok(message.is_some_and(|message| {
        let (head, body) = message.split_at(MAGIC_POSITION);
        head[CRC_POSITION..] == crc32fast::hash(body).to_be_bytes()
    }))
}
