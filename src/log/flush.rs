//! Group commit: many appends wait for one sync.
//!
//! The first to wait leads: it syncs for everyone who has appended by then, and the others wait for it. Whoever
//! appended after that sync began waits for the next, which one of them leads. A caller alone pays one sync and no
//! thread switch; N callers share it.
//!
//! ```text
//!   a waiter for `target` returns Ok   only if a sync that began after its append returned Ok
//!                                 Err  if a sync failed before that: a failed sync may have lost pages for good, so
//!                                      no later one can prove anything, and the failure is final
//! ```

use std::ops::Deref;
use std::time::{Duration, Instant};

use super::wait::{Parker, Waiters};
use crate::error::{Error, Result};
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{IS_MODEL, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, rounds, thread};
use crate::types::Offset;

/// For how long a leader waits for callers who are on their way, at most.
const GATHER_MAX: Duration = Duration::from_millis(1);
/// How many syncs in a row are begun without waiting for callers who did not come along in time, at most.
const UNGATHERED_MAX: u64 = 64;
/// How many syncs a leader adds for those who came later, before it lets another lead: its thread may be wanted
/// elsewhere.
#[cfg(any(feature = "net", esker_loom))]
const LEAD_SYNCS_MAX: usize = rounds(100);
/// How often a caller lets others run before it sleeps: going to sleep and being woken can take longer than a sync.
const WAIT_YIELDS: usize = rounds(50);

/// How many truncations are told apart by those who wait.
const TRUNCATIONS_MAX: usize = 64;

/// What a waiter waits for: that everything below `end` is on the device, as the log was in its `generation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SyncTarget {
    /// How often the log had been truncated when the end was looked at.
    pub(crate) generation: u64,
    pub(crate) end: Offset,
}

/// A truncation, for those who waited for what it took.
#[derive(Debug)]
struct Truncation {
    generation: u64,
    end: Offset,
    error: Error,
}

/// Shares syncs among those who wait for them. Knows nothing of files: whoever leads brings the sync along.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    /// Everything below this offset is on the device.
    synced: AtomicI64,
    /// How often the log was truncated.
    generation: AtomicU64,
    /// The truncations that have cut deepest since, oldest first: each is deeper than those after it.
    truncations: Mutex<Vec<Truncation>>,
    /// Held shared by whoever syncs until that is noted, and alone by whoever truncates: what a sync says about offsets
    /// must be noted before they are given out anew.
    syncing: RwLock<()>,
    /// Somebody is syncing now.
    leading: AtomicBool,
    /// Somebody is to lead who waits for a thread.
    #[cfg(any(feature = "net", esker_loom))]
    offered: AtomicBool,
    /// There is a failure, for those who ask on every append.
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// How many have come to wait so far. Each has appended before it came.
    arrived: AtomicUsize,
    /// How many had come when the last sync began.
    covered: AtomicUsize,
    /// How many callers there are, it seems: those whom the last sync covered and those who came while it ran.
    callers: AtomicUsize,
    /// How long the last sync took, in nanoseconds.
    sync_nanos: AtomicU64,
    /// How many syncs are begun yet without waiting for callers as long, and how many it was to be when they were
    /// missed last. Only who leads looks at these.
    ungathered: AtomicU64,
    ungathered_last: AtomicU64,
    /// Those who wait, on a thread or without one.
    pub(super) waiters: Waiters,
}

impl GroupCommit {
    /// Starts with everything below `synced` on the device.
    pub(crate) fn new(synced: Offset) -> Self {
        Self {
            synced: AtomicI64::new(synced),
            generation: AtomicU64::new(0),
            truncations: Mutex::default(),
            syncing: RwLock::default(),
            leading: AtomicBool::new(false),
            #[cfg(any(feature = "net", esker_loom))]
            offered: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
            arrived: AtomicUsize::new(0),
            covered: AtomicUsize::new(0),
            callers: AtomicUsize::new(0),
            sync_nanos: AtomicU64::new(0),
            ungathered: AtomicU64::new(0),
            ungathered_last: AtomicU64::new(0),
            waiters: Waiters::default(),
        }
    }

