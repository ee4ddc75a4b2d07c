//! `esker bench consume`: how fast records get out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use esker::{Acks, ConsumerConfig, ProducerConfig, TopicPartition};

use super::latency::Latencies;
use super::limit::Limit;
use super::{Bench, Measured, Target, produce};
use crate::data_dir;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Measure how fast records get out, and how long each poll takes
///
/// Reads the topic that is given from its beginning, up to --num-records, or records that are written for this. Threads
/// share the partitions, so more threads than partitions do not help.
///
/// JSON: as `esker bench produce`, with latencies of polls; bytes are those of keys and values.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(super) target: Target,
    /// How many records a poll takes at most
    #[arg(long, value_name = "N", default_value_t = 500)]
    max_poll_records: usize,
}

pub(super) fn measure(args: &Args, bench: &Bench<'_>) -> Result<Measured> {
    if args.target.topic.is_none() {
        // As few and large batches as a producer of much makes.
        let config = ProducerConfig::new().acks(Acks::Leader).batch_size(128 << 10);
        produce::send_all(bench, &bench.store.producer(config)?, None)?;
    }
    let limit = Limit::measure(None).map_err(|error| Failure::because("cannot measure the machine", error))?;
    let partitions = data_dir::partitions_of(&bench.store, &bench.topic)?;
    let threads = usize::from(args.target.threads).min(partitions.len());
    let (progress, records, bytes) = (Progress::of_records("consuming"), AtomicU64::new(0), AtomicU64::new(0));
    let start = Instant::now();
    let outcomes: Vec<Result<Latencies>> = thread::scope(|scope| {
        let mut running = Vec::new();
        for index in 0..threads {
            let of_thread: Vec<_> = partitions.iter().skip(index).step_by(threads).cloned().collect();
            let (progress, records, bytes) = (&progress, &records, &bytes);
            running.push(scope.spawn(move || {
                let reader = Reader { args, bench, records, bytes, progress };
                reader.read(of_thread)
            }));
        }
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let took = start.elapsed();
    let mut latencies = Latencies::new();
    for outcome in outcomes {
        latencies.merge(&outcome?);
    }
    Ok(Measured::new("consume", (records.into_inner(), bytes.into_inner()), took, &latencies, limit))
}

/// A thread that reads.
struct Reader<'a> {
    args: &'a Args,
    bench: &'a Bench<'a>,
    records: &'a AtomicU64,
    bytes: &'a AtomicU64,
    progress: &'a Progress,
}

impl Reader<'_> {
    /// Reads until there is nothing more, or as much as there is to be.
    fn read(&self, partitions: Vec<TopicPartition>) -> Result<Latencies> {
        let config = ConsumerConfig::new().max_poll_records(self.args.max_poll_records);
        let mut consumer = self.bench.store.consumer(config)?;
        consumer.assign(partitions)?;
        consumer.seek_to_beginning()?;
        let (mut latencies, total) = (Latencies::new(), self.bench.target.num_records);
        while !self.bench.is_interrupted() {
            let start = Instant::now();
            let polled = consumer.poll(Duration::ZERO)?;
            if polled.is_empty() {
                break;
            }
            latencies.add(start.elapsed());
            let len = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len) as u64;
            let size: u64 = polled.iter().map(|record| len(&record.key) + len(&record.value)).sum();
            self.bytes.fetch_add(size, Ordering::Relaxed);
            let done = self.records.fetch_add(polled.len() as u64, Ordering::Relaxed) + polled.len() as u64;
            self.progress.set(done, total);
            if done >= total {
                break;
            }
        }
        Ok(latencies)
    }
}
