//! The coordinator's decisions: what each event leads to from each state, and what is refused.

use std::cell::Cell;

use super::*;
use TransactionResult::{Abort, Commit};
use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit};

const NOW: i64 = 1_000_000;
const TIMEOUT_MS: i32 = 60_000;

fn id() -> Arc<str> {
    "tx".into()
}

fn producer(id: ProducerId, epoch: i16) -> ProducerIdAndEpoch {
    ProducerIdAndEpoch::new(id, epoch)
}

/// No producer id is needed here.
fn none() -> Result<ProducerId> {
    panic!("a producer id was asked for")
}

/// Of producer 7 with epoch 3, in this state.
fn known(state: TransactionState) -> TransactionMetadata {
    let is_open = matches!(state, Ongoing | PrepareCommit | PrepareAbort);
    TransactionMetadata {
        transactional_id: id(),
        producer: producer(7, 3),
        previous_producer_id: NO_PRODUCER_ID,
        next_producer_id: NO_PRODUCER_ID,
        last_producer_epoch: NO_PRODUCER_EPOCH,
        timeout_ms: TIMEOUT_MS,
        state,
        partitions: if is_open { [("t", 0).into()].into() } else { BTreeSet::new() },
        start_timestamp: if state == Empty { NO_TIMESTAMP } else { NOW - 50 },
        last_update_timestamp: NOW - 40,
        client_version: TransactionVersion::V0,
    }
}

fn with_epoch(epoch: i16, state: TransactionState) -> TransactionMetadata {
    TransactionMetadata { producer: producer(7, epoch), ..known(state) }
}

fn v2(state: TransactionState) -> TransactionMetadata {
    TransactionMetadata { client_version: TransactionVersion::V2, ..known(state) }
}

fn init(current: Option<&TransactionMetadata>, expected: Option<ProducerIdAndEpoch>) -> Result<Init> {
    TransactionMetadata::init(&id(), current, 5_000, expected, NOW, none)
}

fn owner(init: Result<Init>) -> ProducerIdAndEpoch {
    match init.expect("nothing is in the way") {
        Init::Own(next) => {
            assert_eq!((next.state, next.timeout_ms, next.last_update_timestamp), (Empty, 5_000, NOW));
            assert_eq!((next.partitions.len(), next.start_timestamp), (0, NO_TIMESTAMP));
            next.producer
        }
        Init::AbortFirst(next) => panic!("{next:?} is to be aborted first"),
    }
}

fn end(
    current: &TransactionMetadata,
    by: ProducerIdAndEpoch,
    result: TransactionResult,
) -> Result<Option<TransactionState>> {
    let ended = current.end(by, result, TransactionVersion::V0, NOW, none)?;
    Ok(ended.map(|next| next.state))
}

#[test]
fn a_new_id_gets_a_new_producer() {
    let init = TransactionMetadata::init(&id(), None, 5_000, None, NOW, || Ok(42));
    assert_eq!(owner(init), producer(42, 0));
    let expecting = TransactionMetadata::init(&id(), None, 5_000, Some(producer(1, 1)), NOW, || Ok(43));
    assert_eq!(owner(expecting), producer(43, 0), "whoever was forgotten begins anew");
    let failing = TransactionMetadata::init(&id(), None, 5_000, None, NOW, || Err(Error::Closed { what: "x" }));
    assert!(matches!(failing, Err(Error::Closed { .. })));
}

#[test]
fn another_init_fences_by_the_next_epoch() {
    for state in [Empty, CompleteCommit, CompleteAbort] {
        let current = known(state);
        assert_eq!(owner(init(Some(&current), None)), producer(7, 4), "{state}");
        let next = TransactionMetadata { producer: producer(7, 4), ..current };
        let zombie = next.add_partitions(producer(7, 3), [("t", 0).into()], NOW);
        assert!(matches!(zombie, Err(Error::ProducerFenced { current, .. }) if current == producer(7, 4)));
        assert!(matches!(end(&next, producer(7, 3), Commit), Err(Error::ProducerFenced { .. })));
    }
    for state in [PrepareCommit, PrepareAbort] {
        assert!(matches!(init(Some(&known(state)), None), Err(Error::ConcurrentTransactions { .. })));
    }
}

