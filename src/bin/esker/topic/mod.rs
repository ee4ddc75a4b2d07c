//! `esker topic`: what `kafka-topics`, `kafka-configs` and `kafka-delete-records` do, in their words.

mod alter;
mod compact;
mod delete_records;
mod describe;

use clap::Subcommand;
use serde::Serialize;

use crate::confirm::Confirm;
use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::Result;
use crate::key_value::key_value;
use crate::output::print;
use crate::source::{self, Access, Summary, topic_config};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a topic, and the data directory if there is none
    ///
    /// JSON: topic, id, partitions.
    Create {
        /// Letters, digits, '.', '_' and '-'
        name: String,
        /// How many partitions it has
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..))]
        partitions: i32,
        /// A config of the topic, such as retention.ms=86400000
        #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
        configs: Vec<(String, String)>,
    },
    /// List the names of all topics
    ///
    /// JSON, an object for each topic: topic, id, partitions (how many), internal.
    List {
        #[command(flatten)]
        read_only: ReadOnly,
    },
    Describe(describe::Args),
    Alter(alter::Args),
    /// Delete a topic with all its records
    ///
    /// Prints nothing.
    Delete {
        /// The topic
        name: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    DeleteRecords(delete_records::Args),
    Compact(compact::Args),
}

/// A topic, in a line.
#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    id: String,
    partitions: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal: Option<bool>,
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::Create { name, partitions, configs } => create(context, name, *partitions, configs),
        Command::List { read_only } => list(context, read_only),
        Command::Describe(args) => describe::run(args, context),
        Command::Alter(args) => alter::run(args, context),
        Command::Delete { name, confirm } => delete(context, name, confirm),
        Command::DeleteRecords(args) => delete_records::run(args, context),
        Command::Compact(args) => compact::run(args, context),
    }
}

fn create(context: &Context, name: &str, partitions: i32, configs: &[(String, String)]) -> Result {
    if context.bootstrap_servers().is_none() {
        // Before there is a directory that nobody needs. Brokers may know configs that nobody here does.
        topic_config(partitions, configs)?;
    }
    let mut source = source::open(context, Access::Create)?;
    let id = source.create_topic(name, partitions, configs)?;
    source.close()?;
    let row = Row { topic: name.to_owned(), id, partitions: partitions as usize, internal: None };
    context.print(&[row], |_| format!("Created topic {name}.\n"))
}

fn list(context: &Context, read_only: &ReadOnly) -> Result {
    let mut source = source::open(context, Access::Look(read_only))?;
    if !context.is_json() {
        // Summaries take a look at each topic, which of many takes long.
        let names: String = source.topics()?.iter().map(|name| format!("{name}\n")).collect();
        source.close()?;
        return print(&names);
    }
    let summaries = source.summaries()?;
    source.close()?;
    let row = |Summary { topic, id, partitions, internal }| Row { topic, id, partitions, internal: Some(internal) };
    let rows: Vec<_> = summaries.into_iter().map(row).collect();
    context.print(&rows, |_| String::new())
}

fn delete(context: &Context, name: &str, confirm: &Confirm) -> Result {
    let mut source = source::open(context, Access::Change)?;
    source.partition_count(name)?;
    confirm.ask(&format!("Delete topic {name} with all its records?"))?;
    source.delete_topic(name)?;
    source.close()
}
