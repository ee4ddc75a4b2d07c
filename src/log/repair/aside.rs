//! Setting bytes aside, and writing logs without them. Each step leaves the files as they were or as they are to be,
//! whenever a crash comes; done again after one, it finds what it did before and makes no second copy.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::draft::{Draft, Piece};
use crate::error::{Error, Result};
use crate::io::{AppendFile, Storage, StorageFile};
use crate::log::file_name::{CUT, LOG, TEMPORARY};
use crate::log::segment::Home;
use crate::record::{Attributes, BATCH_HEADER_BYTES, BatchHeader, RetainedBatch};
use crate::types::Offset;
use crate::types::{NO_PRODUCER_ID, NO_TIMESTAMP};

const CHUNK_BYTES: u64 = 1 << 20;

/// Gives names to what is set aside in a directory.
#[derive(Debug)]
pub(crate) struct AsideNames<'a> {
    storage: &'a dyn Storage,
    dir: &'a Path,
    taken: BTreeSet<String>,
}

impl<'a> AsideNames<'a> {
    pub(crate) fn new(storage: &'a dyn Storage, dir: &'a Path) -> Self {
        Self { storage, dir, taken: BTreeSet::new() }
    }

    /// A name for a whole file, or a directory, that nothing has yet.
    pub(crate) fn of_file(&mut self, file: &str) -> Result<String> {
        self.first(file, 0, |_| Ok(false))
    }

    /// A name for these bytes of `file`, which is called `from` now: the one that they have already, or one that
    /// nothing has yet.
    pub(crate) fn of_bytes(&mut self, file: &str, from: &str, bytes: &Range<u64>) -> Result<String> {
        let (storage, dir) = (self.storage, self.dir);
        self.first(file, bytes.start, |kept| same_bytes(storage, &dir.join(from), bytes, kept))
    }

    fn first(&mut self, file: &str, position: u64, is_it: impl Fn(&Path) -> Result<bool>) -> Result<String> {
        for attempt in 0_u32.. {
            let name = match attempt {
                0 => format!("{file}.{position}{CUT}"),
                _ => format!("{file}.{position}.{attempt}{CUT}"),
            };
            let path = self.dir.join(&name);
            if !self.taken.contains(&name) && (!exists(self.storage, &path)? || is_it(&path)?) {
                self.taken.insert(name.clone());
                return Ok(name);
            }
        }
        Ok(String::new())
    }
}

fn exists(storage: &dyn Storage, path: &Path) -> Result<bool> {
    match storage.len(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// Whether `kept` begins with these bytes of `file`: a crash may have brought back a part of what was cut off.
fn same_bytes(storage: &dyn Storage, file: &Path, bytes: &Range<u64>, kept: &Path) -> Result<bool> {
    let compare = || {
        let (file, kept) = (storage.open(file)?, storage.open(kept)?);
        if kept.len() < bytes.end - bytes.start {
            return Ok(false);
        }
        let mut position = bytes.start;
        while position < bytes.end {
            let len = (bytes.end - position).min(CHUNK_BYTES) as usize;
            if file.view(position, len)? != kept.view(position - bytes.start, len)? {
                return Ok(false);
            }
            position += len as u64;
        }
        Ok(true)
    };
    compare().map_err(|error| Error::io("compare", file, error))
}

/// Copies `bytes` of a file to one of this name beside it, which is on the device on return.
pub(crate) fn copy_aside(storage: &dyn Storage, file: &Path, bytes: &Range<u64>, kept_as: &str) -> Result<()> {
    let kept = file.with_file_name(kept_as);
    if exists(storage, &kept)? && same_bytes(storage, file, bytes, &kept)? {
        let synced = storage.open(&kept).and_then(|kept| kept.sync()).and_then(|()| sync_parent(storage, &kept));
        return synced.map_err(|error| Error::io("sync", kept, error));
    }
    write_file(storage, &kept, bytes.end - bytes.start, |target| append_range(&*storage.open(file)?, bytes, target))
}

/// Makes a log the one of this draft, which takes more than cutting its end.
pub(super) fn write_log(home: &Home, draft: &Draft) -> Result<()> {
    let path = home.path(draft.base_offset, LOG);
    let source = draft.source.as_ref().map(|_| home.storage.open(&path)).transpose();
    let source = source.map_err(|error| Error::io("open", &path, error))?;
    let capacity = draft.pieces.iter().map(Piece::size).sum();
    write_file(&*home.storage, &path, capacity, |target| {
        for piece in &draft.pieces {
            match (piece, &source) {
                (Piece::Keep(bytes), Some(source)) => append_range(&**source, bytes, target)?,
                (Piece::Fill(offsets), _) => {
                    let header = empty_header(*offsets.start(), *offsets.end());
                    target.append(&[RetainedBatch::default().emptied(&header).bytes()])?;
                }
                _ => {}
            }
        }
        Ok(())
    })
}

/// The header of a batch without records that spans these offsets. It has no leader epoch, for which one they were
/// written in is not known.
fn empty_header(first: Offset, last: Offset) -> BatchHeader {
    BatchHeader {
        base_offset: first,
        batch_length: 0,
        partition_leader_epoch: -1,
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta: (last - first) as i32,
        base_timestamp: NO_TIMESTAMP,
        max_timestamp: NO_TIMESTAMP,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: -1,
        base_sequence: -1,
        records_count: 0,
    }
}

impl Piece {
    /// How much of the new log it takes.
    fn size(&self) -> u64 {
        match self {
            Self::Keep(bytes) => bytes.end - bytes.start,
            Self::Fill(_) => BATCH_HEADER_BYTES as u64,
            Self::SetAside { .. } | Self::Trim(_) => 0,
        }
    }
}

/// Replaces the file at `path`, so that a crash leaves the old one or the new one, whole.
fn write_file(
    storage: &dyn Storage,
    path: &Path,
    capacity: u64,
    write: impl FnOnce(&mut dyn AppendFile) -> io::Result<()>,
) -> Result<()> {
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(TEMPORARY);
    let temporary = PathBuf::from(temporary);
    let replace = || {
        let mut target = storage.open_append(&temporary, 0, capacity)?;
        write(&mut *target)?;
        target.seal()?;
        target.file().sync()?;
        drop(target);
        storage.rename(&temporary, path)?;
        sync_parent(storage, path)
    };
    replace().map_err(|error| Error::io("write", path, error))
}

fn sync_parent(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |dir| storage.sync_dir(dir))
}

fn append_range(source: &dyn StorageFile, bytes: &Range<u64>, target: &mut dyn AppendFile) -> io::Result<()> {
    let mut position = bytes.start;
    while position < bytes.end {
        let len = (bytes.end - position).min(CHUNK_BYTES) as usize;
        target.append(&[&source.view(position, len)?])?;
        position += len as u64;
    }
    Ok(())
}