    /// Everything below this offset is on the device.
    pub(crate) fn synced(&self) -> Offset {
        self.synced.load(Ordering::Acquire)
    }

    /// The failure that ended it all, if there was one.
    #[inline]
    pub(crate) fn failure(&self) -> Option<Error> {
        if self.failed.load(Ordering::Acquire) { self.failure.lock().clone() } else { None }
    }

    /// How often the log was truncated so far. To be looked at before the log's end that is to be waited for.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// What [`wait`](Self::wait) would return now, or None if it would have to wait.
    pub(crate) fn check(&self, target: SyncTarget) -> Option<Result<()>> {
        let is_synced = self.synced() >= target.end;
        // Looked at after that: where offsets were given out anew, and then synced, the truncation shows.
        if self.generation() != target.generation
            && let Some(error) = self.truncated(target)
        {
            return Some(Err(error));
        }
        if is_synced { Some(Ok(())) } else { self.failure().map(Err) }
    }

    /// What a truncation has left for those who wait for `target`, if one has cut below it.
    #[cold]
    fn truncated(&self, target: SyncTarget) -> Option<Error> {
        let truncations = self.truncations.lock();
        let since = truncations.iter().find(|truncation| truncation.generation > target.generation)?;
        (since.end < target.end).then(|| since.error.clone())
    }

