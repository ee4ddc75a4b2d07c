//! What a store must still have: everything that was handed in, and how much of it was acknowledged at what level.
//!
//! After a crash the model is a set of allowed states. [`Model::check`] finds out whether the store's state is one of
//! them, and takes it for the model's own from then on.

use std::collections::{BTreeMap, BTreeSet};

use esker::sim::Crash;
use esker::{Acks, Offset, ReadLimits, Store, TopicConfig, TopicPartition, Uuid};

use crate::common::{Sent, check_lookups, read_all};
use crate::producers::Producers;
use crate::world::is_compacted;

/// What an acknowledgement is good for, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// Nothing was promised.
    Maybe,
    /// It survives the death of the process.
    Process,
    /// It survives the loss of power.
    Power,
}

impl From<Acks> for Kept {
    fn from(acks: Acks) -> Self {
        match acks {
            Acks::None => Self::Maybe,
            Acks::Leader => Self::Process,
            Acks::All => Self::Power,
        }
    }
}

impl From<Crash> for Kept {
    /// What is just good enough to survive the crash.
    fn from(crash: Crash) -> Self {
        match crash {
            Crash::Process => Self::Process,
            Crash::Power => Self::Power,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    Exists,
    Gone,
    /// It was being created or deleted at the crash.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Topic {
    pub existence: Existence,
    /// None if its creation did not return.
    pub id: Option<Uuid>,
    pub config: TopicConfig,
    /// A configuration whose setting did not return.
    pub config_maybe: Option<TopicConfig>,
    pub partitions: Vec<Partition>,
    /// How many partitions there are besides if their creation got far enough before the crash.
    pub added_maybe: usize,
}

impl Topic {
    /// Its configuration after changes: a value for each config, or none.
    pub fn altered(&self, changes: &[(&str, Option<&str>)]) -> TopicConfig {
        let mut values: BTreeMap<&str, String> = self.config.overrides().into_iter().collect();
        for (key, value) in changes {
            values.remove(key);
            values.extend(value.map(|value| (*key, value.to_owned())));
        }
        let mut altered = TopicConfig::new();
        values.iter().for_each(|(key, value)| altered.set(key, value).expect("they are valid"));
        altered
    }

    /// Takes what a crash left for its own, if that is possible.
    fn found(&mut self, config: TopicConfig, partitions: usize) -> Result<(), String> {
        let config = config.partitions(1);
        let is_it = |candidate: &TopicConfig| candidate.clone().partitions(1) == config;
        if !is_it(&self.config) && !self.config_maybe.as_ref().is_some_and(is_it) {
            return Err(format!("it has {config:?}, not {:?}, nor {:?}", self.config, self.config_maybe));
        }
        let (before, added) = (self.partitions.len(), self.added_maybe);
        if partitions != before && partitions != before + added {
            return Err(format!("it has {partitions} partitions, not {before}, nor {added} more"));
        }
        self.partitions.resize(partitions, Partition::default());
        (self.config, self.config_maybe, self.added_maybe) = (config, None, 0);
        Ok(())
    }
}

/// What was handed in to a partition.
#[derive(Clone, Debug, Default)]
pub struct Partition {
    /// Every record that may be there, by the offset that it was given or would be.
    pub records: BTreeMap<Offset, Sent>,
    /// The end of what appends have returned from.
    pub end: Offset,
    /// Everything below this offset survives the death of the process.
    pub process_end: Offset,
    /// Everything below this offset survives the loss of power.
    pub power_end: Offset,
    /// How far retention has come: the log starts here, or after a crash earlier.
    pub start: Offset,
    /// What was deleted on demand: the log starts here or later, whatever crashes.
    pub deleted: Offset,
    /// It may have been emptied to start here.
    pub anew_maybe: Option<Offset>,
    pub epoch: i32,
    /// An epoch whose assignment did not return.
    pub epoch_maybe: Option<i32>,
    pub producers: Producers,
    /// It is compacted, and was cut where it may have been: records that compaction took for the sake of ones that are
    /// cut off do not come back, and there is no saying what must be left.
    pub is_cut_deep: bool,
}

impl Partition {
    /// Notes an append that returned, or did not.
    pub fn appended(&mut self, base_offset: Offset, records: Vec<Sent>, kept: Option<Kept>) {
        let count = records.len() as Offset;
        self.records.extend((base_offset..).zip(records));
        if let Some(kept) = kept {
            self.end = base_offset + count;
            self.promised(self.end, kept);
        }
    }

    /// It was cut to end at `floor`, or that did not return.
    pub fn truncated(&mut self, floor: Offset, has_returned: bool) {
        (self.process_end, self.power_end) = (self.process_end.min(floor), self.power_end.min(floor));
        if has_returned {
            self.records.split_off(&floor);
            self.end = floor;
        }
    }

    /// It was emptied to go on at `offset`, or that did not return. In the meantime it may be without records where it
    /// started before, too.
    pub fn started_anew(&mut self, lowest: Offset, offset: Offset, has_returned: bool) {
        (self.process_end, self.power_end) = (lowest, lowest);
        self.deleted = self.deleted.min(offset);
        if has_returned {
            self.records.clear();
            self.is_cut_deep = false;
            (self.start, self.end, self.deleted) = (offset, offset, offset);
            (self.process_end, self.power_end) = (offset, offset);
        } else {
            self.anew_maybe = Some(offset);
        }
    }

    /// Everything below `end` was acknowledged.
    pub fn promised(&mut self, end: Offset, kept: Kept) {
        if kept >= Kept::Process {
            self.process_end = self.process_end.max(end);
        }
        if kept >= Kept::Power {
            self.power_end = self.power_end.max(end);
        }
    }
}

/// The commits of a group for a partition, oldest first, from the last one that is sure to be kept.
#[derive(Clone, Debug)]
pub struct Commits {
    history: Vec<(Option<Offset>, Kept)>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { history: vec![(None, Kept::Power)] }
    }
}

impl Commits {
    pub fn committed(&mut self, offset: Option<Offset>, kept: Kept) {
        self.history.push((offset, kept));
    }

