//! What every [`Storage`] does, whether it is memory or a simulated disk. What survives a crash is not visible from
//! inside one process; `tests/sim.rs` is about that.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use esker::io::{AppendFile, FsStorage, Locked, MemoryStorage, Storage, StorageFile, replace_file};

/// Runs every test of the contract on the storage, and below the root, that `$subject` makes.
macro_rules! storage_contract {
    ($name:ident, $subject:expr) => {
        storage_contract!(@tests $name, $subject,
            a_directory_is_made_with_those_above_it_and_making_it_again_is_fine,
            what_does_not_exist_is_not_found,
            a_file_is_not_a_directory,
            the_parts_of_an_append_follow_each_other_and_are_seen_at_once,
            reading_past_the_end_is_refused,
            a_view_stays_what_it_was,
            an_append_beyond_the_capacity_is_refused_and_leaves_the_file_as_it_was,
            reserved_space_is_part_of_the_file_until_it_is_sealed,
            an_opened_file_has_the_length_it_had_then,
            opening_for_appending_cuts_off_what_lies_beyond,
            truncating_cuts_and_the_file_can_be_appended_to_again,
            a_rename_replaces_the_file_and_its_readers_keep_it,
            a_renamed_directory_takes_along_what_is_in_it,
            a_removed_file_is_kept_by_its_readers,
            a_name_that_is_free_again_gets_a_new_file,
            a_removed_directory_is_gone_with_everything_in_it,
            a_listing_tells_files_from_directories,
            a_lock_is_exclusive_and_ends_with_its_holder,
            what_can_be_used_is_a_part_of_the_space,
            replacing_a_file_leaves_the_new_contents_alone,
            syncing_changes_nothing_that_can_be_seen,
            appends_of_any_size_between_syncs_follow_each_other,
            readers_see_whole_appends_while_a_writer_works,
        );
    };
    (@tests $name:ident, $subject:expr, $($test:ident),* $(,)?) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $test() {
                    let subject = $subject;
                    subject.storage.create_dir_all(&subject.root).unwrap();
                    super::$test(&*subject.storage, &subject.root);
                }
            )*
        }
    };
}

struct Subject {
    storage: Arc<dyn Storage>,
    root: PathBuf,
    /// The root is in it, if it is on the real disk.
    _dir: Option<tempfile::TempDir>,
}

impl Subject {
    fn simulated(storage: impl Storage + 'static) -> Self {
        Self { storage: Arc::new(storage), root: PathBuf::from("/data"), _dir: None }
    }

    fn on_disk(storage: FsStorage) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { storage: Arc::new(storage), root: dir.path().join("data"), _dir: Some(dir) }
    }
}

storage_contract!(memory, Subject::simulated(MemoryStorage::new()));
#[cfg(feature = "sim")]
storage_contract!(fault, Subject::simulated(esker::sim::FaultStorage::new(0)));
storage_contract!(mapped, Subject::on_disk(FsStorage::new()));
storage_contract!(plain, Subject::on_disk(FsStorage::without_mmap()));

const CAPACITY: u64 = 1 << 20;

fn create(storage: &dyn Storage, path: &Path, contents: &[u8]) -> Box<dyn AppendFile> {
    let mut file = storage.open_append(path, 0, CAPACITY).unwrap();
    file.append(&[contents]).unwrap();
    file
}

/// Writes a whole file and closes it.
fn write(storage: &dyn Storage, path: &Path, contents: &[u8]) {
    create(storage, path, contents).seal().unwrap();
}

