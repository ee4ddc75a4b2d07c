//! What a crash leaves of the last batch: both engines cut at the same place, and neither minds what the other left.

use std::fs;
use std::path::{Path, PathBuf};

use esker_kafka_tests::description::Description;
use esker_kafka_tests::engine::{Engine, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, START_MS};
use esker_kafka_tests::theirs::Kafka;
use tempfile::TempDir;

/// What can be wrong behind the last whole batch.
const TEARS: [(&str, Tear); 6] = [
    ("the last batch ends early", |log, batch| log.truncate(log.len() - batch / 2)),
    ("the last batch ends within its header", |log, batch| log.truncate(log.len() - batch + 20)),
    ("the end of the last batch never got there", |log, batch| {
        let at = log.len() - batch / 2;
        log[at..].fill(0);
    }),
    ("a byte of the last batch is wrong", |log, _| *log.last_mut().expect("a batch") ^= 1),
    ("zeros follow", |log, batch| {
        log.extend(std::iter::repeat_n(0, 5000));
        let at = log.len() - 5000 - batch;
        log[at + 25] ^= 1; // and the last batch is wrong
    }),
    ("the last batch is missing", |log, batch| log.truncate(log.len() - batch)),
];

/// Does something to a log file, given the size of its last batch.
type Tear = fn(&mut Vec<u8>, usize);

/// The last log file of the partition that is torn.
fn last_log(dir: &Path) -> PathBuf {
    files::with_suffix(&dir.join(partition(EVENTS).to_string()), ".log").pop().expect("it has segments")
}

fn tear(dir: &Path, written: &Description, tear: Tear) {
    let path = last_log(dir);
    let mut log = fs::read(&path).expect("the log can be read");
    log.truncate(written.segments.last().expect("a segment").size as usize);
    tear(&mut log, written.batches.last().expect("a batch").size as usize);
    fs::write(path, log).expect("the log can be written");
}

/// Opens a directory with an engine, and tells what it finds in the partition that was torn.
fn recover<E: Engine>(open: fn(&Path) -> E, dir: &Path, timestamps: &[i64]) -> Description {
    let engine = open(dir);
    let found = engine.describe(&partition(EVENTS), timestamps);
    engine.close();
    found
}

fn esker(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &scenario::topics())
}

fn kafka(dir: &Path) -> Kafka {
    Kafka::open(dir, START_MS, &scenario::topics())
}

fn both_recover_the_same(left_open: &Path, written: &Description) {
    let timestamps = written.interesting_timestamps();
    for (what, how) in TEARS {
        let (ours, theirs) = (files::copy_of(left_open), files::copy_of(left_open));
        tear(ours.path(), written, how);
        tear(theirs.path(), written, how);
        let found = recover(esker, ours.path(), &timestamps);
        assert_eq!(found.batches, written.batches[..written.batches.len() - 1], "{what}");
        assert_eq!(found.difference(&recover(kafka, theirs.path(), &timestamps)), None, "{what}");
        // Each opens what the other has mended, and finds nothing wrong with it.
        let crossed = kafka(ours.path());
        assert_eq!(crossed.complaints(), Vec::<String>::new(), "{what}");
        assert_eq!(crossed.describe(&partition(EVENTS), &timestamps).difference(&found), None, "{what}");
        crossed.close();
        let crossed = esker(theirs.path());
        assert_eq!(crossed.complaints(), Vec::<String>::new(), "{what}");
        assert_eq!(crossed.describe(&partition(EVENTS), &timestamps).difference(&found), None, "{what}");
        crossed.close();
    }
}

fn left_open<E: Engine>(open: fn(&Path) -> E) -> (TempDir, Description) {
    let dir = TempDir::new().expect("a temporary directory");
    let engine = open(dir.path());
    scenario::play_briefly(&engine);
    let written = engine.describe(&partition(EVENTS), &[]);
    let copy = files::copy_of(dir.path());
    engine.close();
    (copy, written)
}

#[test]
fn both_recover_the_same_of_a_torn_tail_of_eskers() {
    let (dir, written) = left_open(esker);
    both_recover_the_same(dir.path(), &written);
}

#[test]
fn both_recover_the_same_of_a_torn_tail_of_kafkas() {
    let (dir, written) = left_open(kafka);
    both_recover_the_same(dir.path(), &written);
}
