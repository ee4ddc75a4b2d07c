//! When something is due: one queue for all groups, with at most two entries a member, two a group.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What is due, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) group: Arc<str>,
    pub(super) due: Due,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Due {
    /// The join phase is to end.
    Join,
    /// All members should have asked for their assignments by now.
    Sync,
    /// A member should have shown that it is alive, or a pending one should have joined.
    Session(Arc<str>),
    /// A member of a consumer group should have let go of what it was told to; or have joined again, or asked for its
    /// part, if it has the classic protocol.
    Rebalance(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    deadlines: HashMap<Timer, i64>,
    queue: BTreeSet<(i64, Timer)>,
}

impl Timers {
    /// Sets a timer, in the place of what it was set to before.
    fn schedule(&mut self, timer: Timer, deadline: i64) {
        self.cancel(&timer);
        self.queue.insert((deadline, timer.clone()));
        self.deadlines.insert(timer, deadline);
    }

    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some((timer, deadline)) = self.deadlines.remove_entry(timer) {
            self.queue.remove(&(deadline, timer));
        }
    }

    fn contains(&self, timer: &Timer) -> bool {
        self.deadlines.contains_key(timer)
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.queue.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the first timer whose time has come.
    pub(super) fn pop_due(&mut self, now_ms: i64) -> Option<Timer> {
        if self.next_deadline()? > now_ms {
            return None;
        }
        let (_, timer) = self.queue.pop_first()?;
        self.deadlines.remove(&timer);
        Some(timer)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// The timers of one group, at one moment.
pub(super) struct GroupTimers<'a> {
    pub(super) timers: &'a mut Timers,
    pub(super) group: Arc<str>,
    pub(super) now_ms: i64,
}

impl GroupTimers<'_> {
    pub(super) fn schedule(&mut self, due: Due, delay_ms: i32) {
        let timer = self.timer(due);
        self.timers.schedule(timer, self.now_ms.saturating_add(delay_ms.into()));
    }

    pub(super) fn cancel(&mut self, due: Due) {
        let timer = self.timer(due);
        self.timers.cancel(&timer);
    }

    pub(super) fn is_set(&self, due: Due) -> bool {
        self.timers.contains(&self.timer(due))
    }

    fn timer(&self, due: Due) -> Timer {
        Timer { group: self.group.clone(), due }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_first_comes_first_and_what_is_set_anew_comes_once() {
        let timer = |due| Timer { group: "g".into(), due };
        let mut timers = Timers::default();
        timers.schedule(timer(Due::Join), 10);
        timers.schedule(timer(Due::Sync), 5);
        timers.schedule(timer(Due::Join), 3);
        timers.schedule(timer(Due::Session("m".into())), 4);
        timers.cancel(&timer(Due::Session("m".into())));
        assert_eq!(timers.next_deadline(), Some(3));
        assert_eq!(timers.pop_due(2), None);
        assert_eq!(timers.pop_due(9), Some(timer(Due::Join)));
        assert_eq!(timers.pop_due(9), Some(timer(Due::Sync)));
        assert_eq!((timers.pop_due(99), timers.len()), (None, 0));
    }
}
