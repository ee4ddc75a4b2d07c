//! How a record is printed: as Kafka's console consumer prints it, or as JSON.

use clap::ValueEnum;

use crate::json_record::{Printed, timestamp_type};
use crate::separator::separator;
use crate::source::ReadRecord;

/// The options that say what is printed of a record.
#[derive(Debug, clap::Args)]
pub(super) struct FormatArgs {
    /// How a record is printed [default: value]
    ///
    /// JSON is an object a line: topic, partition, offset, timestamp, timestamp_type, leader_epoch, key, value, headers
    /// (key, value). Keys and values are strings, {"base64": "..."} for bytes that are no UTF-8, or null.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["print", "print_key"])]
    format: Option<RecordFormat>,
    /// What to print of a record, in this order: timestamp, partition, offset, epoch, headers, key, value
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', hide_possible_values = true)]
    print: Vec<Part>,
    /// Print key and value, as --print key,value
    #[arg(long, conflicts_with = "print")]
    print_key: bool,
    /// What to print between key and value, and between other parts
    #[arg(long, value_name = "TEXT", default_value = r"\t", value_parser = separator)]
    key_separator: Separator,
    /// What to print after a record
    #[arg(long, value_name = "TEXT", default_value = r"\n", value_parser = separator)]
    line_separator: Separator,
    /// What to print between headers
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = separator)]
    headers_separator: Separator,
    /// What to print where there is no key or value
    #[arg(long, value_name = "TEXT", default_value = "null", value_parser = separator)]
    null_literal: Separator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RecordFormat {
    /// The value, byte for byte
    Value,
    /// Key, separator, value
    KeyValue,
    /// An object, which `esker produce --format json` reads
    Json,
}

/// A part of a record, by the name that it has in the `print.` properties of Kafka's console consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Part {
    Timestamp,
    Partition,
    Offset,
    Epoch,
    Headers,
    Key,
    Value,
}

/// Bytes between parts of a line. An alias, so that clap does not take the option for a list of bytes.
type Separator = Vec<u8>;

/// Turns records into bytes.
#[derive(Debug)]
pub(super) struct Format<'a> {
    args: &'a FormatArgs,
    is_json: bool,
    parts: Vec<Part>,
}

impl FormatArgs {
    /// The format, which is JSON too if all output is to be.
    pub(super) fn format(&self, is_json: bool) -> Format<'_> {
        let mut parts = self.print.clone();
        // Kafka's order, so that the output reads the same whoever asks for it.
        parts.sort_unstable();
        parts.dedup();
        if parts.is_empty() {
            let has_key = self.print_key || self.format == Some(RecordFormat::KeyValue);
            parts = if has_key { vec![Part::Key, Part::Value] } else { vec![Part::Value] };
        }
        let is_json = self.format.map_or(is_json, |format| format == RecordFormat::Json);
        Format { args: self, is_json, parts }
    }
}

impl Format<'_> {
    /// Appends a record.
    pub(super) fn push(&self, record: &ReadRecord, out: &mut Vec<u8>) {
        if self.is_json {
            // Strings and numbers can always be written, and a vector always be written to.
            let written = serde_json::to_writer(&mut *out, &Printed::from(record));
            debug_assert!(written.is_ok());
            out.push(b'\n');
            return;
        }
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.args.key_separator);
            }
            self.push_part(*part, record, out);
        }
        out.extend_from_slice(&self.args.line_separator);
    }

    fn push_part(&self, part: Part, record: &ReadRecord, out: &mut Vec<u8>) {
        match part {
            Part::Timestamp if record.timestamp == esker::NO_TIMESTAMP => out.extend_from_slice(b"NO_TIMESTAMP"),
            Part::Timestamp => {
                let text = format!("{}:{}", timestamp_type(record.timestamp_type), record.timestamp);
                out.extend_from_slice(text.as_bytes());
            }
            Part::Partition => out.extend_from_slice(format!("Partition:{}", record.partition).as_bytes()),
            Part::Offset => out.extend_from_slice(format!("Offset:{}", record.offset).as_bytes()),
            Part::Epoch => out.extend_from_slice(format!("Epoch:{}", record.leader_epoch).as_bytes()),
            Part::Headers => self.push_headers(record, out),
            Part::Key => self.push_bytes(record.key.as_deref(), out),
            Part::Value => self.push_bytes(record.value.as_deref(), out),
        }
    }

    fn push_headers(&self, record: &ReadRecord, out: &mut Vec<u8>) {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (index, (key, value)) in record.headers.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(&self.args.headers_separator);
            }
            out.extend_from_slice(key.as_bytes());
            out.push(b':');
            self.push_bytes(value.as_deref(), out);
        }
    }

    fn push_bytes(&self, bytes: Option<&[u8]>, out: &mut Vec<u8>) {
        out.extend_from_slice(bytes.unwrap_or(&self.args.null_literal));
    }
}
