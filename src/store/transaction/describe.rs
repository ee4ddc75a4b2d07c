//! What can be seen of transactions from outside, and the end of those that nobody ends (KIP-664).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::TRANSACTION_STATE;
use super::load::read;
use super::metadata::{Ending, TransactionMetadata};
use crate::error::{Error, Result};
use crate::log::{ActiveProducer, Log};
use crate::record::TransactionResult;
use crate::store::{Store, StoreInner};
use crate::types::{Offset, ProducerId, ProducerIdAndEpoch, TopicPartition, TransactionState};

/// What is known of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionDescription {
    /// The transactional id.
    pub transactional_id: String,
    /// How far its transaction is.
    pub state: TransactionState,
    /// The producer that the id belongs to.
    pub producer: ProducerIdAndEpoch,
    /// How long a transaction may be open.
    pub timeout: Duration,
    /// When the last transaction began, in milliseconds since the Unix epoch; None if there was none since the producer
    /// came.
    pub start_timestamp: Option<i64>,
    /// When something was last known of the id, likewise.
    pub last_update_timestamp: i64,
    /// The partitions that take part in the transaction that is open, or not complete, in their order.
    pub partitions: Vec<TopicPartition>,
}

/// Which transactional ids are asked for: all, unless something is set.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TransactionFilter {
    states: Vec<TransactionState>,
    producer_ids: Vec<ProducerId>,
    open_for: Option<Duration>,
}

/// A transaction that is open in a partition, and that nobody is going to end: readers of committed records don't get
/// past its first record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HangingTransaction {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// Whose it is.
    pub producer: ProducerIdAndEpoch,
    /// The offset of its first record.
    pub start_offset: Offset,
    /// The timestamp of its last batch in milliseconds.
    pub last_timestamp: i64,
}

impl TransactionFilter {
    /// All transactional ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those in one of these states.
    pub fn states(mut self, states: impl IntoIterator<Item = TransactionState>) -> Self {
        self.states = states.into_iter().collect();
        self
    }

    /// Those of one of these producers.
    pub fn producer_ids(mut self, producer_ids: impl IntoIterator<Item = ProducerId>) -> Self {
        self.producer_ids = producer_ids.into_iter().collect();
        self
    }

    /// Those whose transaction began longer ago than this, also if it has ended; and as in Kafka those that never began
    /// one.
    pub fn longer_than(mut self, duration: Duration) -> Self {
        self.open_for = Some(duration);
        self
    }

    fn includes(&self, known: &TransactionMetadata, now_ms: i64) -> bool {
        let is_one_of = |is_any: bool, is_among: bool| is_any || is_among;
        is_one_of(self.states.is_empty(), self.states.contains(&known.state))
            && is_one_of(self.producer_ids.is_empty(), self.producer_ids.contains(&known.producer.producer_id))
            && self.open_for.is_none_or(|duration| is_over(known.start_timestamp, duration, now_ms))
    }
}

/// Whether more time than that has passed.
fn is_over(since_ms: i64, duration: Duration, now_ms: i64) -> bool {
    u128::try_from(now_ms.saturating_sub(since_ms)).is_ok_and(|elapsed_ms| elapsed_ms > duration.as_millis())
}

impl From<&TransactionMetadata> for TransactionDescription {
    fn from(known: &TransactionMetadata) -> Self {
        Self {
            transactional_id: known.transactional_id.to_string(),
            state: known.state,
            producer: known.producer,
            timeout: Duration::from_millis(u64::try_from(known.timeout_ms).unwrap_or(0)),
            start_timestamp: Some(known.start_timestamp).filter(|start| *start >= 0),
            last_update_timestamp: known.last_update_timestamp,
            partitions: known.partitions.iter().cloned().collect(),
        }
    }
}

impl Store {
    /// The transactional ids that are known, in the order of the alphabet (Kafka's `ListTransactions`).
    ///
    /// # Errors
    /// None of a store that is open for writing. Of one that is read-only, what keeps `__transaction_state` from being
    /// read.
    pub fn transactions(&self, filter: &TransactionFilter) -> Result<Vec<TransactionDescription>> {
        let now_ms = self.clock().now_ms();
        let known = self.inner.known_transactions()?;
        Ok(known.iter().filter(|known| filter.includes(known, now_ms)).map(|known| (&**known).into()).collect())
    }

    /// What is known of a transactional id (Kafka's `DescribeTransactions`).
    ///
    /// # Errors
    /// [`Error::TransactionalIdNotFound`]; otherwise as [`transactions`](Self::transactions).
    pub fn describe_transaction(&self, transactional_id: &str) -> Result<TransactionDescription> {
        let found = self.describe_known_transactions(&HashSet::from([transactional_id]))?.pop();
        found.ok_or_else(|| Error::TransactionalIdNotFound { transactional_id: transactional_id.to_owned() })
    }

