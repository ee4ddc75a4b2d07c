//! Which partitions a consumer reads, and where it begins in each.

use std::collections::HashSet;
use std::str::FromStr;

use esker::{IsolationLevel, Offset, TopicPartition};

use crate::failure::{Failure, Result};
use crate::source::{self, Source, StartAt};
use crate::time;

/// The options that say what is read, and from where on.
#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    /// The topic, which must exist
    pub(super) topic: String,
    /// Read this partition; may be given more than once [default: all]
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<i32>,
    /// Start at the first record; with a group, only where it has committed nothing
    #[arg(long)]
    from_beginning: bool,
    /// Start where this group left off, and commit for it what was printed
    ///
    /// This is no member of the group: it reads all partitions, or those of --partition, whoever else reads them for
    /// the group.
    #[arg(long)]
    pub(super) group: Option<String>,
    /// Start at this offset of the one partition, or at the earliest or latest of all, whatever was committed
    #[arg(long, value_name = "N|earliest|latest", conflicts_with = "from_beginning")]
    offset: Option<Start>,
    /// Start at the first record of this time or later, whatever was committed: in milliseconds, or as
    /// 2026-01-31T13:00:00 (in UTC)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["from_beginning", "offset"], value_parser = time::timestamp)]
    timestamp: Option<i64>,
    /// Which records of transactions count: read_uncommitted for all of them, read_committed
    #[arg(long, value_name = "LEVEL", default_value_t)]
    pub(super) isolation_level: IsolationLevel,
}

/// An offset that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Earliest,
    Latest,
    At(Offset),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            number => match number.parse() {
                Ok(offset) if offset >= 0 => Ok(Self::At(offset)),
                _ => Err("expected an offset, earliest or latest".to_owned()),
            },
        }
    }
}

impl StartArgs {
    /// Whether nothing says where to start, so that it is the end.
    pub(super) fn is_at_end(&self) -> bool {
        !self.from_beginning && self.group.is_none() && self.offset.is_none() && self.timestamp.is_none()
    }

    /// Whether all partitions of the topic are read.
    pub(super) fn is_whole_topic(&self) -> bool {
        self.partitions.is_empty()
    }

    /// What the arguments ask for.
    pub(super) fn start(&self, source: &mut dyn Source, follows: bool) -> Result<source::Start<'_>> {
        let partitions = self.partitions(source)?;
        let at = match (self.offset, self.timestamp) {
            (Some(Start::Earliest), _) => Some(StartAt::Earliest),
            (Some(Start::Latest), _) => Some(StartAt::Latest),
            (Some(Start::At(offset)), _) => Some(StartAt::Offset(offset)),
            (None, timestamp) => timestamp.map(StartAt::Timestamp),
        };
        let different: HashSet<_> = partitions.iter().collect();
        if let (Some(StartAt::Offset(_)), 2..) = (at, different.len()) {
            let count = different.len();
            let what = format!("--offset is for one partition, and these are {count}: add --partition N");
            return Err(Failure::Usage(what));
        }
        Ok(source::Start {
            topic: &self.topic,
            partitions,
            group: self.group.as_deref(),
            from_beginning: self.from_beginning,
            at,
            follows,
            isolation_level: self.isolation_level,
        })
    }

    fn partitions(&self, source: &mut dyn Source) -> Result<Vec<TopicPartition>> {
        match &self.partitions[..] {
            [] => source.partitions_of(&self.topic),
            some => some.iter().map(|index| source.partition(&self.topic, *index)).collect(),
        }
    }
}
