//! Compaction of what transactions have written, in any order and with some of them open: of a topic, and of
//! `__consumer_offsets`. What must be left is worked out from everything that was ever in the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use esker::clock::Clock;
use esker::io::{MemoryStorage, Storage};
use esker::record::{EndTransactionMarker, TransactionResult};
use esker::{
    Acks, CommittedOffset, Log, Offset, Producer, ProducerConfig, ProducerId, ReadLimits, Record, Store, StoreConfig,
    Transaction,
};

use crate::common::random::Random;
use crate::{TOPIC, World, compacted, open};

const OFFSETS: &str = "__consumer_offsets";
/// The topic's own, which that of committed offsets has no say in.
const DELETE_RETENTION_MS: i64 = 10_000;
const OFFSETS_DELETE_RETENTION_MS: i64 = 86_400_000;

/// Everything that was ever in a log.
#[derive(Default)]
struct History {
    records: BTreeMap<Offset, Written>,
    markers: Vec<(Offset, ProducerId, TransactionResult)>,
    end: Offset,
    /// When a pass has first seen each tombstone.
    first_passes: HashMap<Offset, i64>,
}

struct Written {
    key: Vec<u8>,
    is_tombstone: bool,
    /// Whose transaction it is part of.
    producer: Option<ProducerId>,
}

impl History {
    /// Takes in what is new.
    fn follow(&mut self, log: &Log) {
        while self.end < log.log_end() {
            let fetched = log.read(self.end, ReadLimits::new()).unwrap();
            for batch in fetched.batches() {
                let batch = batch.unwrap();
                let header = batch.header();
                for record in &batch.records().unwrap() {
                    let record = record.unwrap();
                    if header.is_control() {
                        let marker = EndTransactionMarker::parse(&record).unwrap().unwrap();
                        self.markers.push((record.offset, header.producer_id, marker.result));
                    } else {
                        let producer = header.is_transactional().then_some(header.producer_id);
                        let key = record.key.unwrap().to_vec();
                        self.records
                            .insert(record.offset, Written { key, is_tombstone: record.value.is_none(), producer });
                    }
                }
            }
            self.end = fetched.next_offset();
        }
    }

    /// How the transaction of a record has ended: None if it is open.
    fn result(&self, offset: Offset, written: &Written) -> Option<TransactionResult> {
        let Some(producer) = written.producer else { return Some(TransactionResult::Commit) };
        let end = self.markers.iter().find(|(at, ended, _)| *at > offset && *ended == producer);
        end.map(|(_, _, result)| *result)
    }

    /// Holds a log that has just been compacted, as far as it is decided, to what must be left.
    fn check(&mut self, log: &Log, now_ms: i64, delete_retention_ms: i64) {
        let open = self.records.iter().find(|(offset, written)| self.result(**offset, written).is_none());
        // A segment is compacted whole or not at all.
        let end = log.last_compaction().unwrap().end;
        match open {
            None => assert_eq!(end, log.log_end(), "everything is decided"),
            Some((first_open, _)) => assert!(end <= *first_open),
        }
        let mut last = HashMap::new();
        for (offset, written) in self.records.range(..end) {
            if self.result(*offset, written) == Some(TransactionResult::Commit) {
                last.insert(&written.key, *offset);
            }
        }
        let mut left = Self { end: log.log_start(), ..Self::default() };
        left.follow(log);
        for (offset, written) in &self.records {
            let (is_there, at) = (left.records.contains_key(offset), format!("{} at {offset}", log.topic_partition()));
            if *offset >= end {
                assert!(is_there, "{at} has not been compacted");
            } else if self.result(*offset, written) == Some(TransactionResult::Abort) {
                assert!(!is_there, "{at} is void");
            } else if last[&written.key] != *offset {
                assert!(!is_there, "{at} is not the last of its key");
            } else if !written.is_tombstone {
                assert!(is_there, "{at} is the last of its key");
            } else {
                let first_pass = *self.first_passes.entry(*offset).or_insert(now_ms);
                assert_eq!(is_there, now_ms - first_pass < delete_retention_ms, "{at} is a tombstone");
            }
        }
        assert!(left.records.keys().all(|offset| self.records.contains_key(offset)), "nothing comes from nowhere");
    }
}

