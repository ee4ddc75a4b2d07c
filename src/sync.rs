//! What the threads of a log share and wait with: atomics, locks, the swapped snapshot, parking.
//!
//! They are the types of the standard library, `parking_lot` and `arc-swap`, under one roof so that a model checker's
//! can take their place: built with `--cfg esker_loom` or `--cfg esker_shuttle` the same code runs under a scheduler
//! that tries its interleavings, and with loom also what weak memory lets a thread see. Only the tests in
//! `log::model_check` are built that way; see there.

#[cfg(any(esker_loom, esker_shuttle))]
mod model;

#[cfg(any(esker_loom, esker_shuttle))]
pub(crate) use model::{ArcSwap, Guard, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic, thread};

#[cfg(not(any(esker_loom, esker_shuttle)))]
pub(crate) use arc_swap::{ArcSwap, Guard};
#[cfg(not(any(esker_loom, esker_shuttle)))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(not(any(esker_loom, esker_shuttle)))]
pub(crate) use std::{sync::atomic, thread};

/// Whether a checker runs this. In a model no time passes, and each value that threads share multiplies its orders.
pub(crate) const IS_MODEL: bool = cfg!(any(esker_loom, esker_shuttle));

/// How often a loop goes round that lets other threads run, only to save time. A checker tries those orders anyway,
/// and each round multiplies them: it gets one.
pub(crate) const fn rounds(rounds: usize) -> usize {
    if IS_MODEL { 1 } else { rounds }
}
