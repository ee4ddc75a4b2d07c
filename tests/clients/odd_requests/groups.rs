//! Groups, members and transactions that nobody knows.

use esker::Uuid;
use esker::net::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::leave_group::MemberIdentity;
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use esker::net::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use esker::net::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopic};
use esker::net::messages::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use esker::net::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest,
    DeleteGroupsRequest, DescribeGroupsRequest, DescribeTransactionsRequest, EndTxnRequest, FindCoordinatorRequest,
    HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    ListTransactionsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
    TxnOffsetCommitRequest,
};

use crate::{Anything, Brokers};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) async fn compare(brokers: &mut Brokers) -> Result<(), Anything> {
    for (key, key_type) in [("g", GROUP), ("x", TRANSACTION), ("g", 2), ("g", 9), ("g", -1)] {
        let request = FindCoordinatorRequest { key: key.to_owned(), key_type, ..Default::default() };
        brokers.ask(&format!("{key:?} {key_type}"), &request, &[1, 3]).await?;
        let request = FindCoordinatorRequest { coordinator_keys: vec![key.to_owned()], key_type, ..Default::default() };
        brokers.ask(&format!("{key:?} {key_type}"), &request, &[4, 5]).await?;
    }
    offsets(brokers).await?;
    members(brokers).await?;
    consumer_groups(brokers).await?;
    transactions(brokers).await
}

async fn offsets(brokers: &mut Brokers) -> Result<(), Anything> {
    let long = |bytes| Some("x".repeat(bytes));
    for (group, topic, partition_index, committed_offset, metadata, generation, member_id) in [
        ("g", "t", 0, 1, None, -1, ""),
        ("g", "nobody", 0, 1, None, -1, ""),
        ("g", "a/b", 0, 1, None, -1, ""),
        ("g", "t", 9, 1, None, -1, ""),
        ("g", "t", 0, -5, None, -1, ""),
        ("g", "t", 1, 1 << 40, None, -1, ""),
        ("g", "t", 0, 1, long(4097), -1, ""),
        ("g", "t", 0, 1, long(4096), -1, ""),
        ("g", "t", 0, 1, None, 4, ""),
        ("g", "t", 0, 1, None, -1, "m"),
        ("nobody", "t", 0, 1, None, 4, "m"),
    ] {
        let what = format!("{group:?} {topic} {partition_index} {committed_offset} {generation} {member_id:?}");
        let offset = OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_metadata: metadata,
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic { name: topic.to_owned(), partitions: vec![offset], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: generation,
            member_id: member_id.to_owned(),
            topics: vec![topic],
            ..Default::default()
        };
        brokers.ask(&what, &request, &[2, 6, 9]).await?;
    }
    for (group, topics) in [
        ("g", None),
        ("nobody", None),
        ("nobody", Some(("t", 0))),
        ("g", Some(("t", 9))),
        ("g", Some(("nobody", 0))),
        ("", Some(("t", 0))),
    ] {
        let topic = |(name, index): (&str, i32)| OffsetFetchRequestTopic {
            name: name.to_owned(),
            partition_indexes: vec![index],
        };
        let topics_asked = topics.map(|asked| vec![topic(asked)]);
        let request = OffsetFetchRequest { group_id: group.to_owned(), topics: topics_asked, ..Default::default() };
        brokers.ask(&format!("{group:?} {topics:?}"), &request, &[2, 5, 7]).await?;
    }
    for (group, member_id, member_epoch) in [("g", Some("m"), 3), ("nobody", Some("m"), 3), ("g", None, 3)] {
        let member_id = member_id.map(str::to_owned);
        let group = OffsetFetchRequestGroup { group_id: group.to_owned(), member_id, member_epoch, topics: None };
        let request = OffsetFetchRequest { groups: vec![group.clone()], ..Default::default() };
        brokers.ask(&format!("{group:?}"), &request, &[8, 9]).await?;
    }
    for (group, topic, partition_index) in
        [("nobody", "t", 0), ("", "t", 0), ("g", "nobody", 0), ("g", "t", 9), ("g", "t", 1), ("g", "t", 1)]
    {
        let partitions = vec![OffsetDeleteRequestPartition { partition_index }];
        let topics = vec![OffsetDeleteRequestTopic { name: topic.to_owned(), partitions }];
        let request = OffsetDeleteRequest { group_id: group.to_owned(), topics };
        brokers.ask(&format!("{group:?} {topic} {partition_index}"), &request, &[0]).await?;
    }
    Ok(())
}

