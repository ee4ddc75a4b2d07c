//! The records of a consumer group in `__consumer_offsets`, in Kafka's schemas.
//!
//! ```text
//!   key                                    value, version 0, all flexible
//!   int16 3, group                         ConsumerGroupMetadata: int32 epoch, tag 0 int64 metadata hash
//!   int16 5, group, member id              ConsumerGroupMemberMetadata: nullable string instance id, nullable string
//!                                          rack id, string client id, string client host, array of string topic names,
//!                                          nullable string regex, int32 rebalance timeout, nullable string assignor,
//!                                          tag 0 classic member
//!   int16 6, group                         ConsumerGroupTargetAssignmentMetadata: int32 epoch
//!   int16 7, group, member id              ConsumerGroupTargetAssignmentMember: topic partitions
//!   int16 8, group, member id              ConsumerGroupCurrentMemberAssignment: int32 epoch, int32 previous epoch,
//!                                          int8 state, topic partitions, topic partitions to be revoked
//!   int16 16, group, regular expression    ConsumerGroupRegularExpression: array of string topics, int64 version of the
//!                                          metadata, int64 timestamp
//!
//!   topic partitions                       array of (uuid topic, array of int32 partition; of the current assignment
//!                                          tag 0 array of int32 epoch)
//! ```
//!
//! A null value takes back what the record says. Key 4, ConsumerGroupPartitionMetadata, is what Kafka 4.0 wrote in the
//! place of the hash: it is known, so that it can be taken back, and not looked into.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::classic::GroupMetadata;
use super::super::message::JoinProtocol;
use crate::error::Result;
use crate::store::record_fields::{
    Fields, invalid, put_compact, put_compact_len, put_compact_nullable, put_string, put_tagged,
};
use crate::uuid::Uuid;

const CLASSIC: i16 = 2;
const EPOCH: i16 = 3;
const PARTITION_METADATA: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

/// The partitions of each topic, which never has none.
pub type Partitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// A record about a group. None takes back what was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupRecord {
    /// A group of the classic protocol: `GroupMetadata`.
    Classic(Option<GroupMetadata>),
    /// There is a consumer group: `ConsumerGroupMetadata`. Without it there is none.
    ConsumerGroup(Option<ConsumerGroupMetadataValue>),
    /// The topics of a consumer group, as Kafka 4.0 wrote them down: `ConsumerGroupPartitionMetadata`. Says whether
    /// there is such a record.
    PartitionMetadata(bool),
    /// What a member wants: `ConsumerGroupMemberMetadata`.
    Member(String, Option<ConsumerMemberMetadata>),
    /// The group epoch that the target assignment is of: `ConsumerGroupTargetAssignmentMetadata`.
    TargetEpoch(Option<i32>),
    /// What a member is to have: `ConsumerGroupTargetAssignmentMember`.
    Target(String, Option<Partitions>),
    /// What a member has: `ConsumerGroupCurrentMemberAssignment`.
    Current(String, Option<CurrentAssignment>),
    /// The topics that a regular expression stands for: `ConsumerGroupRegularExpression`.
    Regex(String, Option<ResolvedRegex>),
}

/// A consumer group: Kafka's `ConsumerGroupMetadataValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerGroupMetadataValue {
    /// The group epoch.
    pub epoch: i32,
    /// A hash of the topics that its members are subscribed to, their ids and partition counts; 0 if there are none.
    pub metadata_hash: i64,
}

/// What a member of a consumer group wants: Kafka's `ConsumerGroupMemberMetadataValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerMemberMetadata {
    /// Its name, if it is static.
    pub instance_id: Option<String>,
    /// The rack that it is in, if it says so.
    pub rack_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where its client is.
    pub client_host: String,
    /// The topics that it is subscribed to by name.
    pub topic_names: BTreeSet<String>,
    /// The regular expression that it is subscribed to.
    pub topic_regex: Option<String>,
    /// How long it may take to revoke partitions, in milliseconds; −1 if it never said.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it asks for.
    pub server_assignor: Option<String>,
    /// What it said if it uses the classic protocol.
    pub classic: Option<ClassicMemberMetadata>,
}

/// What a member of a consumer group said that uses the classic protocol, as Kafka lets it while a group is migrated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassicMemberMetadata {
    /// How long it counts as alive after its last sign of life, in milliseconds.
    pub session_timeout_ms: i32,
    /// The ways to assign that it knows.
    pub protocols: Vec<JoinProtocol>,
}

