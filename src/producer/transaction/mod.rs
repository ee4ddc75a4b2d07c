//! Transactions of a producer: records in several partitions, and the offsets of what they were made from, that count
//! all together or not at all.
//!
//! ```text
//!   begin → send …, send_offsets … → commit | abort
//!             │ first use of a partition or group: the coordinator is told      (store)
//!             └ records and offsets: into the logs, with the producer's id      (accumulator, store)
//! ```

mod state;

use std::fmt;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use super::{Pending, Producer, Record, RecordMetadata};
use crate::error::{Error, Result};
use crate::record::TransactionResult;
use crate::store::{CommittedOffset, Store};
use crate::types::{ConsumerGroupMetadata, ProducerIdAndEpoch, TopicPartition};
use state::{State, Tell};

/// An open transaction of a [`Producer`]: what is sent within it counts once [`commit`](Self::commit) returns, and for
/// readers of `isolation.level=read_committed` all at once. One that is dropped is aborted.
///
/// Made by [`Producer::begin_transaction`]. It may be shared between threads that send; one of them ends it.
///
/// # Exactly once from one topic to another
///
/// The offsets of a consumer that are [sent within the transaction](Self::send_offsets) are committed with the records
/// that were made from what it read: after a crash at any moment, either both count or neither does.
///
/// ```
/// use std::time::Duration;
/// use esker::{
///     AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, IsolationLevel, ProducerConfig, Store, Transaction,
/// };
///
/// # use esker::{Record, TopicConfig};
/// # let store = Store::temporary()?;
/// # store.create_topic("orders", TopicConfig::new())?;
/// # store.create_topic("invoices", TopicConfig::new())?;
/// # store.producer(ProducerConfig::new())?.send(Record::to("orders").value("tea"))?;
/// // Whoever had this id before is fenced, and a transaction that it left open is aborted: only then is it known
/// // what is committed, and a consumer knows where to begin.
/// let producer = store.producer(ProducerConfig::new().transactional_id("invoicing-0"))?;
/// let config = ConsumerConfig::from("invoicing")
///     .isolation_level(IsolationLevel::ReadCommitted)
///     .auto_offset_reset(AutoOffsetReset::Earliest);
/// let mut consumer = store.consumer(config)?;
/// consumer.assign([("orders", 0)])?;
///
/// /// All of it or, by the drop of the transaction, nothing.
/// fn make_invoices(transaction: Transaction, consumer: &Consumer, orders: &[ConsumerRecord]) -> esker::Result<()> {
///     for order in orders {
///         let invoice = order.forward_to("invoices"); // a real one has a value of its own
///         drop(transaction.send_async(invoice)?); // nobody need wait for it: the commit fails if it does
///     }
///     transaction.send_offsets(consumer.group_metadata()?, consumer.positions())?;
///     transaction.commit()
/// }
///
/// # let mut made = 0;
/// # while made < 1 {
/// let orders = consumer.poll(Duration::from_millis(100))?;
/// let transaction = producer.begin_transaction()?; // fails if this producer can't go on
/// if let Err(error) = make_invoices(transaction, &consumer, &orders) {
///     eprintln!("these orders once more: {error:?}");
///     consumer.seek_to_committed()?; // the consumer's positions are behind these orders, and no transaction moves them
/// }
/// # made += orders.len();
/// # }
/// assert_eq!(store.committed_offset("invoicing", ("orders", 0))?.unwrap().offset, 1);
/// # Ok::<(), esker::Error>(())
/// ```
///
/// # When something fails
///
/// After the first error nothing more can be sent, and nothing is committed: drop the transaction, or
/// [abort](Self::abort) it. [`begin_transaction`](Producer::begin_transaction) then tells whether the producer can go
/// on.
///
/// If it does, do all of the work again. A consumer has moved past what it read, whatever became of the transaction:
/// take it back with [`seek_to_committed`](crate::Consumer::seek_to_committed), or what was read goes missing.
///
/// If it fails with [`Error::ProducerFenced`], another producer of the transactional id has taken over, or the
/// transaction was open for longer than `transaction.timeout.ms`: this one is of no more use, and a new one can be
/// made.
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction {
    producer: Producer,
    transactions: Arc<Transactions>,
    is_over: bool,
}

/// What a transactional producer has besides.
pub(super) struct Transactions {
    store: Store,
    transactional_id: String,
    pub(super) producer: ProducerIdAndEpoch,
    state: Mutex<State>,
    /// Shared by those who add to the transaction, and held alone by who ends it.
    adding: RwLock<()>,
    /// Held while the coordinator is told who takes part, so that it is told once.
    telling: Mutex<()>,
}

