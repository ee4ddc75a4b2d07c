//! `esker group describe`: how far groups have come, who is in them, how they stand, and their configs.

use esker::TopicPartition;
use serde::Serialize;

use crate::context::Context;
use crate::data_dir::ReadOnly;
use crate::failure::Result;
use crate::output::{Table, or_dash};
use crate::source::{self, Access, Config, Group, GroupOffset};

/// Describe what groups have committed, how far that is behind, and who reads it
///
/// Of a directory, members are those that the last broker to serve it has written down, whether they are alive or not.
///
/// JSON, an object for each partition of each group: group, topic, partition, current_offset (null if nothing is
/// committed), log_start_offset, log_end_offset, lag (null, like the two before it, if the partition does not exist),
/// leader_epoch, metadata, commit_timestamp (null over the network, where nobody tells it), consumer_id, host,
/// client_id (null, all three, if no member reads it).
///
/// With --members, an object for each member: group, consumer_id, instance_id, host, client_id, assignment (topic,
/// partition). With --state, an object for each group: group, assignor, state, members (how many). With --configs, an
/// object for each config of each group, which need not exist: group, name, value, source, type, synonyms,
/// documentation.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The groups; all of them if left out
    groups: Vec<String>,
    /// Show the members instead, and what each is to read
    #[arg(long, conflicts_with_all = ["state", "configs"])]
    members: bool,
    /// Show the state of the groups instead
    #[arg(long, conflicts_with = "configs")]
    state: bool,
    /// Show the configs of the groups instead, with their values and where these come from
    #[arg(long)]
    configs: bool,
    #[command(flatten)]
    read_only: ReadOnly,
}

pub(super) fn run(args: &Args, context: &Context) -> Result {
    let mut source = source::open(context, Access::Look(&args.read_only))?;
    let names = if args.groups.is_empty() { source.groups()? } else { args.groups.clone() };
    if args.configs {
        let mut rows = Vec::new();
        for group in names {
            let configs = source.group_configs(&group)?;
            rows.extend(configs.into_iter().map(|config| ConfigRow { group: group.clone(), config }));
        }
        source.close()?;
        return context.print(&rows, configs);
    }
    let groups = match args.groups.is_empty() {
        // One that was listed may have gone since.
        true => source.describe_groups(&names)?,
        false => source.describe_existing_groups(&names)?,
    };
    source.close()?;
    match (args.members, args.state) {
        (true, _) => context.print(&groups.iter().flat_map(MemberRow::all).collect::<Vec<_>>(), members),
        (_, true) => context.print(&groups.iter().map(StateRow::from).collect::<Vec<_>>(), states),
        _ => context.print(&groups.iter().flat_map(OffsetRow::all).collect::<Vec<_>>(), offsets),
    }
}

/// How far a group has come in a partition.
#[derive(Debug, Serialize)]
struct OffsetRow {
    group: String,
    topic: String,
    partition: i32,
    current_offset: Option<i64>,
    log_start_offset: Option<i64>,
    log_end_offset: Option<i64>,
    lag: Option<i64>,
    leader_epoch: Option<i32>,
    metadata: Option<String>,
    commit_timestamp: Option<i64>,
    consumer_id: Option<String>,
    host: Option<String>,
    client_id: Option<String>,
}

impl OffsetRow {
    fn all(group: &Group) -> impl Iterator<Item = Self> {
        group.offsets.iter().map(|of| Self::new(group, of))
    }

    fn new(group: &Group, of: &GroupOffset) -> Self {
        let (committed, member) = (of.committed.as_ref(), group.member_of(&of.partition));
        let current_offset = committed.map(|committed| committed.offset);
        let log_end_offset = of.span.map(|span| span.high_watermark);
        Self {
            group: group.group.clone(),
            topic: of.partition.topic.to_string(),
            partition: of.partition.partition,
            current_offset,
            log_start_offset: of.span.map(|span| span.log_start),
            log_end_offset,
            lag: log_end_offset.zip(current_offset).map(|(end, current)| end - current),
            leader_epoch: committed.and_then(|committed| committed.leader_epoch),
            metadata: committed.map(|committed| committed.metadata.clone()),
            commit_timestamp: committed.and_then(|committed| committed.timestamp),
            consumer_id: member.map(|member| member.member_id.clone()),
            host: member.map(|member| member.host.clone()),
            client_id: member.map(|member| member.client_id.clone()),
        }
    }
}