/// What a member has: Kafka's `ConsumerGroupCurrentMemberAssignmentValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentAssignment {
    /// The epoch that it is in.
    pub epoch: i32,
    /// The epoch that it was in before.
    pub previous_epoch: i32,
    /// How far it is on the way to its target.
    pub state: MemberState,
    /// The partitions that it may read.
    pub assigned: Partitions,
    /// The partitions that it was told to let go of.
    pub revoking: Partitions,
    /// In which epoch it was assigned each of all these (KIP-1251), as far as that is known.
    pub assigned_in: BTreeMap<(Uuid, i32), i32>,
}

/// How far a member is on the way to its target assignment: Kafka's `MemberState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemberState {
    /// It has all that it is to have in its epoch.
    #[default]
    Stable,
    /// It must let go of partitions first.
    UnrevokedPartitions,
    /// It waits for partitions that others must let go of.
    UnreleasedPartitions,
    /// A later Kafka knows more states.
    Unknown,
}

/// The topics that a regular expression stands for: Kafka's `ConsumerGroupRegularExpressionValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedRegex {
    /// Their names.
    pub topics: BTreeSet<String>,
    /// The version of Kafka's metadata that it was matched with; 0 here, so that Kafka matches it again.
    pub version: i64,
    /// When it was matched, in milliseconds since the Unix epoch.
    pub timestamp: i64,
}

impl GroupRecord {
    /// The record's key, in a group of that name.
    ///
    /// # Panics
    /// If a name is longer than 32,767 bytes. The coordinator lets none in.
    pub fn encode_key(&self, group: &str) -> Vec<u8> {
        let (version, of) = match self {
            Self::Classic(_) => (CLASSIC, None),
            Self::ConsumerGroup(_) => (EPOCH, None),
            Self::PartitionMetadata(_) => (PARTITION_METADATA, None),
            Self::Member(member, _) => (MEMBER, Some(member)),
            Self::TargetEpoch(_) => (TARGET_EPOCH, None),
            Self::Target(member, _) => (TARGET, Some(member)),
            Self::Current(member, _) => (CURRENT, Some(member)),
            Self::Regex(regex, _) => (REGEX, Some(regex)),
        };
        let mut bytes = version.to_be_bytes().to_vec();
        put_string(&mut bytes, group);
        if let Some(of) = of {
            put_string(&mut bytes, of);
        }
        bytes
    }

    /// The record's value; None takes it back.
    ///
    /// # Panics
    /// As [`encode_key`](Self::encode_key), of a group of the classic protocol.
    pub fn encode_value(&self) -> Option<Vec<u8>> {
        let mut bytes = 0_i16.to_be_bytes().to_vec();
        match self {
            Self::Classic(metadata) => return metadata.as_ref().map(GroupMetadata::encode),
            Self::ConsumerGroup(metadata) => {
                let metadata = metadata.as_ref()?;
                bytes.extend(metadata.epoch.to_be_bytes());
                let hash = (0, metadata.metadata_hash.to_be_bytes().to_vec());
                put_tagged(&mut bytes, if metadata.metadata_hash == 0 { &[] } else { std::slice::from_ref(&hash) });
            }
            // It is only ever taken back.
            Self::PartitionMetadata(_) => return None,
            Self::Member(_, metadata) => metadata.as_ref()?.encode(&mut bytes),
            Self::TargetEpoch(epoch) => {
                bytes.extend(epoch.as_ref()?.to_be_bytes());
                put_tagged(&mut bytes, &[]);
            }
            Self::Target(_, partitions) => {
                put_partitions(&mut bytes, partitions.as_ref()?);
                put_tagged(&mut bytes, &[]);
            }
            Self::Current(_, current) => current.as_ref()?.encode(&mut bytes),
            Self::Regex(_, resolved) => {
                let resolved = resolved.as_ref()?;
                put_compact_len(&mut bytes, resolved.topics.len());
                resolved.topics.iter().for_each(|topic| put_compact(&mut bytes, topic));
                bytes.extend(resolved.version.to_be_bytes());
                bytes.extend(resolved.timestamp.to_be_bytes());
                put_tagged(&mut bytes, &[]);
            }
        }
        Some(bytes)
    }

