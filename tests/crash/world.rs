//! A store on a simulated disk beside its model: operations go to both, crashes hit the store, and each open is held
//! to what the model allows.

use std::sync::Arc;
use std::time::Duration;

use esker::clock::Clock;
use esker::io::Storage;
use esker::record::{Compression, EndTransactionMarker, TimestampType, TransactionResult};
use esker::sim::{Crash, FaultStorage, Lie, ManualClock};
use esker::{
    Acks, AlterConfigOp, CleanupPolicy, CommittedOffset, Error, Log, Maintenance, Offset, OffsetReset,
    ProducerIdAndEpoch, ReadLimits, Store, StoreConfig, SyncPolicy, TopicConfig, TopicPartition,
};

use crate::common::random::Random;
use crate::common::reserving::Reserving;
use crate::common::{self, Sent};
use crate::model::{Commits, Existence, Kept, Model, Partition, Topic};
use crate::producers::{Batch, Producers};

pub const DIR: &str = "/data/store";
/// How many partitions every topic has.
pub const PARTITIONS: usize = 2;
const START_MS: i64 = 1_700_000_000_000;

/// All records with their offsets, by partition.
pub type Contents = Vec<(TopicPartition, Vec<(Offset, Sent)>)>;

/// Something to do with a store.
#[derive(Clone, Debug)]
pub enum Op {
    Append {
        topic: &'static str,
        partition: i32,
        records: usize,
        codec: Compression,
        acks: Acks,
    },
    /// A producer with an id sends a batch, and before that what it does not know to be there.
    Send {
        topic: &'static str,
        partition: i32,
        producer: usize,
        acks: Acks,
    },
    /// The transaction of a producer ends.
    End {
        topic: &'static str,
        partition: i32,
        producer: usize,
        result: TransactionResult,
        acks: Acks,
    },
    Flush {
        topic: &'static str,
        partition: i32,
    },
    Commit {
        group: &'static str,
        topic: &'static str,
        partition: i32,
        acks: Acks,
    },
    DeleteGroup {
        group: &'static str,
    },
    ResetOffsets {
        group: &'static str,
        topic: &'static str,
        partition: i32,
    },
    SetEpoch {
        topic: &'static str,
        partition: i32,
    },
    /// Cuts records off the end, as many as this in thousandths of what there is.
    Truncate {
        topic: &'static str,
        partition: i32,
        thousandths: Offset,
    },
    StartAnew {
        topic: &'static str,
        partition: i32,
        offset: Offset,
    },
    /// Cuts records off the start.
    DeleteRecords {
        topic: &'static str,
        partition: i32,
        thousandths: Offset,
    },
    /// Time passes, and the maintenance runs.
    Tick {
        ms: u64,
    },
    Create {
        topic: &'static str,
        config: Box<TopicConfig>,
    },
    Delete {
        topic: &'static str,
    },
    /// A value for a config, or none.
    Alter {
        topic: &'static str,
        changes: Vec<(&'static str, Option<&'static str>)>,
    },
    AddPartitions {
        topic: &'static str,
        added: usize,
    },
    /// Compaction on demand.
    Compact {
        topic: &'static str,
    },
    Reopen,
}

impl Op {
    pub fn create(topic: &'static str, config: TopicConfig) -> Self {
        Self::Create { topic, config: Box::new(config) }
    }
}

/// A bug to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    Lie(Lie),
    SkippedCrc,
    SkippedReplay,
    UnsyncedSwap,
    UnwrittenTruncation,
    /// Not a bug but a choice, which gives up the promise all the same.
    NobodySyncs,
}

