//! Which partitions a consumer reads, and where it begins in each.

use std::str::FromStr;

use esker::{AutoOffsetReset, Consumer, ConsumerConfig, IsolationLevel, Offset, ReadLimits, Store, TopicPartition};

use crate::data_dir;
use crate::failure::{Failure, Result};
use crate::time;

/// How many records are taken at a time.
const POLL_RECORDS: usize = 2000;

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

    /// A consumer that is about to read what the arguments ask for.
    pub(super) fn consumer(&self, store: &Store) -> Result<Consumer> {
        let reset = if self.from_beginning { AutoOffsetReset::Earliest } else { AutoOffsetReset::Latest };
        let mut config = ConsumerConfig::new()
            .auto_offset_reset(reset)
            .max_poll_records(POLL_RECORDS)
            .isolation_level(self.isolation_level);
        if let Some(group) = &self.group {
            config = config.group_id(group);
        }
        let mut consumer = store.consumer(config)?;
        consumer.assign(self.partitions(store)?)?;
        match (self.offset, self.timestamp) {
            (Some(Start::Earliest), _) => consumer.seek_to_beginning()?,
            (Some(Start::Latest), _) => consumer.seek_to_end()?,
            (Some(Start::At(offset)), _) => seek_to(&mut consumer, store, offset)?,
            (None, Some(timestamp)) => consumer.seek_to_timestamp(timestamp)?,
            (None, None) => {}
        }
        Ok(consumer)
    }

    fn partitions(&self, store: &Store) -> Result<Vec<TopicPartition>> {
        let all = data_dir::partitions_of(store, &self.topic)?;
        match &self.partitions[..] {
            [] => Ok(all),
            some => Ok(some.iter().map(|index| TopicPartition::new(&*self.topic, *index)).collect()),
        }
    }
}

fn seek_to(consumer: &mut Consumer, store: &Store, offset: Offset) -> Result {
    let [partition] = consumer.assignment().try_into().map_err(|all: Vec<_>| {
        Failure::Usage(format!("--offset is for one partition, and these are {}: add --partition N", all.len()))
    })?;
    // Otherwise an offset that does not exist would silently become another one.
    store.partition(&partition.topic, partition.partition)?.read(offset, ReadLimits::new().max_bytes(0))?;
    Ok(consumer.seek(partition, offset)?)
}
