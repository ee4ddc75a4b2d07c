//! Members of consumer groups (KIP-848) over the wire.

use esker::net::messages::consumer_group_heartbeat::TopicPartitions;
use esker::net::messages::leave_group::MemberIdentity;
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use esker::net::messages::offset_fetch::OffsetFetchRequestGroup;
use esker::net::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DeleteGroupsRequest,
    DescribeGroupsRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::server::{Server, ServerConfig};
use esker::{Error, GroupError, Store, TopicConfig, Uuid};

use super::api_versions;

/// A server of a store with a topic "t" of two partitions, and its id.
async fn serve(store: &Store) -> (Server, Uuid) {
    if store.topics().is_empty() {
        store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    }
    let server = Server::builder(store.clone()).bind("127.0.0.1:0").await.unwrap();
    (server, store.describe_topic("t").unwrap().id)
}

struct Member<'a> {
    connection: &'a Connection,
    id: &'static str,
    epoch: i32,
    partitions: Vec<i32>,
}

impl Member<'_> {
    async fn heartbeat(&mut self, topic_id: Uuid) -> ConsumerGroupHeartbeatResponse {
        let joins = self.epoch == 0;
        let owned = TopicPartitions { topic_id, partitions: self.partitions.clone() };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: "g".into(),
            member_id: self.id.into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec!["t".into()]),
            topic_partitions: Some(if joins { Vec::new() } else { vec![owned] }),
            ..Default::default()
        };
        let response = self.connection.send(&request, 1).await.unwrap();
        self.epoch = response.member_epoch;
        if let Some(assignment) = &response.assignment {
            self.partitions = assignment.topic_partitions.iter().flat_map(|topic| topic.partitions.clone()).collect();
        }
        response
    }

    async fn commit(&self, epoch: i32) -> ErrorCode {
        self.commit_by(epoch, 9).await
    }

    async fn commit_by(&self, epoch: i32, version: i16) -> ErrorCode {
        let partition = OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
        let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: "g".into(),
            member_id: self.id.into(),
            generation_id_or_member_epoch: epoch,
            topics: vec![topic],
            ..Default::default()
        };
        self.connection.send(&request, version).await.unwrap().topics[0].partitions[0].error_code
    }

    async fn fetch(&self, epoch: i32) -> ErrorCode {
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_id: Some(self.id.into()),
            member_epoch: epoch,
            ..Default::default()
        };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        self.connection.send(&request, 9).await.unwrap().groups[0].error_code
    }
}

