//! Looking through a whole data directory, closed or beside a live writer. Changes nothing.
//!
//! ```text
//!   the files beside the partitions → each partition (log/verify.rs) → ends of logs that were not whole, once more
//! ```

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::layout::Layout;
use super::meta_properties::MetaProperties;
use super::open::{count_whole, find_partitions, is_left_of_creation};
use super::topic_list::TopicList;
use super::topic_name::{DirName, is_internal, parse_dir};
use super::{StoreOptions, group_configs, layout, meta_properties};
use crate::config::{CleanupPolicy, LogConfig};
use crate::error::{Error, Result};
use crate::io::{DirEntry, ReadOnlyStorage};
use crate::log::{self, Findings, Home, Problem, VerifyProgress, VerifyReport};
use crate::types::{Offset, TopicPartition};

/// Files of Kafka's that are not looked into.
const FOREIGN: [&str; 2] = ["bootstrap.checkpoint", "__cluster_metadata-0"];

impl StoreOptions {
    /// Looks through a data directory: checks the CRC of every batch, decodes every record, holds every index entry
    /// against its log, reads every checkpoint, and accounts for every name. `progress` is called after each batch.
    /// Memory is bounded by the largest batch and 10,000 findings.
    ///
    /// Nothing is changed, and no lock is taken. Beside a live writer that is fine: what it is writing, deleting or
    /// replacing meanwhile is no finding. In a directory that a crash left, bytes behind the last whole batch are found
    /// as a [`TornTail`](Problem::TornTail), and whatever recovery would do is left to it.
    ///
    /// ```
    /// # let store = esker::Store::temporary()?;
    /// let report = esker::Store::options().verify(store.dir(), |progress| {
    ///     println!("{} of {} bytes", progress.bytes_done, progress.bytes_total);
    /// })?;
    /// assert!(report.is_healthy(), "{:?}", report.findings);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if something can't be read. What is found is no error.
    pub fn verify(self, dir: impl AsRef<Path>, mut progress: impl FnMut(VerifyProgress<'_>)) -> Result<VerifyReport> {
        let layout = Layout { storage: Arc::new(ReadOnlyStorage::new(self.storage)), dir: dir.as_ref().to_owned() };
        let entries = list(&layout, &layout.dir)?;
        let mut bytes_total = 0;
        for entry in entries.iter().filter(|entry| entry.is_dir && is_partition(&entry.name)) {
            bytes_total += list(&layout, &layout.dir.join(&entry.name))?.iter().map(|file| file.len).sum::<u64>();
        }
        let mut findings = Findings::new(bytes_total, &mut progress);
        let starts = verify_files(&layout, &entries, &mut findings)?;
        verify_partitions(&layout, &starts, &mut findings)?;
        log::verify_tails(layout.storage(), &mut findings)?;
        Ok(findings.into_report())
    }
}

pub(super) fn is_partition(name: &str) -> bool {
    matches!(parse_dir(name), DirName::Partition(_))
}

/// The files of `dir`; none if it was taken away meanwhile.
pub(super) fn list(layout: &Layout, dir: &Path) -> Result<Vec<DirEntry>> {
    match layout.storage().list(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && *dir != layout.dir => Ok(Vec::new()),
        listed => listed.map_err(|error| Error::io("list", dir, error)),
    }
}

/// Goes through the names beside the partitions. Returns where the logs start.
fn verify_files(
    layout: &Layout,
    entries: &[DirEntry],
    findings: &mut Findings<'_>,
) -> Result<HashMap<TopicPartition, Offset>> {
    for entry in entries {
        let path = layout.dir.join(&entry.name);
        let problem = match (entry.is_dir, entry.name.as_str()) {
            (_, name) if FOREIGN.contains(&name) => continue,
            (false, name) if layout::FILES.contains(&name) => continue,
            (false, name) if name.ends_with(log::file_name::TEMPORARY) => Problem::Leftover,
            (false, name) if name.ends_with(log::file_name::CUT) => Problem::SetAside { bytes: entry.len },
            (true, name) => match parse_dir(name) {
                DirName::Partition(_) => continue,
                DirName::Deleted => Problem::Leftover,
                DirName::Other => Problem::Unknown,
            },
            _ => Problem::Unknown,
        };
        findings.add(&path, 0, problem);
    }
    if let Err(error) = MetaProperties::load(layout.storage(), &layout.dir) {
        findings.add_error(&layout.dir.join(meta_properties::META_PROPERTIES), error)?;
    }
    for name in layout::OFFSET_FILES {
        if let Err(error) = layout.read_offsets(name) {
            findings.add_error(&layout.dir.join(name), error)?;
        }
    }
    if let Err(error) = TopicList::read(layout) {
        findings.add_error(&layout.dir.join(super::topic_list::FILE), error)?;
    }
    if let Err(error) = group_configs::read(layout) {
        findings.add_error(&layout.dir.join(layout::GROUP_CONFIGS), error)?;
    }
    Ok(layout.log_starts().unwrap_or_default())
}

fn verify_partitions(
    layout: &Layout,
    starts: &HashMap<TopicPartition, Offset>,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let (found, _) = match find_partitions(layout) {
        // Which one it is shows when the partitions are looked at one by one.
        Err(Error::MalformedFile { file, line, reason }) => {
            findings.add(&file, 0, Problem::Malformed { line, reason });
            return Ok(());
        }
        found => found?,
    };
    let list = TopicList::read(layout).unwrap_or_default();
    for (topic, partitions) in found {
        let id = partitions.values().copied().flatten().next();
        let whole = id.map_or(partitions.len(), |id| count_whole(&partitions, id));
        let config = id.and_then(|id| list.config_of(&topic, id));
        // Of a topic that a broker created it is not known whether it is compacted.
        let is_deleted_only =
            config.is_some_and(|config| LogConfig::from(config).cleanup_policy == CleanupPolicy::DELETE);
        for (number, (index, of)) in partitions.iter().enumerate() {
            let partition = TopicPartition::new(topic.clone(), *index);
            let dir = layout.partition_dir(&partition);
            if number >= whole {
                // The next open clears away what a crash has left of a creation.
                let is_cleared = is_left_of_creation(layout, &partition, *of, &list)?;
                findings.add(&dir, 0, if is_cleared { Problem::Leftover } else { Problem::Incomplete });
            }
            let start = starts.get(&partition).copied().unwrap_or(0);
            let home = Home::new(layout.storage.clone(), dir.clone(), partition, Arc::default()).followed();
            match log::verify(home, start, is_internal(&topic) || !is_deleted_only, findings) {
                // Its topic was deleted meanwhile.
                Err(Error::Io { .. }) if layout.storage().list(&dir).is_err() => {}
                verified => verified?,
            }
        }
    }
    Ok(())
}
