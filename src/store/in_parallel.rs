//! Work that is done once for each of many partitions and mostly waits for the device: syncs of many files take little
//! longer at a time than one alone, for a file system commits them together.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};

/// Fewer are done by the caller, one after the other.
const MANY: usize = 64;
/// How many threads help those who have many, in all of the process.
const HELPERS_MAX: usize = 15;

/// How many are left.
static HELPERS_LEFT: AtomicUsize = AtomicUsize::new(HELPERS_MAX);

/// Does `work` for each of `items`, in their order or, where they are many, at the same time on some threads that end
/// with this call, if there are any to be had. All get their turn; a failure is returned.
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
    thread::scope(|scope| {
        let mut helpers = Vec::new();
        while items.len() >= MANY
            && let Some(helper) = Helper::take()
        {
            let help = move || {
                let _helper = helper;
                work_on()
            };
            // The system may have no more: then those who are there do it.
            let Ok(helping) = thread::Builder::new().spawn_scoped(scope, help) else { break };
            helpers.push(helping);
        }
        let mut failure = work_on();
        for other in helpers {
            match other.join() {
                Ok(found) => failure = failure.or(found),
                Err(panic) => panic::resume_unwind(panic),
            }
        }
        failure.map_or(Ok(()), Err)
    })
}

/// One of the threads that may help, until it is dropped.
struct Helper;

impl Helper {
    fn take() -> Option<Self> {
        let taken = HELPERS_LEFT.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        // Lazily: to drop one is to give it back.
        taken.is_ok().then(|| Self)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        HELPERS_LEFT.fetch_add(1, Ordering::AcqRel);
    }
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

    #[test]
    fn however_many_have_much_to_do_there_are_no_more_threads_than_that() {
        const CALLERS: usize = 8;
        let (working, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |_: &()| {
            most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            working.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        };
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| assert!(for_each(&[(); 10 * MANY], work).is_ok()));
            }
        });
        assert!(most.into_inner() <= CALLERS + HELPERS_MAX);
    }
}
