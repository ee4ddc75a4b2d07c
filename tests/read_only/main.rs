//! A store that is opened read-only beside the one that writes: it sees what is appended, once and in order, whatever
//! the writer does to its files meanwhile, and changes nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;
mod transactions;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use esker::io::{FsStorage, MemoryStorage, Storage};
use esker::{
    Acks, AutoOffsetReset, CommittedOffset, Consumer, ConsumerConfig, Error, Log, Maintenance, Offset, ProducerConfig,
    ReadLimits, Store, StoreConfig, TopicConfig, TopicPartition,
};
use proptest::prelude::*;

use common::random::Random;
use common::{Sent, append, append_value, check_lookups, codecs, read_all};

const DIR: &str = "ESKER_FOLLOWED_DIR";
const START_MS: i64 = 1_700_000_000_000;
const A_WHILE: Duration = Duration::from_secs(60);

/// The record at an offset: whoever reads knows what it must be.
fn record(offset: Offset) -> Sent {
    Sent::random(&mut Random::new(offset as u64), offset as u64, START_MS + offset, 300)
}

fn append_next(log: &Log, random: &mut Random) -> Offset {
    let start = log.log_end();
    let records: Vec<Sent> = (start..start + 1 + random.below(4) as Offset).map(record).collect();
    append(log, &records, *random.pick(&codecs()), Acks::Leader).unwrap().last_offset + 1
}

fn small_segments() -> TopicConfig {
    TopicConfig::new().internal_segment_bytes(20_000).index_interval_bytes(500).retention_ms(-1)
}

/// A writer and a reader of the same files in memory.
fn pair() -> (Store, Store) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let config = StoreConfig { log_retention_check_interval_ms: 1, ..StoreConfig::default() };
    let options = || Store::options().storage(storage.clone()).maintenance(Maintenance::Manual).config(config.clone());
    let writer = options().open("data").unwrap();
    let reader = options().open_read_only("data").unwrap();
    (writer, reader)
}

fn consumer(store: &Store, group: &str) -> Consumer {
    store.consumer(ConsumerConfig::from(group).auto_offset_reset(AutoOffsetReset::Earliest)).unwrap()
}

fn check_records(log: &Log, from: Offset, to: Offset) {
    let records = read_all(log, ReadLimits::new()).unwrap();
    assert_eq!((log.log_start(), log.log_end()), (from, to));
    assert_eq!(records, (from..to).map(|offset| (offset, record(offset))).collect::<Vec<_>>());
    check_lookups(log, &records).unwrap();
}

#[test]
fn every_record_comes_once_and_in_order_across_rolls() {
    let (writer, reader) = pair();
    writer.create_topic("t", small_segments()).unwrap();
    let (log, mut random) = (writer.partition("t", 0).unwrap(), Random::new(1));
    let mut following = consumer(&reader, "g");
    following.assign_topics(["t"]).unwrap();
    let mut next = 0;
    while log.segment_count() < 8 {
        let end = append_next(&log, &mut random);
        while next < end {
            for found in following.poll(Duration::ZERO).unwrap() {
                assert_eq!((found.offset, found.timestamp), (next, START_MS + next));
                assert_eq!(found.value.as_deref(), record(next).value.as_deref());
                next += 1;
            }
        }
    }
    let seen = reader.partition("t", 0).unwrap();
    assert_eq!(seen.segment_count(), log.segment_count());
    check_records(&seen, 0, log.log_end());
    check_records(&Store::partition(&reader, "t", 0).unwrap(), 0, log.log_end());
}

#[test]
fn a_reader_that_opens_at_any_time_sees_everything() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let options = || Store::options().storage(storage.clone()).maintenance(Maintenance::Manual);
    let writer = options().open("data").unwrap();
    writer.create_topic("t", small_segments()).unwrap();
    let (log, mut random) = (writer.partition("t", 0).unwrap(), Random::new(2));
    for _ in 0..60 {
        let end = append_next(&log, &mut random);
        let reader = options().open_read_only("data").unwrap();
        check_records(&reader.partition("t", 0).unwrap(), 0, end);
    }
    writer.close().unwrap();
    let reader = options().open_read_only("data").unwrap();
    check_records(&reader.partition("t", 0).unwrap(), 0, log.log_end());
}

