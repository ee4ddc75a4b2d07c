//! The records of `__transaction_state`, in Kafka's schema.
//!
//! ```text
//!   key      int16 0, string transactional id
//!   value 0  int16 0, int64 producer id, int16 producer epoch, int32 timeout ms, int8 state,
//!            array of (string topic, array of int32 partition), null if the state is Empty,
//!            int64 last update ms, int64 start ms
//!   value 1  the same with compact arrays and strings, tagged fields after each structure, and at the end
//!            tag 0  int64 previous producer id (−1)
//!            tag 1  int64 next producer id (−1)
//!            tag 2  int16 client transaction version (0)
//! ```
//!
//! A null value takes the id back. Version 0 is written unless only version 1 can say what there is to say: brokers
//! before 4.0 read the former alone. Keys of other versions are passed over.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::metadata::{TransactionMetadata, TransactionVersion};
use crate::error::Result;
use crate::store::record_fields::{Fields, invalid, put_compact, put_compact_len, put_string, put_tagged, put_uvarint};
use crate::types::{NO_PRODUCER_ID, ProducerIdAndEpoch, TopicPartition, TransactionState};

const KEY_VERSION: i16 = 0;
const CLASSIC: i16 = 0;
const FLEXIBLE: i16 = 1;
const PREVIOUS_PRODUCER_ID: u32 = 0;
const NEXT_PRODUCER_ID: u32 = 1;
const CLIENT_TRANSACTION_VERSION: u32 = 2;

pub(super) fn encode_key(transactional_id: &str) -> Vec<u8> {
    let mut bytes = KEY_VERSION.to_be_bytes().to_vec();
    put_string(&mut bytes, transactional_id);
    bytes
}

/// The transactional id in a key; None if it is another kind of key.
pub(super) fn decode_key(bytes: &[u8]) -> Result<Option<Arc<str>>> {
    let mut fields = Fields::new(bytes);
    if fields.i16()? != KEY_VERSION {
        return Ok(None);
    }
    fields.string().map(|id| Some(id.into()))
}

pub(super) fn encode_value(metadata: &TransactionMetadata) -> Vec<u8> {
    let says_more = metadata.client_version != TransactionVersion::V0 || metadata.next_producer_id != NO_PRODUCER_ID;
    let mut bytes = if says_more { FLEXIBLE } else { CLASSIC }.to_be_bytes().to_vec();
    bytes.extend(metadata.producer.producer_id.to_be_bytes());
    bytes.extend(metadata.producer.producer_epoch.to_be_bytes());
    bytes.extend(metadata.timeout_ms.to_be_bytes());
    bytes.extend(metadata.state.id().to_be_bytes());
    let partitions = Some(&metadata.partitions).filter(|_| metadata.state != TransactionState::Empty);
    put_partitions(&mut bytes, partitions, says_more);
    bytes.extend(metadata.last_update_timestamp.to_be_bytes());
    bytes.extend(metadata.start_timestamp.to_be_bytes());
    if says_more {
        let mut tagged: Vec<(u32, Vec<u8>)> = Vec::new();
        for (tag, id) in
            [(PREVIOUS_PRODUCER_ID, metadata.previous_producer_id), (NEXT_PRODUCER_ID, metadata.next_producer_id)]
        {
            if id != NO_PRODUCER_ID {
                tagged.push((tag, id.to_be_bytes().to_vec()));
            }
        }
        if metadata.client_version != TransactionVersion::V0 {
            tagged.push((CLIENT_TRANSACTION_VERSION, metadata.client_version.0.to_be_bytes().to_vec()));
        }
        put_tagged(&mut bytes, &tagged);
    }
    bytes
}

pub(super) fn decode_value(transactional_id: &Arc<str>, bytes: &[u8]) -> Result<TransactionMetadata> {
    let mut fields = Fields::new(bytes);
    let version = fields.i16()?;
    if !matches!(version, CLASSIC | FLEXIBLE) {
        return Err(invalid(&format!("a transaction of version {version}")));
    }
    fields.is_flexible = version == FLEXIBLE;
    let producer = ProducerIdAndEpoch::new(fields.i64()?, fields.i16()?);
    let timeout_ms = fields.i32()?;
    let state = state(&mut fields)?;
    let partitions = partitions(&mut fields)?;
    let mut metadata = TransactionMetadata {
        transactional_id: transactional_id.clone(),
        producer,
        previous_producer_id: NO_PRODUCER_ID,
        next_producer_id: NO_PRODUCER_ID,
        last_producer_epoch: -1,
        timeout_ms,
        state,
        partitions,
        last_update_timestamp: fields.i64()?,
        start_timestamp: fields.i64()?,
        client_version: TransactionVersion::V0,
    };
    fields.tagged(|tag, mut field| {
        match tag {
            PREVIOUS_PRODUCER_ID => metadata.previous_producer_id = field.i64()?,
            NEXT_PRODUCER_ID => metadata.next_producer_id = field.i64()?,
            CLIENT_TRANSACTION_VERSION => metadata.client_version = TransactionVersion(field.i16()?),
            _ => {}
        }
        Ok(())
    })?;
    if producer.producer_id < 0 || producer.producer_epoch < 0 {
        return Err(invalid(&format!("a transaction of {producer}")));
    }
    Ok(metadata)
}