fn read_all(file: &dyn StorageFile) -> Vec<u8> {
    let mut bytes = vec![0; file.len() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn names(storage: &dyn Storage, dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = storage.list(dir).unwrap().into_iter().map(|entry| entry.name).collect();
    names.sort();
    names
}

fn what_can_be_used_is_a_part_of_the_space(storage: &dyn Storage, root: &Path) {
    // Where it is known.
    if let Some(space) = storage.space(root).unwrap() {
        assert!(space.total_bytes > 0 && space.usable_bytes <= space.total_bytes, "{space:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_disk_knows_its_space() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FsStorage::new().space(dir.path()).unwrap().is_some());
    assert_eq!(FsStorage::new().space(&dir.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(MemoryStorage::new().space(dir.path()).unwrap(), None);
}

#[cfg(all(unix, target_pointer_width = "64"))]
#[test]
fn a_file_on_disk_appends_at_once_until_it_has_to_grow() {
    let dir = tempfile::tempdir().unwrap();
    let storage = FsStorage::new();
    let mut writer = storage.open_append(&dir.path().join("file"), 0, 1 << 30).unwrap();
    assert!(!writer.appends_at_once(1), "it has no space yet");
    writer.append(&[b"a"]).unwrap();
    assert!(writer.appends_at_once(1) && !writer.appends_at_once(1 << 29));
    let mut appended = 1;
    while writer.appends_at_once(1000) {
        writer.append(&[&[b'b'; 1000]]).unwrap();
        appended += 1000;
    }
    writer.append(&[&[b'b'; 1000]]).unwrap();
    assert!(writer.appends_at_once(1000), "what it lacked it has got");
    assert_eq!(writer.file().len(), appended + 1000);
}

fn a_directory_is_made_with_those_above_it_and_making_it_again_is_fine(storage: &dyn Storage, root: &Path) {
    let dir = root.join("a/b/c");
    storage.create_dir_all(&dir).unwrap();
    write(storage, &dir.join("file"), b"x");
    storage.create_dir_all(&dir).unwrap();
    assert_eq!(names(storage, root), ["a"]);
    assert_eq!(names(storage, &dir), ["file"]);
}

fn what_does_not_exist_is_not_found(storage: &dyn Storage, root: &Path) {
    let missing = root.join("missing");
    let inside = missing.join("file");
    let not_found = [
        storage.list(&missing).map(drop),
        storage.len(&missing).map(drop),
        storage.read(&missing).map(drop),
        storage.open(&missing).map(drop),
        storage.open_append(&inside, 0, CAPACITY).map(drop),
        storage.truncate(&missing, 0),
        storage.rename(&missing, &root.join("other")),
        storage.remove_file(&missing),
        storage.remove_dir_all(&missing),
        storage.sync_dir(&missing),
    ];
    for (index, result) in not_found.into_iter().enumerate() {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound, "call {index}");
    }
    assert!(names(storage, root).is_empty());
}

fn a_file_is_not_a_directory(storage: &dyn Storage, root: &Path) {
    let file = root.join("file");
    write(storage, &file, b"x");
    storage.list(&file).unwrap_err();
    storage.create_dir_all(&file.join("dir")).unwrap_err();
    assert_eq!(storage.create_dir_all(&file).unwrap_err().kind(), ErrorKind::NotADirectory);
    storage.open_append(&file.join("inside"), 0, CAPACITY).unwrap_err();
    storage.remove_dir_all(&file).unwrap_err();
    storage.create_dir_all(&root.join("dir")).unwrap();
    storage.open_append(&root.join("dir"), 0, CAPACITY).unwrap_err();
    storage.remove_file(&root.join("dir")).unwrap_err();
    storage.rename(&file, &root.join("dir")).unwrap_err();
    assert_eq!(names(storage, root), ["dir", "file"]);
    assert_eq!(storage.read(&file).unwrap(), b"x");
}

fn the_parts_of_an_append_follow_each_other_and_are_seen_at_once(storage: &dyn Storage, root: &Path) {
    let mut writer = storage.open_append(&root.join("file"), 0, CAPACITY).unwrap();
    let reader = writer.file();
    assert!(reader.is_empty());
    assert_eq!(reader.view(0, 0).unwrap(), &b""[..]);
    writer.append(&[b"one, ", b"", b"two"]).unwrap();
    assert_eq!(read_all(&*reader), b"one, two");
    writer.append(&[]).unwrap();
    writer.append(&[b", three"]).unwrap();
    assert_eq!(read_all(&*reader), b"one, two, three");
    assert_eq!(reader.view(3, 9).unwrap(), &b", two, th"[..]);
    let mut middle = [0; 3];
    reader.read_at(5, &mut middle).unwrap();
    assert_eq!(&middle, b"two");
}

fn reading_past_the_end_is_refused(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = create(storage, &path, b"12345");
    writer.reserve(100).unwrap();
    let reader = writer.file();
    for (position, len) in [(0, 6), (5, 1), (6, 0), (100, 3), (u64::MAX, 1), (u64::MAX, 0)] {
        let mut buffer = vec![0; len];
        let read = reader.read_at(position, &mut buffer).unwrap_err();
        assert_eq!(read.kind(), ErrorKind::UnexpectedEof, "{len} bytes at {position}");
        let viewed = reader.view(position, len).unwrap_err();
        assert_eq!(viewed.kind(), ErrorKind::UnexpectedEof, "{len} bytes at {position}");
    }
    reader.read_at(5, &mut []).unwrap();
    assert_eq!(reader.view(5, 0).unwrap(), &b""[..]);
}

fn a_view_stays_what_it_was(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = storage.open_append(&path, 0, CAPACITY).unwrap();
    let reader = writer.file();
    let mut views = Vec::new();
    for i in 0..200_u32 {
        writer.append(&[&i.to_be_bytes(), &[i as u8; 100]]).unwrap();
        views.push(reader.view(u64::from(i) * 104, 104).unwrap());
    }
    let all = reader.view(0, 200 * 104).unwrap();
    writer.seal().unwrap();
    drop((writer, reader));
    write(storage, &root.join("other"), b"replaces it");
    storage.rename(&root.join("other"), &path).unwrap();
    storage.remove_file(&path).unwrap();
    for (i, view) in views.iter().enumerate() {
        let expected = [&(i as u32).to_be_bytes()[..], &[i as u8; 100]].concat();
        assert_eq!(view, &expected);
        assert_eq!(all[i * 104..(i + 1) * 104], expected);
    }
}

fn an_append_beyond_the_capacity_is_refused_and_leaves_the_file_as_it_was(storage: &dyn Storage, root: &Path) {
    let mut writer = storage.open_append(&root.join("file"), 0, 10).unwrap();
    writer.append(&[b"12345"]).unwrap();
    writer.append(&[b"123", b"456"]).unwrap_err();
    assert_eq!(read_all(&*writer.file()), b"12345");
    writer.append(&[b"67890"]).unwrap();
    assert_eq!(read_all(&*writer.file()), b"1234567890");
}

fn reserved_space_is_part_of_the_file_until_it_is_sealed(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = create(storage, &path, b"12345");
    writer.reserve(1000).unwrap();
    assert!(storage.len(&path).unwrap() >= 1005);
    assert_eq!(writer.file().len(), 5);
    let whole = storage.read(&path).unwrap();
    assert_eq!(&whole[..5], b"12345");
    assert!(whole[5..].iter().all(|byte| *byte == 0));
    let opened = storage.open(&path).unwrap();
    assert_eq!(opened.len(), whole.len() as u64);
    assert_eq!(read_all(&*opened), whole);
    drop(opened);
    writer.append(&[b"6"]).unwrap();
    writer.seal().unwrap();
    assert_eq!(storage.len(&path).unwrap(), 6);
    assert_eq!(storage.read(&path).unwrap(), b"123456");
}

fn an_opened_file_has_the_length_it_had_then(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = create(storage, &path, b"12345");
    writer.seal().unwrap();
    drop(writer);
    let opened = storage.open(&path).unwrap();
    let mut writer = storage.open_append(&path, 5, CAPACITY).unwrap();
    writer.append(&[b"678"]).unwrap();
    assert_eq!(opened.len(), 5);
    assert_eq!(read_all(&*opened), b"12345");
    assert_eq!(read_all(&*writer.file()), b"12345678");
    assert_eq!(opened.view(3, 3).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

fn opening_for_appending_cuts_off_what_lies_beyond(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = create(storage, &path, b"1234567890");
    writer.reserve(5000).unwrap();
    drop(writer);
    let mut writer = storage.open_append(&path, 4, CAPACITY).unwrap();
    assert_eq!(read_all(&*writer.file()), b"1234");
    assert_eq!(storage.read(&path).unwrap(), b"1234");
    writer.append(&[b"new"]).unwrap();
    writer.seal().unwrap();
    drop(writer);
    assert_eq!(storage.open_append(&path, 8, CAPACITY).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(storage.read(&path).unwrap(), b"1234new");
}

fn truncating_cuts_and_the_file_can_be_appended_to_again(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    write(storage, &path, &[7; 10_000]);
    storage.truncate(&path, 5_000).unwrap();
    assert_eq!(storage.read(&path).unwrap(), [7; 5_000]);
    storage.open_append(&path, 5_000, CAPACITY).unwrap().append(&[b"end"]).unwrap();
    assert_eq!(storage.open(&path).unwrap().view(4_999, 4).unwrap(), &b"\x07end"[..]);
    storage.truncate(&path, 0).unwrap();
    assert_eq!(storage.len(&path).unwrap(), 0);
}

fn a_rename_replaces_the_file_and_its_readers_keep_it(storage: &dyn Storage, root: &Path) {
    let (from, to) = (root.join("from"), root.join("to"));
    write(storage, &from, b"new");
    write(storage, &to, b"replaced");
    let replaced = storage.open(&to).unwrap();
    let moved = storage.open(&from).unwrap();
    storage.rename(&from, &to).unwrap();
    assert_eq!(names(storage, root), ["to"]);
    assert_eq!(storage.read(&to).unwrap(), b"new");
    assert_eq!(read_all(&*moved), b"new");
    assert_eq!(read_all(&*replaced), b"replaced");
    storage.rename(&to, &to).unwrap();
    assert_eq!(storage.read(&to).unwrap(), b"new");
}

fn a_renamed_directory_takes_along_what_is_in_it(storage: &dyn Storage, root: &Path) {
    storage.create_dir_all(&root.join("from/deep")).unwrap();
    storage.create_dir_all(&root.join("parent")).unwrap();
    write(storage, &root.join("from/deep/file"), b"x");
    storage.rename(&root.join("from"), &root.join("parent/to")).unwrap();
    assert_eq!(names(storage, root), ["parent"]);
    assert_eq!(storage.read(&root.join("parent/to/deep/file")).unwrap(), b"x");
    storage.rename(&root.join("parent"), &root.join("parent/to/itself")).unwrap_err();
}

fn a_removed_file_is_kept_by_its_readers(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let writer = create(storage, &path, b"kept");
    let (reader, opened) = (writer.file(), storage.open(&path).unwrap());
    drop(writer);
    storage.remove_file(&path).unwrap();
    assert!(names(storage, root).is_empty());
    assert_eq!(reader.view(0, 4).unwrap(), &b"kept"[..]);
    assert_eq!(&read_all(&*opened)[..4], b"kept");
    assert_eq!(storage.remove_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
}

fn a_name_that_is_free_again_gets_a_new_file(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    write(storage, &path, b"first");
    let first = storage.open(&path).unwrap();
    storage.remove_file(&path).unwrap();
    write(storage, &path, b"second");
    assert_eq!(read_all(&*first), b"first");
    assert_eq!(storage.read(&path).unwrap(), b"second");
}

fn a_removed_directory_is_gone_with_everything_in_it(storage: &dyn Storage, root: &Path) {
    storage.create_dir_all(&root.join("a/b")).unwrap();
    write(storage, &root.join("a/b/file"), b"x");
    write(storage, &root.join("a/file"), b"x");
    let reader = storage.open(&root.join("a/file")).unwrap();
    storage.remove_dir_all(&root.join("a")).unwrap();
    assert!(names(storage, root).is_empty());
    storage.create_dir_all(&root.join("a/b")).unwrap();
    assert!(names(storage, &root.join("a/b")).is_empty());
    assert_eq!(read_all(&*reader), b"x");
}

fn a_listing_tells_files_from_directories(storage: &dyn Storage, root: &Path) {
    storage.create_dir_all(&root.join("dir")).unwrap();
    write(storage, &root.join("file"), b"12345");
    write(storage, &root.join("dir/hidden"), b"x");
    let mut entries = storage.list(root).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let seen: Vec<_> = entries.iter().map(|entry| (&*entry.name, entry.is_dir, entry.len)).collect();
    assert_eq!(seen, [("dir", true, 0), ("file", false, 5)]);
}

fn a_lock_is_exclusive_and_ends_with_its_holder(storage: &dyn Storage, root: &Path) {
    let path = root.join(".lock");
    let held = storage.lock(&path).unwrap();
    assert!(matches!(storage.lock(&path), Err(Locked::Held(_))));
    let other = storage.lock(&root.join(".other")).unwrap();
    drop(held);
    let again = storage.lock(&path).unwrap();
    drop((again, other));
    assert_eq!(names(storage, root), [".lock", ".other"], "the files stay");
    assert!(matches!(storage.lock(&root.join("missing/.lock")), Err(Locked::Io(_))));
}

fn replacing_a_file_leaves_the_new_contents_alone(storage: &dyn Storage, root: &Path) {
    let path = root.join("checkpoint");
    for contents in [&b"first"[..], b"", b"a longer one"] {
        replace_file(storage, &path, contents).unwrap();
        assert_eq!(storage.read(&path).unwrap(), contents);
        assert_eq!(names(storage, root), ["checkpoint"]);
    }
}

fn syncing_changes_nothing_that_can_be_seen(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut writer = create(storage, &path, b"12345");
    writer.file().sync().unwrap();
    storage.sync_dir(root).unwrap();
    writer.append(&[b"678"]).unwrap();
    storage.open(&path).unwrap().sync().unwrap();
    assert_eq!(read_all(&*writer.file()), b"12345678");
}

fn appends_of_any_size_between_syncs_follow_each_other(storage: &dyn Storage, root: &Path) {
    let path = root.join("file");
    let mut file = storage.open_append(&path, 0, 16 << 20).unwrap();
    let reader = file.file();
    let (mut expected, mut views) = (Vec::new(), Vec::new());
    let lens = [1, 5_000, 700, 1_024, 131_073, 3, 40_000, 90, 131_072, 1_023, 200_000, 8_192];
    for (index, len) in lens.into_iter().cycle().take(120).enumerate() {
        let bytes = vec![index as u8; len];
        let (head, rest) = bytes.split_at(len / 3);
        file.append(&[head, rest]).unwrap();
        views.push((reader.view(expected.len() as u64, len).unwrap(), index as u8));
        expected.extend(bytes);
        if index % 5 == 0 {
            reader.populate_ahead();
        }
        // None for the first ones, then one after each, then one after some.
        if index > 20 && (index < 60 || index % 7 == 0) {
            reader.sync().unwrap();
        }
    }
    assert!(views.iter().all(|(view, index)| view.iter().all(|byte| byte == index)));
    assert_eq!(read_all(&*reader), expected);
    file.seal().unwrap();
    assert_eq!(storage.read(&path).unwrap(), expected);
}

/// A recovery looks at what lies behind the end: it must not find what was never appended.
#[cfg(unix)]
#[test]
fn behind_the_end_of_a_file_that_was_not_sealed_are_zeros() {
    let dir = tempfile::tempdir().unwrap();
    for is_synced in [false, true] {
        let path = dir.path().join(format!("file-{is_synced}"));
        let mut file = FsStorage::new().open_append(&path, 0, 16 << 20).unwrap();
        let mut expected = Vec::new();
        let lens = [100, 5_000, 1_024, 40_000, 130_000, 70_001, 200_000];
        for (index, len) in lens.into_iter().cycle().take(60).enumerate() {
            file.append(&[&vec![b'x'; len]]).unwrap();
            expected.resize(expected.len() + len, b'x');
            if is_synced && index % 3 != 0 {
                file.file().sync().unwrap();
            }
            let found = std::fs::read(&path).unwrap();
            let (appended, behind) = found.split_at(expected.len());
            assert!(appended == expected && behind.iter().all(|byte| *byte == 0), "after append {index}");
        }
        file.seal().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), expected.len() as u64);
    }
}

fn readers_see_whole_appends_while_a_writer_works(storage: &dyn Storage, root: &Path) {
    const APPENDS: u64 = 2_000;
    const SIZE: u64 = 50;
    let mut writer = storage.open_append(&root.join("file"), 0, APPENDS * SIZE).unwrap();
    let reader = writer.file();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut was_done = false;
                while !was_done {
                    was_done = is_done.load(Ordering::Acquire);
                    let appends = reader.len() / SIZE;
                    for append in appends.saturating_sub(3)..appends {
                        let view = reader.view(append * SIZE, SIZE as usize).unwrap();
                        assert_eq!(view, vec![append as u8; SIZE as usize]);
                    }
                }
            });
        }
        for append in 0..APPENDS {
            writer.append(&[&vec![append as u8; SIZE as usize]]).unwrap();
        }
        is_done.store(true, Ordering::Release);
    });
    assert_eq!(reader.len(), APPENDS * SIZE);
}