    /// The last one is good for `kept` now.
    fn promised(&mut self, kept: Kept) {
        if let Some(last) = self.history.last_mut() {
            last.1 = last.1.max(kept);
        }
    }

    /// What may be there after a crash.
    fn candidates(&self, survived: Kept) -> &[(Option<Offset>, Kept)] {
        let certain = self.history.iter().rposition(|(_, kept)| *kept >= survived).unwrap_or(0);
        &self.history[certain..]
    }

    fn found(&mut self, offset: Option<Offset>) {
        let last = self.history.iter().rposition(|(candidate, _)| *candidate == offset).unwrap_or(0);
        self.history.truncate(last + 1);
        self.promised(Kept::Process);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub topics: BTreeMap<String, Topic>,
    pub commits: BTreeMap<(String, TopicPartition), Commits>,
    /// The strongest guarantee that the crashes since the last check have left intact.
    survived: Option<Kept>,
}

impl Model {
    pub fn topic(&mut self, name: &str) -> Option<&mut Topic> {
        self.topics.get_mut(name).filter(|topic| topic.existence == Existence::Exists)
    }

    /// The topic was deleted or created, and with that what groups had committed for it is gone; or is it?
    pub fn forgets_commits(&mut self, topic: &str, kept: Kept) {
        for (_, commits) in self.commits.iter_mut().filter(|((_, partition), _)| &*partition.topic == topic) {
            commits.committed(None, kept);
        }
    }

    /// The store was closed, and says that it did it well.
    pub fn closed(&mut self) {
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            let end = partition.end;
            partition.promised(end, Kept::Power);
        }
        self.commits.values_mut().for_each(|commits| commits.promised(Kept::Power));
    }

