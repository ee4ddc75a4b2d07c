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

use esker::{LeaderEpoch, Offset, TopicPartition};

use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::{Failure, Result, tell};
use crate::interrupt::on_interrupt;
use crate::source::{self, Access, ReadRecord, Reader, Source};
use format::FormatArgs;
use output::Output;
use start::StartArgs;

/// How long to wait for records before looking whether it is time to end.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// How often to look for partitions that were added to the topic. Kafka's clients do every five minutes
/// (`metadata.max.age.ms`); beside the polls of somebody who waits it is nothing.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a group commits, as `auto.commit.interval.ms` has it.
const COMMIT_INTERVAL: Duration = Duration::from_secs(5);
/// For how long it is tried then, before there are records again, and for how long at the end.
const COMMIT_TIME: Duration = Duration::from_secs(1);
const LAST_COMMIT_TIME: Duration = Duration::from_secs(10);

/// Print records: their values, each followed by a newline, or more of them
///
/// Values are printed byte for byte. What `esker produce` read from a file comes out unchanged if the topic has one
/// partition; only if the file did not end with a newline, the output does all the same.
///
/// Starts at the end unless a group or an option says otherwise. Ends at what is the end when it starts, or with
/// --follow when it is interrupted.
///
/// Brokers that go away are waited for: a minute, or with --follow until they are back.
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
    ///
    /// Partitions that are added to the topic are read too, unless --partition says which are.
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
    let access = if args.commits() { Access::Change } else { Access::Look(&args.read_only) };
    let mut source = source::open(context, access)?;
    let consumed = consume(args, context, &mut *source, &interrupted);
    source.close()?;
    consumed
}

fn consume(args: &Args, context: &Context, source: &mut dyn Source, interrupted: &AtomicBool) -> Result {
    let start = args.start.start(source, args.follow)?;
    let mut reader = source.consumer(&start)?;
    if args.start.is_at_end() && !args.follow {
        tell("note", "this starts at the end, and so prints nothing: see --from-beginning and --follow");
    }
    let ends = if args.follow { Vec::new() } else { reader.ends()? };
    let output = Output::new(args.format.format(context.is_json())).map_err(Failure::Output)?;
    let (reader, epochs, last_commit) = (&mut *reader, HashMap::new(), Instant::now());
    let mut printer = Printer { args, reader, output, printed: 0, epochs, last_commit, committed: 0 };
    let printed = printer.print_all(&ends, interrupted);
    // What was printed was printed, however it ended.
    let committed = printer.commit(LAST_COMMIT_TIME);
    let not_committed = || Failure::new("what was printed is not committed for the group: its brokers are away");
    printed.and(committed.and_then(|is_done| if is_done { Ok(()) } else { Err(not_committed()) }))
}

/// Prints records and knows which of them were printed.
struct Printer<'a> {
    args: &'a Args,
    /// Stands, in each partition, at the first record that was not printed.
    reader: &'a mut dyn Reader,
    output: Output<'a>,
    printed: u64,
    /// The leader epoch of the last record that was printed of each partition.
    epochs: HashMap<TopicPartition, LeaderEpoch>,
    last_commit: Instant,
    /// How many were printed by then.
    committed: u64,
}

impl Printer<'_> {
    fn print_all(&mut self, ends: &[(TopicPartition, Offset)], interrupted: &AtomicBool) -> Result {
        let idle_max = self.args.timeout_ms.map(Duration::from_millis);
        let looks = self.args.follow && self.args.start.is_whole_topic();
        let (mut last_record, mut last_look) = (Instant::now(), Instant::now());
        while self.remaining() > 0 && (self.args.follow || !self.has_reached(ends)?) {
            if interrupted.load(Ordering::Relaxed) {
                // That is how following ends.
                let done = || Failure::Interrupted(format!("{} records were printed", self.printed));
                return if self.args.follow { Ok(()) } else { Err(done()) };
            }
            if looks && last_look.elapsed() >= LOOK_INTERVAL {
                self.reader.look_for_partitions()?;
                last_look = Instant::now();
            }
            let timeout = idle_max.map_or(POLL_TIMEOUT, |max| max.min(POLL_TIMEOUT));
            let records = self.reader.poll(timeout)?;
            if !records.is_empty() {
                self.print(&records)?;
                last_record = Instant::now();
            } else if idle_max.is_some_and(|max| last_record.elapsed() >= max) {
                break;
            }
            // Also while nothing comes: what came before must not wait for that.
            if self.printed > self.committed && self.last_commit.elapsed() >= COMMIT_INTERVAL {
                self.commit(COMMIT_TIME)?;
            }
        }
        Ok(())
    }

    fn remaining(&self) -> u64 {
        self.args.max_messages.map_or(u64::MAX, |max| max - self.printed)
    }

    fn has_reached(&mut self, ends: &[(TopicPartition, Offset)]) -> Result<bool> {
        for (partition, end) in ends {
            if self.reader.position(partition)? < *end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn print(&mut self, records: &[ReadRecord]) -> Result {
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
            self.reader.seek(&TopicPartition::new(record.topic.clone(), record.partition), record.offset)?;
        }
        result.map_err(Failure::Output)
    }

    /// False if that could not be done within this time.
    fn commit(&mut self, time: Duration) -> Result<bool> {
        self.last_commit = Instant::now();
        // Kept here because a seek forgets it.
        let epoch_of = |partition: &TopicPartition| self.epochs.get(partition).copied();
        let is_done = !self.args.commits() || self.reader.commit(time, &epoch_of)?;
        if is_done {
            self.committed = self.printed;
        }
        Ok(is_done)
    }
}
