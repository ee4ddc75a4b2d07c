//! Given the same batches and configs, Kafka writes the same files as esker, byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use esker_kafka_tests::batch::hex;
use esker_kafka_tests::engine::{CONSUMER_OFFSETS, Engine, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, LOG_APPEND_TIME, START_MS};
use esker_kafka_tests::theirs::Kafka;
use serde_json::json;
use tempfile::TempDir;

/// The segments of a partition and its leader epochs, by the names of the files.
fn files_of(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .expect("the directory can be read")
        .map(|entry| entry.expect("the directory can be read"))
        .map(|entry| (entry.file_name().into_string().expect("a name that is text"), entry.path()))
        .filter(|(name, _)| [".log", "index", "checkpoint"].iter().any(|end| name.ends_with(end)))
        .map(|(name, path)| (name, fs::read(path).expect("the file can be read")))
        .collect()
}

#[test]
fn kafka_writes_the_same_files() {
    let (ours, theirs) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let esker = Esker::open(ours.path(), START_MS, &scenario::topics());
    scenario::play(&esker);
    esker.close();

    let kafka = Kafka::open(theirs.path(), START_MS, &scenario::topics());
    for topic in [EVENTS, LOG_APPEND_TIME, CONSUMER_OFFSETS] {
        kafka.create_topic(topic);
        for log in files::with_suffix(&ours.path().join(partition(topic).to_string()), ".log") {
            for batch in files::batches(&log) {
                kafka.ask("append_as_follower", &partition(topic), json!({ "batch": hex(&batch) })).clean();
            }
        }
    }
    kafka.close();

    for topic in [EVENTS, LOG_APPEND_TIME, CONSUMER_OFFSETS] {
        let name = partition(topic).to_string();
        let (ours, theirs) = (ours.path().join(&name), theirs.path().join(&name));
        let (our_files, their_files) = (files_of(&ours), files_of(&theirs));
        assert_eq!(our_files.keys().collect::<Vec<_>>(), their_files.keys().collect::<Vec<_>>(), "{name}");
        for (file, bytes) in &our_files {
            assert_eq!(hex(bytes), hex(&their_files[file]), "{name}/{file}");
        }
    }
}
