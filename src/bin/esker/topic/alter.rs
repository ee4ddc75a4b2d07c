//! `esker topic alter`: partitions as with `kafka-topics --alter`, configs as with `kafka-configs --alter`.

use esker::AlterConfigOp;

use crate::config_changes::ConfigChanges;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::key_value::key_value;
use crate::output::print;
use crate::source::{self, Access, Source};

/// Change a topic's configs, and add partitions to it
///
/// All changes of configs are made, or none. With more partitions, records of a key may go to another partition than
/// before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topic
    name: String,
    /// How many partitions it is to have, which must be more than it has
    #[arg(long, value_name = "N")]
    partitions: Option<i32>,
    #[command(flatten)]
    configs: ConfigChanges,
    /// Add to a config that is a list, such as cleanup.policy=compact
    #[arg(long = "append-config", value_name = "KEY=VALUE", value_parser = key_value)]
    append: Vec<(String, String)>,
    /// Take something out of a config that is a list
    #[arg(long = "subtract-config", value_name = "KEY=VALUE", value_parser = key_value)]
    subtract: Vec<(String, String)>,
}

impl Args {
    fn changes(&self) -> Vec<AlterConfigOp> {
        let append = self.append.iter().map(|(key, value)| AlterConfigOp::append(key, value));
        let subtract = self.subtract.iter().map(|(key, value)| AlterConfigOp::subtract(key, value));
        self.configs.operations().chain(append).chain(subtract).collect()
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let (name, changes) = (&args.name, args.changes());
    if changes.is_empty() && args.partitions.is_none() {
        let what =
            "nothing to change: give --partitions, --config, --delete-config, --append-config or --subtract-config";
        return Err(Failure::Usage(what.to_owned()));
    }
    let mut source = source::open(context, Access::Change)?;
    source.partition_count(name)?;
    let altered = alter(&mut *source, args, &changes);
    source.close()?;
    altered?;
    if context.is_json() { Ok(()) } else { print(&format!("Altered topic {name}.\n")) }
}

fn alter(source: &mut dyn Source, args: &Args, changes: &[AlterConfigOp]) -> Result {
    // First what may be refused for its value: partitions can't be taken back.
    if !changes.is_empty() {
        source.alter_topic_configs(&args.name, changes)?;
    }
    match args.partitions {
        Some(total) => source.create_partitions(&args.name, total),
        None => Ok(()),
    }
}
