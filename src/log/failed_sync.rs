//! What a failed sync leaves to the next open.
//!
//! After a sync has failed the kernel may drop what it did not write, and still show it to whoever reads: the device
//! then lacks pages that everybody takes for written, and no later sync writes them. An open that took what it reads
//! for what is there would go on behind a hole. So the failure leaves a note, an empty file, in the partition's
//! directory. It need not be durable: it lives in the kernel, as the pages in question do, and the loss of power takes
//! both. Who finds it writes the segments anew.

use std::path::{Path, PathBuf};

use super::file_name::SYNC_FAILED;
use super::rewrite;
use super::segment::Home;
use crate::error::{Error, Result};

fn path(home: &Home) -> PathBuf {
    home.dir.join(SYNC_FAILED)
}

/// Leaves the note. A system that refuses even that, because it turned read-only, shows the old pages to nobody before
/// it is mounted again.
pub(super) fn note(home: &Home) {
    let _ = home.storage.open_append(&path(home), 0, 0);
}

/// Takes the note away.
pub(super) fn forget(home: &Home) -> Result<()> {
    home.storage.remove_file(&path(home)).map_err(|error| Error::io("remove", path(home), error))
}

/// Writes a file once more, as it reads, and syncs it. A crash leaves the old file or the new one.
pub(super) fn rewrite(home: &Home, file: &Path) -> Result<()> {
    let len = home.storage.len(file).map_err(|error| Error::io("look at", file, error))?;
    rewrite::copy(home, file, len)?;
    rewrite::replace_by_copy(home, file)
}
