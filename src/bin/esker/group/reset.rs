//! `esker group reset-offsets`: where groups are to go on. A plan unless it is to be carried out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use esker::{Error, Offset, OffsetReset, TopicPartition};
use serde::Serialize;

use super::csv::{self, Entry};
use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::{Failure, Result, tell};
use crate::output::{Table, or_dash, print};
use crate::partitions::TopicPartitions;
use crate::source::{self, Access, Planned, Source};
use crate::time;

/// Make groups go on somewhere else
///
/// Shows what would be committed; with --execute it is. Offsets outside of a log are brought into it. Consumers of the
/// groups that are open go on from where they stand.
///
/// JSON, an object for each partition of each group: group, topic, partition, current_offset (null if nothing is
/// committed), new_offset.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("to").required(true))]
#[command(group = clap::ArgGroup::new("of").required(true))]
pub(crate) struct Args {
    /// The groups, which need not have committed anything
    #[arg(required_unless_present = "all_groups")]
    groups: Vec<String>,
    /// All groups that have committed offsets
    #[arg(long, conflicts_with = "groups")]
    all_groups: bool,
    /// A topic, or some of its partitions, as TOPIC:0,1; may be given more than once
    #[arg(long = "topic", value_name = "TOPIC[:N,N]", group = "of", value_parser = TopicPartitions::parse)]
    topics: Vec<TopicPartitions>,
    /// All partitions that a group has committed offsets for
    #[arg(long, group = "of")]
    all_topics: bool,
    /// At the first record that is there
    #[arg(long, group = "to")]
    to_earliest: bool,
    /// After the last record
    #[arg(long, group = "to")]
    to_latest: bool,
    /// Where the group stands, or after the last record where it has committed nothing
    #[arg(long, group = "to")]
    to_current: bool,
    /// At this offset
    #[arg(long, value_name = "N", group = "to")]
    to_offset: Option<Offset>,
    /// At the first record of this time or later: in milliseconds, or as 2026-01-31T13:00:00 (in UTC)
    #[arg(long, value_name = "TIME", group = "to", value_parser = time::timestamp, allow_hyphen_values = true)]
    to_datetime: Option<i64>,
    /// At the first record that is no older than this, such as PT1H30M, P7D or 90s
    #[arg(long, value_name = "DURATION", group = "to", value_parser = time::duration)]
    by_duration: Option<Duration>,
    /// So many records further, or back if it is negative
    #[arg(long, value_name = "N", group = "to")]
    shift_by: Option<i64>,
    /// As a file of --export says, for the groups in it that are given here
    #[arg(long, value_name = "FILE", groups = ["to", "of"])]
    from_file: Option<PathBuf>,
    /// Commit these offsets
    #[arg(long)]
    execute: bool,
    /// Commit nothing, which is the default
    #[arg(long, conflicts_with = "execute")]
    dry_run: bool,
    /// Print the plan as CSV, for --from-file
    #[arg(long)]
    export: bool,
}

/// What becomes of a group in a partition.
#[derive(Debug, Serialize)]
struct Row {
    group: String,
    topic: String,
    partition: i32,
    current_offset: Option<Offset>,
    new_offset: Offset,
}

