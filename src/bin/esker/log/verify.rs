//! `esker log verify`: a look through a whole data directory.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use esker::{Finding, Store, VerifyReport};
use serde::Serialize;

use crate::context::Context;
use crate::data_dir;
use crate::failure::{Failure, Result, tell};
use crate::progress::Progress;

/// Look through a data directory for damage, and change nothing
///
/// Checks the CRC of every batch, decodes every record, holds every index entry against its log, reads every checkpoint
/// and accounts for every name. Works beside a process that has the directory open. The exit code is 1 if something is
/// damaged; what is merely left over, unknown, or put right by the next open is told, and no failure.
///
/// JSON: bytes (how many were looked at), healthy, findings_left_out (how many there are beyond those that follow),
/// findings (file, position, damage, problem, message). The problem is one word, such as DamagedBatch or TornTail.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Look through this directory instead, such as a snapshot
    #[arg(value_name = "DIR")]
    of: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    bytes: u64,
    healthy: bool,
    findings_left_out: u64,
    findings: Vec<Row>,
}

/// Something that was found.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) position: u64,
    damage: bool,
    problem: String,
    pub(super) message: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result {
    let given = context.of_dir(args.of.as_ref());
    let dir = data_dir::existing(&given)?;
    let progress = Progress::of_bytes("verifying");
    let report = Store::options().verify(dir, |at| progress.set(at.bytes_done, at.bytes_total));
    drop(progress);
    let report = report?;
    context.print(&[Report::from(&report)], |reports| reports.iter().map(text).collect())?;
    let damaged = report.findings.iter().filter(|finding| finding.problem.is_damage()).count();
    if !context.is_json() {
        let clean = if report.is_clean() { ": nothing found" } else { "" };
        tell("verified", format_args!("{} bytes{clean}", report.bytes));
    }
    match (report.is_healthy(), damaged) {
        (true, _) => Ok(()),
        (false, 1) => Err(Failure::new("1 place is damaged")),
        (false, count) => Err(Failure::new(format!("{count} places are damaged"))),
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for row in &report.findings {
        let kind = if row.damage { "DAMAGED" } else { "note" };
        // Writing to a string can't fail.
        let _ = writeln!(text, "{kind} {} position: {}: {}", row.file, row.position, row.message);
    }
    if report.findings_left_out > 0 {
        let _ = writeln!(text, "{} more findings are left out", report.findings_left_out);
    }
    text
}

impl From<&VerifyReport> for Report {
    fn from(report: &VerifyReport) -> Self {
        Self {
            bytes: report.bytes,
            healthy: report.is_healthy(),
            findings_left_out: report.findings_left_out,
            findings: report.findings.iter().map(Row::from).collect(),
        }
    }
}

impl From<&Finding> for Row {
    fn from(finding: &Finding) -> Self {
        let mut message = finding.problem.to_string();
        let mut cause = finding.problem.source();
        while let Some(error) = cause {
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self {
            file: finding.path.display().to_string(),
            position: finding.position,
            damage: finding.problem.is_damage(),
            problem: super::variant(&finding.problem),
            message,
        }
    }
}
