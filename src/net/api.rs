//! The requests there are: their keys, the versions that are known here, and which of those are flexible.
//!
//! These are the versions that can be read and written. What a server advertises is for the server to say.

use std::fmt;
use std::ops::RangeInclusive;

use super::codec::VersionRange;
use super::protocol_error::ProtocolError;

/// Declares the APIs: name, key, versions, and from where on they have the flexible layout of KIP-482.
macro_rules! apis {
    ($($(#[$meta:meta])* $name:ident = $key:literal, $first:literal..=$last:literal, flexible $flexible:tt;)*) => {
        /// A kind of request, which names its response too.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i16)]
        #[non_exhaustive]
        pub enum ApiKey {
            $($(#[$meta])* $name = $key,)*
        }

        impl ApiKey {
            /// All of them, by key.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The versions that are known here: those of Kafka 4.3, unstable ones among them.
            pub const fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => $first..=$last,)*
                }
            }

            const fn flexible_versions(self) -> VersionRange {
                match self {
                    $(Self::$name => flexible!($flexible),)*
                }
            }

            /// The API with this key, if it is known here.
            pub const fn from_key(key: i16) -> Option<Self> {
                match key {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! flexible {
    (never) => {
        VersionRange::NONE
    };
    ($first:literal) => {
        VersionRange::new($first, i16::MAX)
    };
}

apis! {
    /// Append batches to partitions.
    Produce = 0, 3..=13, flexible 9;
    /// Read batches of partitions, as consumers and followers do.
    Fetch = 1, 4..=18, flexible 12;
    /// Find offsets by timestamp, and the ends of partitions.
    ListOffsets = 2, 1..=11, flexible 6;
    /// Which brokers there are, which topics, and who leads their partitions.
    Metadata = 3, 0..=13, flexible 9;
    /// How far a group has read.
    OffsetCommit = 8, 2..=10, flexible 8;
    /// What groups have committed.
    OffsetFetch = 9, 1..=10, flexible 6;
    /// Which broker looks after a group or a transactional id.
    FindCoordinator = 10, 0..=6, flexible 3;
    /// Become a member of a classic group, or stay one in its next generation.
    JoinGroup = 11, 0..=9, flexible 6;
    /// A member of a classic group is alive.
    Heartbeat = 12, 0..=4, flexible 4;
    /// Members of a classic group go.
    LeaveGroup = 13, 0..=5, flexible 4;
    /// The leader of a classic group hands out the assignment.
    SyncGroup = 14, 0..=5, flexible 4;
    /// The state and members of classic groups.
    DescribeGroups = 15, 0..=6, flexible 5;
    /// The groups of a coordinator.
    ListGroups = 16, 0..=5, flexible 3;
    /// How to authenticate.
    SaslHandshake = 17, 0..=1, flexible never;
    /// Which APIs and versions a broker speaks. Every client begins with it.
    ApiVersions = 18, 0..=4, flexible 3;
    /// Make topics.
    CreateTopics = 19, 2..=7, flexible 5;
    /// Remove topics and their records.
    DeleteTopics = 20, 1..=6, flexible 4;
    /// Let go of the records before an offset.
    DeleteRecords = 21, 0..=2, flexible 2;
    /// The identity of an idempotent or transactional producer.
    InitProducerId = 22, 0..=6, flexible 2;
    /// Where a leader epoch ends, which shows where logs diverge (KIP-101, KIP-320).
    OffsetForLeaderEpoch = 23, 2..=4, flexible 4;
    /// A transaction will write to partitions.
    AddPartitionsToTxn = 24, 0..=5, flexible 3;
    /// A transaction will commit offsets of a group.
    AddOffsetsToTxn = 25, 0..=4, flexible 3;
    /// Commit or abort a transaction.
    EndTxn = 26, 0..=5, flexible 3;
    /// A coordinator tells the leaders of partitions how a transaction ended.
    WriteTxnMarkers = 27, 1..=2, flexible 1;
    /// Commit offsets of a group as a part of a transaction.
    TxnOffsetCommit = 28, 0..=5, flexible 3;
    /// Who is allowed what.
    DescribeAcls = 29, 1..=3, flexible 2;
    /// Allow something, or forbid it.
    CreateAcls = 30, 1..=3, flexible 2;
    /// Take back what was allowed or forbidden.
    DeleteAcls = 31, 1..=3, flexible 2;
    /// The configs of topics, brokers and groups.
    DescribeConfigs = 32, 1..=4, flexible 4;
    /// Replace all configs of a topic, broker or group. `IncrementalAlterConfigs` has taken its place.
    AlterConfigs = 33, 0..=2, flexible 2;
    /// What lies in a broker's directories.
    DescribeLogDirs = 35, 1..=5, flexible 2;
    /// The bytes of a SASL mechanism.
    SaslAuthenticate = 36, 0..=2, flexible 2;
    /// Add partitions to topics.
    CreatePartitions = 37, 0..=3, flexible 2;
    /// Remove groups without members, and what they have committed.
    DeleteGroups = 42, 0..=2, flexible 2;
    /// Choose leaders of partitions anew.
    ElectLeaders = 43, 0..=2, flexible 2;
    /// Change some configs of a topic, broker or group.
    IncrementalAlterConfigs = 44, 0..=1, flexible 1;
    /// Partitions that are moving between brokers.
    ListPartitionReassignments = 46, 0..=0, flexible 0;
    /// Forget what a group has committed for partitions.
    OffsetDelete = 47, 0..=0, flexible never;
    /// How much clients may take.
    DescribeClientQuotas = 48, 0..=1, flexible 1;
    /// Which users can authenticate by SCRAM.
    DescribeUserScramCredentials = 50, 0..=0, flexible 0;
    /// Set and remove SCRAM credentials.
    AlterUserScramCredentials = 51, 0..=0, flexible 0;
    /// The cluster's id, controller and brokers.
    DescribeCluster = 60, 0..=2, flexible 0;
    /// The producers that partitions remember.
    DescribeProducers = 61, 0..=0, flexible 0;
    /// The state of transactions.
    DescribeTransactions = 65, 0..=0, flexible 0;
    /// The transactions of a coordinator.
    ListTransactions = 66, 0..=2, flexible 0;
    /// Be a member of a consumer group that the coordinator assigns (KIP-848).
    ConsumerGroupHeartbeat = 68, 0..=1, flexible 0;
    /// The state and members of consumer groups (KIP-848).
    ConsumerGroupDescribe = 69, 0..=1, flexible 0;
    /// What has configs: topics, brokers and groups (KIP-1142).
    ListConfigResources = 74, 0..=1, flexible 0;
    /// Topics page by page (KIP-966).
    DescribeTopicPartitions = 75, 0..=0, flexible 0;
}

impl ApiKey {
    /// The number on the wire.
    pub const fn key(self) -> i16 {
        self as i16
    }

    /// Whether messages of this version have the flexible layout (KIP-482).
    pub const fn is_flexible(self, version: i16) -> bool {
        self.flexible_versions().contains(version)
    }

    /// The version of the header before a request of this version.
    pub const fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header before a response of this version.
    ///
    /// That of `ApiVersions` is always 0, so that a client which doesn't know yet what the broker speaks can read it.
    pub const fn response_header_version(self, version: i16) -> i16 {
        match self {
            Self::ApiVersions => 0,
            _ if self.is_flexible(version) => 1,
            _ => 0,
        }
    }

    /// Fails if `version` isn't known here.
    pub(super) fn check(self, version: i16) -> Result<(), ProtocolError> {
        let supported = self.versions();
        if supported.contains(&version) {
            Ok(())
        } else {
            Err(ProtocolError::UnsupportedVersion { api: self, version, supported })
        }
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
