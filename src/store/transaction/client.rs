//! What transactions of producers elsewhere need besides: they write to partitions on their own, so that each write is
//! held against what the coordinator knows (KIP-890). One that comes late, after the end of its transaction, would begin
//! another that nobody ends.

use std::time::Duration;

use super::metadata::unmapped;
use crate::error::Result;
use crate::store::Store;
use crate::types::{ProducerIdAndEpoch, TopicPartition};

impl Store {
    /// As [`init_transactional_id`](Self::init_transactional_id), for a producer that may go on after an error, as who it
    /// was (KIP-360).
    ///
    /// # Errors
    /// As there, and [`Error::ProducerFenced`](crate::Error::ProducerFenced) if the id is another's by now.
    pub(crate) fn init_producer(
        &self,
        transactional_id: &str,
        timeout: Duration,
        expected: Option<ProducerIdAndEpoch>,
    ) -> Result<ProducerIdAndEpoch> {
        self.inner.init_producer(transactional_id, timeout, expected)
    }

    /// Does something in a partition that takes part in the producer's transaction, which doesn't end meanwhile.
    ///
    /// # Errors
    /// [`Error::ProducerFenced`](crate::Error::ProducerFenced) and
    /// [`Error::InvalidProducerIdMapping`](crate::Error::InvalidProducerIdMapping) if the transactional id is not this
    /// producer's; [`Error::InvalidTransactionTransition`](crate::Error::InvalidTransactionTransition) if the partition
    /// was not added; [`Error::ConcurrentTransactions`](crate::Error::ConcurrentTransactions) if the transaction is decided
    /// already.
    pub(crate) fn in_transaction<T>(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        partition: &TopicPartition,
        work: impl FnOnce() -> T,
    ) -> Result<T> {
        let done = self.inner.in_turn(&transactional_id.into(), false, |entry, _| {
            let current = entry.current().ok_or_else(|| unmapped(transactional_id, producer))?;
            current.check_takes_part(producer, partition)?;
            Ok(work())
        });
        done.map_err(|error| super::drive::name_producer(error, producer))
    }

    /// The partition that takes part in a transaction if a group was
    /// [added](Self::add_offsets_to_transaction) to it.
    ///
    /// # Errors
    /// Those of creating `__consumer_offsets`, if it isn't there.
    pub(crate) fn offsets_partition(&self, group: &str) -> Result<TopicPartition> {
        Ok(self.inner.offsets_log(group)?.topic_partition().clone())
    }
}
