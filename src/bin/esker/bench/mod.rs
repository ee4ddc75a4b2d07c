//! `esker bench`: what `kafka-producer-perf-test` and `kafka-consumer-perf-test` do, beside what the machine can do.

mod consume;
mod latency;
mod limit;
mod produce;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Subcommand;
use esker::io::MemoryStorage;
use esker::{Store, TopicConfig};
use serde::Serialize;

use crate::context::Context;
use crate::data_dir;
use crate::failure::{Failure, Result};
use crate::interrupt::on_interrupt;
use latency::{Latencies, Percentiles};
use limit::Limit;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Produce(produce::Args),
    Consume(consume::Args),
}

/// Where a measurement takes place, and how much of it there is.
#[derive(Debug, clap::Args)]
struct Target {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    num_records: u64,
    /// How large the value of a record is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    record_size: usize,
    /// How many threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    threads: u16,
    /// How many partitions the topic has that is made for this
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "topic")]
    partitions: i32,
    /// Use this topic, which must exist, and leave it [default: one that is made for this, and deleted after it]
    #[arg(long)]
    topic: Option<String>,
    /// Use memory instead of a directory
    #[arg(long, conflicts_with = "topic")]
    memory: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    operation: &'static str,
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: f64,
    mb_per_second: f64,
    latency_ms: Percentiles,
    limit: Limit,
    /// The share of what the machine can copy and checksum.
    share_of_limit: f64,
}

impl Measured {
    fn new(
        operation: &'static str,
        (records, bytes): (u64, u64),
        took: Duration,
        latencies: &Latencies,
        limit: Limit,
    ) -> Self {
        let seconds = took.as_secs_f64().max(f64::MIN_POSITIVE);
        let mb_per_second = bytes as f64 / seconds / f64::from(1 << 20);
        Self {
            operation,
            records,
            bytes,
            seconds,
            records_per_second: records as f64 / seconds,
            mb_per_second,
            latency_ms: latencies.percentiles(),
            share_of_limit: mb_per_second / limit.copy_and_crc_mb_per_second,
            limit,
        }
    }

    /// As Kafka's tool tells it, and a line about the machine.
    fn text(&self) -> String {
        let done = if self.operation == "produce" { "sent" } else { "read" };
        let Percentiles { avg, max, p50, p95, p99, p999 } = self.latency_ms;
        let sync = self.limit.sync_ms.map_or_else(String::new, |sync| format!("; a sync takes {sync:.3} ms"));
        format!(
            "{} records {done}, {:.1} records/sec ({:.2} MB/sec), {avg:.3} ms avg latency, {max:.3} ms max latency, \
             {p50:.3} ms 50th, {p95:.3} ms 95th, {p99:.3} ms 99th, {p999:.3} ms 99.9th.\n\
             this machine copies and checksums {:.0} MB/sec, of which this is {:.1} %{sync}\n",
            self.records,
            self.records_per_second,
            self.mb_per_second,
            self.limit.copy_and_crc_mb_per_second,
            self.share_of_limit * 100.0,
        )
    }
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    let interrupted = Arc::new(AtomicBool::new(false));
    let interrupt = interrupted.clone();
    on_interrupt(move || interrupt.store(true, Ordering::Relaxed))?;
    let target = match command {
        Command::Produce(args) => &args.target,
        Command::Consume(args) => &args.target,
    };
    let bench = Bench::new(target, context, interrupted)?;
    let measured = match command {
        Command::Produce(args) => produce::measure(args, &bench),
        Command::Consume(args) => consume::measure(args, &bench),
    };
    let ended = bench.end();
    let measured = measured?;
    ended?;
    let records = measured.records;
    context.print(&[measured], |rows| rows.iter().map(Measured::text).collect())?;
    match bench.is_interrupted() {
        true => Err(Failure::Interrupted(format!("this is of the {records} records until then"))),
        false => Ok(()),
    }
}

/// A store with a topic to measure on.
struct Bench<'a> {
    target: &'a Target,
    store: Store,
    topic: Arc<str>,
    interrupted: Arc<AtomicBool>,
}

impl<'a> Bench<'a> {
    fn new(target: &'a Target, context: &Context, interrupted: Arc<AtomicBool>) -> Result<Self> {
        let store = match target.memory {
            true => Store::options().storage(Arc::new(MemoryStorage::new())).open("bench")?,
            false => data_dir::create_or_open(context)?,
        };
        let topic = match &target.topic {
            Some(topic) => {
                data_dir::partition_count(&store, topic)?;
                topic.clone()
            }
            None => {
                let topic = format!("esker-bench-{}", std::process::id());
                // Its files go when it does.
                let config = TopicConfig::new().partitions(target.partitions).file_delete_delay_ms(0);
                store.create_topic(&topic, config)?;
                topic
            }
        };
        Ok(Self { target, store, topic: topic.into(), interrupted })
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// How many records thread `index` gets of them all.
    fn share(&self, index: u16) -> u64 {
        let (records, threads) = (self.target.num_records, u64::from(self.target.threads));
        records / threads + u64::from(u64::from(index) < records % threads)
    }

    fn end(&self) -> Result {
        if self.target.topic.is_none() {
            self.store.delete_topic(&self.topic)?;
            self.store.tick()?;
        }
        Ok(self.store.close()?)
    }
}

/// Values of random capital letters, as Kafka's tool makes them, to be used in turn.
fn payloads(size: usize) -> Vec<Bytes> {
    const BYTES_MAX: usize = 16 << 20;
    let count = (BYTES_MAX / size.max(1)).clamp(1, 1000);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut letter = || {
        // Marsaglia's xorshift: the same values in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'A' + ((state >> 32) % 26) as u8
    };
    (0..count).map(|_| (0..size).map(|_| letter()).collect()).collect()
}
