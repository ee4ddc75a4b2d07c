//! A little space that is held back, so that at zero bytes free what frees space, or brings a store to a good end,
//! still works: retention, checkpoints, offset commits, a clean close, recovery.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::Storage;

pub(super) const RESERVE: &str = ".esker-reserve";
const RESERVE_BYTES: u64 = 1 << 20;

/// The space, as a file that is as large as it and holds nothing.
#[derive(Clone, Debug)]
pub(super) struct Reserve {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

impl Reserve {
    pub(super) fn new(storage: Arc<dyn Storage>, dir: &Path) -> Self {
        Self { storage, path: dir.join(RESERVE) }
    }

    /// Takes the space if there is enough and it is not held already. Without it the store works all the same.
    pub(super) fn hold(&self) {
        if self.storage.len(&self.path).is_ok_and(|len| len >= RESERVE_BYTES) {
            return;
        }
        let reserved =
            self.storage.open_append(&self.path, 0, RESERVE_BYTES).and_then(|mut file| file.reserve(RESERVE_BYTES));
        if reserved.is_err() {
            let _ = self.storage.remove_file(&self.path);
        }
    }

    /// Runs something that must work at zero bytes free: if it finds no space, it runs again with what was held back.
    pub(super) fn run<T>(&self, run: impl Fn() -> Result<T>) -> Result<T> {
        match run() {
            Err(Error::StorageFull { .. }) if self.storage.remove_file(&self.path).is_ok() => run(),
            other => other,
        }
    }
}
