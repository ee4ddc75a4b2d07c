//! The simulated disk does what its fault model says: nothing synced is lost, everything else can be, and all of the
//! outcomes that it promises really come up.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use esker::io::{AppendFile, Locked, Storage, replace_file};
use esker::sim::{Crash, Fault, FaultStorage, Lie, ManualClock, Operation};

const SEEDS: u64 = 200;
const CAPACITY: u64 = 1 << 20;

type Image = BTreeMap<PathBuf, Vec<u8>>;

fn image(storage: &FaultStorage) -> Image {
    storage.files().into_iter().map(|path| (path.clone(), storage.contents(path).unwrap())).collect()
}

/// What each of the seeds makes of the loss of power.
fn after_power_loss(storage: &FaultStorage) -> impl Iterator<Item = FaultStorage> {
    (0..SEEDS).map(|seed| storage.after_crash(Crash::Power, seed))
}

fn create(storage: &FaultStorage, path: &str) -> Box<dyn AppendFile> {
    storage.open_append(Path::new(path), 0, CAPACITY).unwrap()
}

/// A file whose name and contents are durable, and its writer.
fn create_durable(storage: &FaultStorage, path: &str, contents: &[u8]) -> Box<dyn AppendFile> {
    let mut file = create(storage, path);
    file.append(&[contents]).unwrap();
    file.file().sync().unwrap();
    storage.sync_dir(Path::new(path).parent().unwrap()).unwrap();
    file
}

/// The pages or sectors that a file of `bytes` has all, none, or some of, if `byte` is what was written.
fn count(chunks: &[u8], size: usize, byte: u8) -> (usize, usize, usize) {
    let (mut all, mut none, mut some) = (0, 0, 0);
    for chunk in chunks.chunks(size) {
        match chunk.iter().filter(|b| **b == byte).count() {
            0 => none += 1,
            n if n == chunk.len() => all += 1,
            _ => some += 1,
        }
    }
    (all, none, some)
}

// Data and the loss of power.

#[test]
fn synced_data_is_never_lost() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", &[1; 5000]);
    for byte in [2, 3, 4] {
        file.append(&[&[byte; 5000]]).unwrap();
    }
    file.file().sync().unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/a").unwrap(), [[1; 5000], [2; 5000], [3; 5000], [4; 5000]].concat());
    }
}

#[test]
fn unsynced_data_can_be_lost_kept_and_torn_but_what_was_synced_before_it_stays() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", &[1; 5000]);
    file.append(&[&[2; 50_000]]).unwrap();
    let (mut kept, mut lost, mut short, mut torn_pages) = (0, 0, 0, 0);
    for restarted in after_power_loss(&storage) {
        let bytes = restarted.contents("/a").unwrap();
        assert!((5000..=55_000).contains(&bytes.len()), "{}", bytes.len());
        assert_eq!(bytes[..5000], [1; 5000]);
        assert!(bytes[5000..].iter().all(|byte| [0, 2].contains(byte)));
        let sectors = bytes.get(5120..).unwrap_or_default();
        let whole_sectors = &sectors[..sectors.len() / 512 * 512];
        assert_eq!(count(whole_sectors, 512, 2).2, 0, "a sector is never torn");
        let pages = bytes.get(8192..).unwrap_or_default();
        torn_pages += count(&pages[..pages.len() / 4096 * 4096], 4096, 2).2;
        kept += usize::from(bytes.len() == 55_000 && bytes[5000..].iter().all(|byte| *byte == 2));
        lost += usize::from(bytes.len() == 5000);
        short += usize::from((5001..55_000).contains(&bytes.len()));
    }
    assert!(kept > 0 && lost > 0 && short > 0 && torn_pages > 0, "{kept} {lost} {short} {torn_pages}");
}

#[test]
fn the_length_after_the_loss_of_power_is_between_the_synced_and_the_reserved_one() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", &[1; 100]);
    file.reserve(10_000).unwrap();
    let lengths: BTreeSet<_> =
        after_power_loss(&storage).map(|restarted| restarted.contents("/a").unwrap().len()).collect();
    assert_eq!((lengths.first(), lengths.last()), (Some(&100), Some(&10_100)));
    assert!(lengths.len() > 10, "{lengths:?}");

    file.seal().unwrap();
    let longest = after_power_loss(&storage).map(|restarted| restarted.contents("/a").unwrap().len()).max();
    assert_eq!(longest, Some(10_100), "giving back what was reserved is not durable either");

    file.file().sync().unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/a").unwrap(), [1; 100]);
    }
}

