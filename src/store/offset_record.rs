//! The records of `__consumer_offsets`, in Kafka's schema.
//!
//! ```text
//!   key    int16 1, string group, string topic, int32 partition
//!   value  int16 3, int64 offset, int32 leader epoch, string metadata, int64 commit timestamp
//!          int16 1, int64 offset, string metadata, int64 commit timestamp, int64 expire timestamp
//! ```
//!
//! The older value is written where there is something to say about the expiry, which no later one has room for. A null
//! value takes the offset back. Keys of other kinds (groups, members) are passed over.

use super::offsets::CommittedOffset;
use super::record_fields::{Fields, invalid, put_string};
use crate::error::Result;
use crate::types::TopicPartition;

const OFFSET_KEY_VERSION: i16 = 1;
const OFFSET_VALUE_VERSION: i16 = 3;
/// The one with an expire timestamp.
const EXPIRING_VALUE_VERSION: i16 = 1;

/// Which offset a record is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OffsetKey {
    pub(super) group: String,
    pub(super) partition: TopicPartition,
}

impl OffsetKey {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = OFFSET_KEY_VERSION.to_be_bytes().to_vec();
        put_string(&mut bytes, &self.group);
        put_string(&mut bytes, &self.partition.topic);
        bytes.extend(self.partition.partition.to_be_bytes());
        bytes
    }

    /// The key in `bytes`; None if it is not one of an offset.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<Self>> {
        let mut fields = Fields::new(bytes);
        // Version 0 came before 1 and means the same.
        if !matches!(fields.i16()?, 0 | OFFSET_KEY_VERSION) {
            return Ok(None);
        }
        let (group, topic, partition) = (fields.string()?, fields.string()?, fields.i32()?);
        Ok(Some(Self { group, partition: TopicPartition::new(topic, partition) }))
    }
}

impl CommittedOffset {
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = if self.expire_timestamp.is_some() { EXPIRING_VALUE_VERSION } else { OFFSET_VALUE_VERSION };
        let mut bytes = version.to_be_bytes().to_vec();
        bytes.extend(self.offset.to_be_bytes());
        if version == OFFSET_VALUE_VERSION {
            bytes.extend(self.leader_epoch.unwrap_or(-1).to_be_bytes());
        }
        put_string(&mut bytes, &self.metadata);
        bytes.extend(self.commit_timestamp.to_be_bytes());
        bytes.extend(self.expire_timestamp.iter().flat_map(|timestamp| timestamp.to_be_bytes()));
        bytes
    }

    /// Reads the versions that Kafka has written: 0 to 2 without a leader epoch, 3, and 4 in the flexible encoding.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        let version = fields.i16()?;
        if !(0..=4).contains(&version) {
            return Err(invalid(&format!("an offset commit of version {version}")));
        }
        fields.is_flexible = version >= 4;
        let offset = fields.i64()?;
        let leader_epoch = if version >= 3 { Some(fields.i32()?).filter(|epoch| *epoch >= 0) } else { None };
        let (metadata, commit_timestamp) = (fields.string()?, fields.i64()?);
        let expire_timestamp = if version == EXPIRING_VALUE_VERSION { Some(fields.i64()?) } else { None };
        let expire_timestamp = expire_timestamp.filter(|timestamp| *timestamp >= 0);
        Ok(Self { offset, leader_epoch, metadata, commit_timestamp, expire_timestamp })
    }
}

/// Kafka's choice of partition for a group: Java's hash of its name, without the sign.
pub(super) fn partition_for_group(group: &str, partitions: usize) -> usize {
    java_hash(group).checked_abs().unwrap_or(0) as usize % partitions
}

/// Java's hash of a string, over UTF-16.
pub(crate) fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    #[test]
    fn keys_and_values_are_kafkas() {
        let key = OffsetKey { group: "g1".into(), partition: TopicPartition::new("t", 2) };
        assert_eq!(key.encode(), hex("00010002673100017400000002"));
        assert_eq!(OffsetKey::decode(&key.encode()).expect("a key"), Some(key));
        let offset = CommittedOffset {
            offset: 42,
            leader_epoch: Some(3),
            metadata: String::new(),
            commit_timestamp: 1_700_000_000_000,
            expire_timestamp: None,
        };
        assert_eq!(offset.encode(), hex("0003000000000000002a0000000300000000018bcfe56800"));
        assert_eq!(CommittedOffset::decode(&offset.encode()).expect("a value"), offset);
    }

    #[test]
    fn other_versions_are_read() {
        let v1 = CommittedOffset::decode(&hex("0001000000000000002a00026d650000018bcfe56800ffffffffffffffff"));
        let v1 = v1.expect("version 1 has an expiry at its end");
        assert_eq!((v1.offset, v1.leader_epoch, &*v1.metadata, v1.expire_timestamp), (42, None, "me", None));
        let expires = hex("0001000000000000002a00026d650000018bcfe568000000018bcfe56801");
        let v1 = CommittedOffset::decode(&expires).expect("the same, with one that says something");
        assert_eq!((v1.expire_timestamp, v1.encode()), (Some(1_700_000_000_001), expires));
        let v4 = CommittedOffset::decode(&hex("0004000000000000002a00000003036d650000018bcfe5680000"));
        let v4 = v4.expect("version 4 is flexible");
        assert_eq!((v4.offset, v4.leader_epoch, &*v4.metadata), (42, Some(3), "me"));
        assert_eq!(OffsetKey::decode(&hex("000200026731")).expect("a group's key"), None);
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let whole = hex("0003000000000000002a0000000300000000018bcfe56800");
        for len in 0..whole.len() {
            assert!(CommittedOffset::decode(&whole[..len]).is_err(), "{len} bytes");
        }
        let key = hex("00010002673100017400000002");
        for len in 0..key.len() {
            assert!(OffsetKey::decode(&key[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn groups_go_where_kafka_puts_them() {
        for (group, partition) in
            [("my-group", 12), ("console-consumer-1234", 9), ("polygenelubricants", 0), ("foobar", 13)]
        {
            assert_eq!(partition_for_group(group, 50), partition, "{group}");
        }
    }
}
