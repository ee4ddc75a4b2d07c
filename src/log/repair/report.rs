//! What a repair does, did, or leaves, for a person to look at.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::log::findings::Finding;
use crate::types::{Offset, TopicPartition};

/// What a repair may do: nothing, unless it is told to.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct RepairOptions {
    pub(crate) executes: bool,
    pub(crate) removes_leftovers: bool,
}

impl RepairOptions {
    /// A dry run: it tells what a repair would do, and changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does it.
    pub fn execute(self) -> Self {
        Self { executes: true, ..self }
    }

    /// Deletes what interrupted deletions, compactions and replacements have left ([`Problem::Leftover`]): nothing in
    /// it belongs to a log. Bytes that were set aside are never deleted.
    ///
    /// [`Problem::Leftover`]: crate::Problem::Leftover
    pub fn remove_leftovers(self) -> Self {
        Self { removes_leftovers: true, ..self }
    }
}

/// What a repair did, or would do.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RepairReport {
    /// It was done; otherwise this is what would be done.
    pub executed: bool,
    /// The steps, in order.
    pub actions: Vec<RepairAction>,
    /// The offsets that can't be read any more, in the order of partitions and offsets. In a compacted log some of them
    /// may have been compacted away before.
    pub lost: Vec<LostOffsets>,
    /// Damage that is left as it is, because it can't be mended here.
    pub unrepaired: Vec<Finding>,
}

impl RepairReport {
    /// Whether there is nothing to do, and nothing that can't be done.
    pub fn is_clean(&self) -> bool {
        self.actions.is_empty() && self.unrepaired.is_empty()
    }
}

/// Offsets of a partition that were damaged or missing: an empty batch is in their place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostOffsets {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The offsets.
    pub offsets: RangeInclusive<Offset>,
}

/// A step of a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairAction {
    /// The file or directory.
    pub path: PathBuf,
    /// What is done with it.
    pub step: RepairStep,
}

impl fmt::Display for RepairAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.step)
    }
}

/// What is done with a file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairStep {
    /// Bytes that can't be used are copied to a file beside it, and then taken out. Of a file of text they stay until
    /// it is [`Replaced`](Self::Replaced).
    SetAside {
        /// Where they are, in bytes.
        position: u64,
        /// How many they are.
        bytes: u64,
        /// The name of the file that has them.
        kept_as: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The file or directory as a whole gets another name in the same place.
    Renamed {
        /// The name.
        to: String,
        /// Why.
        reason: String,
    },
    /// An empty batch takes the place of these offsets, which are lost.
    Filled {
        /// The offsets.
        offsets: RangeInclusive<Offset>,
    },
    /// Space that was reserved, and holds zeros, is given back.
    Trimmed {
        /// How many bytes.
        bytes: u64,
    },
    /// What is derived from the log is written anew: it is missing, or does not fit the log.
    Rebuilt,
    /// A file of text that was missing, or malformed, is written with what could be told of its contents.
    Replaced,
    /// A partition that is missing gets a directory, without records.
    Created,
    /// It is deleted, as it was told to.
    Removed,
}

impl fmt::Display for RepairStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { position, bytes, kept_as, reason } => {
                write!(f, "{bytes} bytes at position {position} are set aside as {kept_as}: {reason}")
            }
            Self::Renamed { to, reason } => write!(f, "renamed to {to}: {reason}"),
            Self::Filled { offsets } => write!(f, "offsets {} to {} are lost", offsets.start(), offsets.end()),
            Self::Trimmed { bytes } => write!(f, "{bytes} bytes of reserved space are given back"),
            Self::Rebuilt => f.write_str("built from the log"),
            Self::Replaced => f.write_str("written with what could be told of its contents"),
            Self::Created => f.write_str("created without records"),
            Self::Removed => f.write_str("removed"),
        }
    }
}