impl Producer {
    /// Begins a transaction. The producer must have a [`transactional_id`](super::ProducerConfig::transactional_id),
    /// and can have one transaction open at a time, which all of its clones share.
    ///
    /// Nothing is written yet. If the last transaction could not be aborted, that is tried again first.
    ///
    /// # Errors
    /// [`Error::ProducerFenced`] and [`Error::InvalidProducerIdMapping`] if the producer can't go on, as far as that is
    /// known: make a new one. [`Error::InvalidConfig`] for a producer without `transactional.id`,
    /// [`Error::InvalidTransactionTransition`] while a transaction is open, [`Error::Closed`], and what kept the last
    /// transaction from being aborted.
    pub fn begin_transaction(&self) -> Result<Transaction> {
        let transactions = self.inner.transactions.clone().ok_or_else(|| {
            let expected = "an id, by which transactions are told from those of other producers";
            crate::config::invalid("transactional.id", "none", expected)
        })?;
        self.inner.check_taking()?;
        transactions.begin()?;
        Ok(Transaction { producer: self.clone(), transactions, is_over: false })
    }
}

impl Transaction {
    /// Sends a record within the transaction, and waits until it has been appended. It does not linger, and is not
    /// synced by itself: the commit does that for all.
    ///
    /// # Errors
    /// As [`send_async`](Self::send_async) and [`Pending::wait`].
    pub fn send(&self, record: Record) -> Result<RecordMetadata> {
        self.producer.send(record)
    }

    /// Sends a record within the transaction without waiting for it. The commit waits for all, and fails if one did.
    ///
    /// # Errors
    /// As [`Producer::send_async`], and after any error the transaction can only be aborted:
    /// [`Error::TransactionAbortable`] says so, with what went wrong first. [`Error::ProducerFenced`] if another
    /// producer has taken over; what adding a partition to a transaction can bring
    /// ([`Store::add_partitions_to_transaction`]).
    pub fn send_async(&self, record: Record) -> Result<Pending> {
        self.producer.send_async(record)
    }

    /// Commits offsets of a group with the transaction (Kafka's `sendOffsetsToTransaction`): the ones to read next, as
    /// [`Consumer::positions`](crate::Consumer::positions) has them.
    ///
    /// `group` is its name, or what [`Consumer::group_metadata`](crate::Consumer::group_metadata) says. Of a consumer
    /// that subscribes it should be that: if others have its partitions meanwhile, its offsets are refused, and with
    /// them the transaction (KIP-447).
    ///
    /// # Errors
    /// As [`Store::commit_offsets`]; [`Error::Group`] if the group has gone on without the member; and after any error
    /// the transaction can only be aborted, as for [`send_async`](Self::send_async).
    #[doc(alias = "send_offsets_to_transaction")]
    pub fn send_offsets(
        &self,
        group: impl Into<ConsumerGroupMetadata>,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
    ) -> Result<()> {
        self.transactions.send_offsets(&group.into(), offsets.into_iter().collect())
    }

    /// Commits the transaction. On return all of its records and offsets count, and that survives the loss of power.
    ///
    /// # Errors
    /// Nothing counts, and the transaction is aborted, after [`Error::TransactionAbortable`], if something of it had
    /// failed; [`Error::ProducerFenced`]; [`Error::StorageFull`] and other errors of an append, after which the same
    /// work can be tried again. After [`Error::LogOffline`] of `__transaction_state` the next open of the store
    /// decides.
    pub fn commit(mut self) -> Result<()> {
        self.transactions.commit(|| self.producer.inner.drain())?;
        self.is_over = true;
        Ok(())
    }

    /// Aborts the transaction: nothing of it counts. Records that still linger are not appended at all, and their
    /// handles say [`Error::TransactionAborted`].
    ///
    /// # Errors
    /// What kept the coordinator from writing that down: nothing counts all the same, and the next
    /// [`begin_transaction`](Producer::begin_transaction) tries again, or the coordinator does after
    /// `transaction.timeout.ms`. Until then readers of committed records wait.
    pub fn abort(mut self) -> Result<()> {
        self.is_over = true;
        self.abort_now()
    }

    /// The producer whose transaction it is.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    fn abort_now(&self) -> Result<()> {
        self.transactions.abort(|aborted| self.producer.inner.discard(&aborted))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_over {
            // Who wants to know about failures calls `abort`; the next transaction tries again.
            let _ = self.abort_now();
        }
    }
}

impl Transactions {
    pub(super) fn new(store: Store, transactional_id: String, producer: ProducerIdAndEpoch) -> Self {
        let state = Mutex::new(State::new(transactional_id.clone(), producer));
        Self { store, transactional_id, producer, state, adding: RwLock::default(), telling: Mutex::default() }
    }

    fn begin(&self) -> Result<()> {
        let _alone = self.adding.write();
        let is_undecided = self.state.lock().is_undecided();
        if is_undecided {
            self.tell_abort()?;
        }
        self.state.lock().begin()
    }

