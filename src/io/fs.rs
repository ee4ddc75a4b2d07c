//! The real disk.

/// The operating system's file system.
#[derive(Clone, Debug, Default)]
pub struct FsStorage {}