#[test]
fn an_open_transaction_is_aborted_before_another_producer_comes() {
    let Init::AbortFirst(aborting) = init(Some(&known(Ongoing)), None).expect("a way") else {
        panic!("the transaction is open");
    };
    assert_eq!((aborting.state, aborting.producer), (PrepareAbort, producer(7, 4)));
    assert_eq!(aborting.ending(), Some(Ending { producer: producer(7, 4), result: Abort }));
    assert_eq!(aborting.partitions, known(Ongoing).partitions);
    // The next producer's epoch is not the one that fenced.
    assert_eq!(owner(init(Some(&aborting.complete(NOW)), None)), producer(7, 5));
    // It can't be written down, and comes to the same when it is tried again.
    assert_eq!(known(Ongoing).fence(NOW), known(Ongoing).fence(NOW));
}

#[test]
fn used_up_epochs_lead_to_a_new_producer_id() {
    for epoch in [i16::MAX - 1, i16::MAX] {
        let current = with_epoch(epoch, CompleteAbort);
        let init = TransactionMetadata::init(&id(), Some(&current), 5_000, None, NOW, || Ok(8));
        assert_eq!(owner(init), producer(8, 0));
    }
    assert_eq!(owner(init(Some(&with_epoch(i16::MAX - 2, Empty)), None)), producer(7, i16::MAX - 1));
    // The last epoch is left for fencing.
    let last = with_epoch(i16::MAX - 1, Ongoing).fence(NOW);
    assert_eq!(last.producer, producer(7, i16::MAX));
    assert_eq!(with_epoch(i16::MAX, Ongoing).fence(NOW).producer, producer(7, i16::MAX), "and no further");
}

#[test]
fn a_producer_goes_on_after_an_error_unless_it_was_fenced() {
    let current = known(CompleteCommit);
    let Init::Own(next) = init(Some(&current), Some(producer(7, 3))).expect("it is its own") else { panic!() };
    assert_eq!((next.producer, next.last_producer_epoch), (producer(7, 4), 3));
    // It never got the answer.
    assert_eq!(owner(init(Some(&next), Some(producer(7, 3)))), producer(7, 4));
    for stranger in [producer(7, 2), producer(7, 5), producer(6, 4), producer(7, -1)] {
        assert!(matches!(init(Some(&next), Some(stranger)), Err(Error::ProducerFenced { .. })), "{stranger}");
    }
    // Somebody else came in between.
    let Init::Own(other) = init(Some(&next), None).expect("free") else { panic!() };
    assert!(matches!(init(Some(&other), Some(producer(7, 3))), Err(Error::ProducerFenced { .. })));
}

#[test]
fn a_retry_of_the_change_of_producer_ids_is_known() {
    let current = with_epoch(i16::MAX - 1, Empty);
    let expected = Some(producer(7, i16::MAX - 1));
    let changed = TransactionMetadata::init(&id(), Some(&current), 5_000, expected, NOW, || Ok(8));
    let Init::Own(changed) = changed.expect("a way") else { panic!() };
    assert_eq!((changed.producer, changed.previous_producer_id), (producer(8, 0), 7));
    assert_eq!(owner(init(Some(&changed), expected)), producer(8, 0));
    assert!(matches!(init(Some(&changed), Some(producer(7, 3))), Err(Error::ProducerFenced { .. })));
}

#[test]
fn partitions_begin_a_transaction_and_join_it() {
    for state in [Empty, CompleteCommit, CompleteAbort] {
        let begun = known(state).add_partitions(producer(7, 3), [("t", 1).into(), ("u", 0).into()], NOW);
        let begun = begun.expect("accepted").expect("something new");
        assert_eq!((begun.state, begun.partitions.len(), begun.start_timestamp), (Ongoing, 2, NOW));
        assert_eq!(begun.add_partitions(producer(7, 3), [("u", 0).into()], NOW + 1).expect("accepted"), None);
        let joined = begun.add_partitions(producer(7, 3), [("v", 0).into()], NOW + 1).expect("accepted").expect("new");
        assert_eq!((joined.partitions.len(), joined.start_timestamp, joined.last_update_timestamp), (3, NOW, NOW + 1));
    }
    for state in [PrepareCommit, PrepareAbort] {
        let refused = known(state).add_partitions(producer(7, 3), [("t", 1).into()], NOW);
        assert!(matches!(refused, Err(Error::ConcurrentTransactions { .. })));
    }
    let of_another = known(Empty).add_partitions(producer(8, 3), [("t", 1).into()], NOW);
    assert!(matches!(of_another, Err(Error::InvalidProducerIdMapping { .. })));
    assert!(matches!(known(Empty).add_partitions(producer(7, 4), [], NOW), Err(Error::ProducerFenced { .. })));
}