impl Row {
    fn new(group: &str, planned: &Planned) -> Self {
        Self {
            group: group.to_owned(),
            topic: planned.partition.topic.to_string(),
            partition: planned.partition.partition,
            current_offset: planned.before,
            new_offset: planned.after,
        }
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result {
    let access = if args.execute { Access::Change } else { Access::Look(&ReadOnly { read_only: false }) };
    let mut source = source::open(context, access)?;
    let reset = reset(args, &mut *source);
    source.close()?;
    let rows = reset?;
    if args.export {
        let entry = |row: &Row| Entry {
            group: row.group.clone(),
            topic: row.topic.clone(),
            partition: row.partition,
            offset: row.new_offset,
        };
        let has_group = args.all_groups || args.groups.len() > 1;
        print(&csv::write(&rows.iter().map(entry).collect::<Vec<_>>(), has_group))?;
    } else {
        context.print(&rows, table)?;
    }
    if !args.execute && !args.dry_run && !args.export {
        tell("note", "nothing was committed: --execute does that");
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(["GROUP", "TOPIC", "PARTITION", "CURRENT-OFFSET", "NEW-OFFSET"]);
    for row in rows {
        let (partition, current) = (row.partition.to_string(), or_dash(row.current_offset));
        table.push([row.group.clone(), row.topic.clone(), partition, current, row.new_offset.to_string()]);
    }
    table.to_string()
}

fn reset(args: &Args, source: &mut dyn Source) -> Result<Vec<Row>> {
    let groups = if args.all_groups { source.groups()? } else { args.groups.clone() };
    let mut plans = Vec::new();
    for group in groups {
        match plan(source, &group, args) {
            // One that was listed has gone since.
            Err(failure) if args.all_groups && matches!(failure.cause(), Some(Error::GroupIdNotFound { .. })) => {}
            planned => plans.push((group, planned?)),
        }
    }
    // Nothing is committed unless there is a plan for everything.
    if args.execute {
        for (group, planned) in &plans {
            source.commit_plan(group, planned)?;
        }
    }
    Ok(plans.iter().flat_map(|(group, planned)| planned.iter().map(|planned| Row::new(group, planned))).collect())
}

fn plan(source: &mut dyn Source, group: &str, args: &Args) -> Result<Vec<Planned>> {
    if args.all_groups && !args.all_topics {
        // To commit for one that has gone would bring it back.
        source.describe_existing_groups(&[group.to_owned()])?;
    }
    if let Some(file) = &args.from_file {
        return plan_from_file(source, group, file, args);
    }
    let to = args.to().ok_or_else(|| Failure::Usage("nothing says where to go on".to_owned()))?;
    if args.all_topics {
        let planned = plan_committed(source, group, to);
        // A topic that has gone meanwhile is not among them any more.
        return match planned.as_ref().err().and_then(Failure::cause) {
            Some(Error::UnknownTopicOrPartition { .. }) => plan_committed(source, group, to),
            _ => planned,
        };
    }
    let resolved = args.topics.iter().map(|topic| topic.resolve(source)).collect::<Result<Vec<_>>>()?;
    let partitions: BTreeSet<TopicPartition> = resolved.into_iter().flatten().collect();
    source.plan_reset(group, partitions.into_iter().collect(), to)
}

/// For the partitions that the group has committed offsets for, as far as these exist.
fn plan_committed(source: &mut dyn Source, group: &str, to: OffsetReset) -> Result<Vec<Planned>> {
    let described = source.describe_existing_groups(&[group.to_owned()])?.into_iter();
    let offsets = described.flat_map(|group| group.offsets);
    let existing = offsets.filter(|offset| offset.committed.is_some() && offset.span.is_some());
    let partitions = existing.map(|offset| offset.partition).collect();
    source.plan_reset(group, partitions, to)
}

fn plan_from_file(source: &mut dyn Source, group: &str, file: &Path, args: &Args) -> Result<Vec<Planned>> {
    let text = fs::read_to_string(file).map_err(|error| Failure::cannot_read(file, error))?;
    let only_group = if args.groups.len() == 1 { Some(group) } else { None };
    let entries = csv::read(&text, only_group)
        .map_err(|problem| Failure::new(format!("cannot use {}: {problem}", file.display())))?;
    let mut planned = Vec::new();
    for entry in entries.iter().filter(|entry| entry.group == group) {
        let partition = TopicPartition::new(&*entry.topic, entry.partition);
        planned.extend(source.plan_reset(group, vec![partition], OffsetReset::Offset(entry.offset))?);
    }
    if planned.is_empty() {
        return Err(Failure::new(format!("{} says nothing of group {group}", file.display())));
    }
    Ok(planned)
}

impl Args {
    fn to(&self) -> Option<OffsetReset> {
        match self {
            Self { to_earliest: true, .. } => Some(OffsetReset::Earliest),
            Self { to_latest: true, .. } => Some(OffsetReset::Latest),
            Self { to_current: true, .. } => Some(OffsetReset::Current),
            Self { to_offset: Some(offset), .. } => Some(OffsetReset::Offset(*offset)),
            Self { to_datetime: Some(timestamp), .. } => Some(OffsetReset::Timestamp(*timestamp)),
            Self { by_duration: Some(ago), .. } => Some(OffsetReset::Duration(*ago)),
            Self { shift_by: Some(by), .. } => Some(OffsetReset::ShiftBy(*by)),
            _ => None,
        }
    }
}
