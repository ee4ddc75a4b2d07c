//! What happens to a log while it is compacted, or because it was.

use std::path::Path;
use std::sync::Arc;

use esker::io::MemoryStorage;
use esker::sim::{Crash, FaultStorage};
use esker::{Acks, CleanupPolicy, CommittedOffset, Error, StoreConfig, TopicConfig, TopicPartition};

use crate::{TOPIC, World, compacted, open, records};

const KEYS: [&str; 3] = ["tea", "salt", "rice"];

fn slow() -> StoreConfig {
    StoreConfig {
        log_cleaner_io_max_bytes_per_second: 700.0,
        log_cleaner_backoff_ms: 1,
        offsets_topic_num_partitions: 1,
        ..StoreConfig::default()
    }
}

fn fill(world: &World, from: usize, to: usize) {
    for index in from..to {
        world.put(KEYS[index % 3], &format!("price {index}"));
    }
    world.log().flush().unwrap();
}

/// The last value of each key that has one.
fn last_values(world: &World) -> Vec<Option<String>> {
    let all = world.records();
    let last = |key: &&str| all.iter().rfind(|(_, found, _)| found == key).and_then(|(_, _, value)| value.clone());
    KEYS.iter().map(last).collect()
}

/// Whether a pass over the log has begun and not ended: there is a file that it writes.
fn is_under_way(disk: &FaultStorage, dir: &str) -> bool {
    disk.files().iter().any(|path| path.starts_with(dir) && path.to_string_lossy().ends_with(".cleaned"))
}

/// A store in the middle of a pass.
fn in_the_middle() -> (FaultStorage, World) {
    in_the_middle_of(compacted())
}

fn in_the_middle_of(topic: TopicConfig) -> (FaultStorage, World) {
    let disk = FaultStorage::new(1);
    let world = World::new(Arc::new(disk.clone()), slow(), topic);
    fill(&world, 0, 60);
    while !is_under_way(&disk, "/data/prices-0") {
        world.store.tick().unwrap();
        world.advance(200);
    }
    (disk, world)
}

/// Compacts what is left, opens the store again, and compares.
fn check(disk: &FaultStorage, world: World, expected: &[Option<&str>]) {
    let expected: Vec<Option<String>> = expected.iter().map(|value| value.map(str::to_owned)).collect();
    assert_eq!(last_values(&world), expected);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(last_values(&world), expected);
    assert!(world.records().len() <= KEYS.len());
    let clock = world.clock.clone();
    world.store.close().unwrap();
    drop(world);
    let store = open(Arc::new(disk.clone()), clock.clone(), StoreConfig::default()).unwrap();
    assert!(store.recovery_report().is_healthy(), "{:?}", store.recovery_report());
    assert_eq!(last_values(&World { store, clock }), expected);
    assert!(!is_under_way(disk, "/data"));
}

#[test]
fn a_pass_over_nothing_is_done_at_once() {
    let world = World::new(Arc::new(MemoryStorage::new()), StoreConfig::default(), compacted());
    world.store.compact(TOPIC).unwrap();
    fill(&world, 0, 9);
    world.store.compact(TOPIC).unwrap();
    let left = world.records();
    for _ in 0..3 {
        world.store.compact(TOPIC).unwrap();
        assert_eq!(world.records(), left);
    }
    // Everything is void: what stays is where the log had come to.
    for key in KEYS {
        world.append(&[(key, None)]);
    }
    for _ in 0..3 {
        world.store.compact(TOPIC).unwrap();
        world.advance(20_000);
    }
    assert_eq!(world.records(), []);
    assert_eq!((world.log().log_start(), world.log().log_end()), (0, 12));
    assert_eq!(world.put("tea", "again"), 12);
}

