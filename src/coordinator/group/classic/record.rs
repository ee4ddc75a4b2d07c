//! A group's record in `__consumer_offsets`, in Kafka's schema.
//!
//! ```text
//!   key    int16 2, string group
//!   value  int16 3, string protocol type, int32 generation, nullable string protocol, nullable string leader,
//!          int64 current state timestamp, array of
//!            (string member id, nullable string group instance id, string client id, string client host,
//!             int32 rebalance timeout, int32 session timeout, bytes subscription, bytes assignment)
//! ```
//!
//! A null value takes the group back.

use bytes::Bytes;

use crate::error::Result;
use crate::store::record_fields::{Fields, invalid, put_bytes, put_nullable_string, put_string};

const KEY_VERSION: i16 = 2;
const VALUE_VERSION: i16 = 3;
/// The last version that is read, in the flexible encoding.
const FLEXIBLE_VERSION: i16 = 4;

/// A group in a generation, as it is written down: Kafka's `GroupMetadataValue`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The kind of group; empty if it never had a member.
    pub protocol_type: String,
    /// Which generation.
    pub generation: i32,
    /// The way to assign that the members agreed on; None if there are none.
    pub protocol: Option<String>,
    /// The member that leads.
    pub leader: Option<String>,
    /// Since when it is in this state, in milliseconds since the Unix epoch; −1 if that isn't known.
    pub current_state_timestamp: i64,
    /// The members.
    pub members: Vec<MemberMetadata>,
}

/// A member, as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberMetadata {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where its client is.
    pub client_host: String,
    /// How long it may take to join again, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// How long it counts as alive after its last sign of life, in milliseconds.
    pub session_timeout_ms: i32,
    /// What it said for the group's protocol.
    pub subscription: Bytes,
    /// What it was assigned.
    pub assignment: Bytes,
}

impl GroupMetadata {
    /// The key of the record of a group.
    ///
    /// # Panics
    /// If the name is longer than 32,767 bytes.
    pub fn encode_key(group: &str) -> Vec<u8> {
        let mut bytes = KEY_VERSION.to_be_bytes().to_vec();
        put_string(&mut bytes, group);
        bytes
    }

    /// The group that a record is about; None if its key is of another kind, such as an offset's.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord).
    pub fn decode_key(bytes: &[u8]) -> Result<Option<String>> {
        let mut fields = Fields::new(bytes);
        if fields.i16()? == KEY_VERSION { fields.string().map(Some) } else { Ok(None) }
    }

    /// The value of the record, in version 3, which every Kafka since 2.3 reads.
    ///
    /// # Panics
    /// If a name is longer than 32,767 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = VALUE_VERSION.to_be_bytes().to_vec();
        put_string(&mut bytes, &self.protocol_type);
        bytes.extend(self.generation.to_be_bytes());
        put_nullable_string(&mut bytes, self.protocol.as_deref());
        put_nullable_string(&mut bytes, self.leader.as_deref());
        bytes.extend(self.current_state_timestamp.to_be_bytes());
        bytes.extend((self.members.len() as i32).to_be_bytes());
        for member in &self.members {
            put_string(&mut bytes, &member.member_id);
            put_nullable_string(&mut bytes, member.group_instance_id.as_deref());
            put_string(&mut bytes, &member.client_id);
            put_string(&mut bytes, &member.client_host);
            bytes.extend(member.rebalance_timeout_ms.to_be_bytes());
            bytes.extend(member.session_timeout_ms.to_be_bytes());
            put_bytes(&mut bytes, &member.subscription);
            put_bytes(&mut bytes, &member.assignment);
        }
        bytes
    }

    /// Reads the value of a record in all versions that Kafka has written: 0 to 4.
    ///
    /// # Errors
    /// [`Error::InvalidRecord`](crate::Error::InvalidRecord).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut fields = Fields::new(bytes);
        let version = fields.i16()?;
        if !(0..=FLEXIBLE_VERSION).contains(&version) {
            return Err(invalid(&format!("a group of version {version}")));
        }
        fields.is_flexible = version >= FLEXIBLE_VERSION;
        let mut metadata = Self {
            protocol_type: fields.string()?,
            generation: fields.i32()?,
            protocol: fields.nullable_string()?,
            leader: fields.nullable_string()?,
            current_state_timestamp: if version >= 2 { fields.i64()? } else { -1 },
            members: Vec::new(),
        };
        // Not reserved for: a length is only believed as far as there are bytes.
        for _ in 0..fields.len()?.unwrap_or(0) {
            metadata.members.push(member(&mut fields, version)?);
        }
        if metadata.protocol.is_none() && !metadata.members.is_empty() {
            return Err(invalid("members of a group that has no protocol"));
        }
        fields.tagged(|_, _| Ok(()))?;
        Ok(metadata)
    }
}

