//! `esker produce`: each line of the input becomes a record.
//!
//! ```text
//!   reader thread → chunks → this thread: lines → send_async → handles → acknowledging thread: wait
//! ```
//!
//! Sending never waits for the device. The acknowledging thread waits for the records of one chunk after the other:
//! a sync covers all that was sent by the time it begins, so a fast input needs few of them and a slow one gets each
//! of its lines synced right away. Both channels are bounded, and so is what lies between reading and syncing.

mod input;
mod lines;
mod reader;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use esker::{Error, Pending, Producer, ProducerConfig, Store};
use serde::Serialize;

use crate::context::Context;
use crate::data_dir;
use crate::failure::{Failure, Result, tell};
use crate::producer_args::ProducerArgs;
use input::Event;
use lines::{LINE_BYTES_MAX, Lines, TooLong};
use reader::{Reader, ReaderArgs};

/// The size of a batch, unless `batch.size` says otherwise: nobody waits for a single line here.
const BATCH_BYTES: usize = 128 << 10;
/// How many chunks may wait for their acknowledgement.
const CHUNKS_IN_FLIGHT: usize = 32;

/// Write the lines of a file or of stdin as records
///
/// Each line is the value of a record, byte for byte: only the newline that ends it is left out. The last line needs
/// none, an empty line is an empty value, and a carriage return is part of its line. With other formats it is more than
/// the value.
///
/// Exits with 0 once every record is acknowledged. A line that can't be written ends the command.
///
/// JSON: topic, records (how many were written).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic, which must exist
    topic: String,
    /// Read this file instead of stdin
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    reader: ReaderArgs,
    /// Write to this partition alone
    #[arg(long, value_name = "N")]
    partition: Option<i32>,
    #[command(flatten)]
    producer: ProducerArgs,
    /// Say how many records were written even if stderr is no terminal
    #[arg(long, short)]
    verbose: bool,
}

/// How many records were written.
#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    records: u64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let defaults = ProducerConfig::new().batch_size(BATCH_BYTES).buffer_memory(2 * LINE_BYTES_MAX);
    let config = args.producer.config(defaults).map_err(|error| Failure::Usage(error.to_string()))?;
    args.reader.check().map_err(Failure::Usage)?;
    let store = data_dir::open(context)?;
    let written = write(args, &store, config);
    store.close()?;
    let row = Row { topic: args.topic.clone(), records: written? };
    if context.is_json() {
        context.print(&[row], |_| String::new())?;
    } else if args.verbose || io::stderr().is_terminal() {
        tell("produced", format_args!("{} records to {}", row.records, row.topic));
    }
    Ok(())
}

fn write(args: &Args, store: &Store, config: ProducerConfig) -> Result<u64> {
    let partitions = data_dir::partition_count(store, &args.topic)?;
    if let Some(partition) = args.partition {
        store.partition(&args.topic, partition)?;
    }
    let producer = store.producer(config).map_err(|error| match error {
        Error::InvalidConfig { .. } => Failure::Usage(error.to_string()),
        other => other.into(),
    })?;
    let input = input::start(args.file.as_deref())?;
    produce(args, partitions as usize, producer, &input)
}

/// Sends everything and returns how many records were acknowledged, which are all of them.
fn produce(args: &Args, partitions: usize, producer: Producer, input: &Receiver<Event>) -> Result<u64> {
    let (in_flight, sent) = sync_channel(CHUNKS_IN_FLIGHT);
    let stop = &AtomicBool::new(false);
    let (read, acknowledged) = thread::scope(|scope| {
        let acknowledging = scope.spawn(move || acknowledge(sent, stop));
        let mut sender = Sender::new(args, partitions, &producer, in_flight);
        let read = sender.send_all(input, stop);
        // Ends the acknowledging thread, when it has waited for what is in flight.
        drop(sender);
        (read, acknowledging.join())
    });
    let acknowledged = acknowledged.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    producer.close()?;
    if let Some((line, error)) = acknowledged.first_failure {
        let count = acknowledged.failed;
        let others = if count > 1 { format!(", nor {} others after it", count - 1) } else { String::new() };
        return Err(Failure::because(format!("line {line} was not written{others}"), error));
    }
    read.map(|()| acknowledged.records)
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

/// Makes lines into records.
struct Sender<'a> {
    reader: Reader<'a>,
    producer: &'a Producer,
    in_flight: SyncSender<Vec<Sent>>,
    lines: Lines,
    /// The records of each partition's batch that is still filling, as far as they were sent since the last chunk.
    filling: Vec<Option<Sent>>,
    /// The number of the line that comes next, from 1.
    line: u64,
}

impl<'a> Sender<'a> {
    fn new(args: &'a Args, partitions: usize, producer: &'a Producer, in_flight: SyncSender<Vec<Sent>>) -> Self {
        let reader = Reader::new(&args.reader, &args.topic, args.partition);
        let filling = std::iter::repeat_with(|| None).take(partitions).collect();
        Self { reader, producer, in_flight, lines: Lines::default(), filling, line: 1 }
    }

    fn send_all(&mut self, input: &Receiver<Event>, stop: &AtomicBool) -> Result {
        while !stop.load(Ordering::Relaxed) {
            match input.recv() {
                Ok(Event::Chunk(chunk)) => {
                    self.lines.push(chunk);
                    self.send_lines(false)?;
                }
                Ok(Event::End) => return self.send_lines(true),
                Ok(Event::Failed(error)) => return Err(Failure::because("cannot read the input", error)),
                // A line that has begun may not be whole.
                Ok(Event::Interrupted) | Err(_) => {
                    return Err(Failure::Interrupted(format!("{} lines are written", self.line - 1)));
                }
            }
        }
        Ok(())
    }

    /// Sends the whole lines that there are, and at the end the one that no newline ends.
    fn send_lines(&mut self, is_end: bool) -> Result {
        let mut batches = Vec::new();
        let result = self.send_into(&mut batches, is_end);
        // Even if a line can't be sent, those before it were. Nobody receives only if waiting panicked.
        batches.extend(self.filling.iter_mut().filter_map(Option::take));
        let _ = self.in_flight.send(batches);
        result
    }

    fn send_into(&mut self, batches: &mut Vec<Sent>, is_end: bool) -> Result {
        loop {
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) if is_end => match self.lines.finish() {
                    Some(line) => line,
                    None => return Ok(()),
                },
                Ok(None) => return Ok(()),
                Err(TooLong) => {
                    return Err(Failure::new(format!("line {} is longer than {LINE_BYTES_MAX} bytes", self.line)));
                }
            };
            let unusable = |what| Failure::new(format!("line {} {what}", self.line));
            let record = self.reader.record(line).map_err(unusable)?;
            let not_written = |error| Failure::because(format!("line {} was not written", self.line), error);
            let handle = self.producer.send_async(record).map_err(not_written)?;
            batches.extend(self.keep(handle));
            self.line += 1;
        }
    }

    /// Keeps the handle of the record just sent, unless one of its batch is kept already; and returns the one that it
    /// takes the place of.
    fn keep(&mut self, handle: Pending) -> Option<Sent> {
        match &mut self.filling[handle.topic_partition().partition as usize] {
            // Nobody else sends. So if that batch is filling even now, it is the one that the record went into.
            Some(sent) if !sent.handle.is_appended() => {
                sent.records += 1;
                None
            }
            slot => slot.replace(Sent { first_line: self.line, records: 1, handle }),
        }
    }
}