#[test]
fn a_cut_that_is_not_synced_may_not_have_happened() {
    let storage = FaultStorage::new(1);
    create_durable(&storage, "/a", &[1; 9000]).seal().unwrap();
    let mut file = storage.open_append(Path::new("/a"), 10, CAPACITY).unwrap();
    file.append(&[&[2; 20]]).unwrap();
    let images: BTreeSet<_> = after_power_loss(&storage).map(|restarted| restarted.contents("/a").unwrap()).collect();
    assert!(images.contains(&vec![1; 9000]));
    assert!(images.contains(&[vec![1; 10], vec![2; 20]].concat()));
    assert!(images.iter().all(|bytes| bytes.len() >= 10 && bytes[..10] == [1; 10]));

    file.file().sync().unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/a").unwrap(), [vec![1; 10], vec![2; 20]].concat());
    }
}

#[test]
fn space_that_is_reserved_after_a_cut_holds_zeros_or_until_a_sync_what_was_cut_off() {
    let storage = FaultStorage::new(1);
    create_durable(&storage, "/a", &[1; 9000]).seal().unwrap();
    let mut file = storage.open_append(Path::new("/a"), 10, CAPACITY).unwrap();
    file.reserve(9000).unwrap();
    let tails = |storage: &FaultStorage| -> BTreeSet<u8> {
        let images = after_power_loss(storage).map(|restarted| restarted.contents("/a").unwrap());
        images.flat_map(|bytes| bytes[10..].to_vec()).collect()
    };
    assert_eq!(tails(&storage), BTreeSet::from([0, 1]));
    storage.inject(Fault::io_error().on(Operation::Sync).nth(0));
    file.file().sync().unwrap_err();
    file.file().sync().unwrap();
    assert_eq!(tails(&storage), BTreeSet::from([0]), "the length is durable, even if the pages are not");
}

#[test]
fn what_is_cut_off_before_it_was_synced_may_have_reached_the_device() {
    let storage = FaultStorage::new(1);
    let mut found = BTreeSet::new();
    for seed in 0..SEEDS {
        let fork = storage.after_crash(Crash::Process, seed);
        create_durable(&fork, "/a", &[1; 10]).append(&[&[2; 9000]]).unwrap();
        drop(fork.open_append(Path::new("/a"), 10, CAPACITY).unwrap());
        let bytes = fork.after_crash(Crash::Power, seed).contents("/a").unwrap();
        assert_eq!(bytes[..10], [1; 10]);
        found.extend(bytes[10..].iter().copied());
    }
    assert_eq!(found, BTreeSet::from([0, 2]));
}

#[test]
fn truncating_is_durable_when_it_returns() {
    let storage = FaultStorage::new(1);
    drop(create_durable(&storage, "/a", &[1; 9000]));
    storage.truncate(Path::new("/a"), 5000).unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/a").unwrap(), [1; 5000]);
    }
}

// Names and the loss of power.

#[test]
fn a_name_that_is_not_synced_can_vanish_with_its_synced_contents() {
    let storage = FaultStorage::new(1);
    let mut file = create(&storage, "/a");
    file.append(&[b"synced"]).unwrap();
    file.file().sync().unwrap();
    let found = after_power_loss(&storage).filter(|restarted| !restarted.files().is_empty()).count() as u64;
    assert!(0 < found && found < SEEDS, "{found} of {SEEDS}");
    storage.sync_dir(Path::new("/")).unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/a").unwrap(), b"synced");
    }
}

#[test]
fn a_synced_name_can_stand_for_a_file_without_its_contents() {
    let storage = FaultStorage::new(1);
    create(&storage, "/a").append(&[b"not synced"]).unwrap();
    storage.sync_dir(Path::new("/")).unwrap();
    let images: BTreeSet<_> = after_power_loss(&storage).map(|restarted| restarted.contents("/a").unwrap()).collect();
    assert!(images.contains(&b""[..]) && images.contains(&b"not synced"[..]), "{images:?}");
}

