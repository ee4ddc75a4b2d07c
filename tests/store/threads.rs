//! What a store does where the system has no threads to give.

use std::path::Path;
use std::process::{Command, Stdio};

use esker::{Maintenance, Store, StoreConfig, TopicConfig};

const DIR_FOR_CHILD: &str = "ESKER_THREADS_TEST_DIR";
const PARTITIONS: i32 = 8;

fn open(dir: &Path) -> esker::Result<Store> {
    let config = StoreConfig { num_recovery_threads_per_data_dir: 4, ..StoreConfig::default() };
    Store::options().config(config).maintenance(Maintenance::Manual).open(dir)
}

/// Not a test by itself: what the child process of the next one runs.
#[test]
fn child_that_gets_no_threads() {
    let Ok(dir) = std::env::var(DIR_FOR_CHILD) else { return };
    assert!(std::thread::Builder::new().spawn(|| {}).is_err(), "there is no memory for its stack");
    let store = open(Path::new(&dir)).unwrap();
    println!("opened {} partitions", store.partition_count("t").unwrap());
}

#[test]
fn a_store_is_opened_by_its_caller_alone_where_there_are_no_threads_to_be_had() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap().create_topic("t", TopicConfig::new().partitions(PARTITIONS)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "threads::child_that_gets_no_threads", "--nocapture"])
        .env(DIR_FOR_CHILD, dir.path())
        // More than there are addresses.
        .env("RUST_MIN_STACK", (1_u64 << 47).to_string())
        .stderr(Stdio::inherit());
    let told = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(told.contains(&format!("opened {PARTITIONS} partitions")), "{told}");
}
