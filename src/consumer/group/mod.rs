//! A consumer that shares topics with the others of its group: what it subscribes to, its membership, and what
//! assignments mean for what it reads.

mod config;
mod listener;
mod membership;
mod subscription;

use std::fmt;
use std::time::{Duration, Instant};

pub(super) use config::MembershipConfig;
pub use listener::RebalanceListener;

use super::Consumer;
use super::fetcher::Fetcher;
use crate::error::{Error, Result};
use crate::log::wait::Parker;
use crate::store::validate_topic_name;
use crate::types::{Acks, ConsumerGroupMetadata, TopicPartition};
use membership::{Event, Membership};
use subscription::Wanted;

/// A consumer's place in its group, if it has one.
#[derive(Debug, Default)]
pub(super) struct GroupSeat {
    membership: Option<Membership>,
    listener: Listener,
    /// Which member it was when it got its last assignment: also when it is none any more, so that what it read then is
    /// not committed by somebody who is no member (KIP-447).
    joined: Option<ConsumerGroupMetadata>,
}

#[derive(Default)]
enum Listener {
    #[default]
    None,
    Some(Box<dyn RebalanceListener>),
    /// It is being called.
    Busy,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

impl Consumer {
    /// Shares these topics with the other consumers of its group that subscribe, in this process and, if the store is
    /// served, elsewhere: each partition is read by one of them. Who reads what is agreed upon in [`poll`](Self::poll),
    /// and anew when consumers come, go, or stop polling, and when topics change. A topic need not exist yet.
    ///
    /// It takes the place of what was subscribed to or assigned before. Between two polls may pass
    /// [`max_poll_interval`](super::ConsumerConfig::max_poll_interval); a consumer that is dropped leaves its
    /// group. The first members of a group wait `group.initial.rebalance.delay.ms` of the store for others, which is 3
    /// seconds by default.
    ///
    /// ```
    /// # use esker::{AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, StoreConfig, TopicConfig};
    /// # use std::time::Duration;
    /// let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
    /// let store = Store::options().config(config).open_temporary()?;
    /// store.create_topic("jobs", TopicConfig::new().partitions(4))?;
    /// store.producer(ProducerConfig::new())?.send(Record::to("jobs").value("sweep"))?;
    ///
    /// let config = ConsumerConfig::from("workers").auto_offset_reset(AutoOffsetReset::Earliest);
    /// let mut worker = store.consumer(config)?;
    /// worker.subscribe(["jobs"])?;
    /// let jobs = worker.poll(Duration::from_secs(10))?;
    /// assert_eq!(jobs[0].value.as_deref(), Some(&b"sweep"[..]));
    /// assert_eq!(worker.assignment().len(), 4, "nobody else is in the group");
    /// worker.commit()?; // refused if the group has gone on without this worker
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoGroup`], [`Error::Closed`], [`Error::ReadOnly`]; [`Error::InvalidTopic`] for a name that no topic can
    /// have.
    pub fn subscribe<'a>(&mut self, topics: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut topics: Vec<String> = topics.into_iter().map(str::to_owned).collect();
        topics.iter().try_for_each(|topic| validate_topic_name(topic))?;
        topics.sort_unstable();
        topics.dedup();
        self.subscribe_to(Wanted::Topics(topics))
    }

    /// Subscribes to all topics of which `is_wanted` is true, also to those that are yet to come; the store's own are
    /// never among them. A regular expression of whatever crate will do: `move |topic| regex.is_match(topic)`.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_pattern(&mut self, is_wanted: impl Fn(&str) -> bool + Send + 'static) -> Result<()> {
        self.subscribe_to(Wanted::Like(Box::new(is_wanted)))
    }

    /// Leaves the group, and reads nothing any more. A static member does not leave: its partitions wait for it until
    /// its session ends.
    ///
    /// # Errors
    /// What the listener returns. It has left all the same.
    pub fn unsubscribe(&mut self) -> Result<()> {
        let Some(membership) = &self.seat.membership else {
            self.fetchers.clear();
            return Ok(());
        };
        let revoked = self.revoke(membership.owned.clone());
        if let Some(mut membership) = self.seat.membership.take() {
            membership.leave();
        }
        self.fetchers.clear();
        revoked
    }

    /// The topics that are subscribed to.
    pub fn subscription(&self) -> Vec<String> {
        self.seat.membership.as_ref().map(Membership::topics).unwrap_or_default()
    }

    /// Who is told from now on when partitions come and go.
    pub fn set_rebalance_listener(&mut self, listener: impl RebalanceListener + 'static) {
        self.seat.listener = Listener::Some(Box::new(listener));
    }

    pub(super) fn leave_group(&mut self) {
        if self.is_subscribed() {
            // What the listener says is for who asks to leave.
            let _ = self.unsubscribe();
        }
    }

    fn subscribe_to(&mut self, wanted: Wanted) -> Result<()> {
        self.store.check_writable()?;
        let group = self.config.group_id.as_deref().ok_or(Error::NoGroup)?;
        match &mut self.seat.membership {
            Some(membership) => membership.want(wanted),
            none => {
                self.fetchers.clear();
                *none = Some(Membership::new(&self.store, group, self.config.membership.clone(), wanted));
            }
        }
        Ok(())
    }

    pub(super) fn is_subscribed(&self) -> bool {
        self.seat.membership.is_some()
    }

    /// The consumer polls, or has polled and may take its time now.
    pub(super) fn attend(&self, polls: bool) {
        if let Some(membership) = &self.seat.membership {
            if polls {
                // If it took too long, it is too late.
                membership.groups().tick_due();
            }
            membership.attend(polls);
        }
    }

    /// Does what the group asks of its member, as far as it needs not wait for others.
    pub(super) fn follow_group(&mut self) -> Result<()> {
        if matches!(self.seat.listener, Listener::Busy) {
            return Ok(());
        }
        while let Some(membership) = &mut self.seat.membership {
            membership.groups().tick_due();
            match membership.next()? {
                Event::Rebalance => {
                    let revoked = membership.to_revoke();
                    self.revoke(revoked)?;
                    if let Some(membership) = &mut self.seat.membership {
                        membership.join()?;
                    }
                }
                Event::Lost(error) => {
                    let lost = membership.owned.clone();
                    let told = self.tell(|listener, consumer| listener.on_partitions_lost(consumer, &lost));
                    self.give_up(&lost);
                    error.map_or(told, Err)?;
                }
                Event::Assigned(assigned) => {
                    self.seat.joined = Some(membership.sign(membership.group.as_str().into()));
                    self.take_over(assigned)?;
                }
                Event::TopicsChanged => self.read_owned(),
                Event::Waiting if membership.groups().tick_due() => {}
                Event::Waiting | Event::Stable => break,
            }
        }
        Ok(())
    }

    /// Wakes `parker` when the group asks something of its member. Returns when that has to be looked at in any case.
    pub(super) fn await_group(&self, parker: &Parker) -> Option<Instant> {
        let membership = self.seat.membership.as_ref()?;
        membership.wake(parker.waker());
        Instant::now().checked_add(membership.groups().idle().max(Duration::from_millis(1)))
    }

    /// Whether the group asks something of its member.
    pub(super) fn has_group_news(&self) -> bool {
        !matches!(self.seat.listener, Listener::Busy) && self.seat.membership.as_ref().is_some_and(Membership::has_news)
    }

    /// Whose commits the consumer makes: those of the member that it was last, if it ever was one.
    pub(super) fn sign(&self, metadata: ConsumerGroupMetadata) -> ConsumerGroupMetadata {
        match (&self.seat.joined, &self.seat.membership) {
            (Some(joined), _) => joined.clone(),
            (None, Some(membership)) => membership.sign(metadata),
            (None, None) => metadata,
        }
    }

    /// Commits: as a member, if it is one. Returns when `acks` says.
    pub(super) fn commit_as_member(&self, acks: Acks, commit: impl FnOnce(Acks) -> Result<()>) -> Result<()> {
        let Some(membership) = &self.seat.membership else { return commit(acks) };
        membership.commit(|| commit(Acks::Leader))?;
        match acks {
            Acks::All => self.store.sync_group(&membership.group),
            Acks::None | Acks::Leader => Ok(()),
        }
    }

    /// Gives partitions up, in good order.
    fn revoke(&mut self, partitions: Vec<TopicPartition>) -> Result<()> {
        if partitions.is_empty() {
            return Ok(());
        }
        let committed = self.auto_commit(true);
        let told = self.tell(|listener, consumer| listener.on_partitions_revoked(consumer, &partitions));
        self.give_up(&partitions);
        committed.and(told)
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) {
        if let Some(membership) = &mut self.seat.membership {
            let mut owned = std::mem::take(&mut membership.owned);
            owned.retain(|partition| !partitions.contains(partition));
            membership.own(owned, false);
        }
        self.read_owned();
    }

    /// Goes over to an assignment.
    fn take_over(&mut self, assigned: Vec<TopicPartition>) -> Result<()> {
        let owned = self.seat.membership.as_ref().map(|membership| membership.owned.clone()).unwrap_or_default();
        let missing_in = |partitions: &[TopicPartition], of: &[TopicPartition]| -> Vec<TopicPartition> {
            of.iter().filter(|partition| !partitions.contains(partition)).cloned().collect()
        };
        let (revoked, added) = (missing_in(&assigned, &owned), missing_in(&owned, &assigned));
        let must_rejoin = !revoked.is_empty();
        let told = self.revoke(revoked);
        if let Some(membership) = &mut self.seat.membership {
            membership.own(assigned, must_rejoin);
        }
        self.read_owned();
        told.and(self.tell(|listener, consumer| listener.on_partitions_assigned(consumer, &added)))
    }

    /// Reads what is owned and exists, from where it stands or where the group left off.
    fn read_owned(&mut self) {
        let Some(membership) = &self.seat.membership else { return };
        let mut before = std::mem::take(&mut self.fetchers);
        for partition in &membership.owned {
            let is_read = |fetcher: &Fetcher| fetcher.topic_partition() == partition && !fetcher.log.is_deleted();
            if let Some(index) = before.iter().position(is_read) {
                self.fetchers.push(before.swap_remove(index));
            } else if let Ok(log) = self.store.partition(&partition.topic, partition.partition) {
                self.fetchers.push(Fetcher::new(log, self.config.isolation_level));
            }
        }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut dyn RebalanceListener, &mut Self) -> Result<()>) -> Result<()> {
        match std::mem::replace(&mut self.seat.listener, Listener::Busy) {
            Listener::Some(mut listener) => {
                let told = tell(&mut *listener, self);
                // It may have put another in its place.
                if matches!(self.seat.listener, Listener::Busy) {
                    self.seat.listener = Listener::Some(listener);
                }
                told
            }
            other => {
                self.seat.listener = other;
                Ok(())
            }
        }
    }
}