async fn members(brokers: &mut Brokers) -> Result<(), Anything> {
    for (what, group, member_id, session_timeout_ms, protocol_type, protocols, instance) in [
        ("no group", "", "", 10_000, "consumer", &["range"][..], None),
        ("1 ms", "j", "", 1, "consumer", &["range"], None),
        ("for ever", "j", "", i32::MAX, "consumer", &["range"], None),
        ("unknown", "j", "m", 10_000, "consumer", &["range"], None),
        ("no type", "j", "", 10_000, "", &["range"], None),
        ("no protocols", "j", "", 10_000, "consumer", &[], None),
        ("unknown and static", "j", "m", 10_000, "consumer", &["range"], Some("i")),
    ] {
        let protocol = |name: &&str| JoinGroupRequestProtocol { name: (*name).to_owned(), ..Default::default() };
        let request = JoinGroupRequest {
            group_id: group.to_owned(),
            session_timeout_ms,
            rebalance_timeout_ms: 10_000,
            member_id: member_id.to_owned(),
            group_instance_id: instance.map(str::to_owned),
            protocol_type: protocol_type.to_owned(),
            protocols: protocols.iter().map(protocol).collect(),
            reason: None,
        };
        brokers.ask(what, &request, &[7, 9]).await?;
    }
    for group in ["", "nobody", "g"] {
        let (group_id, member_id) = (group.to_owned(), "m".to_owned());
        let request = HeartbeatRequest { group_id, member_id, generation_id: 1, ..Default::default() };
        brokers.ask(group, &request, &[0, 3, 4]).await?;
        for protocol in [None, Some("consumer".to_owned())] {
            let (group_id, member_id) = (group.to_owned(), "m".to_owned());
            let (protocol_type, protocol_name) = (protocol.clone(), protocol);
            let request = SyncGroupRequest {
                group_id,
                member_id,
                protocol_type,
                protocol_name,
                generation_id: 1,
                ..Default::default()
            };
            brokers.ask(group, &request, &[0, 4, 5]).await?;
        }
        let (group_id, member_id) = (group.to_owned(), "m".to_owned());
        let request = LeaveGroupRequest { group_id, member_id, ..Default::default() };
        brokers.ask(group, &request, &[0, 2]).await?;
        let members = vec![MemberIdentity { member_id: "m".to_owned(), ..Default::default() }];
        for members in [members, Vec::new()] {
            let request = LeaveGroupRequest { group_id: group.to_owned(), members, ..Default::default() };
            brokers.ask(group, &request, &[3, 5]).await?;
        }
    }
    for (states, types) in [(&["Foo"][..], &[][..]), (&[""], &[]), (&[], &["foo"]), (&["empty"], &["CLASSIC"])] {
        let all = |wanted: &[&str]| wanted.iter().map(|one| (*one).to_owned()).collect();
        let request = ListGroupsRequest { states_filter: all(states), types_filter: all(types) };
        brokers.ask(&format!("{states:?} {types:?}"), &request, &[5]).await?;
    }
    for group in ["g", "nobody"] {
        let request = DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        brokers.ask(group, &request, &[0, 5, 6]).await?;
        let request = ConsumerGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        brokers.ask(group, &request, &[0, 1]).await?;
    }
    let request = DeleteGroupsRequest { groups_names: vec!["nobody".to_owned()] };
    brokers.ask("nobody", &request, &[0, 2]).await
}

