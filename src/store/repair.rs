//! Mending a data directory that nobody has open.
//!
//! ```text
//!   1  the files of text     malformed ones are copied aside; what can be told of their contents is kept
//!   2  whose is what         partitions without a topic, topics without a partition
//!   3  each partition        log/repair: its segments, its indexes
//!   4  checkpoints           last: until then a plan that is made again finds the same to do
//! ```
//!
//! All of it is planned before anything is done, and a plan depends on the files alone.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::group_configs;
use super::layout::{self, Layout};
use super::meta_properties::{self, META_PROPERTIES, MetaProperties};
use super::open::{LOCK, config_of};
use super::topic::{create_partition, has_log, metadata_path};
use super::topic_list::{self, TopicList};
use super::topic_name::{DirName, is_internal, parse_dir, stray_dir};
use super::verify::{is_partition, list};
use super::{StoreOptions, TopicConfig};
use crate::config::{CleanupPolicy, LogConfig};
use crate::error::{Error, Result};
use crate::io::{Locked, ReadOnlyStorage, replace_file};
use crate::log::repair::{AsideNames, Known, Plan, copy_aside, plan};
use crate::log::{
    Finding, Home, Problem, RepairAction, RepairOptions, RepairReport, RepairStep, VerifyProgress, checkpoint,
    file_name,
};
use crate::types::{Offset, TopicPartition};
use crate::uuid::Uuid;

/// How many missing partitions of a topic are created: more are no topic's.
const CREATED_MAX: usize = 1000;