#[test]
fn a_removed_name_can_come_back_until_its_directory_is_synced() {
    let storage = FaultStorage::new(1);
    drop(create_durable(&storage, "/a", b"contents"));
    storage.remove_file(Path::new("/a")).unwrap();
    let found = after_power_loss(&storage).filter_map(|restarted| restarted.contents("/a").ok());
    let found: Vec<_> = found.collect();
    assert!(!found.is_empty() && found.len() < SEEDS as usize);
    assert!(found.iter().all(|bytes| bytes == b"contents"));
    storage.sync_dir(Path::new("/")).unwrap();
    assert!(after_power_loss(&storage).all(|restarted| restarted.files().is_empty()));
}

#[test]
fn a_synced_name_vanishes_with_its_directory_if_that_is_not_synced() {
    let storage = FaultStorage::new(1);
    storage.create_dir_all(Path::new("/dir")).unwrap();
    let _file = create_durable(&storage, "/dir/a", b"contents");
    let (lost, kept): (Vec<_>, Vec<_>) = after_power_loss(&storage).partition(|restarted| restarted.files().is_empty());
    assert!(!lost.is_empty() && !kept.is_empty());
    for restarted in lost {
        restarted.create_dir_all(Path::new("/other")).unwrap();
        assert!(restarted.files().is_empty(), "it does not come back elsewhere");
    }
    storage.sync_dir(Path::new("/")).unwrap();
    for restarted in after_power_loss(&storage) {
        assert_eq!(restarted.contents("/dir/a").unwrap(), b"contents");
    }
}

#[test]
fn names_are_kept_independently_of_each_other() {
    let storage = FaultStorage::new(1);
    let _files = [create(&storage, "/a"), create(&storage, "/b"), create(&storage, "/c")];
    let images: BTreeSet<_> = after_power_loss(&storage).map(|restarted| restarted.files()).collect();
    assert_eq!(images.len(), 8, "{images:?}");
}

#[test]
fn a_rename_across_directories_is_certain_once_both_are_synced() {
    let storage = FaultStorage::new(1);
    for dir in ["/from", "/to"] {
        storage.create_dir_all(Path::new(dir)).unwrap();
    }
    storage.sync_dir(Path::new("/")).unwrap();
    drop(create_durable(&storage, "/from/a", b"contents"));
    storage.rename(Path::new("/from/a"), Path::new("/to/b")).unwrap();
    let found_in = |storage: &FaultStorage| -> BTreeSet<Vec<PathBuf>> {
        after_power_loss(storage).map(|restarted| restarted.files()).collect()
    };
    let (from, to) = (vec![PathBuf::from("/from/a")], vec![PathBuf::from("/to/b")]);
    let either = BTreeSet::from([from, to.clone()]);
    assert_eq!(found_in(&storage), either);
    storage.sync_dir(Path::new("/to")).unwrap();
    assert_eq!(found_in(&storage), either);
    storage.sync_dir(Path::new("/from")).unwrap();
    assert_eq!(found_in(&storage), BTreeSet::from([to]));
}

/// A generator for tests, apart from the one that is tested.
fn lehmer(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % bound
}

#[test]
fn however_files_are_renamed_each_is_found_under_exactly_one_name() {
    for seed in 0..400 {
        let storage = FaultStorage::new(seed);
        let mut random = seed;
        let mut paths: Vec<String> = (0..4).map(|i| format!("/file-{i}")).collect();
        for path in &paths {
            drop(create_durable(&storage, path, path.as_bytes()));
        }
        let expected: BTreeSet<_> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        for step in 0..12 {
            let dir = ["/", "/x", "/y", "/x/z"][lehmer(&mut random, 4)];
            match lehmer(&mut random, 6) {
                0 => drop(storage.sync_dir(Path::new(dir))),
                1 if dir != "/" && !paths.iter().any(|path| path.starts_with(&format!("{dir}/"))) => {
                    drop(storage.remove_dir_all(Path::new(dir)));
                }
                2 => drop(create(&storage, "/file-3.tmp")),
                _ => {
                    let file = lehmer(&mut random, paths.len());
                    let to = format!("{dir}/{}", ["a".to_owned(), format!("step-{step}")][lehmer(&mut random, 2)]);
                    if !paths.contains(&to) {
                        storage.create_dir_all(Path::new(dir)).unwrap();
                        storage.rename(Path::new(&paths[file]), Path::new(&to)).unwrap();
                        paths[file] = to;
                    }
                }
            }
            let restarted = storage.after_crash(Crash::Power, seed + step);
            let mut found: Vec<_> = image(&restarted).into_values().filter(|bytes| !bytes.is_empty()).collect();
            found.sort();
            assert_eq!(found, expected.iter().cloned().collect::<Vec<_>>(), "seed {seed}, step {step}");
        }
    }
}