#[test]
fn whoever_waits_learns_of_what_another_store_appends() {
    let (writer, reader) = pair();
    writer.create_topic("t", TopicConfig::new()).unwrap();
    let seen = reader.partition("t", 0).unwrap();
    assert!(!seen.wait_for(0, Duration::ZERO));
    let mut following = consumer(&reader, "g");
    following.assign_topics(["t"]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| seen.wait_for(0, A_WHILE));
        let polling = scope.spawn(|| following.poll(A_WHILE).unwrap().len());
        append(&writer.partition("t", 0).unwrap(), &[record(0)], codecs()[0], Acks::Leader).unwrap();
        assert!(waiting.join().unwrap());
        assert_eq!(polling.join().unwrap(), 1);
    });
}

#[test]
fn what_retention_takes_is_out_of_range_and_what_it_leaves_is_read_on() {
    let (writer, reader) = pair();
    let config = small_segments().retention_bytes(50_000).file_delete_delay_ms(0);
    writer.create_topic("t", config).unwrap();
    let (log, mut random) = (writer.partition("t", 0).unwrap(), Random::new(3));
    append_next(&log, &mut random);
    let seen = reader.partition("t", 0).unwrap();
    check_records(&seen, 0, log.log_end());
    while log.segment_count() < 10 {
        append_next(&log, &mut random);
    }
    // The reader has the first segments in its list and looks for them when they are gone.
    assert!(!seen.read(log.log_end() - 1, ReadLimits::new()).unwrap().is_empty());
    while log.log_start() == 0 {
        writer.tick().unwrap();
    }
    seen.refresh().unwrap();
    match seen.read(0, ReadLimits::new()) {
        Err(Error::OffsetOutOfRange { log_start, .. }) => assert_eq!(log_start, log.log_start()),
        other => panic!("{:?}", other.map(|fetched| fetched.next_offset())),
    }
    check_records(&seen, log.log_start(), log.log_end());
    let mut following = consumer(&reader, "g");
    following.assign_topics(["t"]).unwrap();
    assert_eq!(following.poll(Duration::ZERO).unwrap()[0].offset, log.log_start());
}

#[test]
fn topics_come_and_go() {
    let (writer, reader) = pair();
    assert!(matches!(reader.partition("t", 0), Err(Error::UnknownTopicOrPartition { .. })));
    let first = writer.create_topic("t", TopicConfig::new().partitions(2).retention_ms(5)).unwrap();
    append_value(&writer.partition("t", 1).unwrap(), 1, b"first", Acks::Leader).unwrap();
    let seen = reader.partition("t", 1).unwrap();
    assert_eq!(seen.log_end(), 1);
    let described = reader.describe_topic("t").unwrap();
    assert_eq!(
        (described.id, described.partitions.len(), described.config.get("retention.ms")),
        (first, 2, Some("5".to_owned()))
    );

    writer.delete_topic("t").unwrap();
    let second = writer.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    reader.refresh().unwrap();
    assert!(matches!(seen.read(1, ReadLimits::new()), Err(Error::UnknownTopicOrPartition { .. })));
    let described = reader.describe_topic("t").unwrap();
    assert_eq!((described.id, described.partitions.len()), (second, 3));
    assert_eq!(reader.partition("t", 1).unwrap().log_end(), 0);

    writer.delete_topic("t").unwrap();
    reader.refresh().unwrap();
    assert!(reader.topics().is_empty());
}

#[test]
fn a_log_that_is_another_topics_now_is_not_read_on() {
    let (writer, reader) = pair();
    writer.create_topic("t", TopicConfig::new()).unwrap();
    append_value(&writer.partition("t", 0).unwrap(), 1, b"first", Acks::Leader).unwrap();
    let seen = reader.partition("t", 0).unwrap();
    writer.delete_topic("t").unwrap();
    writer.create_topic("t", TopicConfig::new()).unwrap();
    append_value(&writer.partition("t", 0).unwrap(), 1, b"second", Acks::Leader).unwrap();
    append_value(&writer.partition("t", 0).unwrap(), 1, b"third", Acks::Leader).unwrap();
    seen.refresh().unwrap();
    assert!(matches!(seen.read(1, ReadLimits::new()), Err(Error::UnknownTopicOrPartition { .. })));
}

