//! The handle of a record that is on its way.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::ProducerInner;
use super::accumulator::{Accumulator, Place};
use super::record::RecordMetadata;
use crate::error::Result;
use crate::log::{Appended, Synced};
use crate::types::{Acks, TopicPartition};

/// A record that was sent and is not acknowledged yet: [`wait`](Self::wait) for it, or `.await` it on any runtime.
///
/// Dropping it does not take the record back. Who waits appends the batch when its `linger.ms` is over, and syncs if
/// need be. Who awaits leaves both to the store's maintenance: to its thread, or to calls of
/// [`Store::tick`](crate::Store::tick).
#[must_use = "a record may fail to be appended; wait for it, or flush the producer"]
pub struct Pending {
    producer: Arc<ProducerInner>,
    accumulator: Arc<Accumulator>,
    place: Place,
    timestamp: i64,
    /// Once it is appended, and has to be synced as well.
    synced: Option<Synced>,
}

impl Pending {
    pub(super) fn new(
        producer: Arc<ProducerInner>,
        accumulator: Arc<Accumulator>,
        place: Place,
        timestamp: i64,
    ) -> Self {
        Self { producer, accumulator, place, timestamp, synced: None }
    }

    /// Waits until the record is acknowledged as the producer's `acks` demands.
    ///
    /// # Errors
    /// What kept the batch from being appended or synced; see [`Log::append`](crate::Log::append).
    pub fn wait(self) -> Result<RecordMetadata> {
        let batch = &self.place.batch;
        let appended = match batch.wait_until_deadline() {
            Some(result) => result,
            None => {
                self.accumulator.drain_batch(batch);
                // Whoever took it before us was done with it when we got the accumulator's lock.
                batch.result().expect("a batch that is not filling has its result")
            }
        }?;
        if self.acks() == Acks::All {
            self.accumulator.log.wait_synced(appended.sync_target())?;
        }
        Ok(self.metadata(&appended))
    }

    /// The partition that the record goes to.
    pub fn topic_partition(&self) -> &TopicPartition {
        self.accumulator.log.topic_partition()
    }

    /// Whether the record was appended, or failed to be. It may still have to be synced.
    pub fn is_appended(&self) -> bool {
        self.place.batch.result().is_some()
    }

    fn acks(&self) -> Acks {
        self.producer.config.acks
    }

    fn metadata(&self, appended: &Appended) -> RecordMetadata {
        RecordMetadata {
            topic_partition: self.topic_partition().clone(),
            offset: (self.acks() != Acks::None).then_some(appended.base_offset + self.place.index),
            timestamp: appended.log_append_time.unwrap_or(self.timestamp),
        }
    }
}

impl Future for Pending {
    type Output = Result<RecordMetadata>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let appended = match self.place.batch.poll_result(context.waker()) {
            None => return Poll::Pending,
            Some(Err(error)) => return Poll::Ready(Err(error)),
            Some(Ok(appended)) => appended,
        };
        if self.acks() != Acks::All {
            return Poll::Ready(Ok(self.metadata(&appended)));
        }
        let Self { accumulator, synced, .. } = &mut *self;
        let synced = synced.get_or_insert_with(|| accumulator.log.synced(&appended));
        Pin::new(synced).poll(context).map(|synced| synced.map(|()| self.metadata(&appended)))
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("topic_partition", self.topic_partition())
            .field("result", &self.place.batch.result())
            .finish_non_exhaustive()
    }
}
