//! The `leader-epoch-checkpoint` of a partition: which leader epoch began at which offset.

use std::path::PathBuf;

use super::checkpoint;
use super::file_name::LEADER_EPOCH_CHECKPOINT;
use super::segment::Home;
use crate::error::Result;
use crate::types::{LeaderEpoch, Offset};

fn path(home: &Home) -> PathBuf {
    home.dir.join(LEADER_EPOCH_CHECKPOINT)
}

/// The epochs and where they begin, oldest first.
fn read(home: &Home) -> Result<Vec<(LeaderEpoch, Offset)>> {
    let file = path(home);
    checkpoint::read::<2>(&*home.storage, &file)?
        .iter()
        .map(|[epoch, start]| Ok((checkpoint::number(&file, epoch)?, checkpoint::number(&file, start)?)))
        .collect()
}

fn write(home: &Home, epochs: &[(LeaderEpoch, Offset)]) -> Result<()> {
    let entries: Vec<[String; 2]> =
        epochs.iter().map(|(epoch, start)| [epoch.to_string(), start.to_string()]).collect();
    checkpoint::write(&*home.storage, &path(home), &entries)
}

/// The partition's epoch: the latest that began, or 0. Of a log that a crash cut, no epoch begins beyond the `end`; but
/// none is forgotten, for whoever was fenced stays fenced.
pub(super) fn load(home: &Home, end: Offset) -> Result<LeaderEpoch> {
    let epochs = read(home)?;
    let Some((epoch, start)) = epochs.last().copied() else { return Ok(0) };
    if start > end {
        assign(home, epoch, end)?;
    }
    Ok(epoch)
}

/// The latest epoch that the file knows, 0 if there is none.
pub(super) fn read_latest(home: &Home) -> Result<LeaderEpoch> {
    Ok(read(home)?.last().map_or(0, |(epoch, _)| *epoch))
}

/// Sees to it that the file is there before a batch is.
pub(super) fn ensure(home: &Home, epoch: LeaderEpoch) -> Result<()> {
    if read(home)?.is_empty() { write(home, &[(epoch, 0)]) } else { Ok(()) }
}

/// Notes that `epoch` begins at `start`. Epochs that began at or after it never wrote anything that is left.
pub(super) fn assign(home: &Home, epoch: LeaderEpoch, start: Offset) -> Result<()> {
    let mut epochs = read(home)?;
    epochs.retain(|(known, began)| *known < epoch && *began < start);
    epochs.push((epoch, start));
    write(home, &epochs)
}
