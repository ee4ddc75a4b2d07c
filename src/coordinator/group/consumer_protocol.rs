//! What consumers of a group tell each other by way of the coordinator, in Kafka's schema: what each subscribes to, and
//! what the leader assigns to it. Coordinators don't understand it, and need not.
//!
//! ```text
//!   subscription  int16 version, array of string topics, nullable bytes user data,
//!                 1: array of (string topic, array of int32 partitions) owned,  2: int32 generation,
//!                 3: nullable string rack
//!   assignment    int16 version, array of (string topic, array of int32 partitions), nullable bytes user data
//! ```
//!
//! Readers take as much of a later version as they understand.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::store::record_fields::{Fields, invalid, put_bytes, put_nullable_string, put_string};
use crate::types::TopicPartition;

/// The version that is written, as by Kafka's consumers since 3.5.
const VERSION: i16 = 3;
/// What stands for no generation.
pub(crate) const NO_GENERATION: i32 = -1;

/// What a member of a group of consumers wants to read, and what it has (Kafka's `ConsumerProtocolSubscription`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it wants to read.
    pub topics: Vec<String>,
    /// Whatever its assignor wants the leader's to know.
    pub user_data: Option<Bytes>,
    /// The partitions that it has not given up.
    pub owned_partitions: Vec<TopicPartition>,
    /// The generation in which it got them, if it was in one.
    pub generation: Option<i32>,
    /// The rack that it is in, which no assignor here looks at.
    pub rack_id: Option<String>,
    /// Its name, if it is a static member. The coordinator knows it, and it is not encoded.
    pub group_instance_id: Option<String>,
}

/// What the leader gives a member (Kafka's `ConsumerProtocolAssignment`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The partitions to read.
    pub partitions: Vec<TopicPartition>,
    /// Whatever the leader's assignor wants the member's to know.
    pub user_data: Option<Bytes>,
}

impl Subscription {
    /// The subscription as it goes into a JoinGroup, in version 3.
    ///
    /// # Panics
    /// If a topic's name is longer than 32,767 bytes; none can have one longer than 249.
    pub fn encode(&self) -> Bytes {
        let mut bytes = VERSION.to_be_bytes().to_vec();
        let mut topics: Vec<&String> = self.topics.iter().collect();
        topics.sort_unstable();
        bytes.extend((topics.len() as i32).to_be_bytes());
        topics.into_iter().for_each(|topic| put_string(&mut bytes, topic));
        put_nullable_bytes(&mut bytes, self.user_data.as_deref());
        put_partitions(&mut bytes, &self.owned_partitions);
        bytes.extend(self.generation.unwrap_or(NO_GENERATION).to_be_bytes());
        put_nullable_string(&mut bytes, self.rack_id.as_deref());
        bytes.into()
    }

    /// Reads a subscription of any version.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        let version = version(&mut fields)?;
        let mut subscription = Self { topics: topics(&mut fields)?, ..Self::default() };
        subscription.user_data = nullable_bytes(&mut fields)?;
        if version >= 1 {
            subscription.owned_partitions = partitions(&mut fields)?;
        }
        if version >= 2 {
            subscription.generation = Some(fields.i32()?).filter(|generation| *generation >= 0);
        }
        if version >= 3 {
            subscription.rack_id = fields.nullable_string()?;
        }
        Ok(subscription)
    }
}

impl Assignment {
    /// The assignment as it goes into a SyncGroup, in version 3.
    ///
    /// # Panics
    /// As [`Subscription::encode`].
    pub fn encode(&self) -> Bytes {
        self.encode_for(VERSION)
    }

    /// The assignment for a member that speaks that version. They differ in the number alone.
    pub(super) fn encode_for(&self, version: i16) -> Bytes {
        let mut bytes = version.clamp(0, VERSION).to_be_bytes().to_vec();
        put_partitions(&mut bytes, &self.partitions);
        put_nullable_bytes(&mut bytes, self.user_data.as_deref());
        bytes.into()
    }

    /// Reads an assignment of any version. A member to which nothing was assigned may have no bytes at all.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = Fields::new(bytes);
        version(&mut fields)?;
        Ok(Self { partitions: partitions(&mut fields)?, user_data: nullable_bytes(&mut fields)? })
    }
}

/// The version of a subscription; the latest where it can't be told.
pub(super) fn subscription_version(subscription: &[u8]) -> i16 {
    Fields::new(subscription).i16().unwrap_or(VERSION)
}

/// The topics in a subscription, which all versions begin with.
pub(super) fn subscribed_topics(subscription: &[u8]) -> Result<Vec<String>> {
    let mut fields = Fields::new(subscription);
    fields.i16()?;
    topics(&mut fields)
}

fn version(fields: &mut Fields<'_>) -> Result<i16> {
    match fields.i16()? {
        version if version < 0 => Err(invalid("a negative version of the consumer protocol")),
        version => Ok(version),
    }
}

fn topics(fields: &mut Fields<'_>) -> Result<Vec<String>> {
    // Not reserved for: a length is only believed as far as there are bytes.
    (0..fields.len()?.unwrap_or(0)).map(|_| fields.string()).collect()
}

fn nullable_bytes(fields: &mut Fields<'_>) -> Result<Option<Bytes>> {
    fields.nullable_bytes().map(|bytes| bytes.map(Bytes::copy_from_slice))
}

fn put_nullable_bytes(bytes: &mut Vec<u8>, put: Option<&[u8]>) {
    match put {
        Some(put) => put_bytes(bytes, put),
        None => bytes.extend((-1_i32).to_be_bytes()),
    }
}

/// Reads partitions, by topic.
pub(super) fn partitions(fields: &mut Fields<'_>) -> Result<Vec<TopicPartition>> {
    let mut partitions = Vec::new();
    for _ in 0..fields.len()?.unwrap_or(0) {
        let topic: Arc<str> = fields.string()?.into();
        for _ in 0..fields.len()?.unwrap_or(0) {
            partitions.push(TopicPartition::new(topic.clone(), fields.i32()?));
        }
    }
    Ok(partitions)
}

/// Puts partitions, by topic.
pub(super) fn put_partitions(bytes: &mut Vec<u8>, partitions: &[TopicPartition]) {
    let mut by_topic = BTreeMap::<&str, Vec<i32>>::new();
    for partition in partitions {
        by_topic.entry(&partition.topic).or_default().push(partition.partition);
    }
    bytes.extend((by_topic.len() as i32).to_be_bytes());
    for (topic, partitions) in by_topic {
        put_string(bytes, topic);
        bytes.extend((partitions.len() as i32).to_be_bytes());
        partitions.into_iter().for_each(|partition| bytes.extend(partition.to_be_bytes()));
    }
}
