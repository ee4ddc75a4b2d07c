//! The files of a data directory beside its partitions: the checkpoints.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::meta_properties;
use crate::error::{Error, Result};
use crate::io::{Storage, replace_file};
use crate::log::{self, Home, LastKnown, Log, LogContext, PartitionRecovery, checkpoint};
use crate::types::{Offset, TopicPartition};

pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub(super) const FIRST_DIRTY: &str = "cleaner-offset-checkpoint";
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";

/// The configs that groups have set.
pub(super) const GROUP_CONFIGS: &str = "group-config-checkpoint";
/// The users of a server (feature `sasl`).
pub(super) const SCRAM_CREDENTIALS: &str = "scram-credentials-checkpoint";

/// The files with an offset for each partition.
pub(super) const OFFSET_FILES: [&str; 4] = [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, FIRST_DIRTY];
/// The names of the files beside the partitions.
pub(super) const FILES: [&str; 12] = [
    OFFSET_FILES[0],
    OFFSET_FILES[1],
    OFFSET_FILES[2],
    OFFSET_FILES[3],
    meta_properties::META_PROPERTIES,
    meta_properties::CLEAN_SHUTDOWN,
    super::producer_ids::CHECKPOINT,
    super::topic_list::FILE,
    GROUP_CONFIGS,
    SCRAM_CREDENTIALS,
    super::open::LOCK,
    super::reserve::RESERVE,
];

/// A data directory and the storage that it is on.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) dir: PathBuf,
}

impl Layout {
    pub(super) fn partition_dir(&self, partition: &TopicPartition) -> PathBuf {
        self.dir.join(partition.to_string())
    }

    /// Opens the log of a partition, recovering it if need be, and tells what was found.
    pub(super) fn open_log(
        &self,
        partition: &TopicPartition,
        known: LastKnown,
        context: LogContext,
    ) -> Result<(Log, PartitionRecovery)> {
        let (storage, dir) = (self.storage.clone(), self.partition_dir(partition));
        let home = Home::new(storage, dir, partition.clone(), context.open_files.clone());
        let load = log::load(home, &context.config, known)?;
        let report = load.report.clone();
        Ok((Log::new(load, context), report))
    }

    /// Opens the log of a partition that another process may be writing.
    pub(super) fn follow_log(&self, partition: &TopicPartition, log_start: Offset, context: LogContext) -> Result<Log> {
        let (storage, dir) = (self.storage.clone(), self.partition_dir(partition));
        let home = Home::new(storage, dir, partition.clone(), context.open_files.clone()).followed();
        Ok(Log::new(log::follow::open(home, log_start)?, context))
    }

    pub(super) fn sync(&self) -> Result<()> {
        self.storage.sync_dir(&self.dir).map_err(|error| Error::io("sync", &self.dir, error))
    }

    pub(super) fn recovery_points(&self) -> Result<HashMap<TopicPartition, Offset>> {
        self.read_offsets(RECOVERY_POINTS)
    }

    pub(super) fn log_starts(&self) -> Result<HashMap<TopicPartition, Offset>> {
        self.read_offsets(LOG_STARTS)
    }

    /// Up to where each log was compacted.
    pub(super) fn first_dirty(&self) -> Result<HashMap<TopicPartition, Offset>> {
        self.read_offsets(FIRST_DIRTY)
    }

    /// Writes down up to where each log was compacted.
    pub(super) fn write_first_dirty(&self, offsets: Vec<(TopicPartition, Offset)>) -> Result<()> {
        self.write_offsets(FIRST_DIRTY, offsets)
    }

    pub(super) fn read_offsets(&self, name: &str) -> Result<HashMap<TopicPartition, Offset>> {
        let file = self.dir.join(name);
        checkpoint::read::<3>(self.storage(), &file)?.into_iter().map(|entry| offset_entry(&file, entry)).collect()
    }

    /// Writes down how far the logs reach: where recovery starts, where reading does, and where it ends.
    pub(super) fn write_checkpoints(&self, logs: &[Log]) -> Result<()> {
        let at = |offset: fn(&Log) -> Offset| {
            logs.iter().map(|log| (log.topic_partition().clone(), offset(log))).collect::<Vec<_>>()
        };
        // The recovery point first read, the log start after it: a start beyond the point does no harm.
        self.write_offsets(RECOVERY_POINTS, at(Log::recovery_point))?;
        self.write_offsets(LOG_STARTS, above_0(at(Log::log_start)))?;
        self.write_offsets(HIGH_WATERMARKS, at(Log::high_watermark))
    }

    /// Writes down how far logs reach that are on the device up to their ends.
    pub(super) fn write_offsets_of(
        &self,
        log_ends: Vec<(TopicPartition, Offset)>,
        log_starts: Vec<(TopicPartition, Offset)>,
    ) -> Result<()> {
        self.write_offsets(RECOVERY_POINTS, log_ends.clone())?;
        self.write_offsets(LOG_STARTS, above_0(log_starts))?;
        self.write_offsets(HIGH_WATERMARKS, log_ends)
    }

    fn write_offsets(&self, name: &str, offsets: Vec<(TopicPartition, Offset)>) -> Result<()> {
        checkpoint::write(self.storage(), &self.dir.join(name), &offset_lines(offsets))
    }

    /// Copies a file as it is, if there is one.
    pub(super) fn copy(&self, name: &str, target: &Self) -> Result<()> {
        let [from, to] = [self, target].map(|layout| layout.dir.join(name));
        match self.storage.read(&from) {
            Ok(contents) => {
                replace_file(target.storage(), &to, &contents).map_err(|error| Error::io("write", to, error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("read", from, error)),
        }
    }

    pub(super) fn take_clean_shutdown(&self) -> Result<bool> {
        meta_properties::take_clean_shutdown(self.storage(), &self.dir)
    }

    pub(super) fn write_clean_shutdown(&self) -> Result<()> {
        meta_properties::write_clean_shutdown(self.storage(), &self.dir)
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }
}

fn offset_entry(file: &Path, [topic, partition, offset]: [String; 3]) -> Result<(TopicPartition, Offset)> {
    let offset = checkpoint::offset(file, &offset)?;
    Ok((TopicPartition::new(topic, checkpoint::number(file, &partition)?), offset))
}

/// The lines of a file with an offset for each partition.
pub(super) fn offset_lines(offsets: impl IntoIterator<Item = (TopicPartition, Offset)>) -> Vec<[String; 3]> {
    let line =
        |(at, offset): (TopicPartition, Offset)| [at.topic.to_string(), at.partition.to_string(), offset.to_string()];
    offsets.into_iter().map(line).collect()
}

/// What can be told from a malformed file with an offset for each partition.
pub(super) fn salvage_offsets(contents: &[u8]) -> HashMap<TopicPartition, Offset> {
    let file = Path::new("a malformed checkpoint");
    checkpoint::salvage(contents).into_iter().filter_map(|entry| offset_entry(file, entry).ok()).collect()
}

/// A log that starts at 0 needs no entry.
fn above_0(mut offsets: Vec<(TopicPartition, Offset)>) -> Vec<(TopicPartition, Offset)> {
    offsets.retain(|(_, offset)| *offset > 0);
    offsets
}
