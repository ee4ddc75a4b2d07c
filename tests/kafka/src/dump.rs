//! Kafka's `DumpLogSegments`, and what it has to print of a log that is what it should be.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::description::{AbortedTransaction, Batch, Description, Record};
use crate::files;
use crate::process::request;

/// What the tool finds fault with: a heading, and a list under it.
pub type Complaints = BTreeMap<String, Vec<String>>;

/// What the tool printed.
#[derive(Debug)]
pub struct Dump {
    pub printed: String,
    pub complaints: Complaints,
}

/// Runs the tool over files, with these options besides `--files`.
pub fn dump<P: AsRef<Path>>(paths: &[P], options: &[&str]) -> Dump {
    let names: Vec<&str> = paths.iter().map(|path| path.as_ref().to_str().expect("a path that is text")).collect();
    let mut arguments = vec!["--files".to_owned(), names.join(",")];
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    let found = request(&json!({ "command": "dump", "arguments": arguments })).clean();
    let text = |key: &str| found[key].as_str().expect("it is text").to_owned();
    let mut complaints = Complaints::new();
    let mut heading = String::new();
    for line in text("complaints").lines() {
        match line.strip_prefix("  ") {
            Some(item) => complaints.entry(heading.clone()).or_default().push(item.to_owned()),
            None => {
                heading = line.to_owned();
                complaints.entry(heading.clone()).or_default();
            }
        }
    }
    Dump { printed: text("printed"), complaints }
}

/// The log files of a partition, each with what is in it, from the first on that is described whole: a log may start
/// within a segment.
pub fn logs<'a>(dir: &Path, description: &'a Description) -> Vec<(PathBuf, &'a [Batch])> {
    let paths = files::with_suffix(dir, ".log");
    let mut rest = &*description.batches;
    let paths: Vec<PathBuf> =
        paths.into_iter().filter(|path| files::base_offset(path) >= description.log_start).collect();
    let first = paths.first().map_or(i64::MAX, |path| files::base_offset(path));
    rest = &rest[rest.partition_point(|batch| batch.base_offset < first)..];
    let mut logs = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let next_base = paths.get(index + 1).map_or(i64::MAX, |next| files::base_offset(next));
        let (batches, others) = rest.split_at(rest.partition_point(|batch| batch.base_offset < next_base));
        logs.push((path.clone(), batches));
        rest = others;
    }
    logs
}

/// The one thing that the tool always finds fault with: the first offset of each log that does not begin at 0 does not
/// follow −1. Beyond that it only says what compaction took.
pub fn complaints_about(logs: &[(PathBuf, &[Batch])]) -> Complaints {
    let mut complaints = Complaints::new();
    for (path, batches) in logs {
        let mut before = -1;
        for record in batches.iter().flat_map(|batch| &batch.records) {
            if record.offset != before + 1 {
                let heading = format!("Non-consecutive offsets in {}", path.display());
                let pair = format!("{before} is followed by {}", record.offset);
                complaints.entry(heading).or_default().push(pair);
            }
            before = record.offset;
        }
    }
    complaints
}

/// What the tool prints of logs with `--deep-iteration --print-data-log`.
pub fn text_of_logs(logs: &[(PathBuf, &[Batch])]) -> String {
    let mut text = String::new();
    for (path, batches) in logs {
        writeln!(text, "Dumping {}", path.display()).expect("a string takes it");
        writeln!(text, "Log starting offset: {}", files::base_offset(path)).expect("a string takes it");
        let mut position = 0;
        for batch in *batches {
            write_batch(&mut text, batch, position);
            batch.records.iter().for_each(|record| write_record(&mut text, batch, record));
            position += batch.size;
        }
    }
    text
}