async fn consumer_groups(brokers: &mut Brokers) -> Result<(), Anything> {
    let sound = ConsumerGroupHeartbeatRequest {
        group_id: "consumers".to_owned(),
        member_id: "m".to_owned(),
        rebalance_timeout_ms: 10_000,
        subscribed_topic_names: Some(vec!["t".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let mut odd = Vec::new();
    for group in ["", "  "] {
        odd.push(ConsumerGroupHeartbeatRequest { group_id: group.to_owned(), ..sound.clone() });
    }
    for member_epoch in [5, -1, -2, -3] {
        odd.push(ConsumerGroupHeartbeatRequest { member_epoch, ..sound.clone() });
    }
    odd.extend([
        ConsumerGroupHeartbeatRequest { member_id: String::new(), ..sound.clone() },
        ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..sound.clone() },
        ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..sound.clone() },
        ConsumerGroupHeartbeatRequest { topic_partitions: None, ..sound.clone() },
        ConsumerGroupHeartbeatRequest { server_assignor: Some("nobody".to_owned()), ..sound.clone() },
        ConsumerGroupHeartbeatRequest { instance_id: Some(String::new()), ..sound.clone() },
        ConsumerGroupHeartbeatRequest { rack_id: Some(String::new()), ..sound.clone() },
        ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("(".to_owned()), ..sound.clone() },
        sound.clone(),
        ConsumerGroupHeartbeatRequest { member_epoch: -1, ..sound },
    ]);
    for request in odd {
        brokers.ask(&format!("{request:?}"), &request, &[1]).await?;
    }
    Ok(())
}

async fn transactions(brokers: &mut Brokers) -> Result<(), Anything> {
    for (id, transaction_timeout_ms, producer_id, producer_epoch) in [
        (None, 0, -1, -1),
        (Some("x"), 0, -1, -1),
        (Some("x"), -1, -1, -1),
        (Some("x"), i32::MAX, -1, -1),
        (Some(""), 1000, -1, -1),
        (Some("x"), 1000, 5, -1),
        (None, 1000, -1, 5),
        (Some("x"), 1000, 5, 0),
    ] {
        let transactional_id = id.map(str::to_owned);
        let request = InitProducerIdRequest {
            transactional_id,
            transaction_timeout_ms,
            producer_id,
            producer_epoch,
            ..Default::default()
        };
        brokers.ask(&format!("{id:?} {transaction_timeout_ms} {producer_id}"), &request, &[3, 4, 5]).await?;
    }
    for (id, topic, group) in [("nobody", "t", "g"), ("", "t", "g"), ("nobody", "nobody", "g"), ("nobody", "t", "")] {
        let (what, id, group_id) = (format!("{id:?} {topic} {group:?}"), id.to_owned(), group.to_owned());
        let topics = vec![AddPartitionsToTxnTopic { name: topic.to_owned(), partitions: vec![0] }];
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: id.clone(),
            v3_and_below_producer_id: 5,
            v3_and_below_topics: topics,
            ..Default::default()
        };
        brokers.ask(&what, &request, &[0, 2, 3]).await?;
        let partition = TxnOffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
        let topics = vec![TxnOffsetCommitRequestTopic { name: topic.to_owned(), partitions: vec![partition] }];
        let request =
            TxnOffsetCommitRequest { transactional_id: id, group_id, producer_id: 5, topics, ..Default::default() };
        brokers.ask(&what, &request, &[0, 3, 4, 5]).await?;
    }
    for id in ["nobody", ""] {
        let (transactional_id, group_id) = (id.to_owned(), "g".to_owned());
        let request = AddOffsetsToTxnRequest { transactional_id, group_id, producer_id: 5, ..Default::default() };
        brokers.ask(id, &request, &[0, 3, 4]).await?;
        let request = EndTxnRequest { transactional_id: id.to_owned(), producer_id: 5, ..Default::default() };
        brokers.ask(id, &request, &[0, 3, 5]).await?;
        let request = DescribeTransactionsRequest { transactional_ids: vec![id.to_owned()] };
        brokers.ask(id, &request, &[0]).await?;
    }
    for pattern in [None, Some(""), Some("x.*"), Some("(")] {
        let transactional_id_pattern = pattern.map(str::to_owned);
        let request = ListTransactionsRequest { transactional_id_pattern, ..Default::default() };
        brokers.ask(&format!("{pattern:?}"), &request, &[2]).await?;
    }
    let request = OffsetCommitRequest {
        group_id: "g".to_owned(),
        topics: vec![OffsetCommitRequestTopic {
            topic_id: Uuid::from_bytes([3; 16]),
            partitions: vec![OffsetCommitRequestPartition::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    brokers.ask("a topic that nobody knows", &request, &[10]).await
}