// Crashes in the middle.

#[test]
fn replacing_a_file_leaves_the_old_or_the_new_contents_whole_at_every_crash_point() {
    let start = FaultStorage::new(0);
    let (old, new) = (vec![1; 6000], vec![2; 9000]);
    start.set_contents("/dir/checkpoint", &old).unwrap();
    let path = Path::new("/dir/checkpoint");

    let rehearsal = start.after_crash(Crash::Process, 0);
    replace_file(&rehearsal, path, &new).unwrap();
    assert_eq!(rehearsal.mutations(), 6, "open, append, seal, sync, rename, sync_dir");

    let (mut was_old, mut was_new) = (0, 0);
    for point in 0..=rehearsal.mutations() {
        for seed in 0..SEEDS {
            let storage = start.after_crash(Crash::Process, seed);
            storage.crash_at(point);
            assert_eq!(replace_file(&storage, path, &new).is_err(), point < rehearsal.mutations());
            for crash in [Crash::Process, Crash::Power] {
                let found = storage.after_crash(crash, seed).contents(path).unwrap();
                assert!(found == old || found == new, "{crash:?} at {point}, seed {seed}");
                assert!(point < rehearsal.mutations() || found == new, "it had returned");
                was_old += usize::from(found == old);
                was_new += usize::from(found == new);
            }
        }
    }
    assert!(was_old > 0 && was_new > 0);
}

#[test]
fn the_mutation_that_crashes_and_all_operations_after_it_fail() {
    let storage = FaultStorage::new(3);
    let mut file = create(&storage, "/a");
    storage.crash_at(2);
    file.append(&[b"one"]).unwrap();
    assert!(!storage.has_crashed());
    let reader = file.file();
    let view = reader.view(0, 3).unwrap();
    assert_eq!(file.append(&[b"two"]).unwrap_err().to_string(), "simulated crash");
    assert!(storage.has_crashed());
    let path = Path::new("/a");
    let after: Vec<io::Error> = vec![
        reader.view(0, 1).unwrap_err(),
        reader.sync().unwrap_err(),
        storage.list(Path::new("/")).unwrap_err(),
        storage.open(path).map(drop).unwrap_err(),
        storage.remove_file(path).unwrap_err(),
    ];
    assert!(after.iter().all(|error| error.to_string() == "simulated crash"));
    assert!(matches!(storage.lock(path), Err(Locked::Io(_))));
    assert_eq!(view, &b"one"[..]);
}

#[test]
fn an_append_that_crashes_leaves_all_nothing_or_any_of_its_sectors() {
    let (mut all, mut nothing, mut torn) = (0, 0, 0);
    for seed in 0..SEEDS {
        let storage = FaultStorage::new(seed);
        let mut file = create(&storage, "/a");
        file.append(&[&[1; 700]]).unwrap();
        file.reserve(5000).unwrap();
        storage.crash_at(storage.mutations());
        file.append(&[&[2; 3000]]).unwrap_err();
        let bytes = storage.after_crash(Crash::Process, 0).contents("/a").unwrap();
        assert_eq!(bytes.len(), 5700);
        assert_eq!(bytes[..700], [1; 700]);
        assert!(bytes[3700..].iter().all(|byte| *byte == 0));
        assert_eq!(count(&bytes[1024..3584], 512, 2).2, 0, "a sector is never torn");
        match bytes[700..3700].iter().filter(|byte| **byte == 2).count() {
            0 => nothing += 1,
            3000 => all += 1,
            _ => torn += 1,
        }
    }
    assert!(all > 0 && nothing > 0 && torn > 0, "{all} all, {nothing} nothing, {torn} torn");
}

