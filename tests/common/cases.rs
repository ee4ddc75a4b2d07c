//! Trying many cases at once, and telling of the first that fails.

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A number from the environment, which picks out cases.
pub fn env_number(key: &str) -> Option<u64> {
    env::var(key).ok().map(|value| value.parse().expect("the variable is a number"))
}

/// Turns a panic inside of the store into a finding, so that it is reported with its seed.
pub fn catching(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// Tries all cases on as many threads as there are processors, until one of them has a finding, and returns it.
pub fn try_all(cases: u64, case: impl Fn(u64) -> Result<(), String> + Sync) -> Option<String> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let is_found = &AtomicBool::new(false);
    let find = |index| case(index).err().inspect(|_| is_found.store(true, Ordering::Relaxed));
    thread::scope(|scope| {
        let find = &find;
        let run = move |first: u64| {
            let cases = (first..cases).step_by(threads as usize);
            cases.take_while(|_| !is_found.load(Ordering::Relaxed)).find_map(find)
        };
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        workers.into_iter().find_map(|worker| worker.join().expect("findings are returned"))
    })
}

/// Tries as many seeds as `ESKER_SEEDS` says, or else `seeds`; or the one alone that `ESKER_SEED` picks out. Panics
/// with the first finding.
pub fn try_seeds(seeds: u64, case: impl Fn(u64) -> Result<(), String> + Sync) {
    let finding = match env_number("ESKER_SEED") {
        Some(seed) => case(seed).err(),
        None => try_all(env_number("ESKER_SEEDS").unwrap_or(seeds), case),
    };
    assert!(finding.is_none(), "{}", finding.unwrap_or_default());
}
