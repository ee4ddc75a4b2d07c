//! `esker transactions`: what `kafka-transactions` does, in its words.

use std::time::Duration;

use clap::Subcommand;
use esker::{Offset, TopicPartition, TransactionState};
use serde::Serialize;

use crate::confirm::Confirm;
use crate::context::Context;
use crate::data_dir::{self, ReadOnly};
use crate::failure::Result;
use crate::output::{Table, or_dash};
use crate::source::{self, Access, Filter, Transaction};
use crate::time;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List transactional ids and how far their transactions are
    ///
    /// JSON, an object for each: as `esker transactions describe`.
    List {
        /// Only those in this state, such as Ongoing; may be given more than once
        #[arg(long = "state", value_name = "STATE", value_parser = state)]
        states: Vec<TransactionState>,
        /// Only those of this producer; may be given more than once
        #[arg(long = "producer-id", value_name = "N")]
        producer_ids: Vec<i64>,
        /// Only those whose transaction began longer ago than this, such as PT15M or 90s
        #[arg(long, value_name = "DURATION", value_parser = time::duration)]
        longer_than: Option<Duration>,
        #[command(flatten)]
        read_only: ReadOnly,
    },
    /// Describe transactional ids and their transactions
    ///
    /// JSON, an object for each: transactional_id, producer_id, producer_epoch, state, timeout_ms, start_timestamp
    /// (null if it had no transaction), last_update_timestamp (null over the network, where nobody tells it),
    /// partitions (topic, partition).
    Describe {
        /// The transactional ids
        #[arg(required = true, value_name = "ID")]
        transactional_ids: Vec<String>,
        #[command(flatten)]
        read_only: ReadOnly,
    },
    /// Find transactions that are open in a partition, and that no transactional id accounts for
    ///
    /// Readers of committed records do not get past them.
    ///
    /// JSON, an object for each: topic, partition, producer_id, producer_epoch, start_offset, last_timestamp.
    FindHanging {
        /// Only those whose last record is older than this
        #[arg(long, value_name = "DURATION", default_value = "PT15M", value_parser = time::duration)]
        idle_for: Duration,
    },
    /// Abort a transaction that is open in a partition, and that no transactional id accounts for
    ///
    /// Prints nothing.
    Abort {
        /// The topic
        #[arg(long)]
        topic: String,
        /// The partition
        #[arg(long, value_name = "N")]
        partition: i32,
        /// The offset of the transaction's first record, as find-hanging tells it
        #[arg(long, value_name = "N")]
        start_offset: Offset,
        #[command(flatten)]
        confirm: Confirm,
    },
}

fn state(text: &str) -> std::result::Result<TransactionState, String> {
    let found = TransactionState::ALL.iter().copied().find(|state| state.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let names: Vec<_> = TransactionState::ALL.iter().map(|state| state.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

#[derive(Debug, Serialize)]
struct Row {
    transactional_id: String,
    producer_id: i64,
    producer_epoch: i16,
    state: String,
    timeout_ms: u64,
    start_timestamp: Option<i64>,
    last_update_timestamp: Option<i64>,
    partitions: Vec<Partition>,
}

#[derive(Debug, Serialize)]
struct Partition {
    topic: String,
    partition: i32,
}

impl From<Transaction> for Row {
    fn from(of: Transaction) -> Self {
        let partition = |of: &TopicPartition| Partition { topic: of.topic.to_string(), partition: of.partition };
        Self {
            transactional_id: of.transactional_id,
            producer_id: of.producer_id,
            producer_epoch: of.producer_epoch,
            state: of.state,
            timeout_ms: of.timeout_ms,
            start_timestamp: of.start_timestamp,
            last_update_timestamp: of.last_update_timestamp,
            partitions: of.partitions.iter().map(partition).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Hanging {
    topic: String,
    partition: i32,
    producer_id: i64,
    producer_epoch: i16,
    start_offset: Offset,
    last_timestamp: i64,
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::List { states, producer_ids, longer_than, read_only } => {
            let filter = Filter { states, producer_ids, longer_than: *longer_than };
            list(context, &filter, read_only)
        }
        Command::Describe { transactional_ids, read_only } => describe(context, transactional_ids, read_only),
        Command::FindHanging { idle_for } => find_hanging(context, *idle_for),
        Command::Abort { topic, partition, start_offset, confirm } => {
            abort(context, &TopicPartition::new(&**topic, *partition), *start_offset, confirm)
        }
    }
}

fn list(context: &Context, filter: &Filter<'_>, read_only: &ReadOnly) -> Result {
    let mut source = source::open(context, Access::Look(read_only))?;
    let rows: Vec<_> = source.transactions(filter)?.into_iter().map(Row::from).collect();
    source.close()?;
    context.print(&rows, |rows| {
        let mut table = Table::new(["TRANSACTIONAL-ID", "PRODUCER-ID", "STATE"]);
        for row in rows {
            table.push([row.transactional_id.clone(), row.producer_id.to_string(), row.state.clone()]);
        }
        if rows.is_empty() { String::new() } else { table.to_string() }
    })
}

fn describe(context: &Context, transactional_ids: &[String], read_only: &ReadOnly) -> Result {
    let mut source = source::open(context, Access::Look(read_only))?;
    let mut rows = Vec::new();
    for id in transactional_ids {
        rows.push(Row::from(source.describe_transaction(id)?));
    }
    source.close()?;
    context.print(&rows, |rows| {
        let head = ["TRANSACTIONAL-ID", "PRODUCER-ID", "EPOCH", "STATE", "TIMEOUT-MS", "START-TIME-MS", "PARTITIONS"];
        let mut table = Table::new(head);
        for row in rows {
            let partitions: Vec<_> = row.partitions.iter().map(|of| format!("{}-{}", of.topic, of.partition)).collect();
            table.push([
                row.transactional_id.clone(),
                row.producer_id.to_string(),
                row.producer_epoch.to_string(),
                row.state.clone(),
                row.timeout_ms.to_string(),
                or_dash(row.start_timestamp),
                partitions.join(","),
            ]);
        }
        table.to_string()
    })
}

fn find_hanging(context: &Context, idle_for: Duration) -> Result {
    let store = data_dir::open(context)?;
    let hanging = store.hanging_transactions(idle_for);
    store.close()?;
    let row = |of: &esker::HangingTransaction| Hanging {
        topic: of.topic_partition.topic.to_string(),
        partition: of.topic_partition.partition,
        producer_id: of.producer.producer_id,
        producer_epoch: of.producer.producer_epoch,
        start_offset: of.start_offset,
        last_timestamp: of.last_timestamp,
    };
    let rows: Vec<_> = hanging?.iter().map(row).collect();
    context.print(&rows, |rows| {
        let mut table = Table::new(["TOPIC", "PARTITION", "PRODUCER-ID", "EPOCH", "START-OFFSET", "LAST-TIME-MS"]);
        for row in rows {
            table.push([
                row.topic.clone(),
                row.partition.to_string(),
                row.producer_id.to_string(),
                row.producer_epoch.to_string(),
                row.start_offset.to_string(),
                row.last_timestamp.to_string(),
            ]);
        }
        if rows.is_empty() { String::new() } else { table.to_string() }
    })
}

fn abort(context: &Context, partition: &TopicPartition, start_offset: Offset, confirm: &Confirm) -> Result {
    let store = data_dir::open(context)?;
    data_dir::partition_count(&store, &partition.topic)?;
    confirm.ask(&format!("Abort the transaction that begins at offset {start_offset} of {partition}?"))?;
    store.abort_transaction(partition, start_offset)?;
    Ok(store.close()?)
}
