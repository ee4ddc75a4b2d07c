//! `esker consume`: records on stdout.
//!
//! What counts as consumed is what stdout took. Where the reader of a pipe went away in the middle, the group goes on
//! at the first record that did not get through whole.

mod format;
mod output;
mod start;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use esker::{
    Acks, CommittedOffset, Consumer, ConsumerRecord, Error, IsolationLevel, LeaderEpoch, Offset, Store, TopicPartition,
};

use crate::context::Context;
use crate::data_dir::{self, ReadOnly};
use crate::failure::{Failure, Result, tell};
use crate::interrupt::on_interrupt;
use format::FormatArgs;
use output::Output;
use start::StartArgs;

/// How long to wait for records before looking whether it is time to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How often a group commits, as `auto.commit.interval.ms` has it.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);

/// Print records: their values, each followed by a newline, or more of them
///
/// Values are printed byte for byte. What `esker produce` read from a file comes out unchanged if the topic has one
/// partition; only if the file did not end with a newline, the output does all the same.
///
/// Starts at the end unless a group or an option says otherwise. Ends at what is the end when it starts, or with
/// --follow when it is interrupted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    start: StartArgs,
    /// Start where the group left off, and commit nothing for it
    #[arg(long, requires = "group")]
    no_commit: bool,
    /// End at what is the end when it starts, which is the default
    #[arg(long, conflicts_with = "follow")]
    until_end: bool,
    /// Wait for more records at the end
    #[arg(long)]
    follow: bool,
    /// With --follow, end when there was no record for this long
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// End after this many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    read_only: ReadOnly,
}

impl Args {
    fn commits(&self) -> bool {
        self.start.group.is_some() && !self.no_commit
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    if args.commits() && args.read_only.read_only {
        let what = "a group can't commit to a directory that is open read-only: add --no-commit";
        return Err(Failure::Usage(what.to_owned()));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let interrupt = interrupted.clone();
    on_interrupt(move || interrupt.store(true, Ordering::Relaxed))?;
    let store = match args.commits() {
        true => data_dir::open(context)?,
        false => data_dir::open_to_read(context, &args.read_only)?,
    };
    let consumed = consume(args, context, &store, &interrupted);
    store.close()?;
    consumed
}

fn consume(args: &Args, context: &Context, store: &Store, interrupted: &AtomicBool) -> Result {
    let mut consumer = args.start.consumer(store)?;
    if args.start.is_at_end() && !args.follow {
        tell("note", "this starts at the end, and so prints nothing: see --from-beginning and --follow");
    }
    let ends = ends(store, &consumer, args.start.isolation_level)?;
    let output = Output::new(args.format.format(context.is_json())).map_err(Failure::Output)?;
    let (consumer, epochs, last_commit) = (&mut consumer, HashMap::new(), Instant::now());
    let mut printer = Printer { args, consumer, output, printed: 0, epochs, last_commit };
    let printed = printer.print_all(&ends, interrupted);
    // What was printed was printed, however it ended.
    let committed = printer.commit();
    printed.and(committed)
}

/// What is the end of each partition now.
fn ends(store: &Store, consumer: &Consumer, isolation: IsolationLevel) -> Result<Vec<(TopicPartition, Offset)>> {
    let mut ends = Vec::new();
    for partition in consumer.assignment() {
        let log = store.partition(&partition.topic, partition.partition)?;
        let end = match isolation {
            IsolationLevel::ReadUncommitted => log.high_watermark(),
            IsolationLevel::ReadCommitted => log.last_stable_offset(),
        };
        ends.push((partition, end));
    }
    Ok(ends)
}

/// Prints records and knows which of them were printed.
struct Printer<'a> {
    args: &'a Args,
    /// Stands, in each partition, at the first record that was not printed.
    consumer: &'a mut Consumer,
    output: Output<'a>,
    printed: u64,
    /// The leader epoch of the last record that was printed of each partition.
    epochs: HashMap<TopicPartition, LeaderEpoch>,
    last_commit: Instant,
}

impl Printer<'_> {
    fn print_all(&mut self, ends: &[(TopicPartition, Offset)], interrupted: &AtomicBool) -> Result {
        let idle_max = self.args.timeout_ms.map(Duration::from_millis);
        let mut last_record = Instant::now();
        while self.remaining() > 0 && (self.args.follow || !self.has_reached(ends)?) {
            if interrupted.load(Ordering::Relaxed) {
                // That is how following ends.
                let done = || Failure::Interrupted(format!("{} records were printed", self.printed));
                return if self.args.follow { Ok(()) } else { Err(done()) };
            }
            let timeout = idle_max.map_or(POLL_TIMEOUT, |max| max.min(POLL_TIMEOUT));
            let records = self.consumer.poll(timeout).map_err(|error| explain(error, &self.args.start.topic))?;
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
        if self.args.commits() {
            for record in &records[..written] {
                self.epochs.insert(TopicPartition::new(record.topic.clone(), record.partition), record.leader_epoch);
            }
        }
        // Backwards, so that each partition ends up at its first record that was not printed.
        for record in records[written..].iter().rev() {
            self.consumer.seek((record.topic.clone(), record.partition), record.offset)?;
        }
        result.map_err(Failure::Output)
    }

    fn commit(&mut self) -> Result {
        self.last_commit = Instant::now();
        if !self.args.commits() {
            return Ok(());
        }
        let mut offsets = Vec::new();
        for partition in self.consumer.assignment() {
            let offset = CommittedOffset::new(self.consumer.position(partition.clone())?);
            // Kept here because a seek forgets it.
            let offset = match self.epochs.get(&partition) {
                Some(epoch) => offset.leader_epoch(*epoch),
                None => offset,
            };
            offsets.push((partition, offset));
        }
        Ok(self.consumer.commit_offsets(offsets, Acks::All)?)
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
