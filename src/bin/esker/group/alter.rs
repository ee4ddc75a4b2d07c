//! `esker group alter`: configs as with `kafka-configs --entity-type groups --alter`.

use crate::config_changes::ConfigChanges;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::print;
use crate::source::{self, Access};

/// Change a group's configs, such as consumer.session.timeout.ms
///
/// All changes are made, or none. The group need not exist.
///
/// Prints nothing as JSON.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The group
    group: String,
    #[command(flatten)]
    configs: ConfigChanges,
}

pub(super) fn run(args: &Args, context: &Context) -> Result {
    let changes: Vec<_> = args.configs.operations().collect();
    if changes.is_empty() {
        return Err(Failure::Usage("nothing to change: give --config or --delete-config".to_owned()));
    }
    let mut source = source::open(context, Access::Change)?;
    let altered = source.alter_group_configs(&args.group, &changes);
    source.close()?;
    altered?;
    if context.is_json() { Ok(()) } else { print(&format!("Altered group {}.\n", args.group)) }
}
