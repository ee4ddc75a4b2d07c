//! A file of the active segment, from its writer's side.

use std::io;
use std::sync::Arc;

use super::segment::Segment;
use crate::error::{Error, Result};
use crate::io::{AppendFile, StorageFile};

/// A file that is appended to, unless it was let go of: see
/// [`ActiveSegment::rest`](super::active::ActiveSegment::rest).
#[derive(Debug)]
pub(super) struct Appender(pub(super) Option<Box<dyn AppendFile>>);

impl Appender {
    #[inline]
    pub(super) fn get(&mut self) -> io::Result<&mut dyn AppendFile> {
        match &mut self.0 {
            Some(file) => Ok(&mut **file),
            None => Err(io::Error::other("the file was let go of")),
        }
    }

    #[cfg(feature = "net")]
    pub(super) fn appends_at_once(&self, bytes: u64) -> bool {
        self.0.as_ref().is_some_and(|file| file.appends_at_once(bytes))
    }

    pub(super) fn file(&self) -> Option<Arc<dyn StorageFile>> {
        self.0.as_ref().map(|file| file.file())
    }
}

pub(super) fn open_append(segment: &Segment, suffix: &str, len: u64, capacity: u64) -> Result<Box<dyn AppendFile>> {
    let path = segment.path(suffix);
    let opened = segment.home().storage.open_append(&path, len, capacity);
    opened.map_err(|error| Error::io("open", path, error))
}
