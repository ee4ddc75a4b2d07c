//! The consumer's configs, with Kafka's names and defaults.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{invalid, unknown_to_consumers};
use crate::error::{Error, Result};
use crate::store::check_group_id;
use crate::types::IsolationLevel;

/// Where a consumer starts in a partition for which its group has committed nothing (`auto.offset.reset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record that is there.
    Earliest,
    /// After the last record that is there.
    #[default]
    Latest,
    /// At the first record that is no older than this by the store's clock, or after the last one if there is none
    /// (`by_duration:PT1H`, with a duration in ISO 8601; KIP-1106).
    ByDuration(Duration),
    /// Nowhere: [`poll`](super::Consumer::poll) fails with
    /// [`Error::NoOffsetForPartition`].
    None,
}

impl FromStr for AutoOffsetReset {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self> {
        match value {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            _ => {
                let ago = value.strip_prefix("by_duration:").and_then(parse_duration);
                let expected = "one of earliest, latest, none, by_duration:PnDTnHnMn.nS";
                ago.map(Self::ByDuration).ok_or_else(|| invalid("auto.offset.reset", value, expected))
            }
        }
    }
}

impl fmt::Display for AutoOffsetReset {
    /// Kafka's value of the config.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::ByDuration(ago) => {
                let seconds = format!("{}.{:09}", ago.as_secs(), ago.subsec_nanos());
                write!(f, "by_duration:PT{}S", seconds.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::None => f.write_str("none"),
        }
    }
}

/// Reads a duration in ISO 8601 as Java's `Duration.parse` does, but for signs: Kafka refuses what is negative.
fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.to_ascii_uppercase();
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let mut duration = Duration::ZERO;
    for (unit, unit_seconds) in [('D', 86_400), ('H', 3600), ('M', 60), ('S', 1)] {
        if unit == 'H' && !rest.is_empty() {
            rest = rest.strip_prefix('T').filter(|time| !time.is_empty())?;
        }
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
        let is_number = [whole, fraction].iter().all(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
        if !is_number || fraction.len() > 9 || (number != whole && unit != 'S') {
            return None;
        }
        let seconds = whole.parse::<u64>().ok()?.checked_mul(unit_seconds)?;
        let nanos = format!("{fraction:0<9}").parse().ok()?;
        duration = duration.checked_add(Duration::new(seconds, nanos))?;
        rest = after;
    }
    rest.is_empty().then_some(duration)
}

/// Which group a consumer is of, where it starts, and how much it takes at a time.
///
/// A group's name alone will do: `store.consumer("billing")`.
///
/// Offsets are committed when [`commit`](super::Consumer::commit) is called, and only then, unless
/// [`enable_auto_commit`](Self::enable_auto_commit) is set: what Kafka does by default acknowledges records that may
/// not have been processed yet.
#[derive(Clone, Debug)]
#[must_use]
pub struct ConsumerConfig {
    pub(super) group_id: Option<String>,
    pub(super) auto_offset_reset: AutoOffsetReset,
    pub(super) max_poll_records: usize,
    pub(super) max_partition_fetch_bytes: usize,
    pub(super) isolation_level: IsolationLevel,
    pub(super) enable_auto_commit: bool,
    auto_commit_interval: Duration,
    #[cfg(feature = "coordinator")]
    pub(super) membership: super::group::MembershipConfig,
}

impl ConsumerConfig {
    /// Kafka's defaults, and no group.
    pub fn new() -> Self {
        Self {
            group_id: None,
            auto_offset_reset: AutoOffsetReset::default(),
            max_poll_records: 500,
            max_partition_fetch_bytes: 1 << 20,
            isolation_level: IsolationLevel::default(),
            enable_auto_commit: false,
            auto_commit_interval: Duration::from_secs(5),
            #[cfg(feature = "coordinator")]
            membership: super::group::MembershipConfig::default(),
        }
    }

    /// The group for which offsets are committed (`group.id`). Without one nothing can be committed.
    pub fn group_id(mut self, group_id: impl Into<String>) -> Self {
        self.group_id = Some(group_id.into());
        self
    }

    /// Where to start where nothing is committed, or where what is committed is not in the log any more
    /// (`auto.offset.reset`; default `latest`, as in Kafka).
    pub fn auto_offset_reset(mut self, reset: AutoOffsetReset) -> Self {
        self.auto_offset_reset = reset;
        self
    }

    /// The most records that a poll returns, at least 1 (`max.poll.records`; default 500).
    pub fn max_poll_records(mut self, max_poll_records: usize) -> Self {
        self.max_poll_records = max_poll_records;
        self
    }

    /// The most bytes to read from a partition at a time (`max.partition.fetch.bytes`; default 1 MiB). The first batch
    /// is read however large it is.
    pub fn max_partition_fetch_bytes(mut self, bytes: usize) -> Self {
        self.max_partition_fetch_bytes = bytes;
        self
    }