#[tokio::test]
async fn members_share_partitions_and_go_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    let mut a = Member { connection: &connection, id: "a", epoch: 0, partitions: Vec::new() };
    let mut b = Member { connection: &connection, id: "b", epoch: 0, partitions: Vec::new() };
    assert_eq!(a.heartbeat(topic).await.heartbeat_interval_ms, 5000);
    assert_eq!(a.partitions, [0, 1]);
    b.heartbeat(topic).await;
    assert_eq!(b.partitions, [] as [i32; 0], "nothing that the other still has");
    a.heartbeat(topic).await;
    assert_eq!((a.epoch, &*a.partitions), (2, &[0][..]));
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
    let described = connection.send(&request, 1).await.unwrap().groups.remove(0).members.remove(0);
    let has = &described.assignment.topic_partitions[0].partitions;
    assert_eq!((&*described.member_id, &**has), ("a", &[0, 1][..]), "what it has not let go of yet is its own");
    assert_eq!(described.target_assignment.topic_partitions[0].partitions, [0]);
    assert_eq!(described.subscribed_topic_regex.as_deref(), Some(""));
    assert_eq!(a.commit(2).await, ErrorCode::NONE);
    assert_eq!(a.commit_by(2, 8).await, ErrorCode::UNSUPPORTED_VERSION, "which knows of no epochs");
    a.heartbeat(topic).await;
    b.heartbeat(topic).await;
    assert_eq!((a.epoch, b.epoch, &*b.partitions), (3, 3, &[1][..]));
    // The first partition is one's since epoch 2, and never was the other's.
    assert_eq!((a.commit(2).await, b.commit(2).await), (ErrorCode::NONE, ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!((a.fetch(2).await, a.fetch(3).await), (ErrorCode::STALE_MEMBER_EPOCH, ErrorCode::NONE));

    let (a, b) = ((a.epoch, a.partitions), (b.epoch, b.partitions));
    server.shutdown().await;
    store.close().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    for (id, (epoch, partitions)) in [("a", a), ("b", b)] {
        let mut member = Member { connection: &connection, id, epoch, partitions };
        let response = member.heartbeat(topic).await;
        assert_eq!((response.error_code, member.epoch), (ErrorCode::NONE, epoch));
        assert_eq!(member.commit(epoch).await, ErrorCode::NONE);
    }
    let group_ids = vec!["g".into(), "h".into(), String::new()];
    let request = ConsumerGroupDescribeRequest { group_ids, include_authorized_operations: true };
    let described = connection.send(&request, 1).await.unwrap().groups;
    assert!(described[0].authorized_operations > 0 && described[1].authorized_operations == i32::MIN);
    assert_eq!((&*described[0].group_state, described[0].group_epoch, described[0].members.len()), ("Stable", 3, 2));
    let member = &described[0].members[0];
    assert_eq!((&*member.assignment.topic_partitions[0].topic_name, member.member_type), ("t", 1));
    assert_eq!(member.assignment, member.target_assignment);
    let refused = [described[1].error_code, described[2].error_code];
    assert_eq!(refused, [ErrorCode::GROUP_ID_NOT_FOUND, ErrorCode::INVALID_GROUP_ID]);
}

#[tokio::test]
async fn members_that_are_taken_out_are_out_and_may_join_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    let mut members = ["a", "b"].map(|id| Member { connection: &connection, id, epoch: 0, partitions: Vec::new() });
    for member in &mut members {
        member.heartbeat(topic).await;
    }
    server.shutdown().await;
    store.close().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let refused = store.delete_group("g").expect_err("as far as is known, they are there");
    assert!(matches!(refused, Error::Group { error: GroupError::NonEmptyGroup, .. }), "{refused}");
    store.remove_members_from_group("g").unwrap();
    assert_eq!(store.group_membership("g").unwrap().members, []);
    let (server, _) = serve(&store).await;
    let connection = server.connect();
    let mut gone = Member { connection: &connection, id: "a", epoch: 2, partitions: vec![0, 1] };
    assert_eq!(gone.heartbeat(topic).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    store.delete_group("g").unwrap();
    assert_eq!(store.list_groups().unwrap().len(), 0);
    store.remove_members_from_group("g").unwrap();
    let mut back = Member { epoch: 0, ..gone };
    assert_eq!(back.heartbeat(topic).await.error_code, ErrorCode::NONE);
    assert_eq!(back.partitions, [0, 1]);
    // Also while they are served.
    store.remove_members_from_group("g").unwrap();
    assert_eq!(back.heartbeat(topic).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn an_administrator_takes_members_out() {
    let store = Store::temporary().unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    let mut members = ["a", "b"].map(|id| Member { connection: &connection, id, epoch: 0, partitions: Vec::new() });
    for member in &mut members {
        member.heartbeat(topic).await;
    }
    let identity = |id: &str| MemberIdentity { member_id: id.into(), ..Default::default() };
    let out = vec![identity("a"), identity("c")];
    let request = LeaveGroupRequest { group_id: "g".into(), members: out, ..Default::default() };
    let left = connection.send(&request, 5).await.unwrap().members;
    let left: Vec<_> = left.iter().map(|member| member.error_code).collect();
    assert_eq!(left, [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!(members[0].heartbeat(topic).await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    members[1].heartbeat(topic).await;
    assert_eq!(members[1].partitions, [0, 1]);
}

#[tokio::test]
async fn groups_are_told_apart_by_their_type() {
    let store = Store::temporary().unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    let mut member = Member { connection: &connection, id: "a", epoch: 0, partitions: Vec::new() };
    member.heartbeat(topic).await;
    for (group_type, expected) in [("Consumer", vec!["g"]), ("classic", vec![])] {
        let request = ListGroupsRequest { types_filter: vec![group_type.into()], ..Default::default() };
        let listed = connection.send(&request, 5).await.unwrap().groups;
        assert_eq!(listed.iter().map(|group| &*group.group_id).collect::<Vec<_>>(), expected);
        assert!(listed.iter().all(|group| group.group_type == "consumer" && group.group_state == "Stable"));
    }
    let request = DescribeGroupsRequest { groups: vec!["g".into()], ..Default::default() };
    let described = connection.send(&request, 6).await.unwrap().groups;
    assert_eq!(described[0].error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(described[0].error_message.as_deref(), Some("Group g is not a classic group."));
    let delete = DeleteGroupsRequest { groups_names: vec!["g".into()] };
    let deleted = connection.send(&delete, 2).await.unwrap().results;
    assert_eq!(deleted[0].error_code, ErrorCode::NON_EMPTY_GROUP);
    member.epoch = -1;
    member.heartbeat(topic).await;
    let deleted = connection.send(&delete, 2).await.unwrap().results;
    assert_eq!(deleted[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let store = Store::temporary().unwrap();
    let (server, topic) = serve(&store).await;
    let connection = server.connect();
    let mut nobody = Member { connection: &connection, id: "", epoch: 0, partitions: Vec::new() };
    let refused = nobody.heartbeat(topic).await;
    assert_eq!(refused.error_code, ErrorCode::INVALID_REQUEST, "from version 1 on members name themselves");
    assert_eq!(refused.error_message.as_deref(), Some("MemberId can't be empty."));
    let joins = || ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "a".into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let blank = || Some(" ".to_owned());
    for (request, expected) in [
        (ConsumerGroupHeartbeatRequest { group_id: " ".into(), ..joins() }, "GroupId can't be empty."),
        (ConsumerGroupHeartbeatRequest { instance_id: blank(), ..joins() }, "InstanceId can't be empty."),
        (ConsumerGroupHeartbeatRequest { rack_id: blank(), ..joins() }, "RackId can't be empty."),
        (
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, topic_partitions: None, ..joins() },
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            ConsumerGroupHeartbeatRequest { topic_partitions: None, ..joins() },
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..joins() },
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (ConsumerGroupHeartbeatRequest { member_epoch: -2, ..joins() }, "InstanceId can't be null."),
        (ConsumerGroupHeartbeatRequest { member_epoch: -3, ..joins() }, "MemberEpoch is invalid."),
    ] {
        let refused = connection.send(&request, 1).await.unwrap();
        assert_eq!(refused.error_message.as_deref(), Some(expected));
    }
    let versions = connection.send(&api_versions(), 4).await.unwrap();
    let features = &versions.finalized_features;
    assert!(features.iter().any(|feature| feature.name == "group.version" && feature.max_version_level == 1));
}

#[tokio::test]
async fn the_protocol_can_be_turned_off() {
    let serve = |protocols: &[&str]| {
        let store = Store::temporary().unwrap();
        let mut config = ServerConfig::default();
        config.set("group.coordinator.rebalance.protocols", &protocols.join(",")).unwrap();
        Server::builder(store).config(config).bind("127.0.0.1:0")
    };
    for refused in [&["consumer"][..], &["classic", "other"], &[]] {
        assert!(matches!(serve(refused).await, Err(Error::InvalidConfig { .. })), "{refused:?}");
    }
    for (protocols, error_code) in
        [(&["classic"][..], ErrorCode::UNSUPPORTED_VERSION), (&["classic", "consumer", "streams"], ErrorCode::NONE)]
    {
        let server = serve(protocols).await.unwrap();
        let connection = server.connect();
        let mut member = Member { connection: &connection, id: "a", epoch: 0, partitions: Vec::new() };
        assert_eq!(member.heartbeat(Uuid::ZERO).await.error_code, error_code);
        let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
        assert_eq!(connection.send(&request, 1).await.unwrap().groups[0].error_code, error_code);
        server.shutdown().await;
    }
}
