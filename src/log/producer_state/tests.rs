//! The state of producers against a model that remembers everything, and the rules one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::{BatchBuilder, RecordData, TransactionResult};

fn partition() -> TopicPartition {
    TopicPartition::new("t", 0)
}

/// The header of a batch of `count` records.
fn batch(id: ProducerId, epoch: i16, sequence: i32, count: usize, transactional: bool) -> BatchHeader {
    let mut builder = BatchBuilder::new(1 << 16).producer(id, epoch, sequence).transactional(transactional);
    for _ in 0..count {
        builder.push(&RecordData { timestamp: 5, ..RecordData::default() }).unwrap();
    }
    *builder.build().unwrap().header()
}

fn marker(result: TransactionResult, coordinator_epoch: i32) -> EndTransactionMarker {
    EndTransactionMarker { result, coordinator_epoch }
}

/// Checks a batch and appends it if it is new. Returns its first offset and whether it is a duplicate.
fn send(states: &mut ProducerStates, end: &mut Offset, batch: &BatchHeader) -> Result<(Offset, bool)> {
    match states.check(batch, AppendOrigin::Client, *end, &partition())? {
        Verdict::Duplicate(recent) => Ok((recent.first_offset(), true)),
        Verdict::Append => {
            let base_offset = *end;
            states.append(batch, base_offset, batch.max_timestamp);
            *end += i64::from(batch.last_offset_delta) + 1;
            Ok((base_offset, false))
        }
    }
}

#[test]
fn sequences_go_on_at_zero_after_the_last_one() {
    let (mut states, mut end) = (ProducerStates::default(), 0);
    send(&mut states, &mut end, &batch(1, 0, i32::MAX - 1, 4, false)).unwrap();
    assert_eq!(send(&mut states, &mut end, &batch(1, 0, i32::MAX - 1, 4, false)).unwrap(), (0, true));
    assert_eq!(send(&mut states, &mut end, &batch(1, 0, 2, 1, false)).unwrap(), (4, false));
    let (mut states, mut end) = (ProducerStates::default(), 0);
    send(&mut states, &mut end, &batch(1, 0, i32::MAX, 1, false)).unwrap();
    assert_eq!(send(&mut states, &mut end, &batch(1, 0, 0, 1, false)).unwrap(), (1, false));
}

#[test]
fn a_replayed_batch_is_taken_whatever_its_sequence() {
    let mut states = ProducerStates::default();
    states.append(&batch(1, 3, 40, 2, false), 0, 5);
    states.append(&batch(1, 3, 90, 1, false), 2, 5);
    states.append(&batch(1, 1, 7, 1, false), 3, 5);
    assert_eq!(
        states.check(&batch(1, 1, 8, 1, false), AppendOrigin::Client, 4, &partition()).unwrap(),
        Verdict::Append
    );
}

#[test]
fn a_snapshot_of_transactions_opens_them_again() {
    let (mut states, mut end) = (ProducerStates::default(), 0);
    for id in [3, 1, 2] {
        send(&mut states, &mut end, &batch(id, 0, 0, 1, true)).unwrap();
    }
    states.end_transaction(1, 0, &marker(TransactionResult::Commit, 4), 3, 5);
    let mut read = snapshot::decode(&snapshot::encode(&states)).unwrap();
    assert_eq!(read.first_unstable_offset(), Some(0));
    let completed = read.end_transaction(3, 0, &marker(TransactionResult::Abort, 4), 4, 5).unwrap();
    assert_eq!((completed.first_offset, completed.last_offset, completed.last_stable_offset), (0, 4, 2));
    assert_eq!(read.highest_id(), Some(3));
}

/// Everything that a producer of one epoch has appended here, and its open transaction.
#[derive(Default)]
struct Remembered {
    epoch: i16,
    batches: Vec<(i32, i32, Offset)>,
    open: Option<Offset>,
}

