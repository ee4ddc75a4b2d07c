//! A transfer from one topic to another by a consumer and a transactional producer, which starts anew after each crash.

use std::time::Duration;

use esker::sim::{Crash, FaultStorage, Lie, ManualClock};
use esker::{
    Acks, AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, IsolationLevel, Producer, ProducerConfig, Record,
    Result, Store, TopicConfig, TopicPartition,
};

use crate::common::cases::{catching, env_number, try_all};
use crate::{START_MS, open, read};

const PARTITIONS: i32 = 2;
/// How many records each partition has that are to be transferred.
const RECORDS: i32 = 4;
const GROUP: &str = "transfer";

/// What may be wrong: with the disk, or with how the transfer is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    Lie(Lie),
    /// The offsets are committed by themselves, after the records.
    OffsetsAfter,
    /// The offsets are committed by themselves, before the records.
    OffsetsBefore,
    /// The offsets are in the transaction, and the records are not.
    PlainRecords,
    /// Each start has a transactional id of its own.
    AnotherName,
    /// Whoever reads the output does not care what was committed.
    DirtyReader,
    /// The transfer reads what was aborted.
    DirtyTransfer,
}

/// How each point is crashed at, and which image of the disk is looked at then.
const IMAGES: [(Crash, u64); 3] = [(Crash::Process, 0), (Crash::Power, 0), (Crash::Power, 1)];
/// At every how many points the start after the crash is crashed everywhere too.
const RECOVERY_CRASHED_EVERY: u64 = 37;

fn partition(topic: &str, index: i32) -> TopicPartition {
    (topic.to_owned(), index).into()
}

fn input(index: i32) -> Vec<String> {
    (0..RECORDS).map(|number| format!("record {number} of {index}")).collect()
}

/// A closed store with all input, of which some is committed and some void.
pub fn prepared() -> (FaultStorage, ManualClock) {
    let (disk, clock) = (FaultStorage::new(1), ManualClock::new(START_MS));
    let store = open(&disk, &clock).unwrap();
    for topic in ["in", "out"] {
        store.create_topic(topic, TopicConfig::new().partitions(PARTITIONS)).unwrap();
    }
    let source = store.producer(ProducerConfig::new().transactional_id("source")).unwrap();
    for index in 0..PARTITIONS {
        let (first, second) = (input(index), "void".to_owned());
        for (values, is_void) in [(&first[..2], false), (&[second][..], true), (&first[2..], false)] {
            let transaction = source.begin_transaction().unwrap();
            for value in values {
                transaction.send(Record::to("in").partition(index).value(value.clone())).unwrap();
            }
            match is_void {
                true => transaction.abort().unwrap(),
                false => transaction.commit().unwrap(),
            }
        }
    }
    store.close().unwrap();
    (disk, clock)
}

/// Transfers what is left, and then closes the store.
fn run(disk: &FaultStorage, clock: &ManualClock, bug: Option<Bug>, start: u64) -> Result<(), String> {
    let store = open(disk, clock).map_err(text)?;
    let producer = match bug {
        Some(Bug::AnotherName) => {
            let name = format!("transfer {start}");
            store.producer(ProducerConfig::new().transactional_id(name)).map_err(text)?
        }
        _ => producer(&store).map_err(text)?,
    };
    // Before anything else is done: what is committed and what was written go together.
    check_progress(&store, bug)?;
    transfer(&store, &producer, bug).map_err(text)?;
    store.close().map_err(text)
}

pub fn producer(store: &Store) -> Result<Producer> {
    store.producer(ProducerConfig::new().transactional_id("transfer"))
}

pub fn text(error: esker::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

pub fn transfer(store: &Store, producer: &Producer, bug: Option<Bug>) -> Result<()> {
    let dirty = bug == Some(Bug::DirtyTransfer);
    let isolation = if dirty { IsolationLevel::ReadUncommitted } else { IsolationLevel::ReadCommitted };
    let config = ConsumerConfig::from(GROUP).isolation_level(isolation).max_poll_records(3);
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest))?;
    consumer.assign_topics(["in"])?;
    loop {
        let records = consumer.poll(Duration::ZERO)?;
        if records.is_empty() {
            return Ok(());
        }
        transfer_some(store, producer, &mut consumer, &records, bug)?;
    }
}

fn transfer_some(
    store: &Store,
    producer: &Producer,
    consumer: &mut Consumer,
    records: &[ConsumerRecord],
    bug: Option<Bug>,
) -> Result<()> {
    if bug == Some(Bug::OffsetsBefore) {
        consumer.commit()?;
    }
    let transaction = producer.begin_transaction()?;
    for record in records {
        let value = record.value.clone().unwrap_or_default();
        let output = Record::to("out").partition(record.partition).value(value);
        if bug == Some(Bug::PlainRecords) {
            store.producer(ProducerConfig::new())?.send(output)?;
        } else {
            drop(transaction.send_async(output)?);
        }
    }
    if !matches!(bug, Some(Bug::OffsetsAfter | Bug::OffsetsBefore)) {
        transaction.send_offsets(consumer.group_metadata()?, consumer.positions())?;
    }
    transaction.commit()?;
    if bug == Some(Bug::OffsetsAfter) {
        store.commit_offsets(GROUP, consumer.positions(), Acks::All)?;
    }
    Ok(())
}