    pub fn crashed(&mut self, crash: Crash) {
        let survived = Kept::from(crash);
        self.survived = Some(self.survived.map_or(survived, |before| before.max(survived)));
    }

    /// Compares a store that was just opened with what it must and may have.
    pub fn check(&mut self, store: &Store) -> Result<(), String> {
        let survived = self.survived.take();
        let report = store.recovery_report();
        if !report.incomplete.is_empty() {
            return Err(format!("incomplete partitions: {:?}", report.incomplete));
        }
        if let Some(partition) = report.partitions.iter().find(|partition| !partition.damage.is_empty()) {
            return Err(format!("{} is damaged: {:?}", partition.topic_partition, partition.damage));
        }
        self.check_topics(store)?;
        for (name, topic) in self.topics.iter_mut().filter(|(_, topic)| topic.existence == Existence::Exists) {
            for (index, partition) in topic.partitions.iter_mut().enumerate() {
                let is_compacted = is_compacted(&topic.config);
                check_partition(store, name, index as i32, partition, is_compacted, survived)
                    .map_err(|reason| format!("{name}-{index}: {reason}"))?;
            }
        }
        self.check_commits(store, survived)
    }

    fn check_topics(&mut self, store: &Store) -> Result<(), String> {
        let found: BTreeSet<String> = store.topics().into_iter().filter(|name| !name.starts_with("__")).collect();
        if let Some(invented) = found.iter().find(|name| !self.topics.contains_key(*name)) {
            return Err(format!("topic {invented} was never created"));
        }
        for (name, topic) in &mut self.topics {
            match (topic.existence, found.contains(name)) {
                (Existence::Exists, false) => return Err(format!("topic {name} is lost")),
                (Existence::Gone, true) => return Err(format!("topic {name} was deleted and is back")),
                (Existence::Gone, false) => continue,
                (Existence::Unknown, false) => {
                    topic.existence = Existence::Gone;
                    continue;
                }
                (Existence::Exists | Existence::Unknown, true) => topic.existence = Existence::Exists,
            }
            let description = store.describe_topic(name).map_err(|error| error.to_string())?;
            let found = topic.found(description.config, description.partitions.len());
            found.map_err(|reason| format!("topic {name}: {reason}"))?;
            if *topic.id.get_or_insert(description.id) != description.id {
                return Err(format!("topic {name} has the id {}, not {:?}", description.id, topic.id));
            }
        }
        Ok(())
    }

