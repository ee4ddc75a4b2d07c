//! Any sequence of puts, tombstones and passes leaves what a map of keys keeps.

use std::collections::HashMap;
use std::sync::Arc;

use esker::clock::Clock;
use esker::io::MemoryStorage;
use esker::record::{BatchBuilder, Compression, RecordData};
use esker::{Acks, Offset, ReadLimits, StoreConfig};

use crate::common::random::Random;
use crate::common::{Sent, check_lookups, codecs, read_all};
use crate::{TOPIC, World, compacted};

const DELETE_RETENTION_MS: i64 = 10_000;

/// What was appended, and when a pass has first seen each tombstone.
#[derive(Default)]
struct Model {
    records: Vec<Sent>,
    /// By the tombstone's offset.
    first_passes: HashMap<Offset, i64>,
}

impl Model {
    fn last_of_each_key(&self, end: Offset) -> HashMap<Vec<u8>, Offset> {
        let keys = self.records.iter().zip(0..).take_while(|(_, offset)| *offset < end);
        keys.filter_map(|(record, offset)| Some((record.key.clone()?, offset))).collect()
    }

    /// Holds what is left after a pass, which compacted everything below `end`, to what must be.
    fn check(&mut self, found: &[(Offset, Sent)], end: Offset, now_ms: i64) {
        let found: HashMap<Offset, &Sent> = found.iter().map(|(offset, record)| (*offset, record)).collect();
        for (offset, record) in &found {
            assert_eq!(*record, &self.records[*offset as usize], "offset {offset}");
        }
        let last = self.last_of_each_key(end);
        for (record, offset) in self.records.iter().zip(0..) {
            let is_there = found.contains_key(&offset);
            if offset >= end {
                assert!(is_there, "{offset} is not compacted yet");
            } else if last[record.key.as_deref().unwrap()] != offset {
                assert!(!is_there, "{offset} is not the last of its key");
            } else if record.value.is_some() {
                assert!(is_there, "{offset} is the last of its key");
            } else {
                let first_pass = *self.first_passes.entry(offset).or_insert(now_ms);
                let is_over = now_ms - first_pass >= DELETE_RETENTION_MS;
                assert_eq!(is_there, !is_over, "the tombstone {offset}, seen first at {first_pass}, at {now_ms}");
            }
        }
    }
}

fn append(world: &World, random: &mut Random, model: &mut Model, codec: Compression) {
    let mut builder = BatchBuilder::new(1 << 20).compression(codec);
    for _ in 0..1 + random.below(4) {
        let value = (!random.one_in(4)).then(|| format!("value {}", random.next()).into_bytes());
        let key = Some(format!("key {}", random.below(9)).into_bytes());
        let timestamp = world.clock.now_ms() - random.below(3_000) as i64;
        let record = Sent { timestamp, key, value, headers: Vec::new() };
        let data = RecordData::new(record.key.as_deref(), record.value.as_deref()).at(timestamp);
        builder.push(&data).unwrap();
        model.records.push(record);
    }
    world.log().append(builder.build().unwrap(), Acks::Leader).unwrap();
}

fn try_seed(seed: u64) {
    let mut random = Random::new(seed);
    let config = StoreConfig {
        log_cleaner_dedupe_buffer_size: *random.pick(&[24 * 16, 1 << 20]),
        log_cleaner_enable: false,
        ..StoreConfig::default()
    };
    let topic = compacted().delete_retention_ms(DELETE_RETENTION_MS);
    let world = World::new(Arc::new(MemoryStorage::new()), config, topic);
    let (mut model, codecs) = (Model::default(), codecs());
    for _ in 0..60 {
        match random.below(10) {
            0 => world.advance(*random.pick(&[1, 3_000, 9_999])),
            1 => {
                world.store.compact(TOPIC).unwrap();
                let log = world.log();
                let found = read_all(&log, ReadLimits::new().max_bytes(500)).unwrap();
                model.check(&found, log.log_end(), world.clock.now_ms());
                check_lookups(&log, &found).unwrap();
                for offset in 0..log.log_end() {
                    let fetched = log.read(offset, ReadLimits::new().max_bytes(1)).unwrap();
                    assert!(fetched.next_offset() > offset, "a read at {offset} gets on");
                }
            }
            _ => {
                let codec = *random.pick(&codecs);
                append(&world, &mut random, &mut model, codec);
            }
        }
    }
}

#[test]
fn passes_keep_what_a_map_of_keys_keeps() {
    for seed in 0..150 {
        let outcome = std::panic::catch_unwind(|| try_seed(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}
