//! `esker snapshot`: a backup of a whole data directory.

use std::path::PathBuf;

use serde::Serialize;

use crate::context::Context;
use crate::data_dir;
use crate::failure::Result;
use crate::progress::Progress;

/// Copy the data directory, as it is at one moment, into another one
///
/// The copy can be opened by esker or by a broker, and needs no recovery. Where the file system can, blocks are shared
/// until either side changes them.
///
/// Nobody else may have the directory open. To copy it while records are written, the process that has it open calls
/// `Store::snapshot`, which is for programs that embed esker.
///
/// JSON: dir, partitions (how many), bytes (of log files), held_us (for how long appends were held back, in
/// microseconds).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the copy goes: a directory that does not exist, or is empty
    to: PathBuf,
}

#[derive(Debug, Serialize)]
struct Row {
    dir: String,
    partitions: usize,
    bytes: u64,
    held_us: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let store = data_dir::open(context)?;
    let progress = Progress::of_bytes("copying");
    let snapshot = store.snapshot_with_progress(&args.to, |at| progress.set(at.bytes_done, at.bytes_total));
    drop(progress);
    store.close()?;
    let snapshot = snapshot?;
    let row = Row {
        dir: snapshot.dir.display().to_string(),
        partitions: snapshot.partitions,
        bytes: snapshot.bytes,
        held_us: u64::try_from(snapshot.held.as_micros()).unwrap_or(u64::MAX),
    };
    context.print(&[row], |rows| {
        let copied =
            |row: &Row| format!("Copied {} bytes of {} partitions to {}.\n", row.bytes, row.partitions, row.dir);
        rows.iter().map(copied).collect()
    })
}