#[test]
fn a_pass_that_is_cut_short_by_a_close_or_a_deletion_leaves_nothing_behind() {
    let (disk, world) = in_the_middle();
    world.store.close().unwrap();
    assert!(!is_under_way(&disk, "/data"));
    let clock = world.clock.clone();
    drop(world);
    let world = World { store: open(Arc::new(disk.clone()), clock.clone(), slow()).unwrap(), clock };
    check(&disk, world, &[Some("price 57"), Some("price 58"), Some("price 59")]);

    let (disk, world) = in_the_middle();
    world.store.delete_topic(TOPIC).unwrap();
    world.store.create_topic(TOPIC, compacted()).unwrap();
    fill(&world, 0, 3);
    world.store.tick().unwrap();
    check(&disk, world, &[Some("price 0"), Some("price 1"), Some("price 2")]);
}

#[test]
fn a_pass_that_is_overtaken_by_retention_or_a_truncation_ends_and_a_later_one_begins_anew() {
    let both = || compacted().cleanup_policy(CleanupPolicy::COMPACT_DELETE).retention_ms(100_000);
    let (disk, world) = in_the_middle_of(both());
    world.log().delete_records(50).unwrap();
    world.store.tick().unwrap();
    check(&disk, world, &[Some("price 57"), Some("price 58"), Some("price 59")]);

    let (disk, world) = in_the_middle();
    assert_eq!(world.log().truncate_to(4).unwrap(), 4);
    world.store.tick().unwrap();
    check(&disk, world, &[Some("price 3"), Some("price 1"), Some("price 2")]);

    let (disk, world) = in_the_middle();
    world.log().truncate_fully_and_start_at(100).unwrap();
    world.store.tick().unwrap();
    fill(&world, 0, 3);
    check(&disk, world, &[Some("price 0"), Some("price 1"), Some("price 2")]);

    let (disk, world) = in_the_middle_of(both());
    world.advance(500_000);
    fill(&world, 60, 62);
    world.store.tick().unwrap();
    check(&disk, world, &[Some("price 60"), Some("price 61"), None]);
}

#[test]
fn offsets_that_are_committed_during_a_pass_over_them_are_kept() {
    let disk = FaultStorage::new(1);
    let world = World::new(Arc::new(disk.clone()), slow(), TopicConfig::new().partitions(3));
    let commit = |offset: i64| {
        let of = |partition| (TopicPartition::new(TOPIC, partition), CommittedOffset::new(offset));
        world.store.commit_offsets("g", (0..3).map(of), Acks::All).unwrap();
    };
    // Its segments are large: it is compacted when somebody asks for that.
    (0..50).for_each(commit);
    let mut next = 50;
    std::thread::scope(|scope| {
        let compacting = scope.spawn(|| world.store.compact("__consumer_offsets"));
        while !compacting.is_finished() || next < 200 {
            commit(next);
            next += 1;
        }
        compacting.join().unwrap().unwrap();
    });
    let log = world.store.partition("__consumer_offsets", 0).unwrap();
    assert!(log.last_compaction().unwrap().records_read >= 150);
    world.store.compact("__consumer_offsets").unwrap();
    let clock = world.clock.clone();
    world.store.close().unwrap();
    drop((log, world));
    let store = open(Arc::new(disk), clock, slow()).unwrap();
    assert!(store.recovery_report().is_healthy());
    for partition in 0..3 {
        let committed = store.committed_offset("g", (TOPIC, partition)).unwrap().unwrap();
        assert_eq!(committed.offset, next - 1);
    }
}

#[test]
fn what_comes_in_the_place_of_compacted_records_is_compacted_after_a_crash_too() {
    // The file said that all below 60 was compacted, and what was appended after the truncation was never looked at.
    let disk = FaultStorage::new(1);
    let world = World::new(Arc::new(disk.clone()), StoreConfig::default(), compacted());
    fill(&world, 0, 60);
    world.store.compact(TOPIC).unwrap();
    world.log().truncate_to(30).unwrap();
    let file = Path::new("/data/cleaner-offset-checkpoint");
    let lowered = String::from_utf8(disk.contents(file).unwrap()).unwrap();
    let offset: i64 = lowered.trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(offset <= 30 && world.log().log_end() <= 30, "{lowered}");
    fill(&world, 0, 60);
    let clock = world.clock.clone();
    drop(world);
    let disk = disk.after_crash(Crash::Process, 1);
    let world = World { store: open(Arc::new(disk.clone()), clock.clone(), StoreConfig::default()).unwrap(), clock };
    world.store.compact(TOPIC).unwrap();
    assert!(world.log().last_compaction().unwrap().first_dirty <= 30);
    check(&disk, world, &[Some("price 57"), Some("price 58"), Some("price 59")]);
}