fn member(fields: &mut Fields<'_>, version: i16) -> Result<MemberMetadata> {
    let member_id = fields.string()?;
    let group_instance_id = if version >= 3 { fields.nullable_string()? } else { None };
    let (client_id, client_host) = (fields.string()?, fields.string()?);
    let rebalance_timeout_ms = if version >= 1 { fields.i32()? } else { -1 };
    let session_timeout_ms = fields.i32()?;
    let member = MemberMetadata {
        member_id,
        group_instance_id,
        client_id,
        client_host,
        rebalance_timeout_ms: if rebalance_timeout_ms < 0 { session_timeout_ms } else { rebalance_timeout_ms },
        session_timeout_ms,
        subscription: Bytes::copy_from_slice(fields.bytes()?),
        assignment: Bytes::copy_from_slice(fields.bytes()?),
    };
    fields.tagged(|_, _| Ok(()))?;
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::super::super::consumer_protocol::{Assignment, Subscription};
    use super::*;
    use crate::types::TopicPartition;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    const VALUE: &str = "00030008636f6e73756d657200000001000572616e676500026d310000018bcfe568000000000100026d31ffff0001\
        63000a2f3132372e302e302e31000493e00000afc800000017000300000001000174ffffffff00000000ffffffffffff0000001900030000\
        0001000174000000020000000000000001ffffffff";

    fn group() -> GroupMetadata {
        GroupMetadata {
            protocol_type: "consumer".into(),
            generation: 1,
            protocol: Some("range".into()),
            leader: Some("m1".into()),
            current_state_timestamp: 1_700_000_000_000,
            members: vec![MemberMetadata {
                member_id: "m1".into(),
                group_instance_id: None,
                client_id: "c".into(),
                client_host: "/127.0.0.1".into(),
                rebalance_timeout_ms: 300_000,
                session_timeout_ms: 45_000,
                subscription: hex("000300000001000174ffffffff00000000ffffffffffff").into(),
                assignment: hex("000300000001000174000000020000000000000001ffffffff").into(),
            }],
        }
    }

    #[test]
    fn keys_and_values_are_kafkas() {
        assert_eq!(GroupMetadata::encode_key("g1"), hex("000200026731"));
        assert_eq!(GroupMetadata::decode_key(&hex("000200026731")).expect("a key").as_deref(), Some("g1"));
        assert_eq!(GroupMetadata::decode_key(&hex("00010002673100017400000002")).expect("an offset's key"), None);
        assert_eq!(group().encode(), hex(VALUE));
        assert_eq!(GroupMetadata::decode(&hex(VALUE)).expect("a value"), group());
        let member = &group().members[0];
        let subscription = Subscription { topics: vec!["t".into()], ..Subscription::default() };
        assert_eq!(subscription.encode(), member.subscription);
        let partitions = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
        assert_eq!(Assignment { partitions, user_data: None }.encode(), member.assignment);
    }

    #[test]
    fn other_versions_are_read() {
        // Version 0 has neither a timestamp nor a rebalance timeout.
        let v0 = "00000008636f6e73756d657200000001000572616e676500026d310000000100026d310001630001680000afc8000000000000\
            0000";
        let v0 = hex(v0);
        let v0 = GroupMetadata::decode(&v0).expect("version 0");
        assert_eq!((v0.current_state_timestamp, v0.members[0].rebalance_timeout_ms), (-1, 45_000));
        let v4 = "000409636f6e73756d6572000000010672616e6765036d310000018bcfe5680002036d3100026302680000000100000002\
            01010000";
        let v4 = hex(v4);
        let v4 = GroupMetadata::decode(&v4).expect("version 4 is flexible");
        assert_eq!((v4.members[0].rebalance_timeout_ms, v4.members[0].session_timeout_ms), (1, 2));
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let whole = hex(VALUE);
        for len in 0..whole.len() {
            assert!(GroupMetadata::decode(&whole[..len]).is_err(), "{len} bytes");
        }
        let no_protocol = GroupMetadata { protocol: None, ..group() };
        assert!(GroupMetadata::decode(&no_protocol.encode()).is_err());
    }
}
