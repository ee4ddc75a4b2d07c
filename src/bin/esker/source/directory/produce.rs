//! Writes records to a directory.
//!
//! ```text
//!   this thread: records → send_async → handles → acknowledging thread: wait
//! ```
//!
//! Sending never waits for the device. The acknowledging thread waits for the records of one chunk after the other:
//! a sync covers all that was sent by the time it begins, so a fast input needs few of them and a slow one gets each
//! of its lines synced right away. The channel is bounded, and so is what lies between reading and syncing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use esker::{Error, Pending, Producer};

use crate::failure::Result;
use crate::source::{Feed, NewRecord, Sink, not_written};

/// How many chunks may wait for their acknowledgement.
const CHUNKS_IN_FLIGHT: usize = 32;

/// Sends everything and returns how many records were acknowledged, which are all of them.
pub(super) fn produce(topic: &str, partitions: usize, producer: &Producer, feed: Feed<'_>) -> Result<u64> {
    let (in_flight, sent) = sync_channel(CHUNKS_IN_FLIGHT);
    let stop = &AtomicBool::new(false);
    let (fed, acknowledged) = thread::scope(|scope| {
        let acknowledging = scope.spawn(move || acknowledge(sent, stop));
        let mut sender = Sender::new(topic, partitions, producer, in_flight, stop);
        let fed = feed(&mut sender);
        // Ends the acknowledging thread, when it has waited for what is in flight.
        drop(sender);
        (fed, acknowledging.join())
    });
    let acknowledged = acknowledged.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    producer.close()?;
    match acknowledged.first_failure {
        Some((line, error)) => Err(not_written(line, acknowledged.failed, error.into())),
        None => fed.map(|()| acknowledged.records),
    }
}

/// Records of one batch, and the handle of the first of them: what becomes of it becomes of all.
struct Sent {
    first_line: u64,
    records: u64,
    handle: Pending,
}

/// What became of the records.
#[derive(Default)]
struct Acknowledged {
    records: u64,
    failed: u64,
    first_failure: Option<(u64, Error)>,
}

/// Waits for all records. After the first failure no more are sent, but those in flight are still waited for.
fn acknowledge(sent: Receiver<Vec<Sent>>, stop: &AtomicBool) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    for Sent { first_line, records, handle } in sent.into_iter().flatten() {
        match handle.wait() {
            Ok(_) => acknowledged.records += records,
            Err(error) => {
                stop.store(true, Ordering::Relaxed);
                acknowledged.failed += records;
                acknowledged.first_failure.get_or_insert((first_line, error));
            }
        }
    }
    acknowledged
}

/// Sends records, and keeps what has to be waited for.
struct Sender<'a> {
    topic: Arc<str>,
    producer: &'a Producer,
    in_flight: SyncSender<Vec<Sent>>,
    stop: &'a AtomicBool,
    /// What was sent since the last pause, but for what is still filling.
    batches: Vec<Sent>,
    /// The records of each partition's batch that is still filling, as far as they were sent since the last pause.
    filling: Vec<Option<Sent>>,
}

impl<'a> Sender<'a> {
    fn new(
        topic: &str,
        partitions: usize,
        producer: &'a Producer,
        in_flight: SyncSender<Vec<Sent>>,
        stop: &'a AtomicBool,
    ) -> Self {
        let filling = std::iter::repeat_with(|| None).take(partitions).collect();
        Self { topic: topic.into(), producer, in_flight, stop, batches: Vec::new(), filling }
    }
}

impl Sink for Sender<'_> {
    fn take(&mut self, line: u64, record: NewRecord) -> Result {
        let record = record.to(self.topic.clone());
        let handle = self.producer.send_async(record).map_err(|error| not_written(line, 1, error.into()))?;
        match &mut self.filling[handle.topic_partition().partition as usize] {
            // Nobody else sends. So if that batch is filling even now, it is the one that the record went into.
            Some(sent) if !sent.handle.is_appended() => sent.records += 1,
            slot => self.batches.extend(slot.replace(Sent { first_line: line, records: 1, handle })),
        }
        Ok(())
    }

    fn pause(&mut self) {
        self.batches.extend(self.filling.iter_mut().filter_map(Option::take));
        // Nobody receives only if waiting panicked.
        let _ = self.in_flight.send(std::mem::take(&mut self.batches));
    }

    fn has_failed(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
