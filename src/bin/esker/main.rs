//! The `esker` command line: topics, producing, consuming, and a look into segment files.
//!
//! It uses the crate as any program does, through its public API. A command is a file here:
//!
//! ```text
//!   topic     create, list, describe, delete
//!   produce   lines → records           input, lines
//!   consume   records → lines           output
//!   dump      log dump                  dump/batches, dump/index
//! ```
//!
//! What a command prints goes to stdout, everything about it to stderr. Exit codes: 0 done, 1 failed, 2 called wrongly.

mod consume;
mod data_dir;
mod dump;
mod failure;
mod input;
mod interrupt;
mod lines;
mod output;
mod produce;
mod topic;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Apache Kafka's log as files in a directory: topics, records, consumer groups.
///
/// A data directory is open to one process at a time. Its files are Kafka's, so Kafka's own tools read them too.
#[derive(Debug, Parser)]
#[command(name = "esker", version, max_term_width = 100)]
struct Cli {
    /// The data directory
    #[arg(long, global = true, env = "ESKER_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create, list, describe and delete topics
    #[command(subcommand)]
    Topic(topic::Command),
    Produce(produce::Args),
    Consume(consume::Args),
    /// Look into the files of a log
    #[command(subcommand)]
    Log(LogCommand),
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    Dump(dump::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let dir = cli.dir.as_deref();
    let result = match &cli.command {
        Command::Topic(command) => topic::run(command, dir),
        Command::Produce(args) => produce::run(args, dir),
        Command::Consume(args) => consume::run(args, dir),
        Command::Log(LogCommand::Dump(args)) => dump::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
