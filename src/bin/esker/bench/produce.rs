//! `esker bench produce`: how fast records get in, and how long each takes to be acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::{Acks, Pending, Producer, ProducerConfig, Record};

use super::latency::Latencies;
use super::limit::Limit;
use super::{Bench, Measured, Target, payloads};
use crate::failure::{Failure, Result};
use crate::producer_args::ProducerArgs;
use crate::progress::Progress;

/// How many batches a thread may have in flight.
const BATCHES_IN_FLIGHT: usize = 64;
/// After how many records a thread looks whether it should end, and tells how far it is.
const LOOK_RECORDS: u64 = 1000;

/// Measure how fast records get in, and how long each takes to be acknowledged
///
/// Prints what kafka-producer-perf-test does, and how much of what the machine can do that is. The options of a
/// producer have Kafka's defaults. Threads share one producer, as they would in a program.
///
/// JSON: operation, records, bytes, seconds, records_per_second, mb_per_second, latency_ms (avg, max, p50, p95, p99,
/// p999), limit (copy_and_crc_mb_per_second of one thread, sync_ms or null), share_of_limit. A MB is 1048576 bytes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) target: Target,
    /// How many records a second to send, of all threads; as fast as it goes if left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    throughput: Option<u64>,
    #[command(flatten)]
    producer: ProducerArgs,
}

pub(super) fn measure(args: &Args, bench: &Bench<'_>) -> Result<Measured> {
    let config = args.producer.config(ProducerConfig::new()).map_err(|error| Failure::Usage(error.to_string()))?;
    let producer = bench.store.producer(config).map_err(|error| match error {
        esker::Error::InvalidConfig { .. } => Failure::Usage(error.to_string()),
        other => other.into(),
    })?;
    let syncs_in = (args.producer.acks() == Acks::All && !args.target.memory).then(|| bench.store.dir());
    let limit = Limit::measure(syncs_in).map_err(|error| Failure::because("cannot measure the machine", error))?;
    let interval = args.throughput.map(|rate| Duration::from_secs_f64(f64::from(args.target.threads) / rate as f64));
    let (sent, latencies, took) = send_all(bench, &producer, interval)?;
    let bytes = sent * args.target.record_size as u64;
    Ok(Measured::new("produce", (sent, bytes), took, &latencies, limit))
}

/// Sends all records that are to be sent, and returns how many were, how long each took, and how long all of them.
pub(super) fn send_all(
    bench: &Bench<'_>,
    producer: &Producer,
    interval: Option<Duration>,
) -> Result<(u64, Latencies, Duration)> {
    let (payloads, sent, failed) = (payloads(bench.target.record_size), AtomicU64::new(0), AtomicBool::new(false));
    let progress = Progress::of_records("producing");
    let start = Instant::now();
    let outcomes: Vec<Result<Latencies>> = thread::scope(|scope| {
        let mut threads = Vec::new();
        for index in 0..bench.target.threads {
            let (batches, in_flight) = sync_channel(BATCHES_IN_FLIGHT);
            let (payloads, sent, failed, progress) = (&payloads, &sent, &failed, &progress);
            let acknowledging = scope.spawn(move || acknowledge(&in_flight, failed));
            let sending = scope.spawn(move || {
                let sender = Sender { bench, producer, interval, batches, sent, failed, progress };
                sender.send(payloads, bench.share(index))
            });
            threads.push((sending, acknowledging));
        }
        let join = |(sending, acknowledging): (thread::ScopedJoinHandle<'_, _>, thread::ScopedJoinHandle<'_, _>)| {
            let sent: Result = sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let latencies: Result<Latencies> =
                acknowledging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            latencies.and_then(|latencies| sent.map(|()| latencies))
        };
        threads.into_iter().map(join).collect()
    });
    let took = start.elapsed();
    let mut all = Latencies::new();
    for outcome in outcomes {
        all.merge(&outcome?);
    }
    producer.flush()?;
    Ok((sent.into_inner(), all, took))
}

/// Records of one batch: the handle of the first of them, and when each was sent.
struct Sent {
    handle: Pending,
    starts: Vec<Instant>,
}

/// Waits for batches, and counts how long their records took.
fn acknowledge(in_flight: &Receiver<Sent>, failed: &AtomicBool) -> Result<Latencies> {
    let mut latencies = Latencies::new();
    for Sent { handle, starts } in in_flight {
        handle.wait().inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        let now = Instant::now();
        starts.into_iter().for_each(|start| latencies.add(now - start));
    }
    Ok(latencies)
}

/// A thread that sends.
struct Sender<'a> {
    bench: &'a Bench<'a>,
    producer: &'a Producer,
    /// How long from one record to the next; None for as fast as it goes.
    interval: Option<Duration>,
    batches: SyncSender<Sent>,
    sent: &'a AtomicU64,
    failed: &'a AtomicBool,
    progress: &'a Progress,
}

impl Sender<'_> {
    fn send(&self, payloads: &[Bytes], count: u64) -> Result {
        let begun = Instant::now();
        // The last batch, as far as it goes.
        let mut last: Option<Sent> = None;
        for (index, payload) in (0..count).zip(payloads.iter().cycle()) {
            if index % LOOK_RECORDS == 0 {
                if self.bench.is_interrupted() || self.failed.load(Ordering::Relaxed) {
                    break;
                }
                self.progress.set(self.sent.load(Ordering::Relaxed), self.bench.target.num_records);
            }
            if let Some(interval) = self.interval {
                let rest = (begun + interval.mul_f64(index as f64)).saturating_duration_since(Instant::now());
                if !rest.is_zero() {
                    // It is waited for meanwhile.
                    self.pass_on(last.take());
                    thread::sleep(rest);
                }
            }
            let start = Instant::now();
            let handle = self.producer.send_async(Record::to(self.bench.topic.clone()).value(payload.clone()))?;
            self.sent.fetch_add(1, Ordering::Relaxed);
            match &mut last {
                Some(last) if is_of_one_batch(last, &handle) => last.starts.push(start),
                _ => self.pass_on(last.replace(Sent { handle, starts: vec![start] })),
            }
        }
        self.pass_on(last);
        Ok(())
    }

    fn pass_on(&self, sent: Option<Sent>) {
        if let Some(sent) = sent {
            // Nobody receives only if a batch has failed, and then that is what there is to tell.
            let _ = self.batches.send(sent);
        }
    }
}

/// Whether a record that was sent just now is in the batch of those before it: it was filling before that, and still
/// is.
fn is_of_one_batch(before: &Sent, record: &Pending) -> bool {
    before.handle.topic_partition().partition == record.topic_partition().partition && !before.handle.is_appended()
}
