//! Kafka's `DumpLogSegments` over every file that esker writes: it must print exactly what was written, and find no
//! fault.

use std::path::Path;

use esker::Acks;
use esker::coordinator::{GroupMetadata, MemberMetadata};
use esker::record::{BatchBuilder, RecordData};
use esker_kafka_tests::description::Description;
use esker_kafka_tests::dump::{Complaints, complaints_about, dump, logs, text_of_indexes, text_of_logs};
use esker_kafka_tests::engine::{CONSUMER_OFFSETS, Engine, partition};
use esker_kafka_tests::files;
use esker_kafka_tests::ours::Esker;
use esker_kafka_tests::scenario::{self, EVENTS, LOG_APPEND_TIME, START_MS};
use serde_json::{Value, json};
use tempfile::TempDir;

fn open(dir: &Path) -> Esker {
    Esker::open(dir, START_MS, &scenario::topics())
}

/// Runs the tool over the logs of a partition and over its indexes.
pub fn check(dir: &Path, description: &Description) {
    let logs = logs(dir, description);
    assert!(!logs.is_empty(), "there is something to look at");
    let paths: Vec<&Path> = logs.iter().map(|(path, _)| &**path).collect();
    let dumped = dump(&paths, &["--deep-iteration", "--print-data-log"]);
    assert_eq!(dumped.complaints, complaints_about(&logs));
    for (printed, expected) in dumped.printed.lines().zip(text_of_logs(&logs).lines()) {
        assert_eq!(printed, expected);
    }
    assert_eq!(dumped.printed.lines().count(), text_of_logs(&logs).lines().count());

    let mut indexes = files::with_suffix(dir, ".index");
    indexes.extend(files::with_suffix(dir, ".timeindex"));
    let dumped = dump(&indexes, &[]);
    assert_eq!((&dumped.printed, &dumped.complaints), (&text_of_indexes(&indexes), &Complaints::new()));
    assert_eq!(dump(&indexes, &["--verify-index-only"]).complaints, Complaints::new());
    let checked = dump(&indexes, &["--index-sanity-check"]);
    assert_eq!(checked.complaints, Complaints::new());
    let passed = checked.printed.lines().filter(|line| line.ends_with(" passed sanity check.")).count();
    let empty = checked.printed.lines().filter(|line| line.ends_with(" is empty.")).count();
    assert_eq!(passed + empty, indexes.len());
}

/// Runs the tool over everything in a directory that was closed.
fn check_all(dir: &Path) {
    let store = open(dir);
    let described: Vec<_> = scenario::partitions().into_iter().map(|at| (store.describe(&at, &[]), at)).collect();
    store.close();
    for (description, at) in &described {
        if !description.batches.is_empty() {
            check(&dir.join(at.to_string()), description);
        }
    }
    let segments =
        |topic: &str| described.iter().find(|(_, at)| *at == partition(topic)).map(|(d, _)| d.segments.len());
    assert!(segments(EVENTS) > Some(10) && segments(LOG_APPEND_TIME) > Some(10), "there are many segments");
}

#[test]
fn kafka_finds_no_fault_with_what_was_closed() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    store.close();
    check_all(dir.path());
}

#[test]
fn kafka_finds_no_fault_with_what_was_recovered() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    let copy = files::copy_of(dir.path());
    store.close();
    let recovered = open(copy.path());
    assert!(!recovered.store.recovery_report().clean_shutdown);
    scenario::append_round(&recovered, 5);
    recovered.close();
    check_all(copy.path());
}

#[test]
fn kafka_reads_the_offsets_that_groups_committed() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    let at = partition(CONSUMER_OFFSETS);
    let description = store.describe(&at, &[]);
    let committed = |group: &str| store.store.committed_offsets(group).unwrap();
    let mut expected = Vec::new();
    for group in store.store.groups().unwrap() {
        for (of, offset) in committed(&group) {
            expected.push((
                group.clone(),
                of.topic.to_string(),
                offset.offset,
                offset.metadata,
                offset.commit_timestamp,
            ));
        }
    }
    store.close();

    let logs = logs(&dir.path().join(at.to_string()), &description);
    let paths: Vec<&Path> = logs.iter().map(|(path, _)| &**path).collect();
    let dumped = dump(&paths, &["--offsets-decoder"]);
    assert_eq!(dumped.complaints, complaints_about(&logs));
    // Of each group and partition the last one counts.
    let mut found: Vec<(String, String, i64, String, i64)> = Vec::new();
    let mut lines = 0;
    for (key, payload) in decoded(&dumped.printed) {
        let (key, payload) = (&key["data"], &payload.as_ref().expect("a record has a value")["data"]);
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let number = |value: &Value| value.as_i64().expect("a number");
        let (group, topic) = (text(&key["group"]), text(&key["topic"]));
        found.retain(|(g, t, ..)| (g, t) != (&group, &topic));
        let metadata = text(&payload["metadata"]);
        found.push((group, topic, number(&payload["offset"]), metadata, number(&payload["commitTimestamp"])));
        lines += 1;
    }
    found.sort();
    assert_eq!(lines, description.records().count(), "every record was decoded");
    assert_eq!(found, expected);
}

