//! Disk faults in the middle of a transfer: whoever begins anew, as the documentation of transactions says, and opens
//! the store again where that does not help, ends up with each record once.

use esker::Store;
use esker::sim::{Crash, Fault, FaultStorage, ManualClock, Operation};

use crate::open;
use crate::transfer::{check_output, prepared, producer, text, transfer};

/// How often something is tried before that counts as failed.
const ATTEMPTS: usize = 5;

/// Transfers everything, and tries again after errors. Returns how often it had to.
fn persist(disk: &FaultStorage, clock: &ManualClock, start: impl Fn()) -> Result<usize, String> {
    let mut errors = Vec::new();
    for _ in 0..ATTEMPTS {
        match open(disk, clock).and_then(|store| persist_in(&store, &start, &mut errors)) {
            Ok(()) => return Ok(errors.len()),
            Err(error) => errors.push(text(error)),
        }
    }
    Err(format!("it does not get on: {errors:?}"))
}

/// The same in a store that is open, for as long as its producer can go on.
fn persist_in(store: &Store, start: &impl Fn(), errors: &mut Vec<String>) -> esker::Result<()> {
    let producer = producer(store)?;
    start();
    for _ in 0..ATTEMPTS {
        match transfer(store, &producer, None) {
            Ok(()) => break,
            Err(error) => errors.push(text(error)),
        }
        // What is left of the last transaction is aborted, or the producer is of no more use.
        producer.begin_transaction()?.abort()?;
    }
    store.close()
}

#[test]
fn whichever_operation_fails_each_record_is_transferred_once() {
    let (prepared, clock) = prepared();
    for operation in [Operation::Append, Operation::OpenAppend, Operation::Read, Operation::Sync, Operation::SyncDir] {
        let mut failed = 0;
        for nth in 0..60 {
            let disk = prepared.after_crash(Crash::Process, nth);
            let inject = || disk.inject(Fault::io_error().on(operation).nth(nth));
            let started = std::cell::Cell::new(false);
            let inject_once = || {
                if !started.replace(true) {
                    inject();
                }
            };
            let checked = persist(&disk, &clock, inject_once).and_then(|retries| {
                failed += usize::from(retries > 0);
                disk.clear_faults();
                check_output(&disk, &clock, None)
            });
            checked.unwrap_or_else(|finding| panic!("{operation} {nth}: {finding}"));
        }
        assert!(failed > 0, "{operation} never fails anything");
    }
}

#[test]
fn a_full_disk_costs_a_transaction_and_no_record() {
    let (prepared, clock) = prepared();
    for room in (0..120_000).step_by(4_000) {
        let disk = prepared.after_crash(Crash::Process, 0);
        let store = open(&disk, &clock).unwrap();
        let producer = producer(&store).unwrap();
        disk.set_capacity(disk.used() + room);
        let mut failures = 0;
        while let Err(error) = transfer(&store, &producer, None) {
            assert!(
                matches!(error, esker::Error::StorageFull { .. } | esker::Error::TransactionAbortable { .. }),
                "{error:?}"
            );
            failures += 1;
            if failures > 2 {
                disk.set_capacity(u64::MAX);
            }
            assert!(failures < 10, "space is back, and still: {error:?}");
            // Aborts what is left, if there is space for that.
            let aborted = producer.begin_transaction().and_then(|transaction| transaction.abort());
            assert!(aborted.is_ok() || failures <= 3, "{aborted:?}");
        }
        disk.set_capacity(u64::MAX);
        store.close().unwrap();
        check_output(&disk, &clock, None).unwrap_or_else(|finding| panic!("with {room} bytes: {finding}"));
    }
}
