//! `kill -9` on a real process that appends to a real directory, time and again: what it said was acknowledged is
//! there.
//!
//! The test starts itself as the process to kill. What a record contains follows from its partition and offset, so
//! whoever opens the directory knows what must be in it.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use esker::io::FsStorage;
use esker::{Acks, CommittedOffset, Error, Log, Offset, ReadLimits, Store, StoreConfig, TopicConfig, TopicPartition};

use common::random::Random;
use common::{Sent, append, codecs, read_all};

const DIR: &str = "ESKER_KILL_DIR";
const WITHOUT_MMAP: &str = "ESKER_KILL_WITHOUT_MMAP";
const PARTITIONS: i32 = 3;
const KILLS: u64 = 20;
const START_MS: i64 = 1_700_000_000_000;

fn record(partition: i32, offset: Offset) -> Sent {
    let number = (partition as u64) << 40 | offset as u64;
    Sent::random(&mut Random::new(number), number, START_MS + offset, 600)
}

fn open(dir: &Path, without_mmap: bool) -> esker::Result<Store> {
    let storage = if without_mmap { FsStorage::without_mmap() } else { FsStorage::new() };
    // The maintenance thread has something to do while the process lives.
    let config = StoreConfig {
        log_retention_check_interval_ms: 1,
        log_flush_offset_checkpoint_interval_ms: 1,
        offsets_topic_num_partitions: 1,
        ..StoreConfig::default()
    };
    Store::options().storage(Arc::new(storage)).config(config).open(dir)
}

/// Not a test of its own: what is started as another process and killed.
#[test]
fn child() {
    let Ok(dir) = env::var(DIR) else { return };
    let store = open(Path::new(&dir), env::var(WITHOUT_MMAP).is_ok()).unwrap();
    let config = TopicConfig::new().partitions(PARTITIONS).internal_segment_bytes(20_000).index_interval_bytes(500);
    match store.create_topic("t", config.retention_ms(-1)) {
        Ok(_) | Err(Error::TopicAlreadyExists { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    say("opened");
    thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let store = &store;
            scope.spawn(move || append_for_ever(store, partition));
        }
    });
}

/// One line, in one piece, and out of this process before anything else happens.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdout.flush()).unwrap();
}

fn append_for_ever(store: &Store, partition: i32) {
    let log = store.partition("t", partition).unwrap();
    let mut random = Random::new(log.log_end() as u64 ^ 0xabc);
    loop {
        let start = log.log_end();
        let count = 1 + random.below(4) as Offset;
        let records: Vec<Sent> = (start..start + count).map(|offset| record(partition, offset)).collect();
        let acks = *random.pick(&[Acks::Leader, Acks::Leader, Acks::All]);
        let appended = append(&log, &records, *random.pick(&codecs()), acks).unwrap();
        assert_eq!(appended.base_offset, start);
        say(&format!("appended {partition} {}", start + count));
        if random.one_in(8) {
            let commit = (TopicPartition::new("t", partition), CommittedOffset::new(start));
            store.commit_offsets("g", [commit], acks).unwrap();
            say(&format!("committed {partition} {start}"));
        }
    }
}

/// A process that appends, and what it says.
struct Victim {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Victim {
    fn start(dir: &Path, without_mmap: bool) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["child", "--exact", "--nocapture", "--test-threads=1"]).env(DIR, dir).stdout(Stdio::piped());
        if without_mmap {
            command.env(WITHOUT_MMAP, "1");
        }
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        // The test harness speaks first, and does not end its line.
        while !lines.next().expect("it opens the store").unwrap().ends_with("opened") {}
        Self { process, lines }
    }

    /// Kills it after it has said so many lines, and returns the ends of what it said.
    fn kill_after(mut self, count: usize) -> Promised {
        let mut promised = Promised::default();
        for line in self.lines.by_ref().take(count) {
            promised.take_in(&line.unwrap());
        }
        self.process.kill().unwrap();
        // What it said before that is still in the pipe; the last line may not be whole.
        while let Some(Ok(line)) = self.lines.next() {
            promised.take_in(&line);
        }
        assert!(!self.process.wait().unwrap().success());
        promised
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[derive(Debug, Default)]
struct Promised {
    ends: [Offset; PARTITIONS as usize],
    commits: [Offset; PARTITIONS as usize],
}

impl Promised {
    fn take_in(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, partition, offset] = words[..] else { return };
        // A line that was cut short has a smaller number, which was promised all the more.
        let (Ok(partition), Ok(offset)) = (partition.parse::<usize>(), offset.parse()) else { return };
        match what {
            "appended" => self.ends[partition] = self.ends[partition].max(offset),
            "committed" => self.commits[partition] = self.commits[partition].max(offset),
            _ => {}
        }
    }
}

