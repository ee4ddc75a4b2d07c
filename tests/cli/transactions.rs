//! Transactions, as they are seen from outside.

use std::time::Duration;

use esker::record::{BatchBuilder, RecordData, TransactionResult};
use esker::{Acks, ProducerIdAndEpoch, Store, TopicPartition};
use serde_json::json;

use crate::{CONSUME, Cli};

/// Appends a record of a transaction to `t-0`.
fn append(store: &Store, producer: ProducerIdAndEpoch, value: &str) {
    let mut builder = BatchBuilder::new(1 << 10).transactional(true);
    builder.push(&RecordData { value: Some(value.as_bytes()), timestamp: 1, ..RecordData::default() }).unwrap();
    builder.set_producer(producer.producer_id, producer.producer_epoch, 0);
    store.partition("t", 0).unwrap().append(builder.build().unwrap(), Acks::All).unwrap();
}

/// A topic `t` in which `committed` has a transaction that counts, and `open` one that is open.
fn with_transactions() -> (Cli, [i64; 2]) {
    let cli = Cli::with_topic();
    let store = Store::open(cli.dir()).unwrap();
    let producers = ["committed", "open"].map(|id| {
        let producer = store.init_transactional_id(id, Duration::from_secs(900)).unwrap();
        store.add_partitions_to_transaction(id, producer, [TopicPartition::new("t", 0)]).unwrap();
        append(&store, producer, id);
        producer
    });
    store.end_transaction("committed", producers[0], TransactionResult::Commit).unwrap();
    store.close().unwrap();
    (cli, producers.map(|producer| producer.producer_id))
}

#[test]
fn transactions_are_listed_and_described() {
    let (cli, ids) = with_transactions();
    let rows = cli.json(&["transactions", "list"]);
    let states: Vec<_> = rows.iter().map(|row| (row["transactional_id"].clone(), row["state"].clone())).collect();
    assert_eq!(states, [(json!("committed"), json!("CompleteCommit")), (json!("open"), json!("Ongoing"))]);
    let text = cli.text(&["transactions", "list", "--state", "ongoing"]);
    assert_eq!(text.split_whitespace().skip(3).collect::<Vec<_>>(), ["open", &ids[1].to_string(), "Ongoing"]);
    let first = ids[0].to_string();
    assert_eq!(cli.json(&["transactions", "list", "--producer-id", &first]).len(), 1);
    assert_eq!(cli.text(&["transactions", "list", "--longer-than", "P1D"]), "");

    let row = &cli.json(&["transactions", "describe", "open"])[0];
    let expected = json!({
        "transactional_id": "open", "producer_id": ids[1], "producer_epoch": row["producer_epoch"], "state": "Ongoing",
        "timeout_ms": 900_000, "start_timestamp": row["start_timestamp"],
        "last_update_timestamp": row["last_update_timestamp"], "partitions": [{"topic": "t", "partition": 0}],
    });
    assert_eq!(*row, expected);
    assert!(row["start_timestamp"].is_i64());
    assert!(cli.text(&["transactions", "describe", "open"]).ends_with("  t-0\n"));
    let (code, stderr) = cli.failure(&["transactions", "describe", "nope"], b"");
    assert!(code == 1 && stderr.contains("\nhint: `esker transactions list` names "), "{stderr}");
    assert_eq!(cli.failure(&["transactions", "list", "--state", "Odd"], b"").0, 2);
}

#[test]
fn consumers_choose_which_transactions_count() {
    let (cli, _) = with_transactions();
    assert_eq!(cli.ok(&CONSUME, b""), b"committed\nopen\n");
    let committed = [&CONSUME[..], &["--isolation-level", "read_committed"]].concat();
    assert_eq!(cli.ok(&committed, b""), b"committed\n");
}

#[test]
fn what_nobody_is_going_to_end_is_found_and_aborted() {
    let cli = Cli::with_topic();
    let store = Store::open(cli.dir()).unwrap();
    // A producer that the coordinator knows nothing of.
    append(&store, ProducerIdAndEpoch::new(4711, 0), "hanging");
    store.close().unwrap();
    let found = cli.json(&["transactions", "find-hanging", "--idle-for", "PT0S"]);
    let expected = json!({
        "topic": "t", "partition": 0, "producer_id": 4711, "producer_epoch": 0, "start_offset": 0,
        "last_timestamp": found[0]["last_timestamp"],
    });
    assert_eq!(found, [expected]);
    let abort = ["transactions", "abort", "--topic", "t", "--partition", "0", "--start-offset"];
    let (code, stderr) = cli.failure(&[&abort[..], &["7"]].concat(), b"");
    assert!(code == 1 && stderr.contains("\nhint: `esker transactions find-hanging` "), "{stderr}");
    assert_eq!(cli.text(&[&abort[..], &["0"]].concat()), "");
    assert_eq!(cli.text(&["transactions", "find-hanging", "--idle-for", "PT0S"]), "");
    let committed = [&CONSUME[..], &["--isolation-level", "read_committed"]].concat();
    assert_eq!(cli.ok(&committed, b""), b"");
}
