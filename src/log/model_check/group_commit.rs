//! Who waits for a sync gets one that began after its append, or a failure that stays; and nobody is left asleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool as PlainBool, AtomicI64 as PlainI64, AtomicUsize as PlainUsize, Ordering};

use super::explore;
use crate::error::{Error, Result};
use crate::log::flush::{GroupCommit, Offer, SyncTarget};
use crate::sync::thread;

/// What is appended and what is on the device. Kept outside of the model: it records what is, not what a thread sees.
#[derive(Debug)]
struct Scene {
    commit: GroupCommit,
    appended: PlainI64,
    durable: PlainI64,
    syncs: PlainUsize,
    has_failed: PlainBool,
    /// Which sync fails, counted from 0.
    failing: Option<usize>,
}

impl Scene {
    fn new(failing: Option<usize>) -> Arc<Self> {
        let (appended, durable) = (PlainI64::new(0), PlainI64::new(0));
        let (syncs, has_failed) = (PlainUsize::new(0), PlainBool::new(false));
        Arc::new(Self { commit: GroupCommit::new(0), appended, durable, syncs, has_failed, failing })
    }

    fn append_and_wait(&self) -> Result<()> {
        let target = self.appended.fetch_add(1, Ordering::SeqCst) + 1;
        let result = self.commit.wait(SyncTarget { generation: 0, end: target }, || self.sync());
        let is_durable = self.durable.load(Ordering::SeqCst) >= target;
        assert!(result.is_err() || is_durable, "told of a sync that did not cover the append");
        result
    }

    /// As [`append_and_wait`](Self::append_and_wait) by someone who leads for as long as others come.
    fn append_and_lead(&self) -> Result<()> {
        let target = SyncTarget { generation: 0, end: self.appended.fetch_add(1, Ordering::SeqCst) + 1 };
        self.commit.arrive();
        if let Some(offer) = Offer::take(&self.commit) {
            // Until there is a thread for it, others lead.
            thread::yield_now();
            offer.lead().map_or(Ok(()), |lead| lead.sync_while_awaited(target, || self.sync()))?;
        }
        self.commit.wait(target, || self.sync())
    }

    /// Covers what was appended when it began.
    fn sync(&self) -> Result<i64> {
        assert!(!self.has_failed.load(Ordering::SeqCst), "nobody syncs after a failure");
        let (end, sync) = (self.appended.load(Ordering::SeqCst), self.syncs.fetch_add(1, Ordering::SeqCst));
        thread::yield_now();
        if self.failing == Some(sync) {
            self.has_failed.store(true, Ordering::SeqCst);
            return Err(Error::Closed { what: "device" });
        }
        self.durable.fetch_max(end, Ordering::SeqCst);
        Ok(end)
    }

    /// So many callers at once; how many succeed.
    fn run(self: &Arc<Self>, callers: usize) -> usize {
        let others: Vec<_> = (1..callers)
            .map(|_| {
                let scene = self.clone();
                loom::thread::spawn(move || scene.append_and_wait())
            })
            .collect();
        let mut results = vec![self.append_and_wait()];
        results.extend(others.into_iter().map(|other| other.join().expect("no panic")));
        results.iter().filter(|result| result.is_ok()).count()
    }
}

/// A leader that steps down without another in its place would leave the last one asleep: a deadlock.
#[test]
fn everybody_gets_a_sync_that_began_after_its_append() {
    explore(3, || assert_eq!(Scene::new(None).run(2), 2));
    explore(1, || assert_eq!(Scene::new(None).run(3), 3));
}

#[test]
fn two_callers_come_twice() {
    explore(2, || {
        let scene = Scene::new(None);
        let other = loom::thread::spawn({
            let scene = scene.clone();
            move || (scene.append_and_wait().is_ok(), scene.append_and_wait().is_ok())
        });
        assert!(scene.append_and_wait().is_ok());
        assert_eq!(other.join().expect("no panic"), (true, true));
    });
}

#[test]
fn a_leader_that_goes_on_leaves_nobody_asleep() {
    for (preemptions, callers, failing) in [(3, 2, None), (1, 3, None), (2, 2, Some(0)), (2, 2, Some(1))] {
        explore(preemptions, move || {
            let scene = Scene::new(failing);
            let others: Vec<_> = (1..callers)
                .map(|_| {
                    let scene = scene.clone();
                    loom::thread::spawn(move || scene.append_and_wait().is_ok())
                })
                .collect();
            let mut succeeded = vec![scene.append_and_lead().is_ok()];
            succeeded.extend(others.into_iter().map(|other| other.join().expect("no panic")));
            let has_failed = scene.has_failed.load(Ordering::SeqCst);
            assert!(has_failed || succeeded.iter().all(|succeeded| *succeeded));
        });
    }
}

#[test]
fn a_failed_sync_is_final_for_everyone() {
    for (preemptions, callers) in [(3, 2), (1, 3)] {
        explore(preemptions, move || {
            let scene = Scene::new(Some(0));
            assert_eq!(scene.run(callers), 0);
            assert!(scene.commit.failure().is_some());
        });
    }
}

#[test]
fn a_sync_that_fails_later_leaves_what_was_synced() {
    explore(2, || {
        let scene = Scene::new(Some(1));
        let succeeded = scene.run(2);
        assert!(succeeded >= 1, "the first sync was good");
        assert!(scene.append_and_wait().is_ok() == (scene.syncs.load(Ordering::SeqCst) == 1));
    });
}

/// A failure from outside, such as the deletion of the partition, reaches those who wait.
#[test]
fn a_failure_from_outside_leaves_nobody_asleep() {
    explore(2, || {
        let scene = Scene::new(None);
        let other = loom::thread::spawn({
            let scene = scene.clone();
            move || scene.append_and_wait().is_ok()
        });
        scene.commit.fail(Error::Closed { what: "partition" });
        other.join().expect("no panic");
        assert!(
            scene.commit.wait(SyncTarget { generation: 0, end: 9 }, || panic!("nobody syncs after a failure")).is_err()
        );
    });
}
