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
//! and what they share: `context` (the directory, text or JSON), `data_dir` (opening it), `failure` and `hint` (what went
//! wrong, exit codes), `interrupt`, `confirm`, `progress`, `partitions` and `time` (how these are written).
//!
//! What a command prints goes to stdout, everything about it to stderr.

mod bench;
mod completions;
mod confirm;
mod consume;
mod context;
mod data_dir;
mod failure;
mod group;
mod hint;
mod interrupt;
mod json_record;
mod log;
mod partitions;
mod produce;
mod producer_args;
mod progress;
mod separator;
mod serve;
mod snapshot;
mod time;
mod topic;
mod transactions;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use context::Context;

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

fn main() -> ExitCode {
    let Cli { context, command } = Cli::parse();
    let result = match &command {
        Command::Topic(command) => topic::run(command, &context),
        Command::Produce(args) => produce::run(args, &context),
        Command::Consume(args) => consume::run(args, &context),
        Command::Group(command) => group::run(command, &context),
        Command::Transactions(command) => transactions::run(command, &context),
        Command::User(command) => user::run(command, &context),
        Command::Serve(args) => serve::run(args, &context),
        Command::Snapshot(args) => snapshot::run(args, &context),
        Command::Log(command) => log::run(command, &context),
        Command::Bench(command) => bench::run(command, &context),
        Command::Completions(args) => completions::run(args, Cli::command()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