#[test]
fn an_end_is_decided_once() {
    let by = producer(7, 3);
    for (result, prepared, complete) in [(Commit, PrepareCommit, CompleteCommit), (Abort, PrepareAbort, CompleteAbort)]
    {
        assert_eq!(end(&known(Ongoing), by, result).expect("open"), Some(prepared));
        assert!(matches!(end(&known(prepared), by, result), Err(Error::ConcurrentTransactions { .. })));
        assert_eq!(end(&known(complete), by, result).expect("a retry"), None);
        assert_eq!(known(prepared).complete(NOW).state, complete);
        assert_eq!(known(prepared).ending().expect("to be told").result, result);
        assert_eq!(known(complete).ending(), None);
        let other = if result == Commit { Abort } else { Commit };
        for state in [Empty, prepared, complete] {
            let refused = end(&known(state), by, if state == Empty { result } else { other });
            assert!(matches!(refused, Err(Error::InvalidTransactionTransition { .. })), "{state}");
        }
    }
    assert!(matches!(end(&known(Ongoing), producer(6, 3), Commit), Err(Error::InvalidProducerIdMapping { .. })));
}

#[test]
fn the_second_version_ends_each_transaction_with_another_epoch() {
    let end = |current: &TransactionMetadata, by, result| current.end(by, result, TransactionVersion::V2, NOW, none);
    let prepared = end(&known(Ongoing), producer(7, 3), Commit).expect("open").expect("decided");
    assert_eq!((prepared.state, prepared.producer, prepared.last_producer_epoch), (PrepareCommit, producer(7, 4), 3));
    assert!(matches!(end(&prepared, producer(7, 3), Commit), Err(Error::ConcurrentTransactions { .. })));
    assert!(matches!(end(&prepared, producer(7, 3), Abort), Err(Error::InvalidTransactionTransition { .. })));
    assert!(matches!(end(&prepared, producer(7, 4), Abort), Err(Error::ConcurrentTransactions { .. })), "too early");

    let complete = prepared.complete(NOW);
    assert_eq!((complete.state, complete.producer), (CompleteCommit, producer(7, 4)));
    assert_eq!(end(&complete, producer(7, 3), Commit).expect("a retry"), None);
    assert!(matches!(end(&complete, producer(7, 3), Abort), Err(Error::InvalidTransactionTransition { .. })));
    assert!(matches!(end(&complete, producer(7, 4), Commit), Err(Error::InvalidTransactionTransition { .. })));
    assert!(matches!(end(&complete, producer(7, 2), Commit), Err(Error::ProducerFenced { .. })));
    // To abort the next one, which has no partition yet, is fine.
    let aborted = end(&complete, producer(7, 4), Abort).expect("fine").expect("decided");
    assert_eq!((aborted.state, aborted.producer, aborted.start_timestamp), (PrepareAbort, producer(7, 5), NOW));
    // A record that comes late carries an epoch that is over.
    assert!(matches!(
        complete.add_partitions(producer(7, 3), [("t", 0).into()], NOW),
        Err(Error::ProducerFenced { .. })
    ));
}

