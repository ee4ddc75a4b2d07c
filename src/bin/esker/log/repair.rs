//! `esker log repair`: mending a data directory that nobody has open.

use std::fmt::Write;
use std::path::PathBuf;

use esker::{RepairOptions, RepairReport, Store};
use serde::Serialize;

use super::verify::Row;
use crate::confirm::Confirm;
use crate::context::Context;
use crate::data_dir;
use crate::failure::{Failure, Result, tell};
use crate::progress::Progress;

/// Mend a data directory that nobody has open
///
/// Shows what would be done; with --execute it is. What can't be read is set aside in files beside it and never
/// deleted, empty batches take the place of offsets that are lost, and what is derived from the logs is built anew. A
/// directory that a crash left needs no repair: opening it recovers it. The exit code is 1 if there is damage that
/// can't be mended, and without --execute also if there is something to do.
///
/// JSON: executed, actions (file, step, message), lost (topic, partition, first_offset, last_offset), unrepaired (as
/// the findings of `esker log verify`).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Mend this directory instead
    #[arg(value_name = "DIR")]
    of: Option<PathBuf>,
    /// Do it
    #[arg(long)]
    execute: bool,
    /// Change nothing, which is the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Delete what interrupted deletions and compactions have left; nothing in it belongs to a log
    #[arg(long)]
    remove_leftovers: bool,
    #[command(flatten)]
    confirm: Confirm,
}

#[derive(Debug, Serialize)]
struct Report {
    executed: bool,
    actions: Vec<Action>,
    lost: Vec<Lost>,
    unrepaired: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Action {
    file: String,
    step: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct Lost {
    topic: String,
    partition: i32,
    first_offset: i64,
    last_offset: i64,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let given = context.of_dir(args.of.as_ref());
    let dir = data_dir::given(&given)?;
    let options = match args.remove_leftovers {
        true => RepairOptions::new().remove_leftovers(),
        false => RepairOptions::new(),
    };
    let repair = |options| {
        let progress = Progress::of_bytes("looking");
        Store::options().repair(dir, options, |at| progress.set(at.bytes_done, at.bytes_total))
    };
    let mut report = repair(options)?;
    if args.execute && !report.actions.is_empty() {
        args.confirm.ask(&format!("{}Do that?", text(&Report::from(&report))))?;
        report = repair(options.execute())?;
    }
    context.print(&[Report::from(&report)], |reports| reports.iter().map(text).collect())?;
    let (todo, unrepaired) = (report.actions.len(), report.unrepaired.len());
    if unrepaired > 0 {
        return Err(Failure::new(format!("{unrepaired} places are damaged in a way that can't be mended")));
    }
    match (report.executed, todo) {
        (_, 0) if context.is_json() => Ok(()),
        (_, 0) => {
            tell("repaired", "there is nothing to do");
            Ok(())
        }
        (true, _) => Ok(()),
        (false, _) => Err(Failure::new(format!("there are {todo} things to do: --execute does them"))),
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    for action in &report.actions {
        let _ = writeln!(text, "{}: {}", action.file, action.message);
    }
    for row in &report.unrepaired {
        let _ = writeln!(text, "DAMAGED {} position: {}: {}", row.file, row.position, row.message);
    }
    text
}

impl From<&RepairReport> for Report {
    fn from(report: &RepairReport) -> Self {
        let action = |action: &esker::RepairAction| Action {
            file: action.path.display().to_string(),
            step: super::variant(&action.step),
            message: action.step.to_string(),
        };
        let lost = |lost: &esker::LostOffsets| Lost {
            topic: lost.topic_partition.topic.to_string(),
            partition: lost.topic_partition.partition,
            first_offset: *lost.offsets.start(),
            last_offset: *lost.offsets.end(),
        };
        Self {
            executed: report.executed,
            actions: report.actions.iter().map(action).collect(),
            lost: report.lost.iter().map(lost).collect(),
            unrepaired: report.unrepaired.iter().map(Row::from).collect(),
        }
    }
}
