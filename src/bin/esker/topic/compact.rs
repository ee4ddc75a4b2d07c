//! `esker topic compact`: compaction now instead of when it is due.

use esker::Store;
use serde::Serialize;

use crate::context::Context;
use crate::data_dir;
use crate::failure::Result;
use crate::output::{Table, or_dash};

/// Compact a topic now: keep the last record of each key
///
/// Its cleanup.policy must have compact. Tombstones stay for delete.retention.ms, and what is younger than
/// min.compaction.lag.ms is left as it is.
///
/// JSON, an object for each partition: topic, partition, records_read, records_kept, bytes_before, bytes_after. They
/// are null where there was nothing to compact.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic
    name: String,
}

#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    partition: i32,
    records_read: Option<u64>,
    records_kept: Option<u64>,
    bytes_before: Option<u64>,
    bytes_after: Option<u64>,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let store = data_dir::open(context)?;
    let rows = compact(&store, &args.name);
    store.close()?;
    context.print(&rows?, |rows| {
        let head = ["TOPIC", "PARTITION", "RECORDS-READ", "RECORDS-KEPT", "BYTES-BEFORE", "BYTES-AFTER"];
        let mut table = Table::new(head);
        for row in rows {
            let [read, kept] = [row.records_read, row.records_kept].map(or_dash);
            let [before, after] = [row.bytes_before, row.bytes_after].map(or_dash);
            table.push([row.topic.clone(), row.partition.to_string(), read, kept, before, after]);
        }
        table.to_string()
    })
}

fn compact(store: &Store, name: &str) -> Result<Vec<Row>> {
    let partitions = data_dir::partitions_of(store, name)?;
    store.compact(name)?;
    let row = |partition: &esker::TopicPartition| {
        let last = store.partition(name, partition.partition)?.last_compaction();
        Ok(Row {
            topic: name.to_owned(),
            partition: partition.partition,
            records_read: last.as_ref().map(|last| last.records_read),
            records_kept: last.as_ref().map(|last| last.records_kept),
            bytes_before: last.as_ref().map(|last| last.bytes_before),
            bytes_after: last.as_ref().map(|last| last.bytes_after),
        })
    };
    partitions.iter().map(row).collect()
}