/// What an end means is for who asks to say, whatever the transaction before was ended by.
#[test]
fn a_client_may_change_versions_between_transactions() {
    let end = |current: &TransactionMetadata, result, version| {
        let ended = current.end(current.producer, result, version, NOW, none);
        ended.map(|next| next.map(|next| (next.state, next.producer.producer_epoch)))
    };
    let refused = |ended| matches!(ended, Err(Error::InvalidTransactionTransition { .. }));
    let (v0, v2_client) = (TransactionVersion::V0, TransactionVersion::V2);
    assert!(refused(end(&known(CompleteCommit), Commit, v2_client)), "it is the next one, which there isn't");
    assert_eq!(end(&known(CompleteAbort), Abort, v2_client).expect("fine"), Some((PrepareAbort, 4)));
    assert_eq!(end(&v2(CompleteCommit), Commit, v0).expect("a retry"), None);
    assert_eq!(end(&v2(CompleteAbort), Abort, v0).expect("a retry"), None);
    assert!(refused(end(&v2(CompleteCommit), Abort, v0)));
}

#[test]
fn the_second_version_changes_producer_ids_at_the_end_of_a_transaction() {
    let last = TransactionMetadata { producer: producer(7, i16::MAX - 1), ..v2(Ongoing) };
    let prepared = last.end(last.producer, Commit, TransactionVersion::V2, NOW, || Ok(8));
    let prepared = prepared.expect("open").expect("decided");
    assert_eq!(prepared.ending().expect("to be told").producer, producer(7, i16::MAX), "markers fence the old id");
    assert_eq!((prepared.next_producer_id, prepared.next_producer()), (8, producer(8, 0)));
    let complete = prepared.complete(NOW);
    assert_eq!((complete.producer, complete.previous_producer_id, complete.next_producer_id), (producer(8, 0), 7, -1));
    assert_eq!(complete.end(last.producer, Commit, TransactionVersion::V2, NOW, none).expect("a retry"), None);
    let stranger = complete.end(producer(7, 3), Commit, TransactionVersion::V2, NOW, none);
    assert!(matches!(stranger, Err(Error::InvalidProducerIdMapping { .. })));
}

#[test]
fn whose_transaction_was_taken_away_goes_on_unless_somebody_else_came() {
    let fenced = known(Ongoing).fence(NOW);
    let complete = fenced.complete(NOW);
    let end = |current: &TransactionMetadata, result, version| current.end(producer(7, 3), result, version, NOW, none);
    assert!(matches!(end(&fenced, Abort, TransactionVersion::V2), Err(Error::ConcurrentTransactions { .. })));
    assert_eq!(end(&complete, Abort, TransactionVersion::V2).expect("it is aborted"), None);
    let committed = end(&complete, Commit, TransactionVersion::V2);
    assert!(matches!(committed, Err(Error::InvalidTransactionTransition { .. })));
    // One of the first version does not know that epochs move on by themselves.
    for result in [Abort, Commit] {
        assert!(matches!(end(&complete, result, TransactionVersion::V0), Err(Error::ProducerFenced { .. })));
    }
    assert!(matches!(init(Some(&fenced), Some(producer(7, 3))), Err(Error::ConcurrentTransactions { .. })));
    let Init::Own(own) = init(Some(&complete), Some(producer(7, 3))).expect("it is its own") else { panic!() };
    assert_eq!(own.producer, producer(7, 4));
    assert_eq!(owner(init(Some(&own), Some(producer(7, 3)))), producer(7, 4), "it never got the answer");

    let Init::Own(others) = init(Some(&complete), None).expect("free") else { panic!() };
    assert!(matches!(init(Some(&others), Some(producer(7, 3))), Err(Error::ProducerFenced { .. })));
    assert!(matches!(end(&others, Abort, TransactionVersion::V2), Err(Error::ProducerFenced { .. })));
}

#[test]
fn nobody_gets_the_epoch_that_is_for_fencing_alone() {
    let last = with_epoch(i16::MAX - 1, Ongoing);
    let complete = last.fence(NOW).complete(NOW);
    let goes_on = TransactionMetadata::init(&id(), Some(&complete), 5_000, Some(last.producer), NOW, || Ok(8));
    let Init::Own(own) = goes_on.expect("a way") else { panic!() };
    assert_eq!(own.producer, producer(8, 0));
    assert_eq!(owner(init(Some(&own), Some(last.producer))), producer(8, 0), "it never got the answer");
    let ended = complete.end(last.producer, Abort, TransactionVersion::V2, NOW, none);
    assert!(matches!(ended, Err(Error::ProducerFenced { .. })));
}

