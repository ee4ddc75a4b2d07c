//! `esker log dump`: what is in the files of a log, in the format of Kafka's `DumpLogSegments`.
//!
//! The files are read as they are: no store is opened, no lock taken and nothing repaired, so this works beside a
//! running process and on files that were copied from elsewhere.

mod batches;
mod index;
mod json;
mod producers;
mod window;

use std::fmt;
use std::fs;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use esker::Offset;

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::json;
use json::{Object, OfFile};

/// Print what is in segment files, their indexes and producer snapshots, as kafka-dump-log does
///
/// There is a line for each batch of a .log file, each entry of an .index, .timeindex or .txnindex, and each producer
/// of a .snapshot. Damage is shown where it is, and makes the exit code 1; the dump goes on after it.
///
/// JSON, an object for each of these: type, file, position, and what the type has: batch (what its line says, with
/// records if these are asked for: offset, timestamp, sequence, key, value, headers, end_transaction),
/// offset_index_entry (offset, log_position), time_index_entry (timestamp, offset), transaction_index_entry (version,
/// producer_id, first_offset, last_offset, last_stable_offset), producer (producer_id, producer_epoch,
/// coordinator_epoch, current_transaction_first_offset, last_timestamp, and last_batch: first_sequence, last_sequence,
/// last_offset, offset_delta, timestamp), reserved (bytes), damage (reason).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Segment files, indexes, snapshots, or directories of partitions, of which all segments are dumped
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Print the records of each batch too
    #[arg(long)]
    records: bool,
    /// Begin with the batch or index entry that holds this offset
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    offset: Offset,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let out = BufWriter::new(io::stdout().lock());
    let mut dump = Dump { args, is_json: context.is_json(), out, file: String::new(), damaged: 0 };
    for path in &args.paths {
        if path.is_dir() {
            for segment in segments(path)? {
                dump.file(&segment)?;
            }
        } else {
            dump.file(path)?;
        }
    }
    dump.out.flush().map_err(Failure::Output)?;
    match dump.damaged {
        0 => Ok(()),
        1 => Err(Failure::new("1 place is damaged")),
        count => Err(Failure::new(format!("{count} places are damaged"))),
    }
}

/// The log files of a partition, in the order of their offsets.
fn segments(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| Failure::cannot_read(dir, error))? {
        let path = entry.map_err(|error| Failure::cannot_read(dir, error))?.path();
        if path.extension().is_some_and(|extension| extension == "log") && base_offset(&path).is_some() {
            found.push(path);
        }
    }
    found.sort_unstable();
    // A partition that nothing was ever appended to has none.
    if found.is_empty() && !dir.join("partition.metadata").exists() {
        return Err(Failure::new(format!("{} is not a partition: it holds no segment", dir.display())));
    }
    Ok(found)
}

/// The offset that a segment's files are named after.
fn base_offset(path: &Path) -> Option<Offset> {
    let digits = path.file_name()?.to_str()?.get(..20)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// A dump that is being printed.
struct Dump<'a> {
    args: &'a Args,
    is_json: bool,
    out: BufWriter<StdoutLock<'a>>,
    /// What is being dumped.
    file: String,
    /// How many damaged places were found.
    damaged: usize,
}

impl Dump<'_> {
    fn file(&mut self, path: &Path) -> Result {
        self.file = path.display().to_string();
        // Also what retention or recovery has put aside, under names like 00000000000000000000.log.deleted.
        let suffix = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.get(20..));
        let kind = suffix.and_then(|suffix| suffix.split('.').nth(1));
        match (base_offset(path), kind) {
            (Some(base), Some("log")) => self.log(path, base),
            (Some(base), Some("index")) => self.offset_index(path, base),
            (Some(base), Some("timeindex")) => self.time_index(path, base),
            (Some(_), Some("txnindex")) => self.transaction_index(path),
            (Some(_), Some("snapshot")) => self.snapshot(path),
            _ => {
                let what = "is not named like a .log, .index, .timeindex, .txnindex or .snapshot";
                Err(Failure::new(format!("{} {what}", path.display())))
            }
        }
    }

    /// Prints what is for people alone.
    fn print(&mut self, line: fmt::Arguments<'_>) -> Result {
        if self.is_json {
            return Ok(());
        }
        self.out.write_fmt(line).and_then(|()| self.out.write_all(b"\n")).map_err(Failure::Output)
    }

    /// Prints the line, or the object that says the same.
    fn show(&mut self, object: Object<'_>, line: fmt::Arguments<'_>) -> Result {
        if !self.is_json {
            return self.print(line);
        }
        let text = json(&OfFile { file: &self.file, object })?;
        writeln!(self.out, "{text}").map_err(Failure::Output)
    }

    /// Something is wrong at `position` of the file.
    fn damage(&mut self, position: u64, reason: impl fmt::Display) -> Result {
        self.damaged += 1;
        let object = Object::Damage { position, reason: &reason.to_string() };
        self.show(object, format_args!("DAMAGED position: {position}: {reason}"))
    }
}