#[test]
fn making_and_removing_trees_can_stop_half_way() {
    let (mut made, mut left) = (BTreeSet::new(), BTreeSet::new());
    for seed in 0..SEEDS {
        let storage = FaultStorage::new(seed);
        storage.crash_at(0);
        storage.create_dir_all(Path::new("/a/b/c")).unwrap_err();
        let restarted = storage.after_crash(Crash::Process, 0);
        made.insert(["/a", "/a/b", "/a/b/c"].map(|dir| restarted.list(Path::new(dir)).is_ok()));

        let storage = FaultStorage::new(seed);
        for path in ["/a/1", "/a/2"] {
            storage.set_contents(path, b"x").unwrap();
        }
        storage.crash_at(0);
        storage.remove_dir_all(Path::new("/a")).unwrap_err();
        left.insert(storage.after_crash(Crash::Process, 0).files().len());
    }
    assert_eq!(made.len(), 4, "{made:?}");
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn the_death_of_the_process_keeps_what_was_appended_and_zeros_where_space_is_reserved() {
    let storage = FaultStorage::new(1);
    storage.create_dir_all(Path::new("/dir")).unwrap();
    let mut file = create(&storage, "/dir/a");
    let _lock = storage.lock(Path::new("/dir/.lock")).unwrap();
    file.reserve(100).unwrap();
    file.append(&[b"12345"]).unwrap();
    for seed in 0..SEEDS {
        let restarted = storage.after_crash(Crash::Process, seed);
        assert_eq!(restarted.contents("/dir/a").unwrap(), [&b"12345"[..], &[0; 95]].concat());
        restarted.lock(Path::new("/dir/.lock")).unwrap();
    }
    assert!(matches!(storage.lock(Path::new("/dir/.lock")), Err(Locked::Held(_))), "the old life still has it");
}

#[test]
fn what_was_not_synced_before_the_process_died_can_still_be_lost_with_power() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", b"synced, ");
    file.append(&[b"not synced"]).unwrap();
    drop(create(&storage, "/b"));
    let restarted = storage.after_crash(Crash::Process, 0);
    let images: BTreeSet<_> = after_power_loss(&restarted).map(|restarted| image(&restarted)).collect();
    let has = |contents: &[u8]| images.iter().any(|image| image[Path::new("/a")] == contents);
    assert!(has(b"synced, ") && has(b"synced, not synced"));
    assert!(images.iter().any(|image| image.len() == 1) && images.iter().any(|image| image.len() == 2));

    // Syncing what the new process finds makes the old one's writes durable.
    restarted.open(Path::new("/a")).unwrap().sync().unwrap();
    assert!(after_power_loss(&restarted).all(|again| again.contents("/a").unwrap() == b"synced, not synced"));
}

#[test]
fn the_same_seed_makes_the_same_image() {
    let run = |seed| {
        let storage = FaultStorage::new(seed);
        storage.start_trace();
        storage.create_dir_all(Path::new("/dir")).unwrap();
        let mut file = create(&storage, "/dir/a");
        storage.inject(Fault::io_error().on(Operation::Sync).nth(0));
        storage.crash_at(9);
        for i in 0..10 {
            let _ = file.append(&[&[i; 3000]]);
            let _ = file.file().sync();
            let _ = replace_file(&storage, Path::new("/dir/b"), &[i; 100]);
        }
        (image(&storage.after_crash(Crash::Power, seed)), storage.trace())
    };
    let mut distinct = BTreeSet::new();
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
        distinct.insert(run(seed).0);
    }
    assert!(distinct.len() > 5, "the seed matters: {}", distinct.len());
}

// Faults.

#[test]
fn after_a_sync_that_failed_a_later_one_does_not_bring_the_pages_back() {
    let (mut kept, mut dropped) = (0, 0);
    for seed in 0..SEEDS {
        let storage = FaultStorage::new(seed);
        let mut file = create_durable(&storage, "/a", &[1; 4096]);
        file.append(&[&[2; 4096]]).unwrap();
        storage.inject(Fault::io_error().on(Operation::Sync).nth(0));
        file.file().sync().unwrap_err();
        assert_eq!(file.file().view(4096, 4096).unwrap(), [2; 4096][..], "readers still see it");
        file.append(&[&[3; 4096]]).unwrap();
        file.file().sync().unwrap();

        let images: BTreeSet<_> =
            (0..20).map(|seed| storage.after_crash(Crash::Power, seed).contents("/a").unwrap()).collect();
        assert_eq!(images.len(), 1, "it was decided when the sync failed");
        let bytes = images.first().unwrap();
        assert_eq!(bytes[..4096], [1; 4096]);
        assert_eq!(bytes[8192..], [3; 4096]);
        match count(&bytes[4096..8192], 4096, 2) {
            (1, 0, 0) => kept += 1,
            _ => dropped += 1,
        }
    }
    assert!(kept > 0 && dropped > 0, "{kept} kept, {dropped} dropped");
}

