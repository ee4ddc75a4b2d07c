//! Timeouts, expiry, what can be seen from outside, and what compaction, snapshots and other processes make of
//! `__transaction_state`.

use esker::{Error, TransactionFilter, TransactionState};

use super::*;

const BOTH: [(&str, i32); 2] = [("a", 0), ("b", 0)];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ids(fixture: &Fixture, filter: TransactionFilter) -> Vec<String> {
    fixture.store.transactions(&filter).unwrap().into_iter().map(|known| known.transactional_id).collect()
}

fn values_of_state(fixture: &Fixture) -> usize {
    (0..3)
        .map(|partition| fixture.store.partition("__transaction_state", partition).unwrap())
        .map(|log| common::read_all(&log, esker::ReadLimits::new()).unwrap())
        .map(|records| records.iter().filter(|(_, record)| record.value.is_some()).count())
        .sum()
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &BOTH, "late");
    fixture.pass(TIMEOUT / 2);
    fixture.reopen();
    fixture.add("tx", producer, &[("a", 1)]).unwrap();
    fixture.pass(TIMEOUT / 2);
    fixture.pass(Duration::from_secs(10));
    let described = fixture.store.describe_transaction("tx").unwrap();
    assert_eq!(described.state, TransactionState::CompleteAbort);
    assert_eq!(described.producer.producer_epoch, producer.producer_epoch + 1);
    let late = fixture.store.end_transaction("tx", producer, TransactionResult::Commit);
    assert!(matches!(late, Err(Error::ProducerFenced { .. })), "{late:?}");
    assert!(matches!(fixture.append(producer, 1, ("a", 0), "later"), Err(Error::InvalidProducerEpoch { .. })));
    assert!(fixture.committed().is_empty());
    for (topic, partition) in [("a", 0), ("a", 1), ("b", 0)] {
        let log = fixture.store.partition(topic, partition).unwrap();
        assert_eq!(log.last_stable_offset(), log.log_end());
    }
    let next = fixture.init("tx");
    fixture.begin("tx", next, 0, &BOTH, "in time");
    fixture.store.end_transaction("tx", next, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&BOTH, &["in time"]));
}

#[test]
fn an_id_that_nobody_uses_is_forgotten() {
    let mut fixture = Fixture::new();
    let (idle, open) = (fixture.init("idle"), fixture.init("open"));
    fixture.begin("idle", idle, 0, &BOTH, "kept");
    fixture.store.end_transaction("idle", idle, TransactionResult::Commit).unwrap();
    // Whose transaction is open is not idle, and one that is aborted counts from there.
    fixture.add("open", open, &BOTH).unwrap();
    fixture.pass(7 * DAY - Duration::from_secs(1));
    assert_eq!(ids(&fixture, TransactionFilter::new()), ["idle", "open"]);
    fixture.pass(Duration::from_secs(3600));
    assert_eq!(ids(&fixture, TransactionFilter::new()), ["open"]);
    fixture.reopen();
    assert_eq!(ids(&fixture, TransactionFilter::new()), ["open"]);
    let forgotten = fixture.add("idle", idle, &BOTH);
    assert!(matches!(forgotten, Err(Error::InvalidProducerIdMapping { .. })), "{forgotten:?}");
    let anew = fixture.init("idle");
    assert!(anew.producer_id > idle.producer_id && anew.producer_epoch == 0);
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept"]));
}

#[test]
fn ids_are_listed_by_state_producer_and_age() {
    let fixture = Fixture::new();
    let (first, second) = (fixture.init("first"), fixture.init("second"));
    fixture.init("third");
    fixture.add("first", first, &BOTH).unwrap();
    fixture.pass(Duration::from_secs(30));
    fixture.begin("second", second, 0, &BOTH, "kept");
    fixture.store.end_transaction("second", second, TransactionResult::Commit).unwrap();
    let all = TransactionFilter::new;
    assert_eq!(ids(&fixture, all()), ["first", "second", "third"]);
    assert_eq!(ids(&fixture, all().states([TransactionState::Ongoing])), ["first"]);
    let settled = [TransactionState::Empty, TransactionState::CompleteCommit];
    assert_eq!(ids(&fixture, all().states(settled)), ["second", "third"]);
    assert_eq!(ids(&fixture, all().producer_ids([second.producer_id, 1])), ["second"]);
    // As in Kafka, one that never began a transaction has been at it since the beginning of time.
    assert_eq!(ids(&fixture, all().longer_than(Duration::from_millis(29_999))), ["first", "third"]);
    assert_eq!(ids(&fixture, all().longer_than(Duration::from_secs(30))), ["third"]);

    let described = fixture.store.describe_transaction("first").unwrap();
    assert_eq!((described.producer, described.timeout), (first, TIMEOUT));
    assert_eq!(described.start_timestamp, Some(START_MS));
    assert_eq!(described.partitions, BOTH.map(TopicPartition::from));
    let settled = fixture.store.describe_transaction("second").unwrap();
    assert_eq!((settled.partitions.len(), settled.last_update_timestamp), (0, START_MS + 30_000));
}