#[test]
fn who_goes_on_is_known_after_a_restart() {
    let complete = TransactionMetadata { last_producer_epoch: -1, ..known(Ongoing).fence(NOW).complete(NOW) };
    assert_eq!(owner(init(Some(&complete), Some(producer(7, 3)))), producer(7, 4));
    assert!(matches!(init(Some(&complete), Some(producer(7, 2))), Err(Error::ProducerFenced { .. })));
}

#[test]
fn time_runs_for_open_transactions_and_for_idle_ids() {
    let begun_ms = known(Ongoing).start_timestamp;
    assert!(!known(Ongoing).is_timed_out(begun_ms + i64::from(TIMEOUT_MS)));
    assert!(known(Ongoing).is_timed_out(begun_ms + i64::from(TIMEOUT_MS) + 1));
    assert!(!known(CompleteCommit).is_timed_out(i64::MAX));
    for state in [Empty, CompleteCommit, CompleteAbort] {
        assert!(known(state).is_expired(NOW - 40 + 100, 100));
        assert!(!known(state).is_expired(NOW - 41 + 100, 100));
    }
    for state in [Ongoing, PrepareCommit, PrepareAbort] {
        assert!(!known(state).is_expired(i64::MAX, 0));
    }
    // A clock that was ahead when they began.
    let from_the_future = TransactionMetadata { start_timestamp: i64::MAX, ..known(Ongoing) };
    assert!(!from_the_future.is_timed_out(NOW));
}

/// Whatever comes, in whatever order: the outcome of a transaction never changes, epochs never go back, and one that is
/// decided is never joined.
#[test]
fn no_order_of_events_changes_what_was_decided() {
    let mut state: u64 = 0x5eed;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let last_id = Cell::new(100);
    let new_id = || {
        last_id.set(last_id.get() + 1);
        Ok(last_id.get())
    };
    for _ in 0..300 {
        let mut current: Option<TransactionMetadata> = None;
        let mut now_ms = NOW;
        for _ in 0..60 {
            now_ms += random(30_000) as i64;
            let by = current.as_ref().map_or(producer(1, 0), |known| {
                let epoch = known.producer.producer_epoch - random(3).min(1) as i16;
                producer(known.producer.producer_id - (random(9) == 0) as i64, epoch)
            });
            let version = TransactionVersion(if random(2) == 0 { 0 } else { 2 });
            let result = if random(2) == 0 { Commit } else { Abort };
            let next = match (random(7), &current) {
                (0 | 1, known) => match TransactionMetadata::init(&id(), known.as_ref(), 1_000, None, now_ms, new_id) {
                    Ok(Init::Own(next) | Init::AbortFirst(next)) => Some(next),
                    Err(_) => None,
                },
                (2, Some(known)) => known.add_partitions(by, [("t", random(3) as i32).into()], now_ms).unwrap_or(None),
                (3 | 4, Some(known)) => known.end(by, result, version, now_ms, new_id).unwrap_or(None),
                (5, Some(known)) if known.is_timed_out(now_ms) => Some(known.fence(now_ms)),
                (6, Some(known)) if known.ending().is_some() => Some(known.complete(now_ms)),
                _ => None,
            };
            let Some(mut next) = next else { continue };
            if let Some(known) = &current {
                let is_followed_by: &[TransactionState] = match known.state {
                    Empty | CompleteCommit | CompleteAbort => &[Empty, Ongoing, PrepareAbort],
                    Ongoing => &[Ongoing, PrepareCommit, PrepareAbort],
                    PrepareCommit => &[CompleteCommit],
                    _ => &[CompleteAbort],
                };
                assert!(is_followed_by.contains(&next.state), "{} after {}", next.state, known.state);
                assert!(next.producer >= known.producer, "{} after {}", next.producer, known.producer);
                if known.state == Ongoing {
                    assert!(next.partitions.is_superset(&known.partitions), "none that takes part is left out");
                }
            }
            assert!(next.state == Ongoing || next.ending().is_some() || next.partitions.is_empty());
            // Near the end of the epochs, now and then.
            if random(40) == 0 && next.state == Empty {
                next.producer.producer_epoch = i16::MAX - 1 - random(3) as i16;
            }
            current = Some(next);
        }
    }
}