#[test]
fn a_full_device_refuses_and_leaves_the_length_until_space_is_freed() {
    let storage = FaultStorage::new(1);
    storage.set_capacity(1000);
    let mut file = create(&storage, "/a");
    file.append(&[&[1; 600]]).unwrap();
    let mut other = create(&storage, "/b");
    other.reserve(300).unwrap();
    assert_eq!(storage.used(), 900);
    assert_eq!(file.append(&[&[2; 101]]).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.reserve(101).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((file.file().len(), storage.used()), (600, 900));
    other.append(&[&[3; 300]]).expect("it was reserved");
    file.append(&[&[2; 100]]).unwrap();

    storage.remove_file(Path::new("/b")).unwrap();
    assert_eq!(file.append(&[b"x"]).unwrap_err().kind(), ErrorKind::StorageFull, "somebody has it open");
    drop(other);
    file.append(&[&[4; 300]]).unwrap();
    assert_eq!(storage.contents("/a").unwrap(), [vec![1; 600], vec![2; 100], vec![4; 300]].concat());
}

#[test]
fn a_fault_hits_the_operation_that_it_is_meant_for() {
    let storage = FaultStorage::new(1);
    let mut log = create(&storage, "/0.log");
    let mut index = create(&storage, "/0.index");
    storage.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::Append).on_path_suffix(".log").nth(1));
    index.append(&[b"x"]).unwrap();
    log.append(&[b"x"]).unwrap();
    index.append(&[b"x"]).unwrap();
    assert_eq!(log.append(&[b"x"]).unwrap_err().kind(), ErrorKind::PermissionDenied);
    log.append(&[b"x"]).unwrap();
    assert_eq!(log.file().len(), 2);

    storage.inject(Fault::io_error().on(Operation::Read).times(2));
    storage.read(Path::new("/0.log")).unwrap_err();
    log.file().view(0, 1).unwrap_err();
    log.file().read_at(0, &mut [0]).unwrap();

    storage.inject(Fault::io_error().at_operation(storage.operations() + 1));
    storage.len(Path::new("/0.log")).unwrap();
    storage.len(Path::new("/0.log")).unwrap_err();
    storage.len(Path::new("/0.log")).unwrap();

    storage.inject(Fault::io_error().on_paths(|path| path == Path::new("/new")));
    storage.rename(Path::new("/0.index"), Path::new("/new")).unwrap_err();
    assert_eq!(storage.files(), [Path::new("/0.index"), Path::new("/0.log")]);
    storage.clear_faults();
    storage.rename(Path::new("/0.index"), Path::new("/new")).unwrap();
}

#[test]
fn a_read_only_file_system_refuses_every_mutation_and_serves_reads() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", b"12345");
    storage.set_read_only(true);
    let path = Path::new("/a");
    let refused = [
        file.append(&[b"x"]),
        file.reserve(1),
        file.seal(),
        storage.create_dir_all(Path::new("/dir")),
        storage.open_append(path, 0, CAPACITY).map(drop),
        storage.truncate(path, 0),
        storage.rename(path, Path::new("/b")),
        storage.remove_file(path),
        storage.remove_dir_all(Path::new("/dir")),
    ];
    for result in refused {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(storage.read(path).unwrap(), b"12345");
    assert_eq!(file.file().view(0, 5).unwrap(), &b"12345"[..]);
    storage.set_read_only(false);
    file.append(&[b"6"]).unwrap();
    assert_eq!(storage.read(path).unwrap(), b"123456");
}

#[test]
fn a_disk_that_lies_loses_what_was_synced() {
    let storage = FaultStorage::new(1);
    storage.lie_about(Lie::FileSync);
    drop(create_durable(&storage, "/a", b"contents"));
    assert!(after_power_loss(&storage).any(|restarted| restarted.contents("/a").unwrap().is_empty()));

    let storage = FaultStorage::new(1);
    storage.lie_about(Lie::DirSync);
    drop(create_durable(&storage, "/a", b"contents"));
    assert!(after_power_loss(&storage).any(|restarted| restarted.files().is_empty()));
}

