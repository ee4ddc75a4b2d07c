//! Single passes: what they keep, when they run, and what they leave on the disk.

use std::path::Path;
use std::sync::Arc;

use esker::io::{MemoryStorage, Storage};
use esker::{CleanupPolicy, Error, ReadLimits, StoreConfig, TopicConfig};

use crate::{TOPIC, World, compacted};

fn world(topic: TopicConfig) -> World {
    World::new(Arc::new(MemoryStorage::new()), StoreConfig::default(), topic)
}

fn kept(world: &World) -> Vec<(i64, String)> {
    world.records().into_iter().map(|(offset, key, _)| (offset, key)).collect()
}

#[test]
fn the_last_record_of_each_key_stays_at_its_offset() {
    let world = world(compacted());
    for index in 0..30 {
        world.put(["tea", "salt", "rice"][index % 3], &format!("price {index}"));
    }
    world.put("once", "and for all");
    world.store.compact(TOPIC).unwrap();
    let (log, records) = (world.log(), world.records());
    let values: Vec<_> =
        records.iter().map(|(offset, key, value)| (*offset, &**key, value.as_deref().unwrap())).collect();
    assert_eq!(
        values,
        [(27, "tea", "price 27"), (28, "salt", "price 28"), (29, "rice", "price 29"), (30, "once", "and for all")]
    );
    assert_eq!((log.log_start(), log.log_end()), (0, 31));
    let compaction = log.last_compaction().unwrap();
    assert_eq!((compaction.first_dirty, compaction.end), (0, 31));
    assert_eq!((compaction.records_read, compaction.records_kept), (31, 4));
    assert!(compaction.bytes_after * 5 < compaction.bytes_before);

    // Every offset can be read from, whatever is left there.
    for offset in 0..31 {
        let fetched = log.read(offset, ReadLimits::new()).unwrap();
        let first = fetched.batches().next().unwrap().unwrap();
        assert_eq!(first.header().base_offset, offset.max(27));
    }
    // What comes after goes on as before.
    assert_eq!(world.put("tea", "later"), 31);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world).last(), Some(&(31, "tea".to_owned())));
    assert_eq!(kept(&world).len(), 4);
}

#[test]
fn a_tombstone_lives_for_delete_retention_after_the_first_pass() {
    let world = world(compacted());
    world.put("tea", "old");
    world.put("salt", "1");
    let tombstone = world.append(&[("tea", None)]);
    world.advance(60_000);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world), [(1, "salt".to_owned()), (tombstone, "tea".to_owned())]);
    world.advance(9_999);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world).len(), 2, "its time has not come");
    world.advance(1);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world), [(1, "salt".to_owned())]);
}

#[test]
fn it_runs_by_itself_once_enough_is_dirty() {
    let world = world(compacted().min_cleanable_dirty_ratio(0.5));
    let fill = |from: usize| {
        for index in from..from + 30 {
            world.put("tea", &format!("price {index}"));
        }
    };
    fill(0);
    world.store.tick().unwrap();
    let first = world.log().last_compaction().unwrap();
    assert!(first.end > 20, "all but the active segment: {first:?}");
    let left = world.records();
    assert!(left.len() < 10 && left.iter().all(|(offset, ..)| *offset >= first.end - 1), "{left:?}");

    // Nothing new is closed: nothing to do, however often it looks.
    for _ in 0..3 {
        world.advance(15_000);
        world.store.tick().unwrap();
    }
    assert_eq!(world.log().last_compaction().unwrap(), first);
    fill(30);
    world.advance(15_000);
    world.store.tick().unwrap();
    assert!(world.log().last_compaction().unwrap().end > 50);
}

#[test]
fn a_clean_log_is_left_alone_until_it_is_dirty_enough_or_something_is_overdue() {
    let config = compacted().min_cleanable_dirty_ratio(1.0).max_compaction_lag_ms(100_000).min_compaction_lag_ms(5_000);
    let world = world(config);
    for index in 0..20 {
        world.put("tea", &format!("price {index}"));
    }
    world.advance(5_000);
    world.store.tick().unwrap();
    assert_eq!(world.log().last_compaction(), None);
    world.advance(95_001);
    world.store.tick().unwrap();
    assert!(world.log().last_compaction().is_some());
}

#[test]
fn records_younger_than_the_minimum_lag_stay() {
    let world = world(compacted().min_compaction_lag_ms(60_000));
    for index in 0..20 {
        world.put("tea", &format!("price {index}"));
    }
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world).len(), 20);
    world.advance(60_000);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world), [(19, "tea".to_owned())]);
}

