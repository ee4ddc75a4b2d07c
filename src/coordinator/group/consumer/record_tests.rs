//! The records, held against what Kafka 4.3 writes.

use super::record::*;
use crate::coordinator::JoinProtocol;
use crate::uuid::Uuid;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn part(partitions: &[i32]) -> Partitions {
    [(Uuid::from_bytes([1; 16]), partitions.iter().copied().collect())].into()
}

fn current() -> CurrentAssignment {
    let state = MemberState::UnrevokedPartitions;
    let (assigned, revoking) = (part(&[0]), part(&[3]));
    CurrentAssignment { epoch: 7, previous_epoch: 6, state, assigned, revoking, ..CurrentAssignment::default() }
}

/// Each with Kafka's key and value.
fn records() -> Vec<(GroupRecord, &'static str, &'static str)> {
    let member = ConsumerMemberMetadata {
        instance_id: Some("i1".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        topic_names: ["t".into(), "u".into()].into(),
        topic_regex: Some("x.*".into()),
        rebalance_timeout_ms: 300_000,
        server_assignor: Some("range".into()),
        ..ConsumerMemberMetadata::default()
    };
    let range = JoinProtocol { name: "range".into(), metadata: vec![1, 2].into() };
    let classic = ConsumerMemberMetadata {
        instance_id: Some(String::new()),
        rack_id: Some(String::new()),
        topic_regex: Some(String::new()),
        client_id: "c".into(),
        client_host: "h".into(),
        rebalance_timeout_ms: 1,
        server_assignor: Some(String::new()),
        classic: Some(ClassicMemberMetadata { session_timeout_ms: 2, protocols: vec![range] }),
        ..ConsumerMemberMetadata::default()
    };
    let metadata = ConsumerGroupMetadataValue { epoch: 7, metadata_hash: 0x0102_0304_0506_0708 };
    let regex = ResolvedRegex { topics: ["x1".into()].into(), version: 0, timestamp: 1_700_000_000_000 };
    let (member_key, m1) = ("00050002673100026d31", || "m1".to_owned());
    vec![
        (GroupRecord::ConsumerGroup(Some(metadata)), "000300026731", "0000000000070100080102030405060708"),
        (
            GroupRecord::Member(m1(), Some(member)),
            member_key,
            "00000369310002630b2f3132372e302e302e31030274027504782e2a000493e00672616e676500",
        ),
        (
            GroupRecord::Member(m1(), Some(classic)),
            member_key,
            "0000010102630268010100000001010100110100000002020672616e67650301020000",
        ),
        (GroupRecord::TargetEpoch(Some(7)), "000600026731", "00000000000700"),
        (
            GroupRecord::Target(m1(), Some(part(&[0, 3]))),
            "00070002673100026d31",
            "000002010101010101010101010101010101010300000000000000030000",
        ),
        (
            GroupRecord::Current(m1(), Some(current())),
            "00080002673100026d31",
            "00000000000700000006010201010101010101010101010101010101020000000000020101010101010101010101010101010102\
             000000030000",
        ),
        (
            GroupRecord::Regex("x.*".into(), Some(regex)),
            "0010000267310003782e2a",
            "00000203783100000000000000000000018bcfe5680000",
        ),
    ]
}

#[test]
fn records_are_kafkas() {
    for (record, key, value) in records() {
        assert_eq!(record.encode_value().as_deref(), Some(&*hex(value)), "{record:?}");
        assert_eq!(record.encode_key("g1"), hex(key), "{record:?}");
        let read = GroupRecord::decode(&hex(key), Some(&hex(value))).expect("a record");
        assert_eq!(read, Some(("g1".to_owned(), record)));
    }
}

#[test]
fn the_epochs_of_partitions_are_those_of_kafka_4_3() {
    let value = "000000000007000000060102010101010101010101010101010101010200000000010005020000000502010101010101010101010101\
                 010101010200000003010005020000000400";
    let read = GroupRecord::decode(&hex("00080002673100026d31"), Some(&hex(value))).expect("a record");
    let topic = Uuid::from_bytes([1; 16]);
    let record = GroupRecord::Current(
        "m1".into(),
        Some(CurrentAssignment { assigned_in: [((topic, 0), 5), ((topic, 3), 4)].into(), ..current() }),
    );
    assert_eq!(record.encode_value(), Some(hex(value)));
    assert_eq!(read, Some(("g1".to_owned(), record)));
    let other = GroupRecord::decode(&hex("000900026731"), None).expect("a key of another kind");
    assert_eq!(other, None);
}

#[test]
fn what_is_cut_short_is_an_error() {
    for (record, key, _) in records() {
        let value = record.encode_value().expect("a value");
        // The last byte says that no tagged fields follow, and these are passed over.
        for len in 0..value.len() - 1 {
            let read = GroupRecord::decode(&hex(key), Some(&value[..len]));
            assert!(read.is_err(), "{len} bytes of {record:?}");
        }
    }
}