    /// Whether it takes back what was said before.
    pub(in crate::coordinator::group) fn is_tombstone(&self) -> bool {
        match self {
            Self::PartitionMetadata(is_there) => !is_there,
            Self::Classic(metadata) => metadata.is_none(),
            Self::ConsumerGroup(metadata) => metadata.is_none(),
            Self::Member(_, metadata) => metadata.is_none(),
            Self::TargetEpoch(epoch) => epoch.is_none(),
            Self::Target(_, partitions) => partitions.is_none(),
            Self::Current(_, current) => current.is_none(),
            Self::Regex(_, resolved) => resolved.is_none(),
        }
    }

    /// Reads a record, and which group it is about; None if its key is of another kind, such as an offset's.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord).
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<(String, Self)>> {
        let mut fields = Fields::new(key);
        let kind = fields.i16()?;
        if !matches!(kind, CLASSIC..=CURRENT | REGEX) {
            return Ok(None);
        }
        let group = fields.string()?;
        let of = if matches!(kind, MEMBER | TARGET | CURRENT | REGEX) { fields.string()? } else { String::new() };
        if kind == CLASSIC {
            return Ok(Some((group, Self::Classic(value.map(GroupMetadata::decode).transpose()?))));
        }
        let value = value.map(value_of).transpose()?;
        let record = match kind {
            EPOCH => Self::ConsumerGroup(value.map(ConsumerGroupMetadataValue::decode).transpose()?),
            PARTITION_METADATA => Self::PartitionMetadata(value.is_some()),
            MEMBER => Self::Member(of, value.map(ConsumerMemberMetadata::decode).transpose()?),
            TARGET_EPOCH => Self::TargetEpoch(value.map(|mut fields| fields.i32()).transpose()?),
            TARGET => Self::Target(of, value.map(|mut fields| partitions(&mut fields)).transpose()?),
            CURRENT => Self::Current(of, value.map(CurrentAssignment::decode).transpose()?),
            _ => Self::Regex(of, value.map(ResolvedRegex::decode).transpose()?),
        };
        Ok(Some((group, record)))
    }
}

/// The fields of a value. All of them are flexible, in version 0.
fn value_of(bytes: &[u8]) -> Result<Fields<'_>> {
    let mut fields = Fields::new(bytes);
    match fields.i16()? {
        0 => {
            fields.is_flexible = true;
            Ok(fields)
        }
        version => Err(invalid(&format!("a record of a consumer group of version {version}"))),
    }
}

impl Default for ConsumerGroupMetadataValue {
    /// A group that begins: in epoch 1, as Kafka's `ModernGroup` does, without topics.
    fn default() -> Self {
        Self { epoch: 1, metadata_hash: 0 }
    }
}

impl ConsumerGroupMetadataValue {
    fn decode(mut fields: Fields<'_>) -> Result<Self> {
        let mut metadata = Self { epoch: fields.i32()?, metadata_hash: 0 };
        fields.tagged(|tag, mut field| {
            if tag == 0 {
                metadata.metadata_hash = field.i64()?;
            }
            Ok(())
        })?;
        Ok(metadata)
    }
}

impl ConsumerMemberMetadata {
    fn encode(&self, bytes: &mut Vec<u8>) {
        put_compact_nullable(bytes, self.instance_id.as_ref());
        put_compact_nullable(bytes, self.rack_id.as_ref());
        put_compact(bytes, &self.client_id);
        put_compact(bytes, &self.client_host);
        put_compact_len(bytes, self.topic_names.len());
        self.topic_names.iter().for_each(|topic| put_compact(bytes, topic));
        put_compact_nullable(bytes, self.topic_regex.as_ref());
        bytes.extend(self.rebalance_timeout_ms.to_be_bytes());
        put_compact_nullable(bytes, self.server_assignor.as_ref());
        let classic = self.classic.as_ref().map(|ClassicMemberMetadata { session_timeout_ms, protocols }| {
            // A nullable structure says first that it is there.
            let mut classic = vec![1];
            classic.extend(session_timeout_ms.to_be_bytes());
            put_compact_len(&mut classic, protocols.len());
            for JoinProtocol { name, metadata } in protocols {
                put_compact(&mut classic, name);
                put_compact(&mut classic, metadata);
                put_tagged(&mut classic, &[]);
            }
            put_tagged(&mut classic, &[]);
            (0, classic)
        });
        put_tagged(bytes, classic.as_slice());
    }