fn verify(store: &Store, promised: &Promised, what: &str) {
    let report = store.recovery_report();
    assert!(!report.clean_shutdown, "{what}");
    assert!(report.incomplete.is_empty(), "{what}: {report:?}");
    for partition in 0..PARTITIONS {
        let index = partition as usize;
        let recovery =
            &report.partitions.iter().find(|found| found.topic_partition == ("t", partition).into()).unwrap();
        assert!(recovery.damage.is_empty(), "{what}: {recovery:?}");
        let log = store.partition("t", partition).unwrap();
        assert!(log.log_end() >= promised.ends[index], "{what}: {partition} ends at {}, {promised:?}", log.log_end());
        let records = read_all(&log, ReadLimits::new()).unwrap();
        assert_eq!(records.len() as Offset, log.log_end());
        for (offset, found) in &records {
            assert_eq!(found, &record(partition, *offset), "{what}: offset {offset} of partition {partition}");
        }
        check_some_lookups(&log);
        let committed = store.committed_offset("g", ("t", partition)).unwrap();
        let committed = committed.map_or(0, |committed| committed.offset);
        assert!((promised.commits[index]..=log.log_end()).contains(&committed), "{what}: {committed}, {promised:?}");
    }
}

fn check_some_lookups(log: &Log) {
    for offset in (0..log.log_end()).step_by(37) {
        let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
        let header = *fetched.batches().next().unwrap().unwrap().header();
        assert!((header.base_offset..=header.last_offset()).contains(&offset));
        assert_eq!(log.offset_for_timestamp(START_MS + offset).unwrap().unwrap().offset, offset);
    }
}

fn kill_and_reopen(without_mmap: bool) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(u64::from(std::process::id()));
    let mut so_far = Promised::default();
    for kill in 0..KILLS {
        let victim = Victim::start(dir.path(), without_mmap);
        match open(dir.path(), without_mmap) {
            Err(Error::DirectoryLocked { holder, .. }) => {
                assert!(!cfg!(unix) || holder.contains(&victim.process.id().to_string()), "{holder}");
            }
            other => panic!("the other process has it, and yet {other:?}"),
        }
        let count_max = *random.pick(&[10, 100, 500]);
        let count = 1 + random.below(count_max) as usize;
        let promised = victim.kill_after(count);
        for partition in 0..PARTITIONS as usize {
            so_far.ends[partition] = so_far.ends[partition].max(promised.ends[partition]);
            so_far.commits[partition] = so_far.commits[partition].max(promised.commits[partition]);
        }
        let store = open(dir.path(), without_mmap).unwrap();
        verify(&store, &so_far, &format!("kill {kill} after {count} lines"));
        store.close().unwrap();
        drop(store);
        if random.one_in(4) {
            assert!(open(dir.path(), without_mmap).unwrap().recovery_report().clean_shutdown);
        }
    }
    assert!(so_far.ends.iter().all(|end| *end > 0) && so_far.commits.iter().any(|offset| *offset > 0), "{so_far:?}");
}

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    kill_and_reopen(false);
}

#[test]
fn a_killed_process_without_maps_loses_nothing_that_it_acknowledged() {
    kill_and_reopen(true);
}
