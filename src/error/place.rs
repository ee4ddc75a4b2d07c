//! Where something went wrong, as errors print it.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use crate::types::{Offset, TopicPartition};

/// "t-0", or "t" where nobody named a partition.
pub(super) struct Asked<'a>(pub(super) &'a TopicPartition);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.partition < 0 { f.write_str(&self.0.topic) } else { self.0.fmt(f) }
    }
}

/// "00000000000000000000.log at position 184, offsets 3..=3", as far as it is known.
pub(super) struct Place<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) position: u64,
    pub(super) offsets: Option<&'a RangeInclusive<Offset>>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file {
            Some(file) => write!(f, "{}", file.display())?,
            None => write!(f, "bytes")?,
        }
        write!(f, " at position {}", self.position)?;
        match self.offsets {
            Some(offsets) => write!(f, ", offsets {}..={}", offsets.start(), offsets.end()),
            None => Ok(()),
        }
    }
}
