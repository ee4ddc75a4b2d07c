//! How many files the logs of a store have open, and which of them are let go of: those that nobody used for a while,
//! and when there are too many, those that were not used for longest, as near as a clock tells (second chance).
//!
//! ```text
//!   ┌─ front                                     back ─┐
//!   used since it was looked at? ── yes ──► not any more, to the back
//!           └── no ──► closed segment: its files are closed
//!                      active segment: trimmed and synced as by a clean shutdown, and its files closed
//! ```
//!
//! Each file has a map at most, so the limit is one on maps too. Slices that readers were given keep their maps, and no
//! handle. The limit is held before files are opened, by whoever opens them, and is passed only where everything else
//! is being used at that moment. Files that are on their way to a socket stay open until they are sent, however slow
//! the other side is; there are a quarter as many of these at most.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::LogInner;
use super::segment_files::FileSlot;
use crate::error::{Error, Result};
use crate::io::{Lent, process_files_max};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// What can be let go of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spare {
    /// What takes no sync.
    Synced,
    Any,
}

/// The open files of all logs of a store.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    max: usize,
    count: AtomicUsize,
    /// One for each range of a file that is out, and this one.
    lent: Lent,
    slots: Mutex<VecDeque<Weak<FileSlot>>>,
    /// Held by whoever makes room, so that many who need some do not all let go of more than it takes.
    making_room: Mutex<()>,
    round: Mutex<Round>,
}

/// A look at all open files for those that are idle.
#[derive(Debug)]
struct Round {
    /// How many are still to be looked at.
    left: usize,
    next_ms: i64,
}

impl Default for OpenFiles {
    /// Without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl OpenFiles {
    /// A quarter of Linux's usual `vm.max_map_count`. Where a process may open fewer files, half of those.
    const DEFAULT_MAX: usize = 16_384;
    /// How many files are looked at for ones that take no sync, before others are let go of.
    const SYNCED_LOOKS_MAX: usize = 64;
    /// How many segments a tick lets go of. Each can take a sync, and there is more to do in a tick.
    const PER_TICK_MAX: usize = 64;

    /// Up to `max`; 0 stands for what is safe in this process.
    pub(crate) fn new(max: usize) -> Self {
        let max_by_default = || process_files_max().map_or(Self::DEFAULT_MAX, |max| (max / 2).min(Self::DEFAULT_MAX));
        Self {
            max: if max == 0 { max_by_default() } else { max },
            count: AtomicUsize::new(0),
            lent: Lent::default(),
            slots: Mutex::default(),
            making_room: Mutex::default(),
            round: Mutex::new(Round { left: 0, next_ms: i64::MIN }),
        }
    }

    /// How many files are open.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn opened(&self, count: usize) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, count: usize) {
        self.count.fetch_sub(count, Ordering::Relaxed);
    }

    /// The right to keep one file open beyond that, if not too many have it.
    pub(super) fn lend(&self) -> Option<Lent> {
        // Many at once may pass the limit by as many.
        (Lent::strong_count(&self.lent) <= self.max / 4).then(|| self.lent.clone())
    }

    /// From now on the files in `slot` can be let go of.
    pub(super) fn list(&self, slot: &Arc<FileSlot>) {
        self.slots.lock().push_back(Arc::downgrade(slot));
    }

    /// Runs `open`, which opens `count` files, with room made for them. Where the process can open no more, whatever
    /// its limit is, others go and it is tried again.
    ///
    /// The caller may hold the writer's lock of a log, which is `held` then, and no lock of files.
    pub(super) fn with_room<T>(
        &self,
        count: usize,
        held: Option<&LogInner>,
        mut open: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        self.make_room(count, held);
        match open() {
            Err(Error::TooManyOpenFiles { .. }) => {
                let enough = self.count() / 2;
                let _one_at_a_time = self.making_room.lock();
                // The first look forgets that they were used, and the second that they were appended to.
                for _ in 0..3 {
                    self.let_go_while(Spare::Any, held, usize::MAX, || self.count() > enough);
                }
                open()
            }
            opened => opened,
        }
    }

    /// Lets go of files until `count` more can be opened.
    fn make_room(&self, count: usize, held: Option<&LogInner>) {
        let is_full = || self.count() + count > self.max;
        if is_full() {
            let _one_at_a_time = self.making_room.lock();
            self.let_go_while(Spare::Synced, held, Self::SYNCED_LOOKS_MAX, is_full);
            self.let_go_while(Spare::Any, held, usize::MAX, is_full);
        }
    }

    /// Looks once at up to `looks_max` of the files, and lets go of what it can.
    fn let_go_while(&self, spare: Spare, held: Option<&LogInner>, looks_max: usize, go_on: impl Fn() -> bool) {
        let looks = self.slots.lock().len().min(looks_max);
        for _ in 0..looks {
            if !go_on() {
                break;
            }
            self.look_at_next(spare, held);
        }
    }

    /// Lets go of the files that are next, or puts them last.
    fn look_at_next(&self, spare: Spare, held: Option<&LogInner>) {
        let next = self.slots.lock().pop_front();
        if let Some(slot) = next.and_then(|slot| slot.upgrade())
            && !slot.let_go(spare, held)
        {
            self.list(&slot);
        }
    }

    /// Lets go of what was not used for `idle_ms`, or up to twice that, some at a time.
    pub(crate) fn let_go_of_idle(&self, monotonic_ms: i64, idle_ms: i64) {
        let mut round = self.round.lock();
        if round.left == 0 && monotonic_ms >= round.next_ms {
            *round = Round { left: self.slots.lock().len(), next_ms: monotonic_ms.saturating_add(idle_ms) };
        }
        let mut gone = 0;
        while round.left > 0 && gone < Self::PER_TICK_MAX {
            round.left -= 1;
            let before = self.count();
            self.look_at_next(Spare::Any, None);
            gone += usize::from(self.count() < before);
        }
    }
}