/// What the group has committed for each key that it reads, and whether that may still change.
fn committed(store: &Store) -> Vec<(Option<Offset>, bool)> {
    (0..3)
        .map(|partition| {
            let partition = ("t", partition).into();
            let committed = store.committed_offset("g", &partition).unwrap().map(|committed| committed.offset);
            (committed, store.stable_committed_offset("g", &partition).is_err())
        })
        .collect()
}

struct Run {
    random: Random,
    world: World,
    producers: Vec<Producer>,
    open: Vec<Option<Transaction>>,
    data: History,
    offsets: History,
}

impl Run {
    fn new(seed: u64, storage: Arc<dyn Storage>, config: StoreConfig) -> Self {
        let world = World::new(storage, config, compacted().delete_retention_ms(DELETE_RETENTION_MS));
        world.store.create_topic("t", esker::TopicConfig::new().partitions(3)).unwrap();
        let mut run = Self {
            random: Random::new(seed),
            world,
            producers: Vec::new(),
            open: Vec::new(),
            data: History::default(),
            offsets: History::default(),
        };
        run.make_producers();
        run
    }

    fn make_producers(&mut self) {
        let producer = |name| self.world.store.producer(ProducerConfig::new().transactional_id(name)).unwrap();
        self.producers = ["one", "two", "three"].map(producer).into();
        self.open = vec![None, None, None];
    }

    fn step(&mut self) {
        let key = format!("key {}", self.random.below(6));
        let index = self.random.below(3) as usize;
        let partition = ("t", self.random.below(3) as i32).into();
        let offset = CommittedOffset::new(self.random.below(1000) as Offset);
        match self.random.below(20) {
            0..=5 => {
                let record = Record::to(TOPIC).key(key);
                let record = if self.random.one_in(4) { record } else { record.value("in a transaction") };
                self.transaction(index).send(record).unwrap();
            }
            6..=8 => self.transaction(index).send_offsets("g", [(partition, offset)]).unwrap(),
            9..=12 => {
                if let Some(transaction) = self.open[index].take() {
                    match self.random.one_in(3) {
                        true => transaction.abort().unwrap(),
                        false => transaction.commit().unwrap(),
                    }
                }
            }
            13 => drop(self.world.append(&[(&key, if self.random.one_in(4) { None } else { Some("plain") })])),
            14 => self.world.store.commit_offsets("g", [(partition, offset)], Acks::Leader).unwrap(),
            15 if self.random.one_in(3) => drop(self.world.store.delete_offsets("g", [partition])),
            16 => self.world.advance(*self.random.pick(&[1, 5_000, 10_000])),
            17 | 18 => self.compact(),
            _ => {}
        }
    }

    fn transaction(&mut self, index: usize) -> &Transaction {
        self.open[index].get_or_insert_with(|| self.producers[index].begin_transaction().unwrap())
    }

    fn compact(&mut self) {
        let (store, now_ms) = (&self.world.store, self.world.clock.now_ms());
        let log = self.world.log();
        self.data.follow(&log);
        store.compact(TOPIC).unwrap();
        self.data.check(&log, now_ms, DELETE_RETENTION_MS);
        let Ok(log) = store.partition(OFFSETS, 0) else { return };
        self.offsets.follow(&log);
        let before = committed(store);
        store.compact(OFFSETS).unwrap();
        self.offsets.check(&log, now_ms, OFFSETS_DELETE_RETENTION_MS);
        assert_eq!(committed(store), before);
    }

    /// Opens the store again, over whatever is open, and looks whether everything is as it was.
    fn reopen(&mut self, storage: Arc<dyn Storage>, config: StoreConfig) {
        let before = committed(&self.world.store);
        self.world.store.close().unwrap();
        self.open.clear();
        self.producers.clear();
        self.world.store = open(storage, self.world.clock.clone(), config).unwrap();
        assert_eq!(committed(&self.world.store), before);
        self.make_producers();
    }
}

fn try_seed(seed: u64) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    let config = StoreConfig {
        log_cleaner_enable: false,
        offsets_topic_num_partitions: 1,
        transaction_state_log_num_partitions: 1,
        ..StoreConfig::default()
    };
    let mut run = Run::new(seed, storage.clone(), config.clone());
    for _ in 0..3 {
        (0..50).for_each(|_| run.step());
        run.reopen(storage.clone(), config.clone());
    }
    run.compact();
}

#[test]
fn what_transactions_leave_is_compacted_to_what_counts() {
    for seed in 0..100 {
        let outcome = std::panic::catch_unwind(|| try_seed(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
