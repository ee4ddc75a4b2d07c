//! `esker consume`: the values of records as lines.
//!
//! What counts as consumed is what stdout took. Where the reader of a pipe went away in the middle, the group goes on
//! at the first record that did not get through whole.

mod output;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use esker::{
    AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, Error, Offset, ReadLimits, Store, TopicPartition,
};

use crate::context::Context;
use crate::data_dir::{self, ReadOnly};
use crate::failure::{Failure, Result, tell};
use crate::interrupt::on_interrupt;
use output::{Format, Output};

/// How many records are taken at a time.
const POLL_RECORDS: usize = 2000;
/// How long to wait for records before looking whether it is time to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How often a group commits, as `auto.commit.interval.ms` has it.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);

/// Print the values of records, each followed by a newline
///
/// Values are printed byte for byte. What `esker produce` read from a file comes out unchanged if the topic has one
/// partition; only if the file did not end with a newline, the output does all the same.
///
/// Starts at the end unless a group or an option says otherwise. Ends at what is the end when it starts, or with
/// --follow when it is interrupted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic, which must exist
    topic: String,
    /// Read this partition; may be given more than once [default: all]
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<i32>,
    /// Start at the first record; with a group, only where it has committed nothing
    #[arg(long)]
    from_beginning: bool,
    /// Start where this group left off, and commit for it what was printed
    #[arg(long)]
    group: Option<String>,
    /// Start at this offset of the one partition, whatever was committed
    #[arg(long, value_name = "N", conflicts_with = "from_beginning")]
    offset: Option<Offset>,
    /// Wait for more records at the end
    #[arg(long)]
    follow: bool,
    /// With --follow, end when there was no record for this long
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// End after this many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// Print each record's key before its value
    #[arg(long)]
    print_key: bool,
    /// What to print between key and value
    #[arg(long, value_name = "TEXT", default_value = "\t", hide_default_value = true)]
    key_separator: String,
    #[command(flatten)]
    read_only: ReadOnly,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let interrupted = Arc::new(AtomicBool::new(false));
    let interrupt = interrupted.clone();
    on_interrupt(move || interrupt.store(true, Ordering::Relaxed))?;
    let store = match args.group {
        Some(_) => data_dir::open(context)?,
        None => data_dir::open_to_read(context, &args.read_only)?,
    };
    let consumed = consume(args, &store, &interrupted);
    store.close()?;
    consumed
}

fn consume(args: &Args, store: &Store, interrupted: &AtomicBool) -> Result {
    let mut consumer = assigned_consumer(args, store)?;
    let mut ends = Vec::new();
    for partition in consumer.assignment() {
        let end = store.partition(&partition.topic, partition.partition)?.high_watermark();
        ends.push((partition, end));
    }
    let key_separator = args.print_key.then(|| args.key_separator.clone().into_bytes());
    let output = Output::new(Format { key_separator }).map_err(Failure::Output)?;
    let mut printer = Printer { args, consumer: &mut consumer, output, printed: 0, last_commit: Instant::now() };
    let printed = printer.print_all(&ends, interrupted);
    // What was printed was printed, however it ended.
    let committed = printer.commit();
    printed.and(committed)
}

/// A consumer that is about to read what the arguments ask for.
fn assigned_consumer(args: &Args, store: &Store) -> Result<Consumer> {
    let reset = if args.from_beginning { AutoOffsetReset::Earliest } else { AutoOffsetReset::Latest };
    let mut config = ConsumerConfig::new().auto_offset_reset(reset).max_poll_records(POLL_RECORDS);
    if let Some(group) = &args.group {
        config = config.group_id(group);
    }
    let count = data_dir::partition_count(store, &args.topic)?;
    let all: Vec<i32> = (0..count).collect();
    let partitions = if args.partitions.is_empty() { &all } else { &args.partitions };
    let mut consumer = store.consumer(config)?;
    consumer.assign(partitions.iter().map(|index| TopicPartition::new(args.topic.as_str(), *index)))?;
    if let Some(offset) = args.offset {
        let [partition] = consumer.assignment().try_into().map_err(|all: Vec<_>| {
            Failure::Usage(format!("--offset is for one partition, and these are {}: add --partition N", all.len()))
        })?;
        // Otherwise an offset that does not exist would silently become another one.
        store.partition(&partition.topic, partition.partition)?.read(offset, ReadLimits::new().max_bytes(0))?;
        consumer.seek(partition, offset)?;
    }
    if !args.from_beginning && !args.follow && args.group.is_none() && args.offset.is_none() {
        tell("note", "this starts at the end, and so prints nothing: see --from-beginning and --follow");
    }
    Ok(consumer)
}

/// Prints records and knows which of them were printed.
struct Printer<'a> {
    args: &'a Args,
    /// Stands, in each partition, at the first record that was not printed.
    consumer: &'a mut Consumer,
    output: Output,
    printed: u64,
    last_commit: Instant,
}

impl Printer<'_> {
    fn print_all(&mut self, ends: &[(TopicPartition, Offset)], interrupted: &AtomicBool) -> Result {
        let idle_max = self.args.timeout_ms.map(Duration::from_millis);
        let mut last_record = Instant::now();
        while !interrupted.load(Ordering::Relaxed) && self.remaining() > 0 {
            if !self.args.follow && self.has_reached(ends)? {
                break;
            }
            let timeout = idle_max.map_or(POLL_TIMEOUT, |max| max.min(POLL_TIMEOUT));
            let records = self.consumer.poll(timeout).map_err(|error| explain(error, &self.args.topic))?;
            if records.is_empty() {
                if idle_max.is_some_and(|max| last_record.elapsed() >= max) {
                    break;
                }
                continue;
            }
            self.print(&records)?;
            last_record = Instant::now();
            if self.last_commit.elapsed() >= COMMIT_INTERVAL {
                self.commit()?;
            }
        }
        Ok(())
    }

    fn remaining(&self) -> u64 {
        self.args.max_messages.map_or(u64::MAX, |max| max - self.printed)
    }

    fn has_reached(&mut self, ends: &[(TopicPartition, Offset)]) -> Result<bool> {
        for (partition, end) in ends {
            if self.consumer.position(partition.clone())? < *end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn print(&mut self, records: &[ConsumerRecord]) -> Result {
        let wanted = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(records.len());
        let (written, result) = self.output.write(&records[..wanted]);
        self.printed += written as u64;
        // Backwards, so that each partition ends up at its first record that was not printed.
        for record in records[written..].iter().rev() {
            self.consumer.seek((record.topic.clone(), record.partition), record.offset)?;
        }
        result.map_err(Failure::Output)
    }

    fn commit(&mut self) -> Result {
        self.last_commit = Instant::now();
        if self.args.group.is_some() {
            self.consumer.commit()?;
        }
        Ok(())
    }
}

/// Tells how to get past records that can't be read.
fn explain(error: Error, topic: &str) -> Failure {
    match &error {
        Error::CorruptRecord { offsets: Some(offsets), .. } => {
            let next = offsets.end() + 1;
            Failure::because(format!("{topic} is damaged (the records after that begin at --offset {next})"), error)
        }
        _ => error.into(),
    }
}