#[test]
fn what_is_cut_off_under_a_pass_that_finds_nothing_to_drop_is_dirty_again() {
    let disk = FaultStorage::new(1);
    let world = World::new(Arc::new(disk.clone()), slow(), compacted());
    let put_distinct = |from: usize, to: usize| {
        for index in from..to {
            world.put(&format!("key {index}"), "v");
        }
        world.log().flush().unwrap();
    };
    put_distinct(0, 30);
    world.store.create_topic("other", compacted()).unwrap();
    world.store.compact(TOPIC).unwrap();
    world.store.compact("other").unwrap();
    world.store.delete_topic("other").unwrap();
    put_distinct(30, 90);
    while !is_under_way(&disk, "/data/prices-0") {
        world.store.tick().unwrap();
        world.advance(200);
    }
    let end = world.log().truncate_to(50).unwrap();
    // Takes what the earlier topic has there out of the file of how far all logs are compacted.
    world.store.create_topic("other", compacted()).unwrap();
    // Below what the pass knows, one key comes again and again.
    let of_tea: Vec<_> = (end..70).map(|index| world.put("tea", &format!("price {index}"))).collect();
    put_distinct(100, 200);
    for _ in 0..200 {
        world.store.tick().unwrap();
        world.advance(200);
    }
    world.store.compact(TOPIC).unwrap();
    let all = world.records();
    let left: Vec<_> = all.iter().filter(|(_, key, _)| key == "tea").map(|(offset, ..)| *offset).collect();
    assert_eq!(left, of_tea[of_tea.len() - 1..]);
}

#[test]
fn an_uncleanable_partition_says_why_and_is_taken_up_again_when_the_damage_is_gone() {
    let disk = FaultStorage::new(1);
    let both = compacted().cleanup_policy(CleanupPolicy::COMPACT_DELETE);
    let world = World::new(Arc::new(disk.clone()), StoreConfig::default(), both);
    world.store.create_topic("sound", compacted()).unwrap();
    fill(&world, 0, 30);
    disk.flip_bit("/data/prices-0/00000000000000000000.log", 100, 3).unwrap();
    let sound = world.store.partition("sound", 0).unwrap();
    for index in 0..30 {
        crate::put(&sound, "tea", &format!("price {index}"));
    }
    sound.flush().unwrap();
    assert!(world.store.uncleanable_partitions().is_empty());
    let mut failures = 0;
    for _ in 0..4 {
        failures += usize::from(world.store.tick().is_err());
        world.advance(20_000);
    }
    assert_eq!(failures, 1, "it is told once");
    assert!(sound.last_compaction().is_some(), "the others go on");
    let uncleanable = world.store.uncleanable_partitions();
    assert!(matches!(uncleanable[&TopicPartition::new(TOPIC, 0)], Error::CorruptRecord { .. }), "{uncleanable:?}");
    assert!(matches!(world.store.compact(TOPIC), Err(Error::CorruptRecord { .. })));
    assert_eq!(world.store.uncleanable_partitions().len(), 1);

    // Deleting the damaged records is one way to be rid of them.
    world.log().delete_records(10).unwrap();
    for _ in 0..4 {
        world.store.tick().unwrap();
        world.advance(20_000);
    }
    assert!(world.store.uncleanable_partitions().is_empty());
    assert!(world.log().last_compaction().is_some());
    let left = records(&world.log());
    let values: Vec<_> = left.iter().filter_map(|(_, _, value)| value.as_deref()).collect();
    assert!(values.contains(&"price 29") && left.len() < 20, "{left:?}");
}
