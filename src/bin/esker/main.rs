//! The `esker` command line: topics, records, groups, and the files that they are kept in.
//!
//! It uses the crate as any program does, through its public API. A command is a file here, or a folder:
//!
//! ```text
//!   topic         create, list, describe, alter, delete, delete-records, compact
//!   produce       lines → records           produce/input, produce/lines
//!   consume       records → lines           consume/output
//!   group         list, describe, reset-offsets, delete, delete-offsets
//!   transactions  list, describe, find-hanging, abort
//!   user          add, list, delete: who may log in to a broker
//!   serve         a Kafka broker
//!   snapshot      a copy of the whole directory
//!   log           dump, verify, repair
//!   bench         how fast it is            bench/latency, bench/limit
//!   completions
//! ```
//!
//! and what they share: `context` (the directory or the brokers, text or JSON), `source` (what there is to do with
//! either), `data_dir` (opening the one), `remote` (speaking to the others), `failure` and `hint` (what went wrong,
//! exit codes), `interrupt`, `confirm`, `progress`, `partitions` and `time` (how these are written).
//!
//! What a command prints goes to stdout, everything about it to stderr.

mod bench;
mod completions;
mod config_changes;
mod confirm;
mod consume;
mod context;
mod data_dir;
mod failure;
mod group;
mod hint;
mod interrupt;
mod json_record;
mod key_value;
mod log;
mod output;
mod partitions;
mod produce;
mod producer_args;
mod progress;
mod remote;
mod separator;
mod serve;
mod snapshot;
mod source;
mod time;
mod topic;
mod transactions;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use context::Context;
use failure::Result;

/// Apache Kafka's log as files in a directory: topics, records, consumer groups.
///
/// A data directory is open for writing to one process at a time; others can look at it meanwhile. Its files are
/// Kafka's, so Kafka's own tools read them too.
#[derive(Debug, Parser)]
#[command(name = "esker", version, max_term_width = 100, after_long_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    context: Context,

    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done; also if whoever read the output did not want more of it
  1    failed, or damage was found: stderr says what, and what to do about it
  2    called wrongly: nothing was done
  130  interrupted before the end: stderr says what was done until then";

#[derive(Debug, Subcommand)]
enum Command {
    /// Create, list, describe, alter and delete topics
    #[command(subcommand)]
    Topic(topic::Command),
    Produce(produce::Args),
    Consume(consume::Args),
    /// List, describe, reset and delete what consumer groups have committed
    #[command(subcommand)]
    Group(group::Command),
    /// List, describe and abort transactions
    #[command(subcommand)]
    Transactions(transactions::Command),
    /// Add, list and delete the users that may log in to a server
    #[command(subcommand)]
    User(user::Command),
    Serve(serve::Args),
    Snapshot(snapshot::Args),
    /// Look into the files of logs, verify and repair them
    #[command(subcommand)]
    Log(log::Command),
    /// Measure how fast producing and consuming is, beside what the machine can do
    #[command(subcommand)]
    Bench(bench::Command),
    Completions(completions::Args),
}

impl Command {
    /// Whether it can be done with a directory alone.
    fn is_local(&self) -> bool {
        matches!(self, Self::User(_) | Self::Serve(_) | Self::Snapshot(_) | Self::Log(_) | Self::Bench(_))
    }
}

fn main() -> ExitCode {
    let matches = with_negative_numbers(Cli::command()).get_matches();
    let Cli { context, command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match context.settled(&matches).and_then(|context| run(&command, &context)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Takes a negative number for the value of an option everywhere: where it can't be one, that is what is said then, and
/// not that there is no option of this name.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    });
    command.mut_subcommands(with_negative_numbers)
}

fn run(command: &Command, context: &Context) -> Result {
    if command.is_local() {
        context.check_local()?;
    }
    match command {
        Command::Topic(command) => topic::run(command, context),
        Command::Produce(args) => produce::run(args, context),
        Command::Consume(args) => consume::run(args, context),
        Command::Group(command) => group::run(command, context),
        Command::Transactions(command) => transactions::run(command, context),
        Command::User(command) => user::run(command, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Snapshot(args) => snapshot::run(args, context),
        Command::Log(command) => log::run(command, context),
        Command::Bench(command) => bench::run(command, context),
        Command::Completions(args) => completions::run(args, Cli::command()),
    }
}
