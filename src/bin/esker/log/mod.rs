//! `esker log`: the files of logs, as they lie on the disk.

mod dump;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Result;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Dump(dump::Args),
    Verify(verify::Args),
}

pub(crate) fn run(command: &Command, context: &Context) -> Result {
    match command {
        Command::Dump(args) => dump::run(args, context),
        Command::Verify(args) => verify::run(args, context),
    }
}