fn offsets(rows: &[OffsetRow]) -> String {
    let mut table = Table::new([
        "GROUP",
        "TOPIC",
        "PARTITION",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ]);
    for row in rows {
        let [current, end, lag] = [row.current_offset, row.log_end_offset, row.lag].map(or_dash);
        let [consumer, host, client] = [&row.consumer_id, &row.host, &row.client_id].map(|of| or_dash(of.as_deref()));
        let partition = row.partition.to_string();
        table.push([row.group.clone(), row.topic.clone(), partition, current, end, lag, consumer, host, client]);
    }
    if rows.is_empty() { String::new() } else { table.to_string() }
}

/// A member of a group.
#[derive(Debug, Serialize)]
struct MemberRow {
    group: String,
    consumer_id: String,
    instance_id: Option<String>,
    host: String,
    client_id: String,
    assignment: Vec<Assigned>,
}

#[derive(Debug, Serialize)]
struct Assigned {
    topic: String,
    partition: i32,
}

impl MemberRow {
    fn all(group: &Group) -> impl Iterator<Item = Self> {
        let assigned = |of: &TopicPartition| Assigned { topic: of.topic.to_string(), partition: of.partition };
        group.members.iter().map(move |member| Self {
            group: group.group.clone(),
            consumer_id: member.member_id.clone(),
            instance_id: member.instance_id.clone(),
            host: member.host.clone(),
            client_id: member.client_id.clone(),
            assignment: member.assignment.iter().map(assigned).collect(),
        })
    }
}

fn members(rows: &[MemberRow]) -> String {
    let head = ["GROUP", "CONSUMER-ID", "GROUP-INSTANCE-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "ASSIGNMENT"];
    let mut table = Table::new(head);
    for row in rows {
        let assignment: Vec<_> = row.assignment.iter().map(|of| format!("{}-{}", of.topic, of.partition)).collect();
        table.push([
            row.group.clone(),
            row.consumer_id.clone(),
            or_dash(row.instance_id.as_deref()),
            row.host.clone(),
            row.client_id.clone(),
            assignment.len().to_string(),
            if assignment.is_empty() { "-".to_owned() } else { assignment.join(",") },
        ]);
    }
    if rows.is_empty() { String::new() } else { table.to_string() }
}

/// How a group stands.
#[derive(Debug, Serialize)]
struct StateRow {
    group: String,
    assignor: Option<String>,
    state: String,
    members: usize,
}

impl From<&Group> for StateRow {
    fn from(group: &Group) -> Self {
        Self {
            group: group.group.clone(),
            assignor: group.assignor.clone(),
            state: group.state.clone(),
            members: group.members.len(),
        }
    }
}

fn states(rows: &[StateRow]) -> String {
    let mut table = Table::new(["GROUP", "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS"]);
    for row in rows {
        let assignor = or_dash(row.assignor.as_deref());
        table.push([row.group.clone(), assignor, row.state.clone(), row.members.to_string()]);
    }
    if rows.is_empty() { String::new() } else { table.to_string() }
}

/// A config of a group.
#[derive(Debug, Serialize)]
struct ConfigRow {
    group: String,
    #[serde(flatten)]
    config: Config,
}

fn configs(rows: &[ConfigRow]) -> String {
    let mut table = Table::new(["GROUP", "CONFIG", "VALUE", "SOURCE"]);
    for ConfigRow { group, config } in rows {
        table.push([group.clone(), config.name.clone(), config.value.clone(), config.source.to_owned()]);
    }
    if rows.is_empty() { String::new() } else { table.to_string() }
}
