//! A little space that is held back, so that at zero bytes free what frees space, or brings a store to a good end,
//! still works: retention, checkpoints, offset commits, a clean close, recovery.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::Storage;

pub(super) const RESERVE: &str = ".esker-reserve";
const RESERVE_BYTES: u64 = 1 << 20;
/// Enough for a checkpoint, and for a log to go on. Others who append before that take what they need, and no more.
const RELEASED_BYTES: u64 = 64 << 10;
/// Most file systems hand out no less.
const STEP_BYTES_MIN: u64 = 4 << 10;

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

    /// Takes the space if it is not held already, or as much of it as there is. The store works without it too.
    pub(super) fn hold(&self) {
        let mut held = self.storage.len(&self.path).unwrap_or(0);
        let mut step = RESERVE_BYTES;
        while held < RESERVE_BYTES && step >= STEP_BYTES_MIN {
            let wanted = RESERVE_BYTES.min(held + step);
            match self.extend(held, wanted) {
                Ok(()) => held = wanted,
                Err(_) => step /= 2,
            }
        }
        if held == 0 {
            let _ = self.storage.remove_file(&self.path);
        }
    }

    fn extend(&self, held: u64, wanted: u64) -> io::Result<()> {
        self.storage.open_append(&self.path, held, RESERVE_BYTES)?.reserve(wanted - held)
    }

    /// Runs something that must work at zero bytes free: while it finds no space, it runs again with some more of what
    /// is held back. Not with all of it at once, and what is left is held again, for others are about to append, as
    /// often as they are refused.
    pub(super) fn run<T>(&self, run: impl Fn() -> Result<T>) -> Result<T> {
        let mut result = run();
        let mut is_released = false;
        while matches!(result, Err(Error::StorageFull { .. })) && self.release() {
            is_released = true;
            result = run();
        }
        if is_released {
            self.hold();
        }
        result
    }

    /// Lets go of a step, or of all that is held. Returns whether there was anything.
    fn release(&self) -> bool {
        let left = self.storage.len(&self.path).unwrap_or(0).saturating_sub(RELEASED_BYTES);
        left > 0 && self.storage.truncate(&self.path, left).is_ok() || self.storage.remove_file(&self.path).is_ok()
    }
}
