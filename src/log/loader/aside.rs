//! What recovery takes off a log, and where it keeps that: in `.cut` files beside it.

use super::Loader;
use crate::error::{Corruption, Error, Result};
use crate::io::DirEntry;
use crate::log::file_name::{self, CUT, LOG, SEGMENT_SUFFIXES};
use crate::log::partition_recovery::Cut;
use crate::log::scan::last_batch_end;
use crate::log::segment::Segment;
use crate::types::Offset;

/// In what steps reserved space is told from content.
pub(in crate::log) const PAGE_BYTES: u64 = 4096;

impl Loader<'_> {
    /// Takes everything from `position` on off a segment, keeping what is not zero in a file beside it.
    pub(super) fn cut_tail(&mut self, segment: &Segment, position: u64, reason: Error) -> Result<()> {
        let content_end = content_end(segment, position)?;
        let path = segment.path(LOG);
        if content_end > position {
            let file = segment.files()?.log.clone();
            let view = file.view(position, (file.len() - position) as usize);
            let bytes = view.map_err(|error| Error::io("read", &path, error))?;
            // Zeros may be the end of a record too: those of the page stay, and all of a whole batch.
            let len = (content_end.next_multiple_of(PAGE_BYTES).min(file.len()) - position) as usize;
            let len = len.max(last_batch_end(&bytes));
            let bytes = bytes.slice(..len);
            let kept_as = self.cut_name(&file_name::segment_file(segment.base_offset(), LOG), position)?;
            let kept_path = self.home.dir.join(&kept_as);
            crate::io::replace_file(&*self.home.storage, &kept_path, &bytes)
                .map_err(|error| Error::io("write", kept_path, error))?;
            let file = file_name::segment_file(segment.base_offset(), LOG);
            self.report.cuts.push(Cut { file, position, bytes: len as u64, kept_as, reason });
        }
        segment.close_files();
        self.home.storage.truncate(&path, position).map_err(|error| Error::io("truncate", path, error))
    }

    /// Moves a whole segment aside: it came after the end of the log.
    pub(super) fn set_aside_segment(&mut self, base_offset: Offset, log: &DirEntry, expected: Offset) -> Result<()> {
        let storage = &self.home.storage;
        let path = self.home.path(base_offset, LOG);
        let segment = self.unbounded(base_offset, log)?;
        let content_end = content_end(&segment, 0)?;
        segment.close_files();
        if content_end > 0 {
            let kept_as = self.cut_name(&file_name::segment_file(base_offset, LOG), 0)?;
            let kept_path = self.home.dir.join(&kept_as);
            storage.rename(&path, &kept_path).map_err(|error| Error::io("rename", &path, error))?;
            let reason = Corruption::OffsetOrder { expected, found: base_offset };
            let reason = Error::corrupt(0, reason).in_file(&path, 0);
            let file = file_name::segment_file(base_offset, LOG);
            self.report.cuts.push(Cut { file, position: 0, bytes: content_end, kept_as, reason });
        }
        for suffix in SEGMENT_SUFFIXES {
            let path = self.home.path(base_offset, suffix);
            match storage.remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", path, error));
                }
                _ => {}
            }
        }
        self.names_changed = true;
        Ok(())
    }

    /// A name for bytes cut at `position` of `file` that no file has yet.
    pub(super) fn cut_name(&self, file: &str, position: u64) -> Result<String> {
        let dir = &self.home.dir;
        let entries = self.home.storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
        let name = |attempt| match attempt {
            0 => format!("{file}.{position}{CUT}"),
            _ => format!("{file}.{position}.{attempt}{CUT}"),
        };
        Ok((0_u32..).map(name).find(|name| entries.iter().all(|entry| entry.name != *name)).unwrap_or_default())
    }
}

/// Where the last byte that is not zero ends, looking back from the end of the file no further than `position`.
pub(in crate::log) fn content_end(segment: &Segment, position: u64) -> Result<u64> {
    const CHUNK_BYTES: u64 = 1 << 20;
    let file = segment.files()?.log.clone();
    let mut end = file.len();
    while end > position {
        let start = end.saturating_sub(CHUNK_BYTES).max(position);
        let view = file.view(start, (end - start) as usize);
        let bytes = view.map_err(|error| Error::io("read", segment.path(LOG), error))?;
        if let Some(found) = bytes.iter().rposition(|byte| *byte != 0) {
            return Ok(start + found as u64 + 1);
        }
        end = start;
    }
    Ok(position)
}
