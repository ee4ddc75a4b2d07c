//! One engine writes a directory, the other opens it, finds everything there that was written, goes on writing, and
//! hands it back.

use std::collections::BTreeMap;
use std::path::Path;

use esker::TopicPartition;
use esker_kafka_tests::description::Description;
use esker_kafka_tests::engine::{Engine, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, START_MS};
use esker_kafka_tests::theirs::Kafka;
use tempfile::TempDir;

type Descriptions = BTreeMap<TopicPartition, Description>;

/// How the one who wrote a directory left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Closed,
    /// Its process was killed.
    Open,
}

fn esker(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &scenario::topics())
}

fn kafka(dir: &Path) -> Kafka {
    Kafka::open(dir, START_MS, &scenario::topics())
}

/// All partitions, and lookups in them by all timestamps at which the answer may change.
fn describe(engine: &impl Engine) -> Descriptions {
    let described = scenario::partitions().into_iter().map(|at| {
        let timestamps = engine.describe(&at, &[]).interesting_timestamps();
        (at.clone(), engine.describe(&at, &timestamps))
    });
    described.collect()
}

/// Has one engine write a directory, and returns it as it was left, and what was in it.
fn written_by<E: Engine>(open: fn(&Path) -> E, left: Left) -> (TempDir, Descriptions) {
    let dir = TempDir::new().expect("a temporary directory");
    let engine = open(dir.path());
    scenario::play(&engine);
    let written = describe(&engine);
    match left {
        Left::Closed => {
            engine.close();
            (dir, written)
        }
        Left::Open => {
            let copy = files::copy_of(dir.path());
            engine.close();
            (copy, written)
        }
    }
}

fn assert_same(found: &Descriptions, written: &Descriptions) {
    assert_eq!(found.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>());
    for (at, written) in written {
        assert_eq!(found[at].difference(written), None, "{at}");
    }
}

/// Opening must find nothing wrong, but for the space that esker holds ahead of its writer: zeros behind the last
/// batch, which Kafka cuts off after a crash and tells of.
fn assert_nothing_is_wrong(engine: &impl Engine, written: &Descriptions) {
    for complaint in engine.complaints() {
        let is_about_zeros = complaint.contains("Found record size 0 smaller than minimum record overhead");
        let is_cut_at_end = written.iter().any(|(at, written)| {
            complaint.contains(&format!("partition={at},"))
                && complaint.ends_with(&format!("truncating to offset {}", written.log_end))
        });
        assert!(is_about_zeros || is_cut_at_end, "{complaint}");
    }
}

/// Hands a directory from its writer to the other engine and back. Both append, and both must find everything.
fn hand_over<W: Engine, R: Engine>(writer: fn(&Path) -> W, reader: fn(&Path) -> R, left: Left) {
    let (dir, written) = written_by(writer, left);

    let reading = reader(dir.path());
    match left {
        Left::Closed => assert_eq!(reading.complaints(), Vec::<String>::new()),
        Left::Open => assert_nothing_is_wrong(&reading, &written),
    }
    assert_same(&describe(&reading), &written);
    scenario::append_round(&reading, 5);
    let continued = describe(&reading);
    reading.close();

    let writing = writer(dir.path());
    assert_eq!(writing.complaints(), Vec::<String>::new());
    assert_same(&describe(&writing), &continued);
    scenario::append_round(&writing, 6);
    let finished = describe(&writing);
    writing.close();

    let reading = reader(dir.path());
    assert_eq!(reading.complaints(), Vec::<String>::new());
    assert_same(&describe(&reading), &finished);
    reading.close();
}

#[test]
fn kafka_reads_and_continues_what_esker_closed() {
    hand_over(esker, kafka, Left::Closed);
}

#[test]
fn kafka_reads_and_continues_what_esker_left_open() {
    hand_over(esker, kafka, Left::Open);
}

#[test]
fn esker_reads_and_continues_what_kafka_closed() {
    hand_over(kafka, esker, Left::Closed);
}

#[test]
fn esker_reads_and_continues_what_kafka_left_open() {
    hand_over(kafka, esker, Left::Open);
}

#[test]
fn kafka_takes_a_directory_of_eskers_for_one_of_its_own() {
    let dir = TempDir::new().expect("a temporary directory");
    let ours = esker(dir.path());
    scenario::play(&ours);
    let cluster_id = ours.store.cluster_id().to_owned();
    let written = describe(&ours);
    ours.close();
    let indexes = |at: &TopicPartition, suffix: &str| files::with_suffix(&dir.path().join(at.to_string()), suffix);
    let offset_indexes = |at| indexes(at, ".index").iter().map(|path| files::offset_index(path)).collect::<Vec<_>>();
    let time_indexes = |at| indexes(at, ".timeindex").iter().map(|path| files::time_index(path)).collect::<Vec<_>>();
    let events = partition(EVENTS);
    let (offsets, times) = (offset_indexes(&events), time_indexes(&events));
    assert!(offsets.iter().filter(|entries| entries.len() > 2).count() > 5, "there are entries");

    let theirs = kafka(dir.path());
    assert!(theirs.found.was_clean);
    assert_eq!((&theirs.found.cluster_id, theirs.found.node_id), (&cluster_id, 1));
    let mut partitions: Vec<String> = written.keys().map(ToString::to_string).collect();
    partitions.sort();
    assert_eq!(theirs.found.partitions, partitions);
    for at in written.keys() {
        let found = theirs.describe(at, &[]);
        assert_eq!(found.recovery_point, found.log_end, "nothing of {at} needs recovery");
    }
    // Kafka keeps our indexes as they are. It would rebuild those that it does not trust.
    let found = theirs.describe(&events, &[]);
    assert_eq!(found.segments.iter().map(|segment| segment.offset_index.clone()).collect::<Vec<_>>(), offsets);
    assert_eq!(found.segments.iter().map(|segment| segment.time_index.clone()).collect::<Vec<_>>(), times);
    theirs.close();
}