pub struct World {
    pub disk: FaultStorage,
    pub model: Model,
    clock: ManualClock,
    store: Option<Store>,
    config: StoreConfig,
    bug: Option<Bug>,
    /// In which steps space is taken ahead, if it is.
    reserve_bytes: Option<u64>,
    /// One of how many records is large: a large one lies in several sectors, and so can be torn in its middle.
    large_one_in: u64,
    random: Random,
    sent: u64,
    /// Operations and what they do to the disk, if somebody wants to see them.
    narrates: bool,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let clock = ManualClock::new(START_MS);
        let mut random = Random::new(seed);
        let mut config = StoreConfig {
            // One thread: the order of the disk's operations is part of what a seed stands for.
            num_recovery_threads_per_data_dir: 1,
            offsets_topic_num_partitions: 2,
            offsets_retention_minutes: 1,
            offsets_retention_check_interval_ms: 1,
            log_retention_check_interval_ms: *random.pick(&[1, 2_000, 10_000]),
            log_flush_offset_checkpoint_interval_ms: *random.pick(&[1, 3_000, 10_000, 60_000]),
            log_cleaner_backoff_ms: *random.pick(&[0, 2_000]),
            log_cleaner_io_max_bytes_per_second: *random.pick(&[f64::MAX, 3_000.0]),
            // Next to nothing, so that whatever needs a file takes it from somebody else; or enough for all.
            open_files_max: *random.pick(&[1, 4, 9, 1_000]),
            open_files_idle_ms: *random.pick(&[1, 5_000, 60_000]),
            ..StoreConfig::default()
        };
        match bug {
            Some(Bug::SkippedCrc) => config.planted.skipped_crc = true,
            Some(Bug::SkippedReplay) => config.planted.skipped_replay = true,
            Some(Bug::UnsyncedSwap) => config.planted.unsynced_swap = true,
            Some(Bug::UnwrittenTruncation) => config.planted.unwritten_truncation = true,
            Some(Bug::NobodySyncs) => config.sync = SyncPolicy::OsManaged,
            _ => {}
        }
        let disk = FaultStorage::with_clock(random.next(), clock.clone());
        let reserve_bytes = random.one_in(2).then(|| *random.pick(&[64, 512, 4096]));
        let large_one_in = *random.pick(&[1, 3, 50]);
        let world = Self {
            disk,
            model: Model::default(),
            clock,
            store: None,
            config,
            bug,
            reserve_bytes,
            large_one_in,
            random,
            sent: 0,
            narrates: false,
        };
        world.plant();
        world
    }

    /// From now on, prints each operation and the mutations of the disk that it leads to.
    pub fn narrate(&mut self) {
        self.narrates = true;
        self.disk.start_trace();
    }

    fn tell(&self, from: usize, what: &str) {
        if self.narrates {
            println!("{what}");
            let is_shown = |line: &&String| {
                let operation = line.split(' ').nth(1).unwrap_or_default();
                !["list", "len", "read", "open"].contains(&operation) || line.contains(": ")
            };
            self.disk.trace()[from..].iter().filter(is_shown).for_each(|line| println!("    {line}"));
        }
    }

    fn plant(&self) {
        if self.narrates {
            self.disk.start_trace();
        }
        if let Some(Bug::Lie(lie)) = self.bug {
            self.disk.lie_about(lie);
        }
    }

    fn open(&self) -> esker::Result<Store> {
        let storage: Arc<dyn Storage> = match self.reserve_bytes {
            Some(step) => Arc::new(Reserving::new(self.disk.clone(), step)),
            None => Arc::new(self.disk.clone()),
        };
        Store::options()
            .storage(storage)
            .clock(Arc::new(self.clock.clone()))
            .config(self.config.clone())
            .maintenance(Maintenance::Manual)
            .open(DIR)
    }

    /// Opens the store and holds it to the model. False if the machine crashed before that was done.
    pub fn start(&mut self) -> Result<bool, String> {
        let told = self.disk.trace().len();
        let opened = self.open();
        self.tell(told, "Open");
        let checked = match &opened {
            // To read one file takes letting go of others, and syncing them, where only some may be open: that can
            // crash.
            Ok(store) if !self.disk.has_crashed() => {
                let before = self.model.clone();
                match self.model.check(store) {
                    Err(_) if self.disk.has_crashed() => {
                        self.model = before;
                        Ok(())
                    }
                    checked => checked,
                }
            }
            Ok(_) => Ok(()),
            Err(_) if self.disk.has_crashed() => Ok(()),
            Err(error) => Err(format!("the store does not open: {error}")),
        };
        self.store = opened.ok();
        checked.map(|()| !self.disk.has_crashed())
    }

    /// Crashes, and leaves the disk that the next start finds.
    pub fn crash(&mut self, crash: Crash, seed: u64) {
        self.disk.crash();
        self.look_at_log_starts();
        self.store = None;
        self.model.crashed(crash);
        if self.narrates {
            println!("{crash:?} crash");
        }
        self.disk = self.disk.after_crash(crash, seed);
        self.plant();
    }

    /// The same state once more, with a store that is yet to be opened.
    pub fn fork(&self) -> Self {
        let fork = Self {
            disk: self.disk.after_crash(Crash::Process, 0),
            model: self.model.clone(),
            clock: ManualClock::new(self.clock.now_ms()),
            store: None,
            config: self.config.clone(),
            bug: self.bug,
            reserve_bytes: self.reserve_bytes,
            large_one_in: self.large_one_in,
            random: self.random.clone(),
            sent: self.sent,
            narrates: self.narrates,
        };
        fork.plant();
        fork
    }

    /// Carries out operations one by one until the machine crashes.
    pub fn run(&mut self, ops: &[Op]) -> Result<(), String> {
        for op in ops {
            if self.disk.has_crashed() {
                return Ok(());
            }
            let told = self.disk.trace().len();
            let applied = self.apply(op);
            self.tell(told, &format!("{op:?}"));
            applied.map_err(|reason| format!("{op:?}: {reason}"))?;
        }
        Ok(())
    }

    /// The log goes on: appends more everywhere, closes, and opens again with everything there, unless it crashes.
    pub fn finish(&mut self) -> Result<(), String> {
        let topics: Vec<(String, usize)> = self
            .model
            .topics
            .iter()
            .filter(|(_, topic)| topic.existence == Existence::Exists)
            .map(|(name, topic)| (name.clone(), topic.partitions.len()))
            .collect();
        for (name, partitions) in topics {
            for index in 0..partitions as i32 {
                for acks in [Acks::Leader, Acks::All] {
                    if self.disk.has_crashed() {
                        return Ok(());
                    }
                    self.append(&name, index, 2, Compression::None, acks)?;
                }
                // Whoever has sent something to it comes back.
                for producer in self.partition(&name, index).producers.who_have_sent() {
                    if !self.disk.has_crashed() {
                        self.send(&name, index, producer, Acks::Leader)?;
                    }
                }
            }
        }
        self.reopen()
    }

    /// Everything in all partitions that can be read.
    pub fn contents(&self) -> Result<Contents, String> {
        let store = self.store()?;
        let mut contents = Vec::new();
        for name in store.topics() {
            for index in 0..store.partition_count(&name).map_err(|error| error.to_string())? {
                let log = self.log(&name, index)?;
                let records = common::read_all(&log, ReadLimits::new()).map_err(|error| error.to_string())?;
                contents.push((log.topic_partition().clone(), records));
            }
        }
        Ok(contents)
    }

    /// What the last open cut off, in words.
    pub fn cuts(&self) -> Vec<String> {
        let partitions = self.store.iter().flat_map(|store| &store.recovery_report().partitions);
        partitions.flat_map(|partition| &partition.cuts).map(|cut| format!("{cut:?}")).collect()
    }

    fn store(&self) -> Result<&Store, String> {
        self.store.as_ref().ok_or_else(|| "the store is not open".to_owned())
    }

    /// A failure of the store's is one of ours unless the machine has crashed.
    fn unless_crashed<T>(&self, result: esker::Result<T>) -> Result<Option<T>, String> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.disk.has_crashed() => Ok(None),
            Err(error) => Err(format!("it failed: {error}")),
        }
    }

    fn log(&self, topic: &str, partition: i32) -> Result<Log, String> {
        self.store()?.partition(topic, partition).map_err(|error| error.to_string())
    }

    fn apply(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Append { topic, .. }
            | Op::Send { topic, .. }
            | Op::End { topic, .. }
            | Op::Flush { topic, .. }
            | Op::Commit { topic, .. }
            | Op::SetEpoch { topic, .. }
            | Op::ResetOffsets { topic, .. }
            | Op::Truncate { topic, .. }
            | Op::StartAnew { topic, .. }
            | Op::DeleteRecords { topic, .. }
            | Op::Alter { topic, .. }
            | Op::AddPartitions { topic, .. }
            | Op::Compact { topic }
                if self.model.topic(topic).is_none() =>
            {
                let refused = self.store()?.partition(topic, 0);
                match refused {
                    Err(Error::UnknownTopicOrPartition { .. }) => Ok(()),
                    other => Err(format!("there is no such topic, and yet {other:?}")),
                }
            }
            Op::Append { topic, partition, records, codec, acks } => {
                self.append(topic, *partition, *records, *codec, *acks)
            }
            Op::Send { topic, partition, producer, acks } => self.send(topic, *partition, *producer, *acks),
            Op::End { topic, partition, producer, result, acks } => {
                self.end(topic, *partition, *producer, *result, *acks)
            }
            Op::Flush { topic, partition } => self.flush(topic, *partition),
            Op::Commit { group, topic, partition, acks } => self.commit(group, topic, *partition, *acks),
            Op::DeleteGroup { group } => self.delete_group(group),
            Op::ResetOffsets { group, topic, partition } => self.reset_offsets(group, topic, *partition),
            Op::SetEpoch { topic, partition } => self.set_epoch(topic, *partition),
            Op::Truncate { topic, partition, thousandths } => self.truncate(topic, *partition, *thousandths),
            Op::StartAnew { topic, partition, offset } => self.start_anew(topic, *partition, *offset),
            Op::DeleteRecords { topic, partition, thousandths } => self.delete_records(topic, *partition, *thousandths),
            Op::Tick { ms } => self.tick(*ms),
            Op::Create { topic, config } => self.create(topic, config),
            Op::Delete { topic } => self.delete(topic),
            Op::Alter { topic, changes } => self.alter(topic, changes),
            Op::AddPartitions { topic, added } => self.add_partitions(topic, *added),
            Op::Compact { topic } => self.compact(topic),
            Op::Reopen => self.reopen(),
        }
    }

    fn partition(&mut self, topic: &str, partition: i32) -> &mut Partition {
        let topic = self.model.topics.get_mut(topic).expect("the caller knows that it exists");
        &mut topic.partitions[partition as usize]
    }

    fn append(
        &mut self,
        topic: &str,
        partition: i32,
        count: usize,
        codec: Compression,
        acks: Acks,
    ) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        let now_ms = self.clock.now_ms();
        let mut records: Vec<Sent> = (0..count as u64)
            .map(|index| {
                let timestamp = match self.random.below(10) {
                    0 => esker::NO_TIMESTAMP,
                    1 => now_ms - self.random.below(20_000) as i64,
                    2 => now_ms,
                    _ => now_ms + self.random.below(5) as i64,
                };
                let value_bytes = if self.random.one_in(self.large_one_in) { 2_000 } else { 40 };
                Sent::random(&mut self.random, self.sent + index, timestamp, value_bytes)
            })
            .collect();
        self.sent += count as u64;
        self.fit(topic, &mut records);
        let end = log.log_end();
        let appended = match common::append(&log, &records, codec, acks) {
            // It changes nothing; the log's end is compared at the next one.
            Err(Error::MessageTooLarge { .. }) => return Ok(()),
            other => self.unless_crashed(other)?,
        };
        let stamped = self.model.topics[topic].config.get("message.timestamp.type").as_deref() == Some("LogAppendTime");
        if stamped {
            records.iter_mut().for_each(|record| record.timestamp = now_ms);
        }
        let partition = self.partition(topic, partition);
        if end != partition.end || appended.is_some_and(|appended| appended.base_offset != end) {
            return Err(format!("the log ends at {end}, the model at {}, and {appended:?}", partition.end));
        }
        partition.appended(end, records, appended.map(|_| Kept::from(acks)));
        Ok(())
    }

    /// Makes records such as a compacted topic takes: with keys, and now and then a tombstone.
    fn fit(&mut self, topic: &str, records: &mut [Sent]) {
        if !is_compacted(&self.model.topics[topic].config) {
            return;
        }
        for record in records {
            record.key.get_or_insert_with(|| b"key 0".to_vec());
            if self.random.one_in(4) {
                record.value = None;
            }
        }
    }

    fn send(&mut self, topic: &str, partition: i32, producer: usize, acks: Acks) -> Result<(), String> {
        // What was sent before may be known or not.
        if self.partition(topic, partition).is_cut_deep {
            return Ok(());
        }
        let log = self.log(topic, partition)?;
        for batch in self.partition(topic, partition).producers.reconnect(producer, log.log_start()) {
            if !self.send_batch(topic, partition, producer, batch, acks)? {
                return Ok(());
            }
        }
        let now_ms = self.clock.now_ms();
        let count = 1 + self.random.below(3);
        let mut records: Vec<_> =
            (0..count).map(|index| Sent::random(&mut self.random, self.sent + index, now_ms, 40)).collect();
        self.fit(topic, &mut records);
        self.sent += count;
        let batch = self.partition(topic, partition).producers.next_batch(producer, records);
        self.send_batch(topic, partition, producer, batch, acks).map(drop)
    }

    /// False if the machine has crashed.
    fn send_batch(
        &mut self,
        topic: &str,
        partition: i32,
        producer: usize,
        batch: Batch,
        acks: Acks,
    ) -> Result<bool, String> {
        let log = self.log(topic, partition)?;
        let end = log.log_end();
        let builder = Producers::builder(producer, &batch);
        let result = common::append_built(&log, builder, &batch.records, acks);
        let appended = self.unless_crashed(result)?;
        let partition = self.partition(topic, partition);
        if let Some(offset) = batch.offset {
            return match appended {
                Some(again) if again.is_duplicate && again.base_offset == offset && log.log_end() == end => Ok(true),
                None => Ok(false),
                other => Err(format!("{batch:?} is in the log, and its append gives {other:?}")),
            };
        }
        if end != partition.end || appended.is_some_and(|found| found.base_offset != end || found.is_duplicate) {
            return Err(format!("the log ends at {end}, the model at {}, and {appended:?}", partition.end));
        }
        let mut records = batch.records.clone();
        if let Some(time) = appended.and_then(|appended| appended.log_append_time) {
            records.iter_mut().for_each(|record| record.timestamp = time);
        }
        partition.producers.sent(producer, Batch { offset: Some(end), ..batch });
        partition.appended(end, records, appended.map(|_| Kept::from(acks)));
        Ok(appended.is_some())
    }

    fn end(
        &mut self,
        topic: &str,
        partition: i32,
        producer: usize,
        result: TransactionResult,
        acks: Acks,
    ) -> Result<(), String> {
        if self.partition(topic, partition).is_cut_deep {
            return Ok(());
        }
        let log = self.log(topic, partition)?;
        let (end, now_ms) = (log.log_end(), self.clock.now_ms());
        let marker = EndTransactionMarker { result, coordinator_epoch: 0 };
        let epoch = self.partition(topic, partition).producers.epoch(producer);
        let appended =
            log.append_end_transaction_marker(ProducerIdAndEpoch::new(Producers::id(producer), epoch), marker, acks);
        let appended = self.unless_crashed(appended)?;
        let partition = self.partition(topic, partition);
        if end != partition.end || appended.is_some_and(|found| found.base_offset != end) {
            return Err(format!("the log ends at {end}, the model at {}, and {appended:?}", partition.end));
        }
        let mut record = Sent::value(now_ms, marker.to_value());
        record.key = Some(marker.control_type().to_key().to_vec());
        partition.producers.ended(producer, result, end);
        partition.appended(end, vec![record], appended.map(|_| Kept::from(acks)));
        Ok(())
    }

    fn flush(&mut self, topic: &str, partition: i32) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        if self.unless_crashed(log.flush())?.is_some() {
            let partition = self.partition(topic, partition);
            let end = partition.end;
            partition.promised(end, Kept::Power);
        }
        Ok(())
    }

    fn commit(&mut self, group: &str, topic: &str, partition: i32, acks: Acks) -> Result<(), String> {
        let store = self.store()?.clone();
        self.sent += 1;
        let (offset, partition) = (self.sent as i64, TopicPartition::new(topic, partition));
        let result = store.commit_offsets(group, [(partition.clone(), CommittedOffset::new(offset))], acks);
        let committed = self.unless_crashed(result)?;
        let commits: &mut Commits = self.model.commits.entry((group.to_owned(), partition.clone())).or_default();
        commits.committed(Some(offset), committed.map_or(Kept::Maybe, |()| Kept::from(acks)));
        if committed.is_some()
            && let Some(found) = self.unless_crashed(store.committed_offset(group, &partition))?
            && found.as_ref().map(|found| found.offset) != Some(offset)
        {
            return Err(format!("the commit of {offset} does not show, but {found:?}"));
        }
        Ok(())
    }

    fn delete_group(&mut self, group: &str) -> Result<(), String> {
        let store = self.store()?.clone();
        let Some(committed) = self.unless_crashed(store.committed_offsets(group))? else { return Ok(()) };
        let deleted = match store.delete_group(group) {
            Err(Error::GroupIdNotFound { .. }) if committed.is_empty() => return Ok(()),
            deleted => self.unless_crashed(deleted)?,
        };
        for (_, commits) in self.model.commits.iter_mut().filter(|((of, _), _)| of == group) {
            commits.committed(None, deleted.map_or(Kept::Maybe, |()| Kept::Power));
        }
        Ok(())
    }

    /// Shifts an offset, if there is one: clamped, it is in the log, and what is planned is done.
    fn reset_offsets(&mut self, group: &str, topic: &str, partition: i32) -> Result<(), String> {
        let (store, log) = (self.store()?.clone(), self.log(topic, partition)?);
        let (partition, by) = (TopicPartition::new(topic, partition), self.random.below(40) as i64 - 20);
        let Some(Some(before)) = self.unless_crashed(store.committed_offset(group, &partition))? else {
            return Ok(());
        };
        let after = before.offset.saturating_add(by).min(log.log_end()).max(log.log_start());
        let reset = store.reset_offsets(group, [partition.clone()], OffsetReset::ShiftBy(by));
        let reset = self.unless_crashed(reset)?;
        if reset.as_ref().is_some_and(|reset| (reset[0].before, reset[0].after) != (Some(before.offset), after)) {
            return Err(format!("shifted by {by} from {before:?}, {after} should come of it, and {reset:?}"));
        }
        let commits: &mut Commits = self.model.commits.entry((group.to_owned(), partition)).or_default();
        commits.committed(Some(after), reset.map_or(Kept::Maybe, |_| Kept::Power));
        Ok(())
    }

    fn set_epoch(&mut self, topic: &str, partition: i32) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        let epoch = log.leader_epoch() + 1;
        let set = self.unless_crashed(log.set_leader_epoch(epoch))?;
        let partition = self.partition(topic, partition);
        match set {
            Some(_) => partition.epoch = epoch,
            None => partition.epoch_maybe = Some(epoch),
        }
        Ok(())
    }

    fn truncate(&mut self, topic: &str, partition: i32, thousandths: Offset) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        let (start, end) = (log.log_start(), log.log_end());
        let offset = end - (end - start) * thousandths / 1_000;
        if offset == end {
            return Ok(());
        }
        // Only whole batches are cut, and what compaction has left between them goes too.
        let Some(floor) = self.unless_crashed(end_before(&log, offset))? else { return Ok(()) };
        if is_compacted(&self.model.topics[topic].config) {
            let may_be_compacted = offset < self.active_base(topic, partition);
            self.partition(topic, partition).is_cut_deep |= may_be_compacted;
        }
        let truncated = self.unless_crashed(log.truncate_to(offset))?;
        if truncated.is_some_and(|found| found != floor) {
            return Err(format!("cut to {offset} the log ends at {truncated:?}, not at {floor}"));
        }
        let partition = self.partition(topic, partition);
        partition.truncated(floor, truncated.is_some());
        if truncated.is_some() {
            partition.producers.cut(floor);
        }
        Ok(())
    }

    /// Where the last segment begins, which is not compacted.
    fn active_base(&self, topic: &str, partition: i32) -> Offset {
        let dir = format!("{DIR}/{topic}-{partition}");
        let bases = self.disk.files().into_iter().filter(|path| path.starts_with(&dir)).filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            name.strip_suffix(".log")?.parse().ok()
        });
        bases.max().unwrap_or(0)
    }

    fn start_anew(&mut self, topic: &str, partition: i32, offset: Offset) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        let lowest = log.log_start().min(offset);
        let emptied = self.unless_crashed(log.truncate_fully_and_start_at(offset))?;
        let partition = self.partition(topic, partition);
        partition.started_anew(lowest, offset, emptied.is_some());
        if emptied.is_some() {
            partition.producers.cut(0);
        }
        Ok(())
    }

    fn delete_records(&mut self, topic: &str, partition: i32, thousandths: Offset) -> Result<(), String> {
        let log = self.log(topic, partition)?;
        let offset = log.log_start() + (log.log_end() - log.log_start()) * thousandths / 1_000;
        let deleted = log.delete_records(offset);
        let policy = self.model.topics[topic].config.get("cleanup.policy");
        if matches!(deleted, Err(Error::PolicyViolation { .. })) && policy.as_deref() == Some("compact") {
            return Ok(());
        }
        if self.unless_crashed(deleted)?.is_some() {
            let partition = self.partition(topic, partition);
            partition.deleted = offset;
            partition.start = partition.start.max(offset);
        }
        Ok(())
    }

    fn tick(&mut self, ms: u64) -> Result<(), String> {
        self.clock.advance(Duration::from_millis(ms));
        let store = self.store()?.clone();
        let retention_ms = i64::from(self.config.offsets_retention_minutes) * 60_000;
        let now_ms = self.clock.now_ms();
        let is_expired = |committed: CommittedOffset| now_ms - committed.commit_timestamp >= retention_ms;
        let mut expired = Vec::new();
        for (group, partition) in self.model.commits.keys().filter(|_| ms > 0) {
            let Some(committed) = self.unless_crashed(store.committed_offset(group, partition))? else {
                return Ok(());
            };
            if committed.is_some_and(is_expired) {
                expired.push((group.clone(), partition.clone()));
            }
        }
        let ticked = self.unless_crashed(store.tick())?;
        for key in expired {
            let found = self.unless_crashed(store.committed_offset(&key.0, &key.1))?;
            if ticked.is_some() && found.is_some_and(|found| found.is_some()) {
                return Err(format!("what {} committed for {} should have expired", key.0, key.1));
            }
            self.model.commits.entry(key).or_default().committed(None, ticked.map_or(Kept::Maybe, |()| Kept::Power));
        }
        self.look_at_log_starts();
        Ok(())
    }

    /// How far retention has come is the store's to decide; that it does not come back is ours to check.
    fn look_at_log_starts(&mut self) {
        let Some(store) = &self.store else { return };
        for (name, topic) in &mut self.model.topics {
            for (index, partition) in topic.partitions.iter_mut().enumerate() {
                if let Ok(log) = store.partition(name, index as i32) {
                    partition.start = partition.start.max(log.log_start());
                }
            }
        }
    }

    fn create(&mut self, name: &str, config: &TopicConfig) -> Result<(), String> {
        let result = self.store()?.create_topic(name, config.clone());
        if self.model.topic(name).is_some() {
            return match result {
                Err(Error::TopicAlreadyExists { .. }) => Ok(()),
                other => Err(format!("the topic exists, and yet {other:?}")),
            };
        }
        let id = self.unless_crashed(result)?;
        let existence = if id.is_some() { Existence::Exists } else { Existence::Unknown };
        self.model.forgets_commits(name, id.map_or(Kept::Maybe, |_| Kept::Power));
        let partitions = vec![Partition::default(); PARTITIONS];
        let config = config.clone();
        let topic = Topic { existence, id, config, config_maybe: None, partitions, added_maybe: 0 };
        self.model.topics.insert(name.to_owned(), topic);
        Ok(())
    }

    fn alter(&mut self, name: &str, changes: &[(&str, Option<&str>)]) -> Result<(), String> {
        let change = |(key, value): &(&str, Option<&str>)| match value {
            Some(value) => AlterConfigOp::set(*key, *value),
            None => AlterConfigOp::delete(*key),
        };
        let result = self.store()?.alter_topic_configs(name, &changes.iter().map(change).collect::<Vec<_>>());
        let altered = self.unless_crashed(result)?;
        let topic = self.model.topic(name).expect("it exists");
        let config = topic.altered(changes);
        match altered {
            Some(()) => topic.config = config,
            None => topic.config_maybe = Some(config),
        }
        Ok(())
    }

    fn add_partitions(&mut self, name: &str, added: usize) -> Result<(), String> {
        let topic = self.model.topic(name).expect("it exists");
        let total = topic.partitions.len() + added;
        let result = self.store()?.create_partitions(name, total as i32);
        let created = self.unless_crashed(result)?;
        let topic = self.model.topic(name).expect("it exists");
        match created {
            Some(()) => topic.partitions.resize(total, Partition::default()),
            None => topic.added_maybe = added,
        }
        Ok(())
    }

    fn delete(&mut self, name: &str) -> Result<(), String> {
        let result = self.store()?.delete_topic(name);
        let Some(topic) = self.model.topic(name) else {
            return match result {
                Err(Error::UnknownTopicOrPartition { .. }) => Ok(()),
                other => Err(format!("there is no such topic, and yet {other:?}")),
            };
        };
        topic.existence = Existence::Unknown;
        let deleted = self.unless_crashed(result)?;
        if deleted.is_some() {
            self.model.topics.remove(name);
        }
        self.model.forgets_commits(name, deleted.map_or(Kept::Maybe, |()| Kept::Power));
        Ok(())
    }

    fn compact(&mut self, topic: &str) -> Result<(), String> {
        let result = self.store()?.compact(topic);
        match result {
            Err(Error::InvalidConfig { .. }) if !is_compacted(&self.model.topics[topic].config) => Ok(()),
            result => self.unless_crashed(result).map(drop),
        }
    }

    fn reopen(&mut self) -> Result<(), String> {
        let result = self.store()?.close();
        if self.unless_crashed(result)?.is_none() {
            return Ok(());
        }
        self.model.closed();
        self.store = None;
        if self.start()? {
            let clean = self.store()?.recovery_report().clean_shutdown;
            return if clean { Ok(()) } else { Err("a closed store is not taken for cleanly shut down".to_owned()) };
        }
        Ok(())
    }
}

