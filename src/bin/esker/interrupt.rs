//! Ctrl-C and its kin: SIGINT, SIGTERM, SIGHUP.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, INTERRUPTED, Result};

/// Calls `interrupted` once, on a thread of its own, when the user or the system wants the command to end. It then
/// ends in its own time; who can't wait for that asks again, and it ends at once, as a crash would.
pub(crate) fn on_interrupt(mut interrupted: impl FnMut() + Send + 'static) -> Result {
    let again = AtomicBool::new(false);
    let handler = move || {
        if again.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        interrupted();
    };
    ctrlc::set_handler(handler).map_err(|error| Failure::because("cannot listen for signals", error))
}