#[test]
fn a_transaction_that_nobody_ends_is_found_and_aborted() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &[("a", 0)], "kept");
    // It forgets to add the one, and has numbered itself in the other.
    fixture.append(producer, 0, ("b", 0), "hangs").unwrap();
    let made_up = ProducerIdAndEpoch::new(77, 3);
    fixture.append(made_up, 0, ("a", 1), "hangs too").unwrap();

    let hanging = || fixture.store.hanging_transactions(TIMEOUT).unwrap();
    assert_eq!(hanging(), []);
    fixture.clock.advance(2 * TIMEOUT);
    let found: Vec<_> =
        hanging().into_iter().map(|found| (found.topic_partition, found.producer, found.start_offset)).collect();
    assert_eq!(found, [(("a", 1).into(), made_up, 0), (("b", 0).into(), producer, 0)]);

    let of_an_id = fixture.store.abort_transaction(("a", 0), 0);
    assert!(matches!(of_an_id, Err(Error::InvalidTransactionTransition { .. })), "{of_an_id:?}");
    let none = fixture.store.abort_transaction(("a", 1), 5);
    assert!(matches!(none, Err(Error::NoOpenTransaction { start_offset: 5, .. })), "{none:?}");
    assert!(matches!(fixture.store.abort_transaction(("c", 1), 5), Err(Error::UnknownTopicOrPartition { .. })));
    for (at, _, start_offset) in found {
        fixture.store.abort_transaction(&at, start_offset).unwrap();
        let log = fixture.store.partition(&at.topic, at.partition).unwrap();
        assert_eq!(log.last_stable_offset(), log.log_end());
    }
    assert_eq!(hanging(), []);
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&[("a", 0)], &["kept"]));
}

#[test]
fn compaction_leaves_what_is_known_of_each_id() {
    let mut fixture = Fixture::new();
    for round in 0..20 {
        for id in ["x", "y", "z"] {
            let producer = fixture.init(id);
            fixture.begin(id, producer, 0, &BOTH, &format!("{id} {round}"));
            if round < 19 || id != "z" {
                let result = [TransactionResult::Commit, TransactionResult::Abort][round % 2];
                fixture.store.end_transaction(id, producer, result).unwrap();
            }
        }
    }
    let all = fixture.store.transactions(&TransactionFilter::new()).unwrap();
    assert!(values_of_state(&fixture) > 200);
    fixture.store.compact("__transaction_state").unwrap();
    assert_eq!(values_of_state(&fixture), 3);
    for _ in 0..2 {
        fixture.reopen();
        assert_eq!(fixture.store.transactions(&TransactionFilter::new()).unwrap(), all);
    }
    let z = all[2].producer;
    fixture.store.end_transaction("z", z, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed()[&("a".to_owned(), 0)].last().unwrap(), "z 19");
}

#[test]
fn a_snapshot_has_the_transactions_of_its_moment() {
    let fixture = Fixture::new();
    let (open, done) = (fixture.init("open"), fixture.init("done"));
    fixture.begin("done", done, 0, &BOTH, "kept");
    fixture.store.end_transaction("done", done, TransactionResult::Commit).unwrap();
    fixture.begin("open", open, 0, &BOTH, "open");
    fixture.store.snapshot("backup").unwrap();
    fixture.store.end_transaction("open", open, TransactionResult::Commit).unwrap();

    let copy = options(&fixture.disk, &fixture.clock).open("backup").unwrap();
    assert_eq!(committed(&copy), in_all(&BOTH, &["kept"]));
    assert_eq!(copy.describe_transaction("open").unwrap().state, TransactionState::Ongoing);
    // The ids that are in use are not given out again.
    let new = copy.init_transactional_id("new", TIMEOUT).unwrap();
    assert!(![open.producer_id, done.producer_id].contains(&new.producer_id));
    // It goes its own way.
    copy.end_transaction("open", open, TransactionResult::Abort).unwrap();
    assert_eq!(committed(&copy), in_all(&BOTH, &["kept"]));
    assert_eq!(fixture.committed(), in_all(&BOTH, &["kept", "open"]));
}

