//! What goes wrong in a pass costs the pass and no record.

use std::sync::Arc;

use esker::sim::{Fault, FaultStorage, Operation};
use esker::{Error, StoreConfig};

use crate::{TOPIC, World, compacted, records};

fn filled(disk: &FaultStorage) -> World {
    let config = StoreConfig { log_cleaner_enable: false, ..StoreConfig::default() };
    let world = World::new(Arc::new(disk.clone()), config, compacted());
    for index in 0..30 {
        world.put(["tea", "salt", "rice"][index % 3], &format!("price {index}"));
    }
    world.log().flush().unwrap();
    world
}

/// The last value of each key.
fn last_values(world: &World) -> Vec<String> {
    let all = world.records();
    ["tea", "salt", "rice"]
        .iter()
        .map(|key| all.iter().rfind(|(_, found, _)| found == key).unwrap().2.clone().unwrap())
        .collect()
}

#[test]
fn a_full_disk_ends_the_pass_and_nothing_else() {
    let disk = FaultStorage::new(1);
    let world = filled(&disk);
    let mut refused = 0;
    for capacity in (0..2 * disk.used()).step_by(20) {
        disk.set_capacity(capacity);
        let result = world.store.compact(TOPIC);
        assert_eq!(last_values(&world), ["price 27", "price 28", "price 29"]);
        match result {
            Err(Error::StorageFull { .. }) => refused += 1,
            other => {
                other.unwrap();
                break;
            }
        }
    }
    assert!(refused > 0);
    disk.set_capacity(u64::MAX);
    world.store.compact(TOPIC).unwrap();
    assert_eq!(last_values(&world), ["price 27", "price 28", "price 29"]);
    assert_eq!(world.records().len(), 3);
    assert!(disk.files().iter().all(|path| !path.to_string_lossy().ends_with(".cleaned")));
}

#[test]
fn whichever_operation_of_a_pass_fails_no_last_value_is_lost() {
    for operation in [Operation::Sync, Operation::SyncDir, Operation::Rename, Operation::OpenAppend, Operation::Append]
    {
        for skipped in 0..12 {
            let disk = FaultStorage::new(skipped);
            let world = filled(&disk);
            disk.inject(Fault::io_error().on(operation).nth(skipped));
            let _ = world.store.compact(TOPIC);
            disk.clear_faults();
            assert_eq!(last_values(&world), ["price 27", "price 28", "price 29"], "{operation:?} {skipped}");
            let clock = world.clock.clone();
            drop(world);
            let store = crate::open(Arc::new(disk), clock, StoreConfig::default()).unwrap();
            assert!(store.recovery_report().partitions.iter().all(|partition| partition.damage.is_empty()));
            store.compact(TOPIC).unwrap();
            let left = records(&store.partition(TOPIC, 0).unwrap());
            let values: Vec<_> = left.iter().map(|(_, _, value)| value.as_deref().unwrap()).collect();
            assert_eq!(values, ["price 27", "price 28", "price 29"], "{operation:?} {skipped}");
        }
    }
}

#[test]
fn what_is_damaged_is_not_compacted_away() {
    let disk = FaultStorage::new(1);
    let world = filled(&disk);
    let first = "/data/prices-0/00000000000000000000.log";
    disk.flip_bit(first, 100, 3).unwrap();
    let damaged = disk.contents(first).unwrap();
    assert!(matches!(world.store.compact(TOPIC), Err(Error::CorruptRecord { .. })));
    assert_eq!(disk.contents(first).unwrap(), damaged);
}
