//! `esker topic delete-records`: what `kafka-delete-records` does, with its file or without.

use std::fs;
use std::path::{Path, PathBuf};

use esker::{Error, Offset, TopicPartition};
use serde::{Deserialize, Serialize};

use crate::confirm::Confirm;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::Table;
use crate::source::{self, Access, Source, Span};

/// Which stands for the high watermark.
const HIGH_WATERMARK: Offset = -1;

/// Delete the records of partitions below an offset
///
/// They can't be read from then on. Disk space comes back when whole segments lie below that offset. An offset of -1
/// deletes all that can be read.
///
/// JSON, an object for each partition: topic, partition, low_watermark (the first offset that is left).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic
    #[arg(required_unless_present = "offset_json_file")]
    name: Option<String>,
    /// A partition, and the first offset to keep, such as 0:1500
    #[arg(value_name = "PARTITION:OFFSET", value_parser = parse_deletion, required_unless_present = "offset_json_file")]
    deletions: Vec<(i32, Offset)>,
    /// Read topics, partitions and offsets from a file of kafka-delete-records
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "deletions"])]
    offset_json_file: Option<PathBuf>,
    #[command(flatten)]
    confirm: Confirm,
}

fn parse_deletion(text: &str) -> std::result::Result<(i32, Offset), String> {
    let parsed = text.split_once(':').and_then(|(index, offset)| Some((index.parse().ok()?, offset.parse().ok()?)));
    parsed.ok_or_else(|| "expected PARTITION:OFFSET".to_owned())
}

/// The file of `kafka-delete-records`.
#[derive(Debug, Deserialize)]
struct OffsetFile {
    version: Option<i32>,
    partitions: Vec<FileEntry>,
}

#[derive(Debug, Deserialize)]
struct FileEntry {
    topic: String,
    partition: i32,
    offset: Offset,
}

#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    partition: i32,
    low_watermark: Offset,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let deletions = deletions(args)?;
    let mut source = source::open(context, Access::Change)?;
    let deleted = delete(&mut *source, &deletions, &args.confirm);
    source.close()?;
    context.print(&deleted?, |rows| {
        let mut table = Table::new(["TOPIC", "PARTITION", "LOW-WATERMARK"]);
        for row in rows {
            table.push([row.topic.clone(), row.partition.to_string(), row.low_watermark.to_string()]);
        }
        table.to_string()
    })
}

fn deletions(args: &Args) -> Result<Vec<(TopicPartition, Offset)>> {
    let deletions: Vec<_> = match (&args.offset_json_file, &args.name) {
        (Some(file), _) => read(file)?,
        (None, Some(name)) => {
            args.deletions.iter().map(|(index, offset)| (TopicPartition::new(&**name, *index), *offset)).collect()
        }
        (None, None) => Vec::new(),
    };
    for (at, (partition, _)) in deletions.iter().enumerate() {
        if deletions[..at].iter().any(|(earlier, _)| earlier == partition) {
            return Err(Failure::Usage(format!("{partition} is given more than once")));
        }
    }
    Ok(deletions)
}

fn read(path: &Path) -> Result<Vec<(TopicPartition, Offset)>> {
    let text = fs::read_to_string(path).map_err(|error| Failure::cannot_read(path, error))?;
    let file: OffsetFile = serde_json::from_str(&text).map_err(|error| {
        let expected = r#"{"partitions": [{"topic": "t", "partition": 0, "offset": 10}], "version": 1}"#;
        Failure::because(format!("{} is not like {expected}", path.display()), error)
    })?;
    match file.version {
        None | Some(1) => {}
        Some(version) => {
            return Err(Failure::new(format!("{} has version {version}, and only 1 is known", path.display())));
        }
    }
    Ok(file.partitions.into_iter().map(|of| (TopicPartition::new(of.topic, of.partition), of.offset)).collect())
}

fn delete(source: &mut dyn Source, deletions: &[(TopicPartition, Offset)], confirm: &Confirm) -> Result<Vec<Row>> {
    // Nothing is deleted unless all of it can be.
    let mut partitions = Vec::new();
    for (partition, _) in deletions {
        partitions.push(source.partition(&partition.topic, partition.partition)?);
    }
    let spans = source.spans(&partitions)?;
    for ((partition, offset), span) in deletions.iter().zip(&spans) {
        if *offset != HIGH_WATERMARK && !(0..=span.high_watermark).contains(offset) {
            return Err(Failure::from(Error::OffsetOutOfRange {
                topic_partition: partition.clone(),
                requested: *offset,
                log_start: span.log_start,
                high_watermark: span.high_watermark,
            }));
        }
    }
    confirm.ask(&question(deletions, &spans))?;
    let left = source.delete_records(deletions)?;
    let row = |(partition, low_watermark): (TopicPartition, Offset)| Row {
        topic: partition.topic.to_string(),
        partition: partition.partition,
        low_watermark,
    };
    Ok(partitions.into_iter().zip(left).map(row).collect())
}

fn question(deletions: &[(TopicPartition, Offset)], spans: &[Span]) -> String {
    let goes = |((_, offset), span): (&(TopicPartition, Offset), &Span)| {
        let end = if *offset == HIGH_WATERMARK { span.high_watermark } else { *offset };
        (end - span.log_start).max(0)
    };
    let offsets: i64 = deletions.iter().zip(spans).map(goes).sum();
    format!("Delete the records of {offsets} offsets in {} partitions?", spans.len())
}