#[test]
fn committed_offsets_are_followed() {
    let (writer, reader) = pair();
    writer.create_topic("t", TopicConfig::new()).unwrap();
    let partition = TopicPartition::new("t", 0);
    assert_eq!(reader.committed_offset("g", &partition).unwrap(), None);
    for offset in 0..200 {
        writer.commit_offsets("g", [(partition.clone(), CommittedOffset::new(offset))], Acks::Leader).unwrap();
        assert_eq!(reader.committed_offset("g", &partition).unwrap().unwrap().offset, offset);
    }
    assert_eq!(reader.groups().unwrap(), ["g"]);
    assert_eq!(reader.committed_offsets("g").unwrap(), writer.committed_offsets("g").unwrap());
    writer.delete_topic("t").unwrap();
    assert_eq!(reader.committed_offset("g", &partition).unwrap(), None);
}

#[test]
fn whatever_would_write_is_refused() {
    let (writer, reader) = pair();
    writer.create_topic("t", TopicConfig::new()).unwrap();
    let log = reader.partition("t", 0).unwrap();
    let read_only = |result: esker::Result<()>| assert!(matches!(result, Err(Error::ReadOnly { .. })), "{result:?}");
    read_only(reader.create_topic("u", TopicConfig::new()).map(drop));
    read_only(reader.delete_topic("t"));
    read_only(reader.producer(ProducerConfig::new()).map(drop));
    read_only(append_value(&log, 1, b"", Acks::Leader).map(drop));
    read_only(log.set_leader_epoch(3).map(drop));
    read_only(log.flush());
    let commit = (TopicPartition::new("t", 0), CommittedOffset::new(0));
    read_only(reader.commit_offsets("g", [commit], Acks::Leader));
    let mut following = consumer(&reader, "g");
    following.assign_topics(["t"]).unwrap();
    following.poll(Duration::ZERO).unwrap();
    read_only(following.commit());
    assert!(reader.is_read_only() && !writer.is_read_only());
    reader.close().unwrap();
    assert!(matches!(log.read(0, ReadLimits::new()), Err(Error::Closed { .. })));
    let error = Store::options().open_read_only(tempfile::tempdir().unwrap().path()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

/// The log file as a writer leaves it that stops anywhere: `image` up to `len`, and then reserved space.
fn torn(image: &[u8], len: usize, reserved: usize) -> Vec<u8> {
    let mut torn = image[..len].to_vec();
    torn.resize(image.len() + reserved, 0);
    torn
}

struct Image {
    storage: MemoryStorage,
    log: PathBuf,
    bytes: Vec<u8>,
    /// Where each batch ends, in the file and in the log.
    ends: Vec<(usize, Offset)>,
}

impl Image {
    fn new(batches: usize) -> Self {
        let storage = MemoryStorage::new();
        let options = Store::options().storage(Arc::new(storage.clone())).maintenance(Maintenance::Manual);
        let writer = options.open("data").unwrap();
        writer.create_topic("t", TopicConfig::new().index_interval_bytes(500)).unwrap();
        let (log, mut random, mut ends) = (writer.partition("t", 0).unwrap(), Random::new(9), Vec::new());
        for _ in 0..batches {
            let end = append_next(&log, &mut random);
            ends.push((log.size_in_bytes() as usize, end));
        }
        writer.close().unwrap();
        let log = PathBuf::from("data/t-0/00000000000000000000.log");
        let bytes = storage.read(&log).unwrap();
        Self { storage, log, bytes, ends }
    }

    fn write(&self, bytes: &[u8]) {
        let mut file = self.storage.open_append(&self.log, 0, bytes.len() as u64).unwrap();
        file.append(&[bytes]).unwrap();
    }

    fn open(&self) -> (Store, Log) {
        let store = Store::options().storage(Arc::new(self.storage.clone())).open_read_only("data").unwrap();
        let log = store.partition("t", 0).unwrap();
        (store, log)
    }

    /// The end of the last batch that is whole in the first `len` bytes, with zeros behind them.
    fn end_at(&self, len: usize) -> Offset {
        let is_whole = |end: usize| end <= len || self.bytes[len..end].iter().all(|byte| *byte == 0);
        self.ends.iter().take_while(|(end, _)| is_whole(*end)).last().map_or(0, |(_, offset)| *offset)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever the writer stands in its copy, exactly the whole batches are there; and as it goes on, the rest.
    #[test]
    fn a_tail_that_is_not_whole_is_not_there_yet(mut cuts in prop::collection::vec(0.0..=1.0f64, 1..12), reserved in 0..5000usize) {
        let image = Image::new(40);
        cuts.sort_unstable_by(f64::total_cmp);
        let mut following = None;
        for cut in cuts {
            let len = (image.bytes.len() as f64 * cut) as usize;
            image.write(&torn(&image.bytes, len, reserved));
            let (_, log) = following.get_or_insert_with(|| image.open());
            log.refresh().unwrap();
            prop_assert_eq!(log.log_end(), image.end_at(len));
            check_records(log, 0, image.end_at(len));
            check_records(&image.open().1, 0, image.end_at(len));
        }
    }
}

#[test]
fn damage_is_damage_once_whole_batches_follow_it() {
    let image = Image::new(12);
    let (start, first) = image.ends[4];
    let (damaged_end, after) = image.ends[5];
    image.write(&torn(&image.bytes, start, 3000));
    let (_store, log) = image.open();
    assert_eq!(log.log_end(), first);
    let mut bytes = image.bytes.clone();
    bytes[start + 100] ^= 1;
    image.write(&torn(&bytes, damaged_end, 3000));
    look_again(&log);
    assert_eq!(log.log_end(), first, "it may still be on its way");
    image.write(&bytes);
    look_again(&log);
    assert_eq!(log.log_end(), image.end_at(image.bytes.len()));
    let fetched = log.read(first, ReadLimits::new()).unwrap();
    match fetched.batches().next() {
        Some(Err(Error::CorruptRecord { offsets: Some(lost), .. })) => assert_eq!(lost, first..=after - 1),
        other => panic!("{other:?}"),
    }
    assert!(log.read(after, ReadLimits::new()).unwrap().batches().all(|batch| batch.is_ok()));
}

/// Enough looks for one of them to go to the bottom of it.
fn look_again(log: &Log) {
    (0..4).for_each(|_| log.refresh().unwrap());
}

#[test]
fn a_log_that_was_truncated_is_read_as_it_is_now() {
    let image = Image::new(20);
    let (_store, log) = image.open();
    check_records(&log, 0, image.end_at(usize::MAX));
    let (len, end) = image.ends[11];
    image.write(&image.bytes[..len]);
    log.refresh().unwrap();
    check_records(&log, 0, end);
    assert!(matches!(log.read(end + 1, ReadLimits::new()), Err(Error::OffsetOutOfRange { .. })));
}

/// Every name below a directory, with its contents and the time of its last change.
fn listing(dir: &Path) -> BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        found.insert(dir.clone(), (None, std::fs::metadata(&dir).unwrap().modified().unwrap()));
        for entry in std::fs::read_dir(dir).unwrap() {
            let (path, metadata) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
            if metadata.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.clone(), (Some(std::fs::read(&path).unwrap()), metadata.modified().unwrap()));
            }
        }
    }
    found
}

