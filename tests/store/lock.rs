//! A directory is one process's, one store's and one node's.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use esker::Error;
use esker::io::MemoryStorage;

use crate::api::{NOW_MS, append, manual, values};
use crate::create;

#[test]
fn a_directory_is_open_once_in_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let log = create(&store, "t");
    let own_pid = std::process::id().to_string();
    for path in [dir.path().to_owned(), dir.path().join(".")] {
        match manual().0.open(&path) {
            Err(Error::DirectoryLocked { directory, holder }) => {
                assert_eq!(directory, path);
                assert!(holder.contains(&own_pid), "{holder}");
            }
            other => panic!("{other:?}"),
        }
    }
    append(&log, NOW_MS, &["undisturbed"]);
    store.close().unwrap();
    let again = manual().0.open(dir.path()).unwrap();
    assert_eq!(values(&again.partition("t", 0).unwrap()), ["undisturbed"]);
    drop(store);
    assert!(manual().0.open(dir.path()).is_err(), "the old handle gives nothing back twice");
}

const DIR_FOR_CHILD: &str = "ESKER_TEST_DIR";

/// Not a test by itself: what the child process of the next one runs.
#[test]
fn child_that_tries_to_open() {
    if let Ok(dir) = std::env::var(DIR_FOR_CHILD) {
        match manual().0.open(dir) {
            Ok(_) => println!("opened"),
            Err(Error::DirectoryLocked { holder, .. }) => println!("held by {holder}."),
            Err(error) => println!("{error}"),
        }
    }
}

fn open_in_child(dir: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "lock::child_that_tries_to_open", "--nocapture"])
        .env(DIR_FOR_CHILD, dir)
        .stderr(Stdio::inherit());
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

#[test]
fn a_directory_is_open_in_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let store = manual().0.open(dir.path()).unwrap();
    let told = open_in_child(dir.path());
    assert!(told.contains(&format!("pid {}.", std::process::id())), "{told}");
    // A refused open within this process must not let go of the lock.
    assert!(manual().0.open(dir.path()).is_err());
    assert!(open_in_child(dir.path()).contains("held by"));
    drop(store);
    assert!(open_in_child(dir.path()).contains("opened"));
}

#[test]
fn a_directory_belongs_to_one_node() {
    let disk = Arc::new(MemoryStorage::new());
    let open = |node_id: Option<i32>| manual().0.storage(disk.clone()).node_id(node_id).open("data");
    assert!(matches!(open(Some(-1)), Err(Error::InvalidConfig { key, .. }) if key == "node.id"));
    assert_eq!(open(Some(7)).unwrap().node_id(), 7);
    for same in [None, Some(7)] {
        assert_eq!(open(same).unwrap().node_id(), 7);
    }
    let another = open(Some(8)).expect_err("it belongs to 7").to_string();
    assert!(another.contains("node.id = \"8\"") && another.contains("7, the node"), "{another}");
    assert_eq!(manual().0.open_temporary().unwrap().node_id(), 1, "if nobody says");
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_is_not_lost_to_one_that_is_let_go_of() {
    use esker::io::{FsStorage, Storage};
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".lock");
    drop(FsStorage::new().lock(&path).unwrap());
    let inode = format!(":{} ", fs::metadata(&path).unwrap().ino());
    // One read is one moment; between two, the locks of others come and go.
    let locks = || {
        let mut locks = vec![0; 1 << 18];
        let len = std::io::Read::read(&mut fs::File::open("/proc/locks").unwrap(), &mut locks).unwrap();
        String::from_utf8_lossy(&locks[..len]).into_owned()
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    // Closing any handle of the file ends the lock of the whole process.
                    if let Ok(_lock) = FsStorage::new().lock(&path) {
                        assert!(locks().contains(&inode), "nobody was kept out");
                    }
                }
            });
        }
    });
}