    /// What is known of those of these transactional ids that are known, in no order.
    pub(crate) fn describe_known_transactions(&self, ids: &HashSet<&str>) -> Result<Vec<TransactionDescription>> {
        let known = match self.inner.is_read_only {
            // All of them have to be read.
            true => self.inner.known_transactions()?,
            false => ids.iter().filter_map(|id| self.inner.transactions.get(id)).collect(),
        };
        let named = known.iter().filter(|known| ids.contains(&*known.transactional_id));
        Ok(named.map(|known| (&**known).into()).collect())
    }

    /// Transactions that are open in a partition, without a transactional id that accounts for them, and whose last
    /// record is older than `idle_for` (what `kafka-transactions find-hanging` tells). A producer that appends before
    /// its partition is part of the transaction leaves such a one behind, or whoever numbers producers on its own. A
    /// store that is read-only knows of none.
    ///
    /// # Errors
    /// As [`transactions`](Self::transactions).
    pub fn hanging_transactions(&self, idle_for: Duration) -> Result<Vec<HangingTransaction>> {
        let now_ms = self.clock().now_ms();
        let mut hanging = Vec::new();
        for log in self.inner.logs() {
            for open in log.active_producers().into_iter().filter(|open| is_over(open.last_timestamp, idle_for, now_ms))
            {
                // Looked at after the partition: what is accounted for by now is not hanging.
                let Some(start_offset) = open.transaction_start else { continue };
                if self.inner.transaction_of(&log, &open)?.is_none() {
                    let topic_partition = log.topic_partition().clone();
                    let producer = ProducerIdAndEpoch::new(open.producer_id, open.producer_epoch);
                    let last_timestamp = open.last_timestamp;
                    hanging.push(HangingTransaction { topic_partition, producer, start_offset, last_timestamp });
                }
            }
        }
        Ok(hanging)
    }

    /// Aborts a [hanging transaction](Self::hanging_transactions) in the one partition where it is open, from
    /// `start_offset` on (as `kafka-transactions abort` does). On return that survives the loss of power.
    ///
    /// A transaction that belongs to a transactional id is not ended this way, for it would end in a part of its
    /// partitions: [initialize](Self::init_transactional_id) the id, and all of it is aborted.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`]; [`Error::NoOpenTransaction`] if none begins there;
    /// [`Error::InvalidTransactionTransition`] if it belongs to a transactional id; otherwise as [`Log::append`].
    pub fn abort_transaction(&self, partition: impl Into<TopicPartition>, start_offset: Offset) -> Result<()> {
        self.inner.abort_transaction(&partition.into(), start_offset)
    }
}

impl StoreInner {
    /// All that is known of transactional ids, in their order.
    fn known_transactions(&self) -> Result<Vec<Arc<TransactionMetadata>>> {
        if !self.is_read_only {
            return Ok(self.transactions.all());
        }
        // The first transactional id creates the topic.
        let found =
            self.topic(TRANSACTION_STATE).or_else(|_| self.find_topics().and_then(|()| self.topic(TRANSACTION_STATE)));
        let Ok(topic) = found else { return Ok(Vec::new()) };
        topic.partitions.iter().try_for_each(Log::look)?;
        let (by_id, _) = read(&topic.partitions)?;
        Ok(by_id.into_values().map(Arc::new).collect())
    }

    /// The transactional id that accounts for a transaction that is open in a partition.
    fn transaction_of(&self, log: &Log, open: &ActiveProducer) -> Result<Option<Arc<TransactionMetadata>>> {
        let accounts = |known: &Arc<TransactionMetadata>| {
            known.producer.producer_id == open.producer_id && known.partitions.contains(log.topic_partition())
        };
        Ok(self.known_transactions()?.into_iter().find(accounts))
    }

    fn abort_transaction(&self, partition: &TopicPartition, start_offset: Offset) -> Result<()> {
        self.check_writable()?;
        let log = self.partition(&partition.topic, partition.partition)?;
        let not_open = || Error::NoOpenTransaction { topic_partition: partition.clone(), start_offset };
        let open = log.active_producers().into_iter().find(|open| open.transaction_start == Some(start_offset));
        let open = open.ok_or_else(not_open)?;
        // Nobody adds the partition to a transaction of the producer meanwhile.
        let known = self.known_transactions()?;
        let owner = known.iter().find(|known| known.producer.producer_id == open.producer_id);
        let entry = owner.and_then(|known| self.transactions.entry(&known.transactional_id));
        let _turn = entry.as_ref().map(|entry| entry.turn.lock());
        if let Some(known) = self.transaction_of(&log, &open)? {
            return Err(Error::InvalidTransactionTransition {
                transactional_id: known.transactional_id.to_string(),
                state: known.state,
                attempted: "abort in one partition",
            });
        }
        let ending = Ending {
            producer: ProducerIdAndEpoch::new(open.producer_id, open.producer_epoch),
            result: TransactionResult::Abort,
        };
        match self.append_marker(&log, ending, open.coordinator_epoch.unwrap_or(0))? {
            Some(marker) => log.wait_synced(marker.sync_target()),
            None => Err(not_open()),
        }
    }
}