#[test]
fn a_reader_changes_nothing_in_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Store::options().maintenance(Maintenance::Manual).open(dir.path()).unwrap();
    writer.create_topic("t", small_segments().partitions(2)).unwrap();
    let (log, mut random) = (writer.partition("t", 0).unwrap(), Random::new(5));
    while log.segment_count() < 4 {
        append_next(&log, &mut random);
    }
    writer.commit_offsets("g", [(TopicPartition::new("t", 0), CommittedOffset::new(7))], Acks::All).unwrap();
    let before = listing(dir.path());
    {
        let reader = Store::options().open_read_only(dir.path()).unwrap();
        check_records(&reader.partition("t", 0).unwrap(), 0, log.log_end());
        let mut following = consumer(&reader, "g");
        following.assign_topics(["t"]).unwrap();
        assert_eq!(following.poll(Duration::ZERO).unwrap()[0].offset, 7);
        reader.tick().unwrap();
        reader.refresh().unwrap();
    }
    assert_eq!(listing(dir.path()), before);
    writer.close().unwrap();
    let before = listing(dir.path());
    let reader = Store::options().open_read_only(dir.path()).unwrap();
    check_records(&reader.partition("t", 0).unwrap(), 0, log.log_end());
    reader.close().unwrap();
    assert_eq!(listing(dir.path()), before);
}

