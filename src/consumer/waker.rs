//! Ending a poll from another thread.

use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;

use super::Consumer;
use crate::error::{Error, Result};

/// Ends the poll of a consumer from whatever thread, as Kafka's `KafkaConsumer.wakeup` does. Made by
/// [`Consumer::waker`]; clones are of the same consumer.
#[derive(Clone, Debug, Default)]
pub struct ConsumerWaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_due: bool,
    /// Who waits in a poll.
    waiting: Option<Waker>,
}

impl Consumer {
    /// What wakes this consumer up from another thread: the way to end a thread that polls without a deadline. The
    /// consumer is then dropped, or unsubscribed, by the thread that has it, and its group need not find out by a
    /// timeout.
    ///
    /// ```
    /// # use esker::{Store, TopicConfig};
    /// use esker::Error;
    /// use std::time::Duration;
    ///
    /// # let store = Store::temporary()?;
    /// # store.create_topic("jobs", TopicConfig::new())?;
    /// let mut consumer = store.consumer("workers")?;
    /// consumer.assign_topics(["jobs"])?;
    /// let waker = consumer.waker();
    /// let worker = std::thread::spawn(move || {
    ///     loop {
    ///         match consumer.poll(Duration::MAX) {
    ///             Ok(jobs) => jobs.iter().for_each(|job| println!("{job:?}")),
    ///             Err(Error::Wakeup) => return consumer.commit(),
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// });
    /// waker.wakeup();
    /// worker.join().expect("it does not panic")?;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn waker(&self) -> ConsumerWaker {
        self.waker.clone()
    }
}

impl ConsumerWaker {
    /// Makes the poll that the consumer is in fail with [`Error::Wakeup`], or else the next one, at once and once,
    /// however often this is called before. Nothing is lost by it: records that the poll had found already are
    /// returned, and the poll after that fails. Other calls of the consumer are not woken, such as a commit that waits
    /// for the device. If the consumer is gone, nothing happens.
    pub fn wakeup(&self) {
        let mut state = self.0.lock();
        state.is_due = true;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Fails once if the consumer was to be woken up.
    pub(super) fn check(&self) -> Result<()> {
        match std::mem::take(&mut self.0.lock().is_due) {
            true => Err(Error::Wakeup),
            false => Ok(()),
        }
    }

    /// Wakes `waiting` from now on. Returns whether the consumer was to be woken up already.
    pub(super) fn begin_wait(&self, waiting: Waker) -> bool {
        let mut state = self.0.lock();
        state.waiting = Some(waiting);
        state.is_due
    }

    pub(super) fn end_wait(&self) {
        self.0.lock().waiting = None;
    }
}
