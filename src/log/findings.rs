//! What a look through a data directory found: which file, where in it, and what is wrong.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::types::Offset;

/// How many findings are kept one by one.
const FINDINGS_MAX: usize = 10_000;

/// Something that is not as it should be, or that a person may want to know of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The file or directory.
    pub path: PathBuf,
    /// The byte position in it.
    pub position: u64,
    /// What is the matter.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at position {}: {}", self.path.display(), self.position, self.problem)
    }
}

/// What can be the matter with a file.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A batch is damaged: its checksum, its structure, its offsets, or a record in it.
    #[error("offsets {} to {} can't be read", offsets.start(), offsets.end())]
    DamagedBatch {
        /// The offsets that can't be read.
        offsets: RangeInclusive<Offset>,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A log ends in bytes that are no whole batch. The next open for writing moves them aside.
    #[error("the log ends in {bytes} bytes that are no whole batch")]
    TornTail {
        /// How many bytes, up to the last one that is not zero.
        bytes: u64,
    },
    /// A closed segment ends in reserved space.
    #[error("{bytes} bytes of reserved space were not given back")]
    Reserved {
        /// How many.
        bytes: u64,
    },
    /// Records are missing before this segment, and nothing is in their place.
    #[error("offsets {} to {} are missing before it", missing.start(), missing.end())]
    Gap {
        /// Their offsets.
        missing: RangeInclusive<Offset>,
    },
    /// A segment begins below the end of the one before it.
    #[error("it begins at offset {found}, and the segment before it ends at {expected}")]
    Overlap {
        /// Where the one before ends.
        expected: Offset,
        /// Where this one begins.
        found: Offset,
    },
    /// A log file is larger than positions in it can be.
    #[error("{len} bytes are more than positions reach")]
    TooLarge {
        /// Its length.
        len: u64,
    },
    /// An index is missing. Lookups take longer; the next open builds it.
    #[error("the index is missing")]
    MissingIndex,
    /// An index entry does not come after the one before it.
    #[error("the index entry does not come after the one before it")]
    UnsortedIndexEntry,
    /// An index entry points at something else than it says.
    #[error("the index entry does not say what is in the log")]
    WrongIndexEntry,
    /// An index ends within an entry.
    #[error("the index ends within an entry")]
    TornIndexEntry,
    /// A transaction index can't be that of its segment, or does not have a transaction that was aborted there: readers
    /// of committed records may be shown its records. A repair writes it anew.
    #[error("the transaction index does not have what was aborted in its segment")]
    WrongTransactionIndex,
    /// A producer snapshot is not whole. The next open does without it.
    #[error("the producer snapshot is not whole")]
    DamagedSnapshot,
    /// A checkpoint, or another file of text, can't be understood.
    #[error("malformed at line {line}: {reason}")]
    Malformed {
        /// The line, from 1; 0 where it is not known.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A sync failed, and the log was not opened since. The next open writes it anew.
    #[error("a sync has failed")]
    SyncFailed,
    /// What an interrupted creation, deletion, compaction or replacement left, or a deletion whose delay has not passed
    /// yet.
    #[error("left over from a creation, a deletion or a replacement")]
    Leftover,
    /// Bytes that an earlier recovery, or a repair, took out of a file and kept.
    #[error("{bytes} bytes that a recovery or a repair took out and kept")]
    SetAside {
        /// How many.
        bytes: u64,
    },
    /// A partition that belongs to no whole topic: one before it is missing, or it is another topic's.
    #[error("the partition belongs to no whole topic")]
    Incomplete,
    /// A name that neither Kafka nor this crate gives.
    #[error("unknown name")]
    Unknown,
}

impl Problem {
    /// Whether records are lost, or something can't be used that should be; not what is merely left over, unknown, or
    /// put right by the next open without a loss.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::DamagedBatch { .. }
                | Self::Gap { .. }
                | Self::Overlap { .. }
                | Self::TooLarge { .. }
                | Self::WrongTransactionIndex
                | Self::Malformed { .. }
                | Self::Incomplete
        )
    }
}

/// How far a look through a directory has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct VerifyProgress<'a> {
    /// The file that is being looked at.
    pub file: &'a Path,
    /// How many bytes have been looked at.
    pub bytes_done: u64,
    /// How many there are in all, as far as was known in the beginning.
    pub bytes_total: u64,
}

/// What looking through a data directory found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The findings, in the order of partitions and files; at most 10,000.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_left_out: u64,
    /// How many bytes were looked at.
    pub bytes: u64,
}

impl VerifyReport {
    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether no records are lost, and everything can be used.
    pub fn is_healthy(&self) -> bool {
        self.findings_left_out == 0 && !self.findings.iter().any(|finding| finding.problem.is_damage())
    }
}

/// Takes findings and progress.
pub(crate) struct Findings<'a> {
    report: VerifyReport,
    bytes_total: u64,
    progress: &'a mut dyn FnMut(VerifyProgress<'_>),
    tails: Vec<Tail>,
    snapshots: Vec<PathBuf>,
}

/// Bytes behind a log's end that were no whole batch when they were looked at.
pub(crate) struct Tail {
    pub(crate) path: PathBuf,
    pub(crate) position: u64,
    pub(crate) bytes: u64,
    pub(crate) expected: Offset,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(bytes_total: u64, progress: &'a mut dyn FnMut(VerifyProgress<'_>)) -> Self {
        Self { report: VerifyReport::default(), bytes_total, progress, tails: Vec::new(), snapshots: Vec::new() }
    }

    pub(crate) fn add(&mut self, path: &Path, position: u64, problem: Problem) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding { path: path.to_owned(), position, problem });
        } else {
            self.report.findings_left_out += 1;
        }
    }

    /// Adds damage to a batch; fails with an error that is none.
    pub(crate) fn add_damage(
        &mut self,
        path: &Path,
        position: u64,
        offsets: RangeInclusive<Offset>,
        error: Error,
    ) -> Result<()> {
        match error {
            Error::CorruptRecord { .. } => {
                self.add(path, position, Problem::DamagedBatch { offsets, source: Box::new(error) });
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Adds what is wrong with a file of text; fails with an error that says nothing of it.
    pub(crate) fn add_error(&mut self, path: &Path, error: Error) -> Result<()> {
        let (line, reason) = match error {
            Error::MalformedFile { line, reason, .. } => (line, reason),
            error @ Error::InvalidConfig { .. } => (0, error.to_string()),
            error => return Err(error),
        };
        self.add(path, 0, Problem::Malformed { line, reason });
        Ok(())
    }

    pub(crate) fn add_tail(&mut self, path: &Path, position: u64, bytes: u64, expected: Offset) {
        self.tails.push(Tail { path: path.to_owned(), position, bytes, expected });
    }

    pub(crate) fn take_tails(&mut self) -> Vec<Tail> {
        std::mem::take(&mut self.tails)
    }

    /// Adds a producer snapshot that was not whole when it was looked at.
    pub(crate) fn add_snapshot(&mut self, path: &Path) {
        self.snapshots.push(path.to_owned());
    }

    pub(crate) fn take_snapshots(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.snapshots)
    }

    pub(crate) fn looked_at(&mut self, file: &Path, bytes: u64) {
        self.report.bytes += bytes;
        let (bytes_done, bytes_total) = (self.report.bytes, self.bytes_total.max(self.report.bytes));
        if bytes > 0 {
            (self.progress)(VerifyProgress { file, bytes_done, bytes_total });
        }
    }

    pub(crate) fn into_report(self) -> VerifyReport {
        self.report
    }
}