#[test]
fn kafka_reads_who_is_in_a_group() {
    let dir = TempDir::new().expect("a temporary directory");
    let store = open(dir.path());
    scenario::play(&store);
    let member =
        |id: &str, name: Option<&str>, subscription: &'static [u8], assignment: &'static [u8]| MemberMetadata {
            member_id: id.to_owned(),
            group_instance_id: name.map(str::to_owned),
            client_id: "client".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: subscription.into(),
            assignment: assignment.into(),
        };
    let (subscription, assignment) =
        (b"\0\0\0\0\0\x01\0\x01t\0\0\0\0", b"\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x04\0\0\0\0");
    let stable = GroupMetadata {
        protocol_type: "consumer".to_owned(),
        generation: 7,
        protocol: Some("range".to_owned()),
        leader: Some("one".to_owned()),
        current_state_timestamp: START_MS,
        members: vec![
            member("one", None, subscription, assignment),
            member("two", Some("static"), subscription, assignment),
        ],
    };
    let empty = GroupMetadata {
        protocol_type: "consumer".to_owned(),
        generation: 8,
        current_state_timestamp: -1,
        ..GroupMetadata::default()
    };
    let key = GroupMetadata::encode_key("group");
    let mut batch = BatchBuilder::new(10_000);
    for value in [Some(stable.encode()), Some(empty.encode()), None] {
        batch.push(&RecordData::new(Some(&key), value.as_deref()).at(START_MS)).expect("a record");
    }
    let at = partition(CONSUMER_OFFSETS);
    let log = store.store.partition(&at.topic, at.partition).expect("groups have committed");
    log.append(batch.build().expect("a batch"), Acks::All).expect("there is room");
    store.close();

    let paths = files::with_suffix(&dir.path().join(at.to_string()), ".log");
    let dumped = dump(&paths, &["--offsets-decoder"]);
    let of_groups: Vec<_> = decoded(&dumped.printed).into_iter().filter(|(key, _)| key["type"] == "2").collect();
    let [stable, empty, gone] = &of_groups[..] else { panic!("three records: {of_groups:?}") };
    assert_eq!(stable.0["data"], json!({ "group": "group" }));
    let stable = &stable.1.as_ref().expect("a value")["data"];
    assert_eq!(
        (&stable["generation"], &stable["protocol"], &stable["leader"]),
        (&json!(7), &json!("range"), &json!("one"))
    );
    let [one, two] = &stable["members"].as_array().expect("members")[..] else { panic!("two members: {stable}") };
    assert_eq!((&one["memberId"], &one["groupInstanceId"]), (&json!("one"), &Value::Null));
    assert_eq!((&two["groupInstanceId"], &two["clientHost"]), (&json!("static"), &json!("/127.0.0.1")));
    assert_eq!((&one["rebalanceTimeout"], &one["sessionTimeout"]), (&json!(300_000), &json!(45_000)));
    assert_eq!(one["subscription"]["topics"], json!(["t"]));
    assert_eq!(one["assignment"]["assignedPartitions"], json!([{ "topic": "t", "partitions": [4] }]));
    let empty = &empty.1.as_ref().expect("a value")["data"];
    assert_eq!((&empty["generation"], &empty["protocol"], &empty["members"]), (&json!(8), &Value::Null, &json!([])));
    assert_eq!(gone.1, None);
}

/// The keys and values that the tool's decoder prints; None for one that is null.
fn decoded(printed: &str) -> Vec<(Value, Option<Value>)> {
    let records = printed.lines().filter(|line| line.starts_with("| "));
    records
        .map(|line| {
            let (_, decoded) = line.split_once(" key: ").expect("a record has a key");
            let (key, payload) =
                decoded.split_once(" payload: ").expect("a record has a value, or says that it has none");
            let payload = (payload != "<DELETE>").then(|| serde_json::from_str(payload).expect("JSON"));
            (serde_json::from_str(key).expect("JSON"), payload)
        })
        .collect()
}