#[test]
fn another_process_sees_transactions_and_changes_none() {
    let fixture = Fixture::new();
    let reader = options(&fixture.disk, &fixture.clock).open_read_only("data").unwrap();
    let list = || reader.transactions(&TransactionFilter::new()).unwrap();
    assert_eq!(list(), []);
    let producer = fixture.init("tx");
    fixture.add("tx", producer, &BOTH).unwrap();
    assert_eq!(list(), fixture.store.transactions(&TransactionFilter::new()).unwrap());
    assert_eq!(reader.describe_transaction("tx").unwrap().state, TransactionState::Ongoing);
    fixture.store.end_transaction("tx", producer, TransactionResult::Abort).unwrap();
    assert_eq!(reader.describe_transaction("tx").unwrap().state, TransactionState::CompleteAbort);

    assert!(matches!(reader.init_transactional_id("tx", TIMEOUT), Err(Error::ReadOnly { .. })));
    assert!(matches!(reader.end_transaction("tx", producer, TransactionResult::Abort), Err(Error::ReadOnly { .. })));
    assert!(matches!(reader.abort_transaction(("a", 0), 0), Err(Error::ReadOnly { .. })));
    reader.tick().unwrap();
}

/// A value of version 0 for an id that has this epoch, in state Ongoing with the partition `a-0`.
fn value(producer_id: i64, epoch: i16, state: i8) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(producer_id.to_be_bytes());
    bytes.extend(epoch.to_be_bytes());
    bytes.extend(60_000_i32.to_be_bytes());
    bytes.extend(state.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 1, 0, 0, 0, 0]);
    bytes.extend([START_MS.to_be_bytes(), START_MS.to_be_bytes()].concat());
    bytes
}

/// Appends a record to the partition of `__transaction_state` where an id is.
fn write(fixture: &Fixture, id: &str, value: &[u8]) {
    let key = [&[0, 0], &(id.len() as i16).to_be_bytes()[..], id.as_bytes()].concat();
    for partition in 0..3 {
        let log = fixture.store.partition("__transaction_state", partition).unwrap();
        let records = common::read_all(&log, esker::ReadLimits::new()).unwrap();
        if records.iter().any(|(_, record)| record.key.as_deref() == Some(&key)) {
            let mut batch = BatchBuilder::new(1000);
            batch.push(&RecordData::new(Some(&key), Some(value)).at(START_MS)).unwrap();
            log.append(batch.build().unwrap(), Acks::All).unwrap();
            return;
        }
    }
    panic!("{id} is nowhere");
}

#[test]
fn used_up_epochs_lead_to_another_producer_id() {
    let mut fixture = Fixture::new();
    let before = fixture.init("tx");
    write(&fixture, "tx", &value(before.producer_id, i16::MAX - 1, 1));
    fixture.reopen();
    let last = ProducerIdAndEpoch::new(before.producer_id, i16::MAX - 1);
    fixture.append(last, 0, ("a", 0), "void").unwrap();
    let after = fixture.init("tx");
    assert!(after.producer_id != before.producer_id && after.producer_epoch == 0);
    let late = fixture.append(last, 1, ("a", 0), "late");
    assert!(matches!(late, Err(Error::InvalidProducerEpoch { .. })), "the very last epoch fences");
    assert!(matches!(fixture.add("tx", last, &BOTH), Err(Error::InvalidProducerIdMapping { .. })));
}

#[test]
fn records_that_make_no_sense_are_reported_and_those_before_them_count() {
    let mut fixture = Fixture::new();
    let (x, y) = (fixture.init("x"), fixture.init("y"));
    write(&fixture, "x", &value(x.producer_id, 0, 9));
    write(&fixture, "x", &[0, 7, 1]);
    write(&fixture, "y", &value(y.producer_id, 5, 4));
    // Somewhere it does not belong.
    let mut batch = BatchBuilder::new(1000);
    batch.push(&RecordData::new(Some(&[0, 0, 0, 1, b'y']), Some(&value(7, 7, 4))).at(START_MS)).unwrap();
    let batch = batch.build().unwrap();
    for partition in (0..3).filter(|partition| *partition != b'y' as i32 % 3) {
        fixture.store.partition("__transaction_state", partition).unwrap().append(batch, Acks::All).unwrap();
    }
    fixture.reopen();
    assert_eq!(fixture.store.recovery_report().partitions.iter().map(|found| found.damage.len()).sum::<usize>(), 4);
    assert_eq!(fixture.store.describe_transaction("x").unwrap().producer, x);
    assert_eq!(fixture.store.describe_transaction("y").unwrap().producer.producer_epoch, 5);
    assert_eq!(fixture.init("x"), ProducerIdAndEpoch::new(x.producer_id, 1));
}