    fn check_commits(&mut self, store: &Store, survived: Option<Kept>) -> Result<(), String> {
        for ((group, partition), commits) in &mut self.commits {
            let found = store.committed_offset(group, partition).map_err(|error| error.to_string())?;
            let found = found.map(|committed| committed.offset);
            // Without a crash only the last one will do.
            let candidates = commits.candidates(survived.unwrap_or(Kept::Maybe));
            if !candidates.iter().any(|(candidate, _)| *candidate == found) {
                return Err(format!(
                    "{group} has committed {found:?} for {partition}, and {candidates:?} may be there"
                ));
            }
            commits.found(found);
        }
        Ok(())
    }
}

fn check_partition(
    store: &Store,
    topic: &str,
    index: i32,
    partition: &mut Partition,
    is_compacted: bool,
    survived: Option<Kept>,
) -> Result<(), String> {
    let log = store.partition(topic, index).map_err(|error| error.to_string())?;
    let (start, end) = (log.log_start(), log.log_end());
    if let Some(offset) = partition.anew_maybe.take()
        && (start, end) == (offset, offset)
    {
        partition.records.clear();
        (partition.start, partition.end) = (start, end);
    }
    if start < partition.deleted {
        return Err(format!("the log starts at {start}, and was deleted up to {}", partition.deleted));
    }
    let certain = match survived {
        None | Some(Kept::Maybe) => partition.end,
        Some(Kept::Process) => partition.process_end,
        Some(Kept::Power) => partition.power_end,
    };
    let possible = partition.records.last_key_value().map_or(0, |(last, _)| last + 1).max(partition.end);
    if end < certain || end > possible {
        return Err(format!("the log ends at {end}, where {certain}..={possible} was possible"));
    }
    // Of what was never synced the loss of power may take the beginning and leave the rest. Recovery can't tell that
    // from what retention has deleted.
    let is_beginning_unsynced = survived == Some(Kept::Power) && partition.power_end <= partition.start;
    if (start > partition.start && !is_beginning_unsynced) || start > end {
        return Err(format!("the log starts at {start}, where at most {} was possible", partition.start));
    }
    let found = read_all(&log, ReadLimits::new().max_bytes(700)).map_err(|error| error.to_string())?;
    partition.producers.cut(end);
    if is_compacted {
        check_compacted(partition, start, end, &found)?;
    } else {
        check_complete(partition, start, end, &found)?;
    }
    if !partition.is_cut_deep {
        let offsets: Vec<Offset> = found.iter().map(|(offset, _)| *offset).collect();
        partition.producers.check(store, &log, &offsets, is_compacted)?;
    }
    check_lookups(&log, &found)?;
    let epoch = log.leader_epoch();
    if epoch != partition.epoch && Some(epoch) != partition.epoch_maybe.take() {
        return Err(format!("the leader epoch is {epoch}, not {}", partition.epoch));
    }
    partition.epoch = epoch;
    // What recovery showed stays: it lies in the kernel or on the device.
    partition.records.split_off(&end);
    (partition.start, partition.end, partition.process_end) = (start, end, end);
    partition.power_end = partition.power_end.min(end);
    Ok(())
}

/// Whether all records are there that are not compacted.
fn check_complete(partition: &Partition, start: Offset, end: Offset, found: &[(Offset, Sent)]) -> Result<(), String> {
    let expected = partition.records.range(start..end);
    if let Some(((offset, sent), (found_offset, found))) =
        expected.clone().zip(found).find(|((offset, sent), found)| (**offset, *sent) != (found.0, &found.1))
    {
        return Err(format!("{sent:?} should be at {offset}, and {found:?} at {found_offset} was read"));
    }
    let count = expected.count();
    if found.len() != count || count as Offset != end - start {
        return Err(format!("{} records were read from {start} to {end}, and {count} handed in", found.len()));
    }
    Ok(())
}

/// Whether the last record of each key is there, at its offset; of a tombstone also nothing at all may be left. Records
/// that are void stand for nothing, and before a transaction is decided nothing from there on is taken.
fn check_compacted(partition: &Partition, start: Offset, end: Offset, found: &[(Offset, Sent)]) -> Result<(), String> {
    let handed_in = &partition.records;
    if let Some((offset, record)) = found.iter().find(|(offset, record)| handed_in.get(offset) != Some(record)) {
        return Err(format!("{record:?} was read at {offset}, where {:?} should be", handed_in.get(offset)));
    }
    if partition.is_cut_deep {
        return Ok(());
    }
    let found: BTreeSet<Offset> = found.iter().map(|(offset, _)| *offset).collect();
    let fates = partition.producers.fates(start, end);
    let mut superseded = BTreeSet::new();
    for (offset, record) in handed_in.range(start..end).rev() {
        let may_be_gone = if fates.is_stable(*offset) {
            let stands_for_nothing = fates.is_marker(*offset) || fates.is_void(*offset);
            stands_for_nothing || !superseded.insert(&record.key) || record.value.is_none() || !fates.is_sure(*offset)
        } else {
            false
        };
        if !may_be_gone && !found.contains(offset) {
            return Err(format!("{record:?} is the last of its key, or undecided, and not at {offset} any more"));
        }
    }
    Ok(())
}