#[derive(Clone, Debug)]
enum Step {
    Send { id: ProducerId, epoch: i16, sequence_delta: i32, count: usize, transactional: bool },
    End { id: ProducerId, epoch: i16, coordinator_epoch: i32, aborts: bool },
    Reload,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..3_i64, 0..3_i16, -9..3_i32, 1..4_usize, any::<bool>()).prop_map(
            |(id, epoch, sequence_delta, count, transactional)| {
                Step::Send { id, epoch, sequence_delta: sequence_delta.min(0) + i32::from(sequence_delta == 2), count, transactional }
            }
        ),
        4 => (0..3_i64, 0..3_i16, 0..3_i32, any::<bool>())
            .prop_map(|(id, epoch, coordinator_epoch, aborts)| Step::End { id, epoch, coordinator_epoch, aborts }),
        1 => Just(Step::Reload),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// What the model accepts, answers as a duplicate or refuses, so do the states; and they agree on what is open.
    #[test]
    fn the_states_agree_with_a_model(steps in steps()) {
        let (mut states, mut end) = (ProducerStates::default(), 0);
        let mut model: BTreeMap<ProducerId, Remembered> = BTreeMap::new();
        let mut coordinators: BTreeMap<ProducerId, i32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Send { id, epoch, sequence_delta, count, transactional } => {
                    let known = model.get(&id);
                    let next = known.filter(|known| known.epoch == epoch).and_then(|known| known.batches.last());
                    let next = next.map_or(0, |last| last.1 + 1);
                    let sequence = (next + sequence_delta).max(0);
                    let last = sequence + count as i32 - 1;
                    let recent = known.filter(|known| known.epoch == epoch).map_or(&[][..], |known| {
                        &known.batches[known.batches.len().saturating_sub(5)..]
                    });
                    let duplicate = recent.iter().find(|batch| (batch.0, batch.1) == (sequence, last));
                    let expected = match (known, duplicate) {
                        (_, Some(duplicate)) => Ok((duplicate.2, true)),
                        (Some(known), _) if epoch < known.epoch => Err("epoch"),
                        (Some(_), _) if sequence != next => Err("sequence"),
                        (Some(Remembered { open: Some(_), .. }), _) if !transactional => Err("state"),
                        _ => Ok((end, false)),
                    };
                    let sent = send(&mut states, &mut end, &batch(id, epoch, sequence, count, transactional));
                    let sent = sent.map_err(|error| match error {
                        Error::InvalidProducerEpoch { .. } => "epoch",
                        Error::OutOfOrderSequenceNumber { .. } => "sequence",
                        Error::InvalidTxnState { .. } => "state",
                        _ => "other",
                    });
                    prop_assert_eq!(sent, expected);
                    if let Ok((base_offset, false)) = expected {
                        let known = model.entry(id).or_insert_with(|| Remembered { epoch, ..Remembered::default() });
                        if known.epoch != epoch {
                            (known.epoch, known.batches) = (epoch, Vec::new());
                        }
                        known.batches.push((sequence, last, base_offset));
                        if transactional {
                            known.open.get_or_insert(base_offset);
                        }
                    }
                }
                Step::End { id, epoch, coordinator_epoch, aborts } => {
                    let result = if aborts { TransactionResult::Abort } else { TransactionResult::Commit };
                    let marker = marker(result, coordinator_epoch);
                    let is_refused = model.get(&id).is_some_and(|known| epoch < known.epoch)
                        || coordinators.get(&id).is_some_and(|known| coordinator_epoch < *known);
                    let checked = states.check_marker(id, epoch, MarkerEpoch::OfRecords, &marker, &partition());
                    prop_assert_eq!(checked.is_err(), is_refused);
                    if is_refused {
                        continue;
                    }
                    let completed = states.end_transaction(id, epoch, &marker, end, 5);
                    let known = model.entry(id).or_insert_with(|| Remembered { epoch, ..Remembered::default() });
                    if known.epoch != epoch {
                        (known.epoch, known.batches) = (epoch, Vec::new());
                    }
                    prop_assert_eq!(completed.map(|completed| completed.first_offset), known.open.take());
                    prop_assert_eq!(completed.is_none_or(|completed| completed.last_offset == end), true);
                    coordinators.insert(id, coordinator_epoch);
                    end += 1;
                }
                Step::Reload => {
                    let read = snapshot::decode(&snapshot::encode(&states));
                    prop_assert!(read.is_some());
                    states = read.unwrap();
                    // Only the last batch of each is in a snapshot.
                    for known in model.values_mut() {
                        known.batches.drain(..known.batches.len().saturating_sub(1));
                    }
                }
            }
            let open = model.values().filter_map(|known| known.open).min();
            prop_assert_eq!(states.first_unstable_offset(), open);
        }
    }
}

#[test]
fn only_idle_producers_without_a_transaction_expire() {
    let mut states = ProducerStates::default();
    states.append(&batch(1, 0, 0, 1, false), 0, 100);
    states.append(&batch(2, 0, 0, 1, true), 1, 100);
    states.append(&batch(3, 0, 0, 1, false), 2, 150);
    states.remove_expired(199, 100);
    assert_eq!(states.iter().count(), 3);
    states.remove_expired(200, 100);
    assert_eq!(states.iter().map(|producer| producer.producer_id).collect::<Vec<_>>(), [2, 3]);
    // What is left is found where it is now.
    assert_eq!(
        states.check(&batch(3, 0, 0, 1, false), AppendOrigin::Client, 3, &partition()).unwrap(),
        Verdict::Duplicate(*states.iter().find(|producer| producer.producer_id == 3).unwrap().last_batch().unwrap())
    );
    assert_eq!(
        states.check(&batch(1, 0, 9, 1, false), AppendOrigin::Client, 3, &partition()).unwrap(),
        Verdict::Append
    );
    assert_eq!(states.highest_id(), Some(3));
}

#[test]
fn a_coordinator_appends_without_sequences_and_is_fenced_all_the_same() {
    let mut states = ProducerStates::default();
    states.append(&batch(1, 3, 7, 2, true), 0, 0);
    let mut by_coordinator = |epoch| {
        let header = BatchHeader { base_sequence: -1, ..batch(1, epoch, 0, 2, true) };
        states.check(&header, AppendOrigin::Coordinator, 2, &partition())
    };
    assert_eq!(by_coordinator(3).unwrap(), Verdict::Append);
    assert!(matches!(by_coordinator(2), Err(Error::InvalidProducerEpoch { requested: 2, current: 3, .. })));
}
