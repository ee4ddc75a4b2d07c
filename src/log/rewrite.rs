//! Writing a log file once more, as it reads: where what it holds may not be on the device, and where it must become
//! shorter while readers have it open. A file in use is never cut; another takes its name.

use std::io;
use std::path::{Path, PathBuf};

use super::file_name::TEMPORARY;
use super::segment::Home;
use crate::error::{Error, Result};

const CHUNK_BYTES: u64 = 1 << 20;

fn temporary(file: &Path) -> PathBuf {
    let mut name = file.to_owned().into_os_string();
    name.push(TEMPORARY);
    name.into()
}

/// Copies the first `len` bytes of `file` to a temporary file beside it, which is on the device on return.
pub(super) fn copy(home: &Home, file: &Path, len: u64) -> Result<()> {
    let write = || {
        let from = home.storage.open(file)?;
        let mut to = home.storage.open_append(&temporary(file), 0, len)?;
        let mut position = 0;
        while position < len {
            let chunk = (len - position).min(CHUNK_BYTES);
            to.append(&[&from.view(position, chunk as usize)?])?;
            position += chunk;
        }
        to.seal()?;
        to.file().sync()
    };
    write().map_err(|error: io::Error| {
        drop_copy(home, file);
        Error::io("copy", file, error)
    })
}

/// Removes a copy that has not taken the place of its original. The next open would do it too.
pub(super) fn drop_copy(home: &Home, file: &Path) {
    let _ = home.storage.remove_file(&temporary(file));
}

/// Puts the copy of `file` in its place. A crash leaves the old file or the new one; on return it is the new one.
pub(super) fn replace_by_copy(home: &Home, file: &Path) -> Result<()> {
    let renamed = home.storage.rename(&temporary(file), file).and_then(|()| home.storage.sync_dir(&home.dir));
    renamed.map_err(|error| Error::io("replace", file, error))
}