/// Not a test of its own: what is started as another process, writes, and is killed.
#[test]
fn child() {
    let Ok(dir) = env::var(DIR) else { return };
    let config = StoreConfig {
        log_retention_check_interval_ms: 1,
        log_flush_offset_checkpoint_interval_ms: 1,
        offsets_topic_num_partitions: 1,
        ..StoreConfig::default()
    };
    let store = Store::options().config(config).maintenance(Maintenance::Manual).open(dir).unwrap();
    let config = small_segments().retention_bytes(200_000).file_delete_delay_ms(0);
    match store.create_topic("t", config) {
        Ok(_) | Err(Error::TopicAlreadyExists { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    let log = store.partition("t", 0).unwrap();
    let mut random = Random::new(log.log_end() as u64 ^ 0xabc);
    say("opened");
    loop {
        let end = append_next(&log, &mut random);
        if random.one_in(8) {
            let commit = (TopicPartition::new("t", 0), CommittedOffset::new(end));
            store.commit_offsets("g", [commit], Acks::Leader).unwrap();
        }
        if random.one_in(32) {
            store.tick().unwrap();
        }
        say(&format!("{end}"));
    }
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).unwrap();
}

/// A process that writes, and what it says.
struct Writer {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(DIR, dir).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // The test harness speaks first, and does not end its line.
        while !lines.next().expect("it opens the store").unwrap().ends_with("opened") {}
        Self { process, lines }
    }

    /// The end of the log that it tells next.
    fn next_end(&mut self) -> Offset {
        self.lines.next().expect("it goes on").unwrap().parse().unwrap()
    }

    /// Kills it, and returns the end that it told last.
    fn kill(mut self, mut end: Offset) -> Offset {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        // Of the last line it may have written a part.
        for line in self.lines.map_while(Result::ok) {
            end = line.parse().map_or(end, |told: Offset| end.max(told));
        }
        end
    }
}

/// Takes what a poll brings, and checks that it goes on where the last one ended, unless retention was faster.
fn take(following: &mut Consumer, next: &mut Offset, timeout: Duration) {
    for found in following.poll(timeout).unwrap() {
        assert!(found.offset == *next || found.offset > *next && *next < start_of(following), "{found:?}, {next}");
        let expected = record(found.offset);
        assert_eq!((found.value.as_deref(), found.timestamp), (expected.value.as_deref(), expected.timestamp));
        *next = found.offset + 1;
    }
}

/// Where the log begins that the consumer reads.
fn start_of(following: &mut Consumer) -> Offset {
    let partition = || TopicPartition::new("t", 0);
    let here = following.position(partition()).unwrap();
    following.seek_to_beginning().unwrap();
    let start = following.position(partition()).unwrap();
    following.seek(partition(), here).unwrap();
    start
}

fn follow_another_process(storage: FsStorage) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::start(dir.path());
    let reader = Store::options().storage(Arc::new(storage)).open_read_only(dir.path()).unwrap();
    let mut following = consumer(&reader, "reader");
    following.assign_topics(["t"]).unwrap();
    let (mut next, mut random, mut committed) = (0, Random::new(7), 0);
    for _ in 0..10 {
        let mut end = writer.next_end();
        for _ in 0..random.below(300) {
            end = writer.next_end();
            if random.one_in(4) {
                take(&mut following, &mut next, Duration::ZERO);
            }
            let found = reader.committed_offset("g", ("t", 0)).unwrap().map_or(0, |found| found.offset);
            assert!(found >= committed);
            committed = found;
        }
        let end = writer.kill(end);
        while next < end {
            take(&mut following, &mut next, A_WHILE);
        }
        writer = Writer::start(dir.path());
    }
    let end = writer.next_end();
    writer.kill(end);
    let log = reader.partition("t", 0).unwrap();
    assert!(committed > 0 && log.log_start() > 0, "retention and commits had their turn");
}

#[test]
fn another_process_is_followed_through_kills_and_restarts() {
    follow_another_process(FsStorage::new());
}

#[test]
fn another_process_is_followed_by_plain_reads() {
    follow_another_process(FsStorage::without_mmap());
}