fn write_batch(text: &mut String, batch: &Batch, position: u64) {
    let last_delta = (batch.last_offset - batch.base_offset) as i32;
    let last_sequence = if batch.base_sequence < 0 { -1 } else { batch.base_sequence + last_delta };
    let delete_horizon = match batch.delete_horizon_ms {
        Some(horizon) => format!("OptionalLong[{horizon}]"),
        None => "OptionalLong.empty".to_owned(),
    };
    writeln!(
        text,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {last_sequence} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {delete_horizon} \
         position: {position} {}: {} size: {} magic: 2 compresscodec: {} crc: {} isvalid: true",
        batch.base_offset,
        batch.last_offset,
        batch.records.len(),
        batch.base_sequence,
        batch.producer_id,
        batch.producer_epoch,
        batch.leader_epoch,
        batch.is_transactional,
        batch.is_control,
        timestamp_type(batch),
        batch.max_timestamp,
        batch.size,
        batch.codec,
        batch.crc,
    )
    .expect("a string takes it");
}

fn write_record(text: &mut String, batch: &Batch, record: &Record) {
    let size = |bytes: &Option<String>| bytes.as_ref().map_or(-1, |hex| hex.len() as i64 / 2);
    let sequence = match batch.base_sequence {
        -1 => -1,
        base => i64::from(base) + record.offset - batch.base_offset,
    };
    let header_keys: Vec<&str> = record.headers.iter().map(|(key, _)| &**key).collect();
    let mut line = format!(
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {sequence} headerKeys: [{}]",
        record.offset,
        timestamp_type(batch),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        header_keys.join(","),
    );
    if batch.is_control {
        line += &control(record);
    } else {
        for (name, bytes) in [("key", &record.key), ("payload", &record.value)] {
            if let Some(hex) = bytes {
                line += &format!(" {name}: {}", utf8(hex));
            }
        }
    }
    text.push_str(&line);
    text.push('\n');
}

/// What the tool says of a marker.
fn control(marker: &Record) -> String {
    let (key, value) = (marker.key.as_deref().unwrap_or_default(), marker.value.as_deref().unwrap_or_default());
    let result = if key == "00000001" { "COMMIT" } else { "ABORT" };
    let coordinator_epoch = i32::from_str_radix(&value[4..], 16).expect("hexadecimal digits");
    format!(" endTxnMarker: {result} coordinatorEpoch: {coordinator_epoch}")
}

fn timestamp_type(batch: &Batch) -> &'static str {
    if batch.log_append_time { "LogAppendTime" } else { "CreateTime" }
}

/// The text that these hexadecimal digits stand for. Java and Rust agree on what to put for bytes that are none.
fn utf8(hex: &str) -> String {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the tool prints of transaction indexes.
pub fn text_of_transaction_indexes(paths: &[PathBuf]) -> String {
    let mut text = String::new();
    for path in paths {
        writeln!(text, "Dumping {}", path.display()).expect("a string takes it");
        for aborted in files::transaction_index(path) {
            let AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = aborted;
            writeln!(
                text,
                "version: 0 producerId: {producer_id} firstOffset: {first_offset} lastOffset: {last_offset} \
                 lastStableOffset: {last_stable_offset}"
            )
            .expect("a string takes it");
        }
    }
    text
}

/// What the tool prints of offset and time indexes.
pub fn text_of_indexes(paths: &[PathBuf]) -> String {
    let mut text = String::new();
    for path in paths {
        writeln!(text, "Dumping {}", path.display()).expect("a string takes it");
        if path.extension().is_some_and(|extension| extension == "index") {
            let entries = files::offset_index(path);
            if entries.is_empty() {
                writeln!(text, "{} is empty.", path.display()).expect("a string takes it");
            }
            for (offset, position) in entries {
                writeln!(text, "offset: {offset} position: {position}").expect("a string takes it");
            }
        } else {
            for (timestamp, offset) in files::time_index(path) {
                writeln!(text, "timestamp: {timestamp} offset: {offset}").expect("a string takes it");
            }
        }
    }
    text
}