fn output(store: &Store, index: i32, bug: Option<Bug>) -> Result<Vec<String>, String> {
    let dirty = bug == Some(Bug::DirtyReader);
    let isolation = if dirty { IsolationLevel::ReadUncommitted } else { IsolationLevel::ReadCommitted };
    let read = read(store, &partition("out", index), isolation).map_err(text)?;
    // Markers are passed over, and have no value.
    Ok(read.into_iter().map(|(_, value)| value).collect())
}

/// As far as the group has committed, the output is there, and no further.
fn check_progress(store: &Store, bug: Option<Bug>) -> Result<(), String> {
    for index in 0..PARTITIONS {
        let at = partition("in", index);
        let committed =
            store.stable_committed_offset(GROUP, &at).map_err(text)?.map_or(0, |committed| committed.offset);
        let input = read(store, &at, IsolationLevel::ReadCommitted).map_err(text)?;
        let done: Vec<_> =
            input.into_iter().filter(|(offset, _)| *offset < committed).map(|(_, value)| value).collect();
        let found = output(store, index, bug)?;
        if found != done {
            return Err(format!(
                "finding: {GROUP} has committed {committed}, and {found:?} is there of partition {index}"
            ));
        }
    }
    Ok(())
}

/// Transfers everything, perhaps after crashes, and looks whether it is there once.
fn finish(disk: &FaultStorage, clock: &ManualClock, bug: Option<Bug>, start: u64) -> Result<(), String> {
    run(disk, clock, bug, start)?;
    check_output(disk, clock, bug)
}

/// Looks whether everything has come out once.
pub fn check_output(disk: &FaultStorage, clock: &ManualClock, bug: Option<Bug>) -> Result<(), String> {
    let store = open(disk, clock).map_err(text)?;
    for index in 0..PARTITIONS {
        let found = output(&store, index, bug)?;
        if found != input(index) {
            return Err(format!("{found:?} has come out of partition {index}"));
        }
    }
    Ok(())
}

/// Runs until the disk crashes. An error that says something else than that is a finding.
fn run_into_crash(disk: &FaultStorage, clock: &ManualClock, bug: Option<Bug>, start: u64) -> Result<(), String> {
    match run(disk, clock, bug, start) {
        Err(finding) if !disk.has_crashed() || finding.starts_with("finding") => Err(finding),
        _ => Ok(()),
    }
}

fn crash_at(prepared: &FaultStorage, clock: &ManualClock, bug: Option<Bug>, point: u64) -> Result<(), String> {
    for (crash, image) in IMAGES {
        let disk = prepared.after_crash(Crash::Process, 0);
        if let Some(Bug::Lie(lie)) = bug {
            disk.lie_about(lie);
        }
        disk.crash_at(point);
        run_into_crash(&disk, clock, bug, 0)?;
        let crashed = disk.after_crash(crash, image);
        finish(&crashed.after_crash(Crash::Process, 0), clock, bug, 1)
            .map_err(|finding| format!("{finding}, after a {crash:?} crash, image {image}"))?;
        if !point.is_multiple_of(RECOVERY_CRASHED_EVERY) {
            continue;
        }
        for again in 0.. {
            let disk = crashed.after_crash(Crash::Process, 0);
            disk.crash_at(again);
            run_into_crash(&disk, clock, bug, 1)?;
            if !disk.has_crashed() {
                break;
            }
            finish(&disk.after_crash(crash, image), clock, bug, 2)
                .map_err(|finding| format!("{finding}, after {crash:?} crashes, the second one at {again}"))?;
        }
    }
    Ok(())
}

fn crash_everywhere(bug: Option<Bug>) -> Option<String> {
    let (prepared, clock) = prepared();
    let rehearsal = prepared.after_crash(Crash::Process, 0);
    let lied = matches!(bug, None | Some(Bug::Lie(_)));
    if let Err(finding) = finish(&rehearsal, &clock, bug, 0) {
        assert!(!lied, "without a crash: {finding}");
        return Some(finding);
    }
    let only = env_number("ESKER_POINT");
    try_all(rehearsal.mutations(), |point| {
        if only.is_some_and(|only| only != point) {
            return Ok(());
        }
        catching(|| crash_at(&prepared, &clock, bug, point))
            .map_err(|finding| format!("{finding}\n  crashed at {point}: again with ESKER_POINT={point}"))
    })
}

#[test]
fn a_transfer_is_exactly_once_wherever_it_is_crashed() {
    if let Some(finding) = crash_everywhere(None) {
        panic!("{finding}");
    }
}

#[test]
fn whatever_is_wrong_with_a_transfer_is_found() {
    for bug in [
        Bug::Lie(Lie::FileSync),
        Bug::OffsetsAfter,
        Bug::OffsetsBefore,
        Bug::PlainRecords,
        Bug::AnotherName,
        Bug::DirtyReader,
        Bug::DirtyTransfer,
    ] {
        assert!(crash_everywhere(Some(bug)).is_some(), "{bug:?} goes unnoticed");
    }
}