fn put_partitions(bytes: &mut Vec<u8>, partitions: Option<&BTreeSet<TopicPartition>>, is_flexible: bool) {
    let put_len = |bytes: &mut Vec<u8>, len: usize| match is_flexible {
        true => put_compact_len(bytes, len),
        false => bytes.extend((len as i32).to_be_bytes()),
    };
    let Some(partitions) = partitions else {
        match is_flexible {
            true => put_uvarint(bytes, 0),
            false => bytes.extend((-1_i32).to_be_bytes()),
        }
        return;
    };
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for partition in partitions {
        match topics.last_mut().filter(|(topic, _)| **topic == *partition.topic) {
            Some((_, indexes)) => indexes.push(partition.partition),
            None => topics.push((&partition.topic, vec![partition.partition])),
        }
    }
    put_len(bytes, topics.len());
    for (topic, indexes) in topics {
        match is_flexible {
            true => put_compact(bytes, topic),
            false => put_string(bytes, topic),
        }
        put_len(bytes, indexes.len());
        indexes.iter().for_each(|index| bytes.extend(index.to_be_bytes()));
        if is_flexible {
            put_tagged(bytes, &[]);
        }
    }
}

/// One of the states that are stored; the others are of a moment.
fn state(fields: &mut Fields<'_>) -> Result<TransactionState> {
    let id = fields.i8()?;
    let is_stored =
        |state: &TransactionState| !matches!(state, TransactionState::Dead | TransactionState::PrepareEpochFence);
    TransactionState::from_id(id)
        .filter(is_stored)
        .ok_or_else(|| invalid(&format!("a transaction in state {id}, which is not stored")))
}

fn partitions(fields: &mut Fields<'_>) -> Result<BTreeSet<TopicPartition>> {
    let mut partitions = BTreeSet::new();
    // No length is believed: each turn takes bytes, or ends this.
    for _ in 0..fields.len()?.unwrap_or(0) {
        let topic: Arc<str> = fields.string()?.into();
        let indexes = fields.len()?.ok_or_else(|| invalid("a topic without partitions"))?;
        for _ in 0..indexes {
            partitions.insert(TopicPartition::new(topic.clone(), fields.i32()?));
        }
        fields.tagged(|_, _| Ok(()))?;
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    /// What Kafka's generated classes wrote.
    const KEY: &str = "000000027478";
    const V0: &str = "00000000000000000fa000020000ea60010000000100017400000001000000000000018bcfe568000000018bcfe56800";
    const V1: &str = "00010000000000000fa000020000ea60010202740200000000000000018bcfe568000000018bcfe568000102020002";

    fn ongoing() -> TransactionMetadata {
        TransactionMetadata {
            transactional_id: "tx".into(),
            producer: ProducerIdAndEpoch::new(4000, 2),
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            last_producer_epoch: -1,
            timeout_ms: 60_000,
            state: TransactionState::Ongoing,
            partitions: [TopicPartition::new("t", 0)].into(),
            start_timestamp: 1_700_000_000_000,
            last_update_timestamp: 1_700_000_000_000,
            client_version: TransactionVersion::V0,
        }
    }

    #[test]
    fn keys_and_values_are_kafkas() {
        let id: Arc<str> = "tx".into();
        assert_eq!(encode_key(&id), hex(KEY));
        assert_eq!(decode_key(&hex(KEY)).expect("a key"), Some(id.clone()));
        assert_eq!(encode_value(&ongoing()), hex(V0));
        assert_eq!(decode_value(&id, &hex(V0)).expect("version 0"), ongoing());
        let of_v2 = TransactionMetadata { client_version: TransactionVersion::V2, ..ongoing() };
        assert_eq!(encode_value(&of_v2), hex(V1));
        assert_eq!(decode_value(&id, &hex(V1)).expect("version 1"), of_v2);
    }

    #[test]
    fn everything_that_is_stored_comes_back() {
        let partitions: BTreeSet<TopicPartition> =
            [("a", 0), ("a", 200), ("a-much-longer-name", 1), ("b", 3)].map(TopicPartition::from).into();
        for state in &TransactionState::ALL[..6] {
            for (next, version) in [(-1, 0), (7, 0), (-1, 2), (9, 2)] {
                let metadata = TransactionMetadata {
                    state: *state,
                    partitions: if *state == TransactionState::Empty { BTreeSet::new() } else { partitions.clone() },
                    next_producer_id: next,
                    previous_producer_id: next,
                    client_version: TransactionVersion(version),
                    ..ongoing()
                };
                let decoded = decode_value(&metadata.transactional_id, &encode_value(&metadata)).expect("a value");
                assert_eq!(decoded, metadata);
            }
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over_or_refused() {
        assert_eq!(decode_key(&hex("000100027478")).expect("a key of another version"), None);
        let id: Arc<str> = "tx".into();
        let with_unknown_tag = V1.replace("0102020002", "02020200020903616263");
        assert!(decode_value(&id, &hex(&with_unknown_tag)).is_ok());
        for (of, by) in [("0000ea6001", "0000ea6006"), ("0000ea6001", "0000ea6008"), ("0fa00002", "0fa0ffff")] {
            assert!(decode_value(&id, &hex(&V0.replace(of, by))).is_err(), "{by}");
        }
        assert!(decode_value(&id, &hex(&V0.replacen("0000", "0002", 1))).is_err(), "another version");
    }

    #[test]
    fn what_is_cut_short_is_an_error_and_no_length_is_believed() {
        let id: Arc<str> = "tx".into();
        for whole in [V0, V1].map(hex) {
            for len in 0..whole.len() {
                assert!(decode_value(&id, &whole[..len]).is_err(), "{len} bytes");
            }
        }
        for len in 0..hex(KEY).len() {
            assert!(decode_key(&hex(KEY)[..len]).is_err(), "{len} bytes");
        }
        let many = V0.replace("0100000001", "017fffffff");
        assert!(decode_value(&id, &hex(&many)).is_err());
    }
}