impl StoreOptions {
    /// Mends a data directory that no store and no broker has open. Without [`execute`](RepairOptions::execute) this is
    /// a dry run, which changes nothing and takes no lock; with it the same steps are taken, under the directory's
    /// lock. `progress` is called before each log.
    ///
    /// - *Damaged batches*, torn tails and whatever else can't be read in a log is copied to a `.cut` file beside it
    ///   and taken out. An empty batch takes the place of the offsets, so that readers pass over them, and
    ///   [`lost`](RepairReport::lost) names them. The same goes for missing segments.
    /// - *Segments that overlap*: what readers would not reach is set aside. *Compacted segments* that wait for their
    ///   place get it, and the old ones are set aside.
    /// - *Indexes, transaction indexes and leader epochs* that are missing or wrong are built from the log. Producer
    ///   snapshots that can't be read are set aside; the next open goes through the log instead, and writes one.
    /// - *Checkpoints* and other files of text that are malformed are set aside, and written with what can be told.
    /// - *Partitions* that are another topic's get a name that is passed over (`-stray`); where a topic that was
    ///   created here lacks one, it is created empty.
    ///
    /// Nothing is deleted but what is derived from a log, unless [it is told
    /// to](RepairOptions::remove_leftovers): every byte of a log is in the log or in a file that the report names. A
    /// crash in the meantime leaves a directory that can be repaired again, with the same end. A directory that a crash
    /// left needs no repair: the next open recovers it, by rules that may keep less than this does.
    ///
    /// The next open checks the ends of logs as after a crash. What can't be mended is
    /// [`unrepaired`](RepairReport::unrepaired); without that, [`verify`](Self::verify) finds the directory
    /// [healthy](crate::VerifyReport::is_healthy) afterwards.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use esker::{RepairOptions, Store};
    ///
    /// # Store::open(dir)?.close()?;
    /// let planned = Store::options().repair(dir, RepairOptions::new(), |_| {})?;
    /// for action in &planned.actions {
    ///     println!("{action}");
    /// }
    /// if !planned.actions.is_empty() {
    ///     Store::options().repair(dir, RepairOptions::new().execute(), |_| {})?;
    /// }
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::DirectoryLocked`] if it is open, and is to be changed; [`Error::MalformedFile`] if it is a snapshot
    /// that was never completed; [`Error::Io`] if something can't be read or written, or if this is no data directory;
    /// [`Error::StorageFull`]: a log that is written anew takes its space twice for that time.
    pub fn repair(
        self,
        dir: impl AsRef<Path>,
        options: RepairOptions,
        mut progress: impl FnMut(VerifyProgress<'_>),
    ) -> Result<RepairReport> {
        let storage = match options.executes {
            true => self.storage,
            false => Arc::new(ReadOnlyStorage::new(self.storage)) as Arc<_>,
        };
        let layout = Layout { storage, dir: dir.as_ref().to_owned() };
        let defaults = self.config.topic_defaults.topic_config();
        check_is_ours(&layout)?;
        let lock_path = layout.dir.join(LOCK);
        let lock = options.executes.then(|| layout.storage().lock(&lock_path)).transpose();
        let _lock = lock.map_err(|locked| match locked {
            Locked::Held(holder) => Error::DirectoryLocked { directory: layout.dir.clone(), holder },
            Locked::Io(error) => Error::io("lock", lock_path, error),
        })?;
        let mut planner = Planner::new(&layout, options);
        planner.plan(&defaults, &mut progress)?;
        let Planner { report, work, .. } = planner;
        if options.executes && !report.actions.is_empty() {
            execute(&layout, &work)?;
        }
        Ok(RepairReport { executed: options.executes, ..report })
    }
}

/// A directory that is none of a store or broker is not touched.
fn check_is_ours(layout: &Layout) -> Result<()> {
    let path = layout.dir.join(META_PROPERTIES);
    match layout.storage().len(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let entries = list(layout, &layout.dir)?;
            let has_partition = |name: &str| Ok(is_partition(name) && has_log(&list(layout, &layout.dir.join(name))?));
            let found: Result<Vec<bool>> =
                entries.iter().filter(|entry| entry.is_dir).map(|entry| has_partition(&entry.name)).collect();
            if found?.contains(&true) { Ok(()) } else { Err(Error::io("repair", path, error)) }
        }
        Err(error) => Err(Error::io("look at", path, error)),
        Ok(_) => Ok(()),
    }
}

/// What is to be done, in this order.
#[derive(Default)]
struct Work {
    /// Parts of files, or whole ones, that are copied aside: directory, file, length, name.
    copies: Vec<(PathBuf, String, u64, String)>,
    metadata: Vec<(TopicPartition, Uuid)>,
    removed: Vec<(PathBuf, bool)>,
    renamed: Vec<(PathBuf, PathBuf)>,
    created: Vec<(TopicPartition, Uuid)>,
    plans: Vec<(Plan, LogConfig)>,
    /// Logs that must be on the device before a checkpoint says so.
    unsynced: Vec<usize>,
    texts: Vec<(PathBuf, String)>,
}

fn execute(layout: &Layout, work: &Work) -> Result<()> {
    let storage = layout.storage();
    // From here on a crash is a crash.
    layout.take_clean_shutdown()?;
    for (dir, file, len, kept_as) in &work.copies {
        copy_aside(storage, &dir.join(file), &(0..*len), kept_as)?;
    }
    for (partition, id) in &work.metadata {
        meta_properties::write_topic_id(storage, &metadata_path(&layout.partition_dir(partition)), *id)?;
    }
    for (path, is_dir) in &work.removed {
        let removed = if *is_dir { storage.remove_dir_all(path) } else { storage.remove_file(path) };
        removed.map_err(|error| Error::io("remove", path, error))?;
    }
    for (from, to) in &work.renamed {
        storage.rename(from, to).map_err(|error| Error::io("rename", from, error))?;
    }
    for (partition, id) in &work.created {
        create_partition(layout, partition, *id)?;
    }
    layout.sync()?;
    work.plans.iter().try_for_each(|(plan, config)| plan.execute(config))?;
    work.unsynced.iter().filter_map(|index| work.plans.get(*index)).try_for_each(|(plan, _)| plan.sync_files())?;
    for (path, text) in &work.texts {
        replace_file(storage, path, text.as_bytes()).map_err(|error| Error::io("write", path, error))?;
    }
    Ok(())
}

/// The partitions of a topic that have a directory, with the topic id of each, as far as that can be told.
type Partitions = BTreeMap<i32, Identity>;

enum Identity {
    Known(Uuid),
    /// It has none, as partitions from before there were ids.
    None,
    /// Its file is malformed.
    Lost {
        reason: String,
    },
}

struct Planner<'a> {
    layout: &'a Layout,
    options: RepairOptions,
    report: RepairReport,
    work: Work,
    bytes_done: u64,
    bytes_total: u64,
}

impl<'a> Planner<'a> {
    fn new(layout: &'a Layout, options: RepairOptions) -> Self {
        Self { layout, options, report: RepairReport::default(), work: Work::default(), bytes_done: 0, bytes_total: 0 }
    }

    fn act(&mut self, path: PathBuf, step: RepairStep) {
        self.report.actions.push(RepairAction { path, step });
    }

    fn plan(&mut self, defaults: &TopicConfig, progress: &mut dyn FnMut(VerifyProgress<'_>)) -> Result<()> {
        self.plan_meta_properties()?;
        let topics = self.plan_topic_list()?;
        self.plan_group_configs()?;
        let found = self.find_partitions()?;
        let offsets = |name: &str| -> Result<(HashMap<TopicPartition, Offset>, Option<String>)> {
            match self.layout.read_offsets(name) {
                Ok(offsets) => Ok((offsets, None)),
                Err(Error::MalformedFile { reason, .. }) => {
                    Ok((layout::salvage_offsets(&self.read(&self.layout.dir.join(name))?), Some(reason)))
                }
                Err(error) => Err(error),
            }
        };
        let [points, starts, watermarks, dirty] = layout::OFFSET_FILES.map(offsets);
        let (mut points, mut starts, mut watermarks, dirty) = (points?, starts?, watermarks?, dirty?);
        let mut starts_changed = false;
        for (topic, partitions) in &found {
            let (count, id) = self.plan_topic(topic, partitions, &topics)?;
            let topic_config = config_of(&topics, topic, id, count, defaults);
            let config = LogConfig::from(&topic_config);
            // Of a topic that a broker created it is not known whether it is compacted.
            let is_deleted_only =
                topics.config_of(topic, id).is_some() && config.cleanup_policy == CleanupPolicy::DELETE;
            for index in 0..count as i32 {
                let partition = TopicPartition::new(topic.clone(), index);
                let known = Known {
                    log_start: starts.0.get(&partition).copied().unwrap_or(0),
                    recovery_point: points.0.get(&partition).copied().unwrap_or(0),
                    may_have_gaps: is_internal(topic) || !is_deleted_only,
                    removes_leftovers: self.options.removes_leftovers,
                };
                let plan = self.plan_partition(partition.clone(), known, progress)?;
                if plan.begins_anew {
                    starts.0.insert(partition.clone(), plan.log_start);
                    starts_changed = true;
                }
                // What was not on the device before must be, now that a checkpoint is going to say so.
                if points.1.is_some() && !points.0.contains_key(&partition) {
                    points.0.insert(partition.clone(), plan.log_end);
                    self.work.unsynced.push(self.work.plans.len());
                }
                if watermarks.1.is_some() {
                    watermarks.0.entry(partition).or_insert(plan.log_end);
                }
                self.work.plans.push((plan, config.clone()));
            }
        }
        for (name, (offsets, malformed)) in layout::OFFSET_FILES.into_iter().zip([points, starts, watermarks, dirty]) {
            let is_changed = name == layout::LOG_STARTS && starts_changed;
            if malformed.is_some() || is_changed {
                let offsets: BTreeMap<_, _> =
                    offsets.into_iter().map(|(at, offset)| (at.to_string(), (at, offset))).collect();
                let text = checkpoint::text(&layout::offset_lines(offsets.into_values()));
                self.replace(self.layout.dir.clone(), name, malformed, text)?;
            }
        }
        if self.options.removes_leftovers {
            self.plan_leftovers()?;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.layout.storage().read(path).map_err(|error| Error::io("read", path, error))
    }

    /// A file of text gets other contents; a malformed one is copied aside before.
    fn replace(&mut self, dir: PathBuf, name: &str, malformed: Option<String>, text: String) -> Result<()> {
        if let Some(reason) = malformed {
            self.copy_aside(&dir, name, reason)?;
        }
        self.act(dir.join(name), RepairStep::Replaced);
        self.work.texts.push((dir.join(name), text));
        Ok(())
    }

    fn copy_aside(&mut self, dir: &Path, name: &str, reason: String) -> Result<()> {
        let path = dir.join(name);
        let storage = self.layout.storage();
        let len = storage.len(&path).map_err(|error| Error::io("look at", &path, error))?;
        let kept_as = AsideNames::new(storage, dir).of_bytes(name, name, &(0..len))?;
        self.act(path, RepairStep::SetAside { position: 0, bytes: len, kept_as: kept_as.clone(), reason });
        self.work.copies.push((dir.to_owned(), name.to_owned(), len, kept_as));
        Ok(())
    }

    fn plan_meta_properties(&mut self) -> Result<()> {
        let (meta, malformed) = match MetaProperties::load(self.layout.storage(), &self.layout.dir) {
            Ok(_) => return Ok(()),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => (MetaProperties::default(), None),
            Err(Error::MalformedFile { file, line, reason }) => match MetaProperties::salvage(&self.read(&file)?) {
                Some(meta) => (meta, Some(reason)),
                None => return Err(Error::MalformedFile { file, line, reason }),
            },
            Err(error) => return Err(error),
        };
        self.replace(self.layout.dir.clone(), META_PROPERTIES, malformed, meta.text())
    }

    fn plan_topic_list(&mut self) -> Result<TopicList> {
        let reason = match TopicList::read(self.layout) {
            Err(Error::MalformedFile { reason, .. }) => reason,
            Err(error @ Error::InvalidConfig { .. }) => error.to_string(),
            read => return read,
        };
        let list = TopicList::salvage(&self.read(&self.layout.dir.join(topic_list::FILE))?);
        let text = checkpoint::text(&list.entries());
        self.replace(self.layout.dir.clone(), topic_list::FILE, Some(reason), text)?;
        Ok(list)
    }

    fn plan_group_configs(&mut self) -> Result<()> {
        let reason = match group_configs::read(self.layout) {
            Err(Error::MalformedFile { reason, .. }) => reason,
            read => return read.map(drop),
        };
        let configs = group_configs::salvage(&self.read(&self.layout.dir.join(layout::GROUP_CONFIGS))?);
        let text = checkpoint::text(&group_configs::entries(&configs));
        self.replace(self.layout.dir.clone(), layout::GROUP_CONFIGS, Some(reason), text)
    }

    fn find_partitions(&mut self) -> Result<BTreeMap<Arc<str>, Partitions>> {
        let mut found: BTreeMap<Arc<str>, Partitions> = BTreeMap::new();
        for entry in list(self.layout, &self.layout.dir)?.iter().filter(|entry| entry.is_dir) {
            let DirName::Partition(partition) = parse_dir(&entry.name) else { continue };
            let dir = self.layout.dir.join(&entry.name);
            let files = list(self.layout, &dir)?;
            let identity = match meta_properties::read_topic_id(self.layout.storage(), &metadata_path(&dir)) {
                Ok(Some(id)) => Identity::Known(id),
                Ok(None) if has_log(&files) => Identity::None,
                Ok(None) => continue,
                Err(Error::MalformedFile { reason, .. }) => Identity::Lost { reason },
                Err(error) => return Err(error),
            };
            self.bytes_total += files.iter().map(|file| file.len).sum::<u64>();
            found.entry(partition.topic).or_default().insert(partition.partition, identity);
        }
        Ok(found)
    }

    /// Makes the partitions those of one topic. Returns how many there will be, and its id.
    fn plan_topic(&mut self, topic: &Arc<str>, partitions: &Partitions, topics: &TopicList) -> Result<(usize, Uuid)> {
        let deletions = topics.deletions();
        let known = |identity: &Identity| match identity {
            Identity::Known(id) => Some(*id),
            _ => None,
        };
        let ids = || partitions.values().filter_map(known);
        let is_created_here = |id: &Uuid| topics.config_of(topic, *id).is_some();
        let id = ids().find(is_created_here).or_else(|| topics.id_of(topic)).or_else(|| ids().next());
        let id = id.unwrap_or_else(Uuid::random);
        let is_ours = is_created_here(&id);
        let mut whole = 0;
        let mut missing = Vec::new();
        for (index, identity) in partitions {
            let partition = TopicPartition::new(topic.clone(), *index);
            let dir = self.layout.partition_dir(&partition);
            match identity {
                // The next open does what is left of its deletion.
                Identity::Known(of) if deletions.iter().any(|(name, id)| **name == **topic && id == of) => continue,
                Identity::Known(of) if *of != id => {
                    let to = stray_dir(&partition, *of);
                    let reason = format!("its topic id is {of}, and that of the topic is {id}");
                    self.act(dir.clone(), RepairStep::Renamed { to: to.clone(), reason });
                    self.work.renamed.push((dir, self.layout.dir.join(to)));
                    continue;
                }
                Identity::Lost { reason } => {
                    self.copy_aside(&dir, file_name::PARTITION_METADATA, reason.clone())?;
                    self.act(metadata_path(&dir), RepairStep::Replaced);
                    self.work.metadata.push((partition.clone(), id));
                }
                Identity::Known(_) | Identity::None => {}
            }
            missing.extend((whole as i32..*index).take(CREATED_MAX + 1));
            if !is_ours && !missing.is_empty() || missing.len() > CREATED_MAX {
                self.report.unrepaired.push(Finding { path: dir, position: 0, problem: Problem::Incomplete });
                missing.truncate(CREATED_MAX + 1);
                continue;
            }
            whole = *index as usize + 1;
        }
        if is_ours && missing.len() <= CREATED_MAX {
            for index in missing {
                let partition = TopicPartition::new(topic.clone(), index);
                self.act(self.layout.partition_dir(&partition), RepairStep::Created);
                self.work.created.push((partition, id));
            }
        }
        Ok((whole, id))
    }

    fn plan_partition(
        &mut self,
        partition: TopicPartition,
        known: Known,
        progress: &mut dyn FnMut(VerifyProgress<'_>),
    ) -> Result<Plan> {
        let dir = self.layout.partition_dir(&partition);
        let home = Home::new(self.layout.storage.clone(), dir.clone(), partition, Arc::default());
        let (bytes_done, bytes_total) = (&mut self.bytes_done, self.bytes_total);
        let mut plan = plan(home, known, |log| {
            progress(VerifyProgress { file: &dir.join(&log.name), bytes_done: *bytes_done, bytes_total });
            *bytes_done += log.len;
        })?;
        self.report.actions.append(&mut plan.actions);
        self.report.lost.append(&mut plan.lost);
        self.report.unrepaired.append(&mut plan.unrepaired);
        Ok(plan)
    }

    /// What deletions and replacements have left beside the partitions.
    fn plan_leftovers(&mut self) -> Result<()> {
        for entry in list(self.layout, &self.layout.dir)? {
            let is_leftover = match entry.is_dir {
                true => parse_dir(&entry.name) == DirName::Deleted,
                false => entry.name.ends_with(file_name::TEMPORARY),
            };
            if is_leftover {
                let path = self.layout.dir.join(&entry.name);
                self.act(path.clone(), RepairStep::Removed);
                self.work.removed.push((path, entry.is_dir));
            }
        }
        Ok(())
    }
}
