//! Being told which partitions come and go.

use crate::consumer::Consumer;
use crate::error::Result;
use crate::types::TopicPartition;

/// Is told by [`Consumer::poll`] when partitions come and go, on the thread that polls: a place to keep state by
/// partition, to commit before a partition goes, or to seek where it comes (Kafka's `ConsumerRebalanceListener`).
///
/// It gets the consumer, and may do anything with it but poll. What it returns as an error is what the poll returns;
/// the rebalance goes on with the next one.
pub trait RebalanceListener: Send {
    /// These partitions are about to be given up. They are still the consumer's: what has been processed can be
    /// committed.
    ///
    /// # Errors
    /// Whatever the listener fails at.
    fn on_partitions_revoked(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        let _ = (consumer, partitions);
        Ok(())
    }

    /// These partitions were added to the consumer's: all of them with an eager assignor, those that are new with a
    /// cooperative one. Called after each rebalance, also if there are none.
    ///
    /// # Errors
    /// Whatever the listener fails at.
    fn on_partitions_assigned(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        let _ = (consumer, partitions);
        Ok(())
    }

    /// These partitions are gone already, and others may have them: the consumer did not poll for too long, or another
    /// took its place. Nothing can be committed for them. If not implemented, the same as
    /// [`on_partitions_revoked`](Self::on_partitions_revoked).
    ///
    /// # Errors
    /// Whatever the listener fails at.
    fn on_partitions_lost(&mut self, consumer: &mut Consumer, partitions: &[TopicPartition]) -> Result<()> {
        self.on_partitions_revoked(consumer, partitions)
    }
}