    fn decode(mut fields: Fields<'_>) -> Result<Self> {
        let mut metadata = Self {
            instance_id: fields.nullable_string()?,
            rack_id: fields.nullable_string()?,
            client_id: fields.string()?,
            client_host: fields.string()?,
            ..Self::default()
        };
        metadata.topic_names = strings(&mut fields)?;
        metadata.topic_regex = fields.nullable_string()?;
        metadata.rebalance_timeout_ms = fields.i32()?;
        metadata.server_assignor = fields.nullable_string()?;
        fields.tagged(|tag, mut field| {
            if tag == 0 && field.i8()? >= 0 {
                let session_timeout_ms = field.i32()?;
                let mut protocols = Vec::new();
                field.each(|field| {
                    let (name, metadata) = (field.string()?, Bytes::copy_from_slice(field.bytes()?));
                    protocols.push(JoinProtocol { name, metadata });
                    field.tagged(|_, _| Ok(()))
                })?;
                metadata.classic = Some(ClassicMemberMetadata { session_timeout_ms, protocols });
            }
            Ok(())
        })?;
        Ok(metadata)
    }
}

impl CurrentAssignment {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(self.previous_epoch.to_be_bytes());
        bytes.push(self.state.code());
        for topics in [&self.assigned, &self.revoking] {
            put_compact_len(bytes, topics.len());
            for (topic, partitions) in topics {
                put_topic(bytes, *topic, partitions);
                put_tagged(bytes, self.epochs_of(*topic, partitions).as_slice());
            }
        }
        put_tagged(bytes, &[]);
    }

    /// The field that says when partitions of a topic were assigned, if that is known of any. Of the others it is the
    /// epoch that the member is in, to be on the safe side.
    fn epochs_of(&self, topic: Uuid, partitions: &BTreeSet<i32>) -> Option<(u32, Vec<u8>)> {
        let known: Vec<_> = partitions.iter().map(|partition| self.assigned_in.get(&(topic, *partition))).collect();
        known.iter().any(Option::is_some).then(|| {
            let mut field = Vec::new();
            put_compact_len(&mut field, known.len());
            known.iter().for_each(|epoch| field.extend(epoch.unwrap_or(&self.epoch).to_be_bytes()));
            (0, field)
        })
    }

    fn decode(mut fields: Fields<'_>) -> Result<Self> {
        let mut assigned_in = BTreeMap::new();
        Ok(Self {
            epoch: fields.i32()?,
            previous_epoch: fields.i32()?,
            state: MemberState::from_code(fields.i8()?),
            assigned: partitions_with_epochs(&mut fields, &mut assigned_in)?,
            revoking: partitions_with_epochs(&mut fields, &mut assigned_in)?,
            assigned_in,
        })
    }
}

impl ResolvedRegex {
    fn decode(mut fields: Fields<'_>) -> Result<Self> {
        Ok(Self { topics: strings(&mut fields)?, version: fields.i64()?, timestamp: fields.i64()? })
    }
}

impl MemberState {
    const fn code(self) -> u8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown => 127,
        }
    }

    const fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            _ => Self::Unknown,
        }
    }
}

fn put_partitions(bytes: &mut Vec<u8>, topics: &Partitions) {
    put_compact_len(bytes, topics.len());
    for (topic, partitions) in topics {
        put_topic(bytes, *topic, partitions);
        put_tagged(bytes, &[]);
    }
}

fn put_topic(bytes: &mut Vec<u8>, topic: Uuid, partitions: &BTreeSet<i32>) {
    bytes.extend(topic.to_bytes());
    put_compact_len(bytes, partitions.len());
    partitions.iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
}

fn partitions(fields: &mut Fields<'_>) -> Result<Partitions> {
    partitions_with_epochs(fields, &mut BTreeMap::new())
}

fn partitions_with_epochs(fields: &mut Fields<'_>, epochs: &mut BTreeMap<(Uuid, i32), i32>) -> Result<Partitions> {
    let mut topics = Partitions::new();
    fields.each(|fields| {
        let topic = fields.uuid()?;
        let mut listed = Vec::new();
        fields.each(|fields| {
            listed.push(fields.i32()?);
            Ok(())
        })?;
        fields.tagged(|tag, mut field| {
            let mut partitions = listed.iter();
            if tag == 0 {
                field.each(|field| {
                    let epoch = field.i32()?;
                    epochs.extend(partitions.next().map(|partition| ((topic, *partition), epoch)));
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        if !listed.is_empty() {
            topics.insert(topic, listed.into_iter().collect());
        }
        Ok(())
    })?;
    Ok(topics)
}

fn strings(fields: &mut Fields<'_>) -> Result<BTreeSet<String>> {
    let mut strings = BTreeSet::new();
    fields.each(|fields| {
        strings.insert(fields.string()?);
        Ok(())
    })?;
    Ok(strings)
}