    /// Keeps truncations away until what is being synced is noted.
    pub(super) fn share_syncing(&self) -> RwLockReadGuard<'_, ()> {
        self.syncing.read()
    }

    /// Waits for the syncs that are under way, and keeps others away.
    pub(super) fn exclude_syncing(&self) -> RwLockWriteGuard<'_, ()> {
        self.syncing.write()
    }

    /// The log ends at `end` now: whoever waits for more gets `error`. To be called while syncs are excluded, by who
    /// keeps appends away too.
    pub(super) fn truncate(&self, end: Offset, error: Error) {
        let mut truncations = self.truncations.lock();
        let generation = self.generation() + 1;
        truncations.retain(|before| before.end < end);
        truncations.push(Truncation { generation, end, error });
        if truncations.len() > TRUNCATIONS_MAX {
            // Whoever came between these two and waits since is told of the deeper one.
            let oldest = truncations.remove(0);
            truncations[0].end = oldest.end;
        }
        self.generation.store(generation, Ordering::Release);
        self.synced.fetch_min(end, Ordering::AcqRel);
        drop(truncations);
        self.waiters.notify(Offset::MAX);
    }

    /// Returns once everything below `target` is on the device, leading a sync if nobody else does.
    ///
    /// `sync` makes durable what had been appended when it was called, and returns the end of that.
    pub(crate) fn wait(&self, target: SyncTarget, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        self.arrive();
        loop {
            if let Some(result) = self.check(target) {
                return result;
            }
            match Lead::take(self) {
                Some(lead) => lead.sync_for(target, &sync)?,
                None => self.sleep(target),
            }
        }
    }

    /// Says that one more has come to wait, who has appended before.
    pub(super) fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a caller has nothing to wait for: its result is known, or nobody leads.
    fn is_up(&self, target: SyncTarget) -> bool {
        self.check(target).is_some() || !self.leading.load(Ordering::Acquire)
    }

    /// Waits for the leader, who syncs or may be about to.
    fn sleep(&self, target: SyncTarget) {
        for _ in 0..WAIT_YIELDS {
            if self.is_up(target) {
                return;
            }
            thread::yield_now();
        }
        let parker = Parker::new();
        let waiter = self.waiters.register(target.end - 1, parker.waker());
        // Looked at again after registering, so that no leader steps down unseen.
        if !self.is_up(target) {
            parker.park_until(None);
        }
        self.waiters.deregister(waiter);
    }

    fn lead(&self, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        self.gather();
        self.sync(sync)
    }

    fn sync(&self, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        let covered_before = self.covered.load(Ordering::Relaxed);
        let covered = self.arrived.load(Ordering::Acquire);
        let shared = self.share_syncing();
        let began = Instant::now();
        let synced = sync();
        if !IS_MODEL {
            self.sync_nanos.store(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
        match &synced {
            Ok(end) => drop(self.synced.fetch_max(*end, Ordering::AcqRel)),
            Err(error) if !is_final(error) => {}
            Err(error) => self.set_failure(error.clone()),
        }
        drop(shared);
        self.covered.store(covered, Ordering::Relaxed);
        self.callers.store(self.arrived.load(Ordering::Acquire) - covered_before, Ordering::Relaxed);
        synced.map(drop)
    }

    /// Lets another lead, and wakes those who were waiting: they are done, or one of them leads.
    fn step_down(&self) {
        self.leading.store(false, Ordering::Release);
        self.waiters.notify(Offset::MAX);
    }

    /// Gives the callers who are likely on their way with their next append a moment to come along, instead of making
    /// them wait for the sync after this one. A caller alone waits for nobody.
    ///
    /// Each is let run once, after which most are here. Where all come along within half the time of a sync, one sync
    /// is enough where two would have had a part of them each. Whoever takes longer, such as large batches on their way
    /// over one connection, had better come while a sync runs: then that wait is left out for some time.
    fn gather(&self) {
        let (covered, callers) = (self.covered.load(Ordering::Relaxed), self.callers.load(Ordering::Relaxed));
        let are_here = || self.arrived.load(Ordering::Acquire) >= covered + callers;
        let are_here_or_let_run = || {
            are_here() || {
                thread::yield_now();
                false
            }
        };
        let are_here_soon = (1..callers).any(|_| are_here_or_let_run());
        if callers < 2 || IS_MODEL {
            return;
        }
        if are_here_soon {
            return self.gathered(true);
        }
        match self.ungathered.load(Ordering::Relaxed) {
            0 => {
                let sync = Duration::from_nanos(self.sync_nanos.load(Ordering::Relaxed));
                let (began, patience) = (Instant::now(), (sync / 2).min(GATHER_MAX));
                let mut came = are_here();
                while !came && began.elapsed() < patience {
                    came = are_here_or_let_run();
                }
                self.gathered(came);
            }
            left => self.ungathered.store(left - 1, Ordering::Relaxed),
        }
    }

    /// Notes whether the callers came along.
    fn gathered(&self, came: bool) {
        let last = self.ungathered_last.load(Ordering::Relaxed);
        let ungathered = if came { 0 } else { (last * 2).clamp(1, UNGATHERED_MAX) };
        self.ungathered.store(ungathered, Ordering::Relaxed);
        self.ungathered_last.store(ungathered, Ordering::Relaxed);
    }

    /// Ends it: whoever waits gets `failure`, and so does everyone after.
    pub(crate) fn fail(&self, failure: Error) {
        self.set_failure(failure);
        self.waiters.notify(Offset::MAX);
    }

    fn set_failure(&self, failure: Error) {
        self.failure.lock().get_or_insert(failure);
        self.failed.store(true, Ordering::Release);
    }
}

/// The one who syncs for everybody, until it is dropped.
#[derive(Debug)]
pub(super) struct Lead<C: Deref<Target = GroupCommit>> {
    commit: C,
}

impl<C: Deref<Target = GroupCommit>> Lead<C> {
    /// Takes the lead, unless somebody else has it.
    pub(super) fn take(commit: C) -> Option<Self> {
        // Lazily: to drop one is to step down.
        (!commit.leading.swap(true, Ordering::AcqRel)).then(|| Self { commit })
    }

    /// Syncs if who waits for `target` needs it. What fails for good is what all who wait are told; only another
    /// failure is returned.
    pub(super) fn sync_for(self, target: SyncTarget, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        self.begin(target, sync).or_else(unless_final)
    }

    fn begin(&self, target: SyncTarget, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        // Another leader may have been done in between.
        if self.commit.check(target).is_some() { Ok(()) } else { self.commit.lead(sync) }
    }

    /// Syncs, as [`GroupCommit::wait`] says, without waiting for anybody: for who keeps appends away.
    pub(super) fn sync(self, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        self.commit.sync(sync)
    }
}

/// For those who wait without a thread, while one syncs for them.
#[cfg(any(feature = "net", esker_loom))]
impl GroupCommit {
    /// Whether somebody has come since the last sync began, for whom another is worth while.
    fn is_awaited(&self) -> bool {
        let have_come = self.arrived.load(Ordering::Acquire) > self.covered.load(Ordering::Relaxed);
        have_come && !self.failed.load(Ordering::Acquire)
    }
}

#[cfg(any(feature = "net", esker_loom))]
impl<C: Deref<Target = GroupCommit>> Lead<C> {
    /// Syncs as [`sync_for`](Self::sync_for), by a thread that has nothing else to do: where others come while it syncs
    /// it goes on, for some time, because a new leader would make them wait until it is awake.
    pub(super) fn sync_while_awaited(self, target: SyncTarget, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        let commit = &*self.commit;
        let mut synced = self.begin(target, &sync);
        for _ in 0..LEAD_SYNCS_MAX {
            if synced.is_err() || !commit.is_awaited() {
                break;
            }
            commit.waiters.notify(commit.synced());
            synced = commit.lead(&sync);
        }
        synced.or_else(unless_final)
    }
}

impl<C: Deref<Target = GroupCommit>> Drop for Lead<C> {
    fn drop(&mut self) {
        self.commit.step_down();
    }
}

/// The lead, for a caller without a thread, until there is one. Only others without a thread wait for that. A caller
/// that has one leads before: otherwise all threads that there are could wait for this caller, and it for one of them.
#[cfg(any(feature = "net", esker_loom))]
#[derive(Debug)]
pub(super) struct Offer<C: Deref<Target = GroupCommit>> {
    commit: C,
}

#[cfg(any(feature = "net", esker_loom))]
impl<C: Deref<Target = GroupCommit>> Offer<C> {
    /// Takes it, unless somebody leads, or is to.
    pub(super) fn take(commit: C) -> Option<Self> {
        let is_led = commit.leading.load(Ordering::Acquire);
        (!is_led && !commit.offered.swap(true, Ordering::AcqRel)).then(|| Self { commit })
    }

    /// The lead, unless a thread has taken it meanwhile, which tells all who wait when it steps down.
    pub(super) fn lead(&self) -> Option<Lead<&GroupCommit>> {
        Lead::take(&*self.commit)
    }
}

#[cfg(any(feature = "net", esker_loom))]
impl<C: Deref<Target = GroupCommit>> Drop for Offer<C> {
    fn drop(&mut self) {
        self.commit.offered.store(false, Ordering::Release);
        self.commit.waiters.notify(Offset::MAX);
    }
}

/// What fails for good is what all who wait are told.
fn unless_final(error: Error) -> Result<()> {
    if is_final(&error) { Ok(()) } else { Err(error) }
}

/// Whether a sync has failed. One that could not begin, for want of a file to open, may be tried again.
pub(super) fn is_final(error: &Error) -> bool {
    !matches!(error, Error::TooManyOpenFiles { .. })
}

#[cfg(all(test, not(any(esker_loom, esker_shuttle))))]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::Arc;

    fn to(end: Offset) -> SyncTarget {
        SyncTarget { generation: 0, end }
    }

    #[test]
    fn what_is_synced_already_needs_no_sync() {
        let commit = GroupCommit::new(5);
        assert!(commit.wait(to(5), || panic!("there is nothing to sync")).is_ok());
    }

    #[test]
    fn a_failed_sync_is_final() {
        let commit = GroupCommit::new(0);
        let failed = commit.wait(to(1), || Err(Error::Closed { what: "device" }));
        assert!(matches!(failed, Err(Error::Closed { .. })));
        let retried = Cell::new(false);
        let again = commit.wait(to(1), || {
            retried.set(true);
            Ok(1)
        });
        assert!(again.is_err() && !retried.get(), "a later success would prove nothing");
    }

    #[test]
    fn there_is_one_leader_at_a_time() {
        let commit = GroupCommit::new(0);
        let lead = Lead::take(&commit);
        assert!(lead.is_some() && Lead::take(&commit).is_none());
        assert!(Lead::take(&commit).is_none(), "the one who did not get it has not given it up");
        drop(lead);
        assert!(Lead::take(&commit).is_some());
    }

    #[test]
    fn truncations_are_told_however_many_they_are() {
        let commit = GroupCommit::new(10);
        for end in 4..1_000 {
            commit.truncate(end, Error::Closed { what: "the tail" });
        }
        assert_eq!(commit.truncations.lock().len(), TRUNCATIONS_MAX);
        assert!(matches!(commit.check(to(5)), Some(Err(_))) && matches!(commit.check(to(4)), Some(Ok(()))));
    }

    #[test]
    fn a_sync_of_other_records_at_the_same_offsets_proves_nothing() {
        let commit = GroupCommit::new(10);
        commit.truncate(4, Error::Closed { what: "first" });
        commit.truncate(7, Error::Closed { what: "second" });
        assert_eq!(commit.synced(), 4, "a truncation says nothing of what lies before it");
        commit.wait(SyncTarget { generation: 2, end: 20 }, || Ok(20)).expect("the sync succeeds");
        let result = |generation, end| match commit.check(SyncTarget { generation, end }) {
            Some(Ok(())) => "synced",
            Some(Err(Error::Closed { what })) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!([result(0, 4), result(0, 5), result(0, 20)], ["synced", "first", "first"]);
        assert_eq!([result(1, 7), result(1, 8), result(2, 20)], ["synced", "second", "synced"]);
    }

    #[test]
    fn a_sync_that_is_under_way_is_noted_before_a_truncation() {
        let commit = Arc::new(GroupCommit::new(0));
        let (began, has_begun) = std::sync::mpsc::channel();
        let (go_on, goes_on) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let went_on = Mutex::new(goes_on);
                let sync = || {
                    began.send(()).expect("somebody listens");
                    went_on.lock().recv().expect("somebody tells");
                    Ok(100)
                };
                commit.wait(to(100), sync)
            });
            has_begun.recv().expect("the sync begins");
            let truncation = scope.spawn(|| {
                let _excluded = commit.exclude_syncing();
                commit.truncate(40, Error::Closed { what: "the rest" });
            });
            go_on.send(()).expect("the sync goes on");
            // It may have been told of the sync before the truncation, or of that.
            let _ = waiter.join().expect("no panic");
            truncation.join().expect("no panic");
        });
        assert_eq!(commit.synced(), 40);
    }

    #[test]
    fn callers_who_did_not_come_along_in_time_are_waited_for_ever_less() {
        let commit = GroupCommit::new(0);
        let gather = |callers, arrived| {
            commit.callers.store(callers, Ordering::Relaxed);
            commit.arrived.store(arrived, Ordering::Relaxed);
            commit.gather();
            commit.ungathered.load(Ordering::Relaxed)
        };
        let mut missed = 0;
        for expected in [1, 2, 4, 8, 16, 32, UNGATHERED_MAX, UNGATHERED_MAX] {
            let left: Vec<u64> = (0..=expected).map(|_| gather(3, 2)).collect();
            assert_eq!(left, (0..=expected).rev().collect::<Vec<_>>(), "after {missed}");
            missed = expected;
        }
        gather(1, 1);
        assert_eq!(gather(3, 2), UNGATHERED_MAX, "a caller alone says nothing of others");
        assert_eq!(gather(3, 3), 0);
        assert_eq!(gather(3, 2), 1, "they came along in between");
    }

    #[test]
    fn every_waiter_sees_a_sync_that_began_after_its_append() {
        const THREADS: i64 = 8;
        const APPENDS: i64 = 200;
        let commit = Arc::new(GroupCommit::new(0));
        let end = Arc::new(AtomicI64::new(0));
        let durable = Arc::new(AtomicI64::new(0));
        let syncs = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..APPENDS {
                        let target = end.fetch_add(1, Ordering::SeqCst) + 1;
                        let result = commit.wait(to(target), || {
                            let captured = end.load(Ordering::SeqCst);
                            thread::yield_now();
                            durable.fetch_max(captured, Ordering::SeqCst);
                            syncs.fetch_add(1, Ordering::SeqCst);
                            Ok(captured)
                        });
                        assert!(result.is_ok());
                        assert!(durable.load(Ordering::SeqCst) >= target);
                    }
                });
            }
        });
        assert!(syncs.load(Ordering::SeqCst) <= (THREADS * APPENDS) as usize);
    }
}