/// Where the last batch ends that lies below `offset`.
fn end_before(log: &Log, offset: Offset) -> esker::Result<Offset> {
    let mut end = log.log_start();
    while end < offset {
        let fetched = log.read(end, ReadLimits::new().max_bytes(1))?;
        let Some(batch) = fetched.batches().next() else { break };
        match batch?.header().next_offset() {
            next if next <= offset => end = next,
            _ => break,
        }
    }
    Ok(end)
}

/// Whether `cleanup.policy` has `compact`.
pub fn is_compacted(config: &TopicConfig) -> bool {
    config.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
}

/// A configuration that makes for many small segments, chosen.
pub fn topic_config(random: &mut Random) -> TopicConfig {
    let mut config = TopicConfig::new()
        .partitions(2)
        .internal_segment_bytes(*random.pick(&[1_000, 3_000, 12_000]))
        .index_interval_bytes(*random.pick(&[0, 150, 600]))
        .file_delete_delay_ms(*random.pick(&[0, 4_000]))
        .retention_ms(*random.pick(&[-1, 5_000, 30_000]))
        .retention_bytes(*random.pick(&[-1, 3_000]))
        .segment_index_bytes(*random.pick(&[48, 10_000]))
        .segment_ms(*random.pick(&[3_000, 604_800_000]));
    if random.one_in(5) {
        config = config.message_timestamp_type(TimestampType::LogAppendTime);
    }
    if random.one_in(3) {
        config = config
            .cleanup_policy(CleanupPolicy::COMPACT)
            .delete_retention_ms(*random.pick(&[0, 2_000, 86_400_000]))
            .min_cleanable_dirty_ratio(*random.pick(&[0.0, 0.5]));
    }
    if random.one_in(8) { TopicConfig::new().partitions(2) } else { config }
}
