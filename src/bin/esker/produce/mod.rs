//! `esker produce`: each line of the input becomes a record.
//!
//! ```text
//!   reader thread → chunks → this thread: lines → records → the directory or the cluster
//! ```
//!
//! The channel is bounded, and so is what lies between reading and writing.

mod input;
mod lines;
mod reader;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use esker::{Error, ProducerConfig};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, Result, tell};
use crate::producer_args::ProducerArgs;
use crate::source::{self, Access, Sink, Source, Target};
use input::{Event, Input};
use lines::{LINE_BYTES_MAX, Lines, TooLong};
use reader::{Reader, ReaderArgs};

/// The size of a batch, unless `batch.size` says otherwise: nobody waits for a single line here.
const BATCH_BYTES: usize = 128 << 10;

/// Write the lines of a file or of stdin as records
///
/// Each line is the value of a record, byte for byte: only the newline that ends it is left out. The last line needs
/// none, an empty line is an empty value, and a carriage return is part of its line. With other formats it is more than
/// the value.
///
/// Exits with 0 once every record is acknowledged. A line that can't be written ends the command.
///
/// Brokers that go away are waited for, two minutes. What was on its way to them may then be written twice, but for a
/// producer that is idempotent, as it is unless --acks or --idempotence say otherwise.
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
    let mut source = source::open(context, Access::Change)?;
    let written = write(args, &mut *source, &config);
    source.close()?;
    let row = Row { topic: args.topic.clone(), records: written? };
    if context.is_json() {
        context.print(&[row], |_| String::new())?;
    } else if args.verbose || io::stderr().is_terminal() {
        tell("produced", format_args!("{} records to {}", row.records, row.topic));
    }
    Ok(())
}

fn write(args: &Args, source: &mut dyn Source, config: &ProducerConfig) -> Result<u64> {
    if let Some(partition) = args.partition {
        source.partition(&args.topic, partition)?;
    }
    let target = Target { topic: &args.topic, config };
    let written = source.produce(&target, &mut |sink| {
        let input = input::start(args.file.as_deref())?;
        Feeder { reader: Reader::new(&args.reader, args.partition), sink, lines: Lines::default(), line: 1 }
            .feed(&input)
    });
    written.map_err(|failure| match failure.cause() {
        Some(Error::MessageTooLarge { limit: "max.message.bytes", .. }) => {
            let topic = &args.topic;
            failure.with_hint(format!("raise it with `esker topic alter {topic} --config max.message.bytes=N`"))
        }
        _ => failure,
    })
}

/// Makes lines into records.
struct Feeder<'a> {
    reader: Reader<'a>,
    sink: &'a mut dyn Sink,
    lines: Lines,
    /// The number of the line that comes next, from 1.
    line: u64,
}

impl Feeder<'_> {
    fn feed(mut self, input: &Input) -> Result {
        while !self.sink.has_failed() {
            match input.next() {
                Event::Chunk(chunk) => {
                    self.lines.push(chunk);
                    self.feed_lines(false)?;
                }
                Event::End => return self.feed_lines(true),
                Event::Failed(error) => return Err(Failure::because("cannot read the input", error)),
                // A line that has begun may not be whole.
                Event::Interrupted => {
                    return Err(Failure::Interrupted(format!("{} lines are written", self.line - 1)));
                }
            }
        }
        Ok(())
    }

    /// Hands over the whole lines that there are, and at the end the one that no newline ends.
    fn feed_lines(&mut self, is_end: bool) -> Result {
        let result = self.take_lines(is_end);
        // Even if a line can't be sent, those before it were.
        self.sink.pause();
        result
    }

    fn take_lines(&mut self, is_end: bool) -> Result {
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
            self.sink.take(self.line, record)?;
            self.line += 1;
        }
    }
}