#[test]
fn the_trace_tells_what_was_asked_and_what_went_wrong() {
    let storage = FaultStorage::new(1);
    storage.start_trace();
    drop(create(&storage, "/a"));
    storage.inject(Fault::new(ErrorKind::PermissionDenied).on(Operation::Rename));
    storage.rename(Path::new("/a"), Path::new("/b")).unwrap_err();
    storage.crash_at(2);
    storage.sync_dir(Path::new("/")).unwrap_err();
    storage.len(Path::new("/a")).unwrap_err();
    assert_eq!(
        storage.trace(),
        [
            "0 open_append /a",
            "1 rename /a /b: injected fault: permission denied",
            "2 sync_dir /: crash",
            "3 len /a: simulated crash",
        ]
    );
    assert_eq!((storage.operations(), storage.mutations()), (4, 3));
}

// Damage.

#[test]
fn a_flipped_bit_is_seen_by_readers_and_survives_but_views_stay_as_they_are() {
    let storage = FaultStorage::new(1);
    let mut file = create_durable(&storage, "/a", &[0; 100]);
    let view = file.file().view(0, 100).unwrap();
    storage.flip_bit("/a", 50, 3).unwrap();
    let mut byte = [0];
    file.file().read_at(50, &mut byte).unwrap();
    assert_eq!((byte, view[50]), ([8], 0));
    file.append(&[b"x"]).unwrap();
    assert!(after_power_loss(&storage).all(|restarted| restarted.contents("/a").unwrap()[50] == 8));
    assert_eq!(storage.flip_bit("/a", 101, 0).unwrap_err().kind(), ErrorKind::UnexpectedEof);

    file.reserve(9000).unwrap();
    file.file().sync().unwrap();
    storage.flip_bit("/a", 8000, 0).unwrap();
    assert_eq!(storage.contents("/a").unwrap().len(), 9101);
    let mut longest = after_power_loss(&storage).filter(|restarted| restarted.contents("/a").unwrap().len() > 8000);
    assert_eq!(longest.next().unwrap().contents("/a").unwrap()[8000], 1, "also where space is only reserved");
}

#[test]
fn damage_is_durable_whatever_was_pending() {
    let storage = FaultStorage::new(1);
    storage.create_dir_all(Path::new("/dir")).unwrap();
    for path in ["/dir/a", "/dir/b"] {
        create(&storage, path).append(&[b"12345"]).unwrap();
    }
    storage.cut("/dir/a", 3).unwrap();
    storage.erase("/dir/b").unwrap();
    storage.set_contents("/dir/new/c", b"c").unwrap();
    let expected = [("/dir/a", "123"), ("/dir/new/c", "c")].map(|(path, text)| (path.into(), text.into()));
    for restarted in after_power_loss(&storage) {
        assert_eq!(image(&restarted), Image::from(expected.clone()));
    }
    assert_eq!(storage.cut("/dir/a", 4).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(storage.erase("/dir/b").unwrap_err().kind(), ErrorKind::NotFound);
}

// Time and writers.

#[test]
fn files_are_dated_by_the_clock_that_was_given() {
    let clock = ManualClock::new(5);
    let storage = FaultStorage::with_clock(1, clock.clone());
    let mut file = create_durable(&storage, "/a", b"x");
    let modified_ms = |storage: &FaultStorage| storage.list(Path::new("/")).unwrap()[0].modified_ms;
    assert_eq!(modified_ms(&storage), 5);
    clock.advance(Duration::from_secs(2));
    assert_eq!(modified_ms(&storage), 5);
    file.append(&[b"y"]).unwrap();
    assert_eq!(modified_ms(&storage), 2005);
    clock.set_ms(3);
    assert_eq!(modified_ms(&storage.after_crash(Crash::Power, 0)), 2005);
}

#[test]
fn a_writer_whose_file_somebody_else_opened_for_appending_is_refused() {
    let storage = FaultStorage::new(1);
    let mut first = create(&storage, "/a");
    first.append(&[b"1"]).unwrap();
    let mut second = storage.open_append(Path::new("/a"), 1, CAPACITY).unwrap();
    assert_eq!(first.append(&[b"x"]).unwrap_err().kind(), ErrorKind::ResourceBusy);
    second.append(&[b"2"]).unwrap();
    assert_eq!(storage.read(Path::new("/a")).unwrap(), b"12");
}