    /// Whether records of transactions are handed out before it is known that they count (`isolation.level`; default
    /// `read_uncommitted`, as in Kafka). With `read_committed` the consumer gets to the last stable offset, and never
    /// gets a record of an aborted transaction.
    pub fn isolation_level(mut self, isolation_level: IsolationLevel) -> Self {
        self.isolation_level = isolation_level;
        self
    }

    /// Whether [`poll`](super::Consumer::poll) commits what the polls before it have returned, every
    /// [`auto_commit_interval`](Self::auto_commit_interval) and before partitions are given up
    /// (`enable.auto.commit`; default false, where Kafka's is true). For those who process what a poll has returned
    /// before they poll again: what was handed on to another thread may be committed before it is done.
    pub fn enable_auto_commit(mut self, enable: bool) -> Self {
        self.enable_auto_commit = enable;
        self
    }

    /// How often to commit, with `enable.auto.commit` (`auto.commit.interval.ms`; default 5 seconds).
    pub fn auto_commit_interval(mut self, interval: Duration) -> Self {
        self.auto_commit_interval = interval;
        self
    }

    /// Sets a config by Kafka's name for it.
    ///
    /// What was written for Kafka's consumer can be taken over, and what has no meaning in process left out:
    ///
    /// ```
    /// use esker::{ConsumerConfig, Error};
    ///
    /// let mut config = ConsumerConfig::new();
    /// for (key, value) in [("group.id", "billing"), ("bootstrap.servers", "kafka:9092"), ("max.poll.records", "100")] {
    ///     match config.set(key, value) {
    ///         Err(unsupported @ Error::UnsupportedConfig { .. }) => eprintln!("{unsupported}"),
    ///         set => set?,
    ///     }
    /// }
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if Kafka's consumer has no such config, or the value is not one of its values;
    /// [`Error::UnsupportedConfig`] if it has it, and it has no meaning to a consumer in process: the error says why.
    /// Those of members of groups have one with the feature `coordinator`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let number = |min: usize| match value.parse() {
            Ok(number) if number >= min => Ok(number),
            _ => Err(invalid(key, value, format!("a number from {min} up"))),
        };
        match key {
            "group.id" => self.group_id = Some(value.to_owned()),
            "auto.offset.reset" => self.auto_offset_reset = value.parse()?,
            "isolation.level" => self.isolation_level = value.parse()?,
            "max.poll.records" => self.max_poll_records = number(1)?,
            "max.partition.fetch.bytes" => self.max_partition_fetch_bytes = number(0)?,
            "enable.auto.commit" => {
                self.enable_auto_commit = value.parse().map_err(|_| invalid(key, value, "true or false"))?;
            }
            "auto.commit.interval.ms" => self.auto_commit_interval = Duration::from_millis(number(0)? as u64),
            #[cfg(feature = "coordinator")]
            key if crate::config::OF_MEMBERS.contains(&key) => self.membership.set(key, value)?,
            _ => return Err(unknown_to_consumers(key, value)),
        }
        Ok(())
    }

    /// What a config is, as [`set`](Self::set) takes it. None if there is no such config here, or if it is not set and
    /// has no value then.
    ///
    /// ```
    /// let mut config = esker::ConsumerConfig::from("billing");
    /// config.set("auto.offset.reset", "earliest")?;
    /// let values = ["group.id", "auto.offset.reset", "max.poll.records"].map(|key| config.get(key));
    /// assert_eq!(values, ["billing", "earliest", "500"].map(|value| Some(value.into())));
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn get(&self, key: &str) -> Option<String> {
        Some(match key {
            "group.id" => self.group_id.clone()?,
            "auto.offset.reset" => self.auto_offset_reset.to_string(),
            "isolation.level" => self.isolation_level.to_string(),
            "max.poll.records" => self.max_poll_records.to_string(),
            "max.partition.fetch.bytes" => self.max_partition_fetch_bytes.to_string(),
            "enable.auto.commit" => self.enable_auto_commit.to_string(),
            "auto.commit.interval.ms" => self.auto_commit_interval.as_millis().to_string(),
            #[cfg(feature = "coordinator")]
            key => self.membership.get(key)?,
            #[cfg(not(feature = "coordinator"))]
            _ => return None,
        })
    }

    /// Checks what making a consumer with this config checks.
    ///
    /// # Errors
    /// [`Error::InvalidGroupId`] if the group's name is empty or longer than 32,767 bytes, and
    /// [`Error::InvalidConfig`] if another config is out of its range.
    pub fn validate(&self) -> Result<()> {
        self.group_id.as_deref().map_or(Ok(()), check_group_id)?;
        if self.max_poll_records == 0 {
            return Err(invalid("max.poll.records", "0", "a number from 1 up"));
        }
        #[cfg(feature = "coordinator")]
        self.membership.validate()?;
        Ok(())
    }

    pub(super) fn auto_commit_interval_ms(&self) -> i64 {
        i64::try_from(self.auto_commit_interval.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&str> for ConsumerConfig {
    /// The defaults for a group.
    fn from(group_id: &str) -> Self {
        Self::new().group_id(group_id)
    }
}