    /// Something is added to the transaction for as long as the result lives.
    pub(super) fn enter(&self) -> Result<RwLockReadGuard<'_, ()>> {
        let adding = self.adding.read();
        self.state.lock().check_open("send a record within")?;
        Ok(adding)
    }

    /// Lets a partition take part, if it does not yet. The caller has entered.
    pub(super) fn add_partition(&self, partition: &TopicPartition) -> Result<()> {
        if self.state.lock().has_partition(partition) {
            return Ok(());
        }
        let _telling = self.telling.lock();
        if !self.state.lock().has_partition(partition) {
            let partitions = [partition.clone()];
            self.store.add_partitions_to_transaction(&self.transactional_id, self.producer, partitions)?;
            self.state.lock().add_partition(partition.clone());
        }
        Ok(())
    }

    fn send_offsets(
        &self,
        group: &ConsumerGroupMetadata,
        offsets: Vec<(TopicPartition, CommittedOffset)>,
    ) -> Result<()> {
        let _entered = self.enter()?;
        let commit = || self.store.commit_offsets_in_transaction(group.group(), offsets, self.producer);
        let sent = self.add_group(group.group()).and_then(|()| as_member(&self.store, group, commit));
        sent.map_err(|error| self.fail(error))
    }

    fn add_group(&self, group: &str) -> Result<()> {
        let _telling = self.telling.lock();
        if !self.state.lock().has_group(group) {
            self.store.add_offsets_to_transaction(&self.transactional_id, self.producer, group)?;
            self.state.lock().add_group(group.to_owned());
        }
        Ok(())
    }

    /// Something of the transaction went wrong. Returns what to tell whoever sent it.
    pub(super) fn fail(&self, error: Error) -> Error {
        self.state.lock().fail(error)
    }

    /// Commits once `drain` has appended what lingers.
    fn commit(&self, drain: impl FnOnce()) -> Result<()> {
        let _alone = self.adding.write();
        self.state.lock().check_open("commit")?;
        drain();
        let tell = self.state.lock().commit()?;
        match tell {
            Tell::Nothing => Ok(()),
            Tell::End => {
                // It makes the records durable first.
                let told = self.store.end_transaction(&self.transactional_id, self.producer, TransactionResult::Commit);
                self.state.lock().committed(told)
            }
        }
    }

    /// Aborts, and has what lingers discarded with an error.
    fn abort(&self, discard: impl FnOnce(Error)) -> Result<()> {
        let _alone = self.adding.write();
        self.abort_alone(discard)
    }

    /// The same if there is something to abort, for a producer that is closed.
    pub(super) fn abort_if_open(&self, discard: impl FnOnce(Error)) -> Result<()> {
        let _alone = self.adding.write();
        // In its turn: it may have been committed by now.
        let is_open = self.state.lock().is_open();
        if is_open { self.abort_alone(discard) } else { Ok(()) }
    }

    fn abort_alone(&self, discard: impl FnOnce(Error)) -> Result<()> {
        discard(Error::TransactionAborted { transactional_id: self.transactional_id.clone() });
        self.tell_abort()
    }

    fn tell_abort(&self) -> Result<()> {
        let tell = self.state.lock().abort()?;
        match tell {
            Tell::Nothing => Ok(()),
            Tell::End => {
                let told = self.store.end_transaction(&self.transactional_id, self.producer, TransactionResult::Abort);
                self.state.lock().aborted(told)
            }
        }
    }
}

/// Commits, if whoever does is in the group as it says, before anything else can happen to that.
#[cfg(feature = "coordinator")]
fn as_member(store: &Store, group: &ConsumerGroupMetadata, commit: impl FnOnce() -> Result<()>) -> Result<()> {
    use crate::coordinator::driver::Groups;
    use crate::coordinator::refused;

    let (name, member_id, instance_id) = (group.group(), group.member_id(), group.group_instance_id());
    if member_id.is_empty() && instance_id.is_none() {
        return commit();
    }
    let refused = |error| refused(store, name, error);
    let groups = Groups::of(store);
    // If it has not polled for too long, it is too late.
    groups.tick_due();
    let committed = groups.ask(|groups, _| {
        groups.check_transactional_commit(name, member_id, instance_id, group.generation()).map_err(refused)?;
        commit()
    });
    committed.map_err(refused)?
}

/// Without members there is nothing to check.
#[cfg(not(feature = "coordinator"))]
fn as_member(_: &Store, _: &ConsumerGroupMetadata, commit: impl FnOnce() -> Result<()>) -> Result<()> {
    commit()
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("transactional_id", &self.transactions.transactional_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions")
            .field("transactional_id", &self.transactional_id)
            .field("producer", &self.producer)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
