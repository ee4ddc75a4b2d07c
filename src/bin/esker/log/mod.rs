//! `esker log`: the files of logs, as they lie on the disk.

mod dump;
mod repair;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dump(dump::Args),
    Verify(verify::Args),
    Repair(repair::Args),
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::Dump(args) => dump::run(args, context),
        Command::Verify(args) => verify::run(args, context),
        Command::Repair(args) => repair::run(args, context),
    }
}

/// The name of an enum's variant, by which programs tell them apart.
fn variant(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}
