//! How a line becomes a record: as Kafka's console producer reads lines, or as JSON.

use bytes::Bytes;
use clap::ValueEnum;

use crate::json_record::Read;
use crate::key_value::key_value;
use crate::separator::{separator, separator_to_find};
use crate::source::NewRecord;
use crate::time;

/// What the console consumer prints where there are no headers.
const NO_HEADERS: &[u8] = b"NO_HEADERS";

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LineFormat {
    /// The value of a record, byte for byte
    Value,
    /// Key, separator, value
    KeyValue,
    /// An object as `esker consume --format json` prints it
    Json,
}

/// The options that say what a line is, and what its record has besides.
#[derive(Debug, clap::Args)]
pub(super) struct ReaderArgs {
    /// What a line is [default: value, or key-value with a --key-separator]
    ///
    /// JSON is {"key": ..., "value": ..., "headers": [{"key": ..., "value": ...}], "timestamp": ..., "partition": ...},
    /// of which only the value is required. Keys and values are strings, {"base64": "..."} for bytes that are no UTF-8,
    /// or null. The partition counts with --keep-partition alone; topic, offset, timestamp_type and leader_epoch are
    /// ignored, so that what was consumed can be produced again.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<LineFormat>,
    /// What ends the key in a line of key and value, \t if not given
    #[arg(long, value_name = "TEXT", value_parser = separator_to_find)]
    key_separator: Option<Separator>,
    /// A key, value or header value that reads like this is null: with a null value the record is a tombstone
    #[arg(long, value_name = "TEXT", value_parser = separator)]
    null_marker: Option<Separator>,
    /// Lines begin with headers, as k:v,k:v, and a separator
    #[arg(long)]
    parse_headers: bool,
    /// What ends the headers in a line
    #[arg(long, value_name = "TEXT", default_value = r"\t", value_parser = separator_to_find)]
    headers_delimiter: Separator,
    /// What is between two headers
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = separator_to_find)]
    headers_separator: Separator,
    /// What is between key and value of a header
    #[arg(long, value_name = "TEXT", default_value = ":", value_parser = separator_to_find)]
    headers_key_separator: Separator,
    /// The key of all records that have none of their own
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// A header that all records get; may be given more than once
    #[arg(long = "header", value_name = "KEY=VALUE", value_parser = key_value)]
    headers: Vec<(String, String)>,
    /// The timestamp of all records that have none of their own: in milliseconds, or as 2026-01-31T13:00:00 (in UTC)
    #[arg(long, value_name = "TIME", value_parser = time::timestamp)]
    timestamp: Option<i64>,
    /// Write each object of JSON to the partition that it names
    #[arg(long, conflicts_with = "partition")]
    keep_partition: bool,
}

/// Bytes between parts of a line. An alias, so that clap does not take the option for a list of bytes.
type Separator = Vec<u8>;

/// Makes lines into records.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    args: &'a ReaderArgs,
    partition: Option<i32>,
}

impl ReaderArgs {
    fn format(&self) -> LineFormat {
        let default = if self.key_separator.is_some() { LineFormat::KeyValue } else { LineFormat::Value };
        self.format.unwrap_or(default)
    }

    /// What contradicts itself in the options.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.format() {
            LineFormat::Json if self.key_separator.is_some() || self.parse_headers || self.null_marker.is_some() => {
                Err("--key-separator, --parse-headers and --null-marker say how to read lines that are no JSON"
                    .to_owned())
            }
            LineFormat::Value if self.key_separator.is_some() => {
                Err("--key-separator needs --format key-value".to_owned())
            }
            LineFormat::Value | LineFormat::KeyValue if self.keep_partition => {
                Err("--keep-partition needs --format json".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads lines for any partition of a topic, or for one.
    pub(super) fn new(args: &'a ReaderArgs, partition: Option<i32>) -> Self {
        Self { args, partition }
    }

    /// The record that a line is. Fails with what is wrong with the line.
    pub(super) fn record(&self, line: Bytes) -> Result<NewRecord, String> {
        let header = |(key, value): &(String, String)| (key.clone(), Some(Bytes::from(value.clone())));
        let record = NewRecord {
            partition: self.partition,
            timestamp: self.args.timestamp,
            key: self.args.key.clone().map(Bytes::from),
            value: None,
            headers: self.args.headers.iter().map(header).collect(),
        };
        match self.args.format() {
            LineFormat::Json => self.json(record, &line),
            format => self.parts(record, line, format == LineFormat::KeyValue),
        }
    }

    fn json(&self, mut record: NewRecord, line: &[u8]) -> Result<NewRecord, String> {
        let read: Read = serde_json::from_slice(line).map_err(|error| format!("is no record as JSON: {error}"))?;
        record.headers.extend(read.headers.into_iter().map(|header| (header.key, header.value.0)));
        record.partition = read.partition.filter(|_| self.args.keep_partition).or(record.partition);
        record.timestamp = read.timestamp.or(record.timestamp);
        record.key = read.key.0.or(record.key);
        record.value = read.value.0;
        Ok(record)
    }

    fn parts(&self, mut record: NewRecord, mut line: Bytes, has_key: bool) -> Result<NewRecord, String> {
        if self.args.parse_headers {
            let headers = cut(&mut line, &self.args.headers_delimiter, "no headers")?;
            if headers != NO_HEADERS && self.or_null(headers.clone()).is_some() {
                self.add_headers(&mut record, headers)?;
            }
        }
        if has_key {
            let separator = self.args.key_separator.as_deref().unwrap_or(b"\t");
            let key = self.or_null(cut(&mut line, separator, "no key")?);
            record.key = key.or(record.key);
        }
        record.value = self.or_null(line);
        Ok(record)
    }

    fn add_headers(&self, record: &mut NewRecord, mut headers: Bytes) -> Result<(), String> {
        loop {
            let end = find(&headers, &self.args.headers_separator);
            let mut header = headers.split_to(end.unwrap_or(headers.len()));
            let key = cut(&mut header, &self.args.headers_key_separator, "a header without a value")?;
            let key = str::from_utf8(&key).map_err(|_| "has a header whose key is no UTF-8")?;
            record.headers.push((key.to_owned(), self.or_null(header)));
            match end {
                Some(_) => headers = headers.slice(self.args.headers_separator.len()..),
                None => return Ok(()),
            }
        }
    }

    /// None for what stands for it.
    fn or_null(&self, bytes: Bytes) -> Option<Bytes> {
        Some(bytes).filter(|bytes| self.args.null_marker.as_deref() != Some(&bytes[..]))
    }
}

/// Cuts what is before the separator off the line, and the separator too.
fn cut(line: &mut Bytes, separator: &[u8], what: &str) -> Result<Bytes, String> {
    let at = find(line, separator)
        .ok_or_else(|| format!("has {what}: there is no {:?} in it", String::from_utf8_lossy(separator)))?;
    let before = line.split_to(at);
    *line = line.slice(separator.len()..);
    Ok(before)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
