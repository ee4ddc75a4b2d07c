//! Faults on demand: which operation fails, when, and with what.

use std::fmt;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

/// A kind of call to the disk, as faults and traces name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// [`Storage::create_dir_all`](crate::io::Storage::create_dir_all).
    CreateDirAll,
    /// [`Storage::list`](crate::io::Storage::list).
    List,
    /// [`Storage::len`](crate::io::Storage::len).
    Len,
    /// [`Storage::read`](crate::io::Storage::read), and [`read_at`](crate::io::StorageFile::read_at) and
    /// [`view`](crate::io::StorageFile::view) of a file.
    Read,
    /// [`Storage::open`](crate::io::Storage::open).
    Open,
    /// [`Storage::open_append`](crate::io::Storage::open_append).
    OpenAppend,
    /// [`AppendFile::reserve`](crate::io::AppendFile::reserve).
    Reserve,
    /// [`AppendFile::append`](crate::io::AppendFile::append).
    Append,
    /// [`AppendFile::seal`](crate::io::AppendFile::seal).
    Seal,
    /// [`StorageFile::sync`](crate::io::StorageFile::sync).
    Sync,
    /// [`Storage::truncate`](crate::io::Storage::truncate).
    Truncate,
    /// [`Storage::rename`](crate::io::Storage::rename).
    Rename,
    /// [`Storage::remove_file`](crate::io::Storage::remove_file).
    RemoveFile,
    /// [`Storage::remove_dir_all`](crate::io::Storage::remove_dir_all).
    RemoveDirAll,
    /// [`Storage::sync_dir`](crate::io::Storage::sync_dir).
    SyncDir,
    /// [`Storage::lock`](crate::io::Storage::lock).
    Lock,
}

impl Operation {
    /// Whether it changes what is on the disk, or what is certain to be. Those are the points where a crash can hit.
    pub fn is_mutation(self) -> bool {
        !matches!(self, Self::List | Self::Len | Self::Read | Self::Open)
    }
}

impl fmt::Display for Operation {
    /// The method's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDirAll => "create_dir_all",
            Self::List => "list",
            Self::Len => "len",
            Self::Read => "read",
            Self::Open => "open",
            Self::OpenAppend => "open_append",
            Self::Reserve => "reserve",
            Self::Append => "append",
            Self::Seal => "seal",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Rename => "rename",
            Self::RemoveFile => "remove_file",
            Self::RemoveDirAll => "remove_dir_all",
            Self::SyncDir => "sync_dir",
            Self::Lock => "lock",
        })
    }
}

/// An error to answer operations with, and which ones: all of them, narrowed down by the methods below.
///
/// An operation that is answered so has no effect, except for a sync: it leaves the pages as
/// [the fault model](crate::sim) says.
///
/// ```
/// use std::io::ErrorKind;
/// use esker::sim::{Fault, FaultStorage, Operation};
///
/// let storage = FaultStorage::new(0);
/// // The third sync of a segment fails, and only that one.
/// storage.inject(Fault::io_error().on(Operation::Sync).on_path_suffix(".log").nth(2));
/// // The device goes read-only at its 40th operation.
/// storage.inject(Fault::new(ErrorKind::ReadOnlyFilesystem).on_mutations().from_operation(40));
/// ```
pub struct Fault {
    kind: io::ErrorKind,
    operation: Option<Operation>,
    only_mutations: bool,
    matches_path: Option<PathPredicate>,
    operations: RangeInclusive<u64>,
    skip: u64,
    times: u64,
}

type PathPredicate = Box<dyn Fn(&Path) -> bool + Send + Sync>;

impl Fault {
    /// Answers with an error of `kind`: `PermissionDenied`, `StorageFull`, `ReadOnlyFilesystem`, …
    pub fn new(kind: io::ErrorKind) -> Self {
        Self {
            kind,
            operation: None,
            only_mutations: false,
            matches_path: None,
            operations: 0..=u64::MAX,
            skip: 0,
            times: u64::MAX,
        }
    }

    /// Answers as a device does that fails to read or write (`EIO`).
    pub fn io_error() -> Self {
        Self::new(io::ErrorKind::Other)
    }

    /// Only operations of this kind.
    #[must_use]
    pub fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Only operations that [change something](Operation::is_mutation).
    #[must_use]
    pub fn on_mutations(mut self) -> Self {
        self.only_mutations = true;
        self
    }

    /// Only on paths that end in these characters, which may begin within a name. Of a rename either path counts; of
    /// an open file, the path that it was opened by.
    #[must_use]
    pub fn on_path_suffix(self, suffix: impl Into<String>) -> Self {
        let suffix = suffix.into();
        self.on_paths(move |path| path.to_str().is_some_and(|path| path.ends_with(&suffix)))
    }

    /// Only on paths that the predicate accepts; it must not call the storage.
    #[must_use]
    pub fn on_paths(mut self, predicate: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        self.matches_path = Some(Box::new(predicate));
        self
    }

    /// Only operations from this number on, as [`FaultStorage::operations`](crate::sim::FaultStorage::operations)
    /// counts them: the first is 0.
    #[must_use]
    pub fn from_operation(mut self, number: u64) -> Self {
        self.operations = number..=u64::MAX;
        self
    }

    /// Only the operation with this number.
    #[must_use]
    pub fn at_operation(mut self, number: u64) -> Self {
        self.operations = number..=number;
        self
    }

    /// Only the occurrence with this index, from 0, of what the fault is narrowed down to.
    #[must_use]
    pub fn nth(mut self, index: u64) -> Self {
        self.skip = index;
        self.times = 1;
        self
    }

    /// At most this many times, then never again.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// The answer to an operation, if the fault has one for it.
    pub(super) fn answer(&mut self, number: u64, operation: Operation, paths: &[&Path]) -> Option<io::Error> {
        let is_meant = self.operations.contains(&number)
            && self.operation.is_none_or(|only| only == operation)
            && (!self.only_mutations || operation.is_mutation())
            && self.matches_path.as_ref().is_none_or(|matches| paths.iter().any(|path| matches(path)));
        if !is_meant || self.times == 0 {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(match self.kind {
            io::ErrorKind::Other => io::Error::other("injected fault: input/output error"),
            kind => io::Error::new(kind, format!("injected fault: {kind}")),
        })
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("kind", &self.kind).field("operation", &self.operation).finish_non_exhaustive()
    }
}