#[test]
fn a_map_too_small_for_all_keys_takes_several_passes_to_the_same_result() {
    let config = StoreConfig { log_cleaner_dedupe_buffer_size: 24 * 20, ..StoreConfig::default() };
    let small = World::new(Arc::new(MemoryStorage::new()), config, compacted());
    let large = world(compacted());
    for world in [&small, &large] {
        for index in 0..400 {
            world.put(&format!("key {}", index * 7 % 90), &format!("value {index}"));
        }
        world.store.compact(TOPIC).unwrap();
    }
    assert_eq!(small.records(), large.records());
    assert_eq!(small.records().len(), 90);
    assert!(small.log().last_compaction().unwrap().first_dirty > 0, "there were several");
}

#[test]
fn the_throttle_bounds_what_a_second_does() {
    let config = StoreConfig { log_cleaner_io_max_bytes_per_second: 1_000.0, ..StoreConfig::default() };
    let world = World::new(Arc::new(MemoryStorage::new()), config, compacted());
    for index in 0..100 {
        world.put("tea", &format!("price {index}"));
    }
    // 100 batches of about 80 bytes, read twice.
    let mut seconds = 0;
    while world.log().last_compaction().is_none() {
        world.store.tick().unwrap();
        world.store.tick().unwrap();
        world.advance(1_000);
        seconds += 1;
    }
    assert!((10..=30).contains(&seconds), "{seconds}");
}

#[test]
fn how_far_it_has_come_is_kept_in_kafkas_file() {
    let storage = Arc::new(MemoryStorage::new());
    let world = World::new(storage.clone(), StoreConfig::default(), compacted());
    for index in 0..20 {
        world.put("tea", &format!("price {index}"));
    }
    world.store.compact(TOPIC).unwrap();
    let file = Path::new("/data/cleaner-offset-checkpoint");
    assert_eq!(storage.read(file).unwrap(), b"0\n1\nprices 0 20\n");
    world.store.close().unwrap();

    // One that says what can't be is put right, and what it calls clean is not read for its keys again.
    for (offset, first_dirty) in [(20, 20), (500, 0)] {
        esker::io::replace_file(&*storage, file, format!("0\n1\nprices 0 {offset}\n").as_bytes()).unwrap();
        let store = crate::open(storage.clone(), world.clock.clone(), StoreConfig::default()).unwrap();
        store.compact(TOPIC).unwrap();
        assert_eq!(store.partition(TOPIC, 0).unwrap().last_compaction().unwrap().first_dirty, first_dirty);
        store.delete_topic(TOPIC).unwrap();
        store.create_topic(TOPIC, compacted()).unwrap();
        assert_eq!(storage.read(file).unwrap(), b"0\n0\n", "another topic of the name begins anew");
        store.close().unwrap();
    }
}

#[test]
fn compact_and_delete_do_both() {
    let world = world(compacted().cleanup_policy(CleanupPolicy::COMPACT_DELETE).retention_ms(50_000));
    for index in 0..20 {
        world.put(["tea", "salt"][index % 2], &format!("price {index}"));
    }
    world.store.compact(TOPIC).unwrap();
    assert_eq!(kept(&world).len(), 2);
    world.advance(300_000);
    world.store.tick().unwrap();
    assert_eq!(world.records(), []);
    assert_eq!(world.log().log_start(), 20);
}

#[test]
fn a_topic_that_is_not_compacted_says_so() {
    let world = world(TopicConfig::new());
    assert!(matches!(world.store.compact(TOPIC), Err(Error::InvalidConfig { key, .. }) if key == "cleanup.policy"));
    assert!(matches!(world.store.compact("nothing"), Err(Error::UnknownTopicOrPartition { .. })));
}

#[test]
fn slices_and_readers_survive_a_pass() {
    let world = world(compacted());
    for index in 0..40 {
        world.put("tea", &format!("price {index}"));
    }
    let log = world.log();
    let fetched = log.read(0, ReadLimits::new()).unwrap();
    world.store.compact(TOPIC).unwrap();
    world.advance(1);
    world.store.tick().unwrap();
    let offsets: Vec<_> = fetched.batches().map(|batch| batch.unwrap().header().base_offset).collect();
    assert_eq!(offsets[0], 0, "what was handed out stays");
    assert_eq!(log.read(0, ReadLimits::new()).unwrap().batches().next().unwrap().unwrap().header().base_offset, 39);
}
