//! Work that is done once for each of many partitions and mostly waits for the device: syncs of many files take little
//! longer at a time than one alone, for a file system commits them together.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};

/// Fewer are done by the caller, one after the other.
const MANY: usize = 64;
const THREADS: usize = 16;

/// Does `work` for each of `items`, in their order or, where they are many, at the same time on some threads that end
/// with this call. All get their turn; a failure is returned.
pub(super) fn for_each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work_on = || {
        let mut failure: Option<Error> = None;
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                failure.get_or_insert(error);
            }
        }
        failure
    };
    let threads = if items.len() < MANY { 1 } else { THREADS };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work_on)).collect();
        let mut failure = work_on();
        for other in others {
            match other.join() {
                Ok(found) => failure = failure.or(found),
                Err(panic) => panic::resume_unwind(panic),
            }
        }
        failure.map_or(Ok(()), Err)
    })
}

#[cfg(all(test, not(any(esker_loom, esker_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn each_item_gets_its_turn_and_a_failure_is_told() {
        for count in [0, 1, MANY - 1, MANY, 10 * MANY] {
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            let work = |item: &AtomicUsize| {
                item.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            assert!(for_each(&done, work).is_ok());
            assert!(done.iter().all(|item| item.load(Ordering::Relaxed) == 1));
            let failing = |item: &AtomicUsize| work(item).and(Err(Error::Closed { what: "it" }));
            assert_eq!(for_each(&done, failing).is_err(), count > 0);
            assert!(done.iter().all(|item| item.load(Ordering::Relaxed) == 2));
        }
    }
}
