//! Members of groups over the wire: they join, share partitions, fail, go, and are told apart from those who are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use esker::clock::Clock;
use esker::coordinator::GroupMetadata;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::leave_group::MemberIdentity;
use esker::net::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use esker::net::messages::offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use esker::net::messages::sync_group::SyncGroupRequestAssignment;
use esker::net::messages::{
    ConsumerGroupHeartbeatRequest, DeleteGroupsRequest, DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest,
    SyncGroupRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::record::{BatchBuilder, RecordData};
use esker::server::Server;
use esker::{Acks, CommittedOffset, Maintenance, Store, StoreConfig, TopicConfig, TopicPartition};

use super::connections;
use super::within::within;

const GROUP: &str = "g";

/// A store with a topic "t" of two partitions, and a server of it whose groups begin at once.
async fn serve() -> (Store, Server) {
    let config =
        StoreConfig { group_initial_rebalance_delay_ms: 0, group_min_session_timeout_ms: 1, ..StoreConfig::default() };
    let store = Store::options().config(config).open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let server = Server::builder(store.clone()).bind("127.0.0.1:0").await.unwrap();
    (store, server)
}

/// A consumer's subscription to "t", as the consumers of this world write it.
fn subscription() -> Bytes {
    Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff")
}

/// A client that is a member, or wants to be.
struct Member {
    connection: Connection,
    version: i16,
    id: String,
    instance: Option<String>,
    generation: i32,
    session_timeout_ms: i32,
}

impl Member {
    fn new(connection: Connection, version: i16) -> Self {
        Self { connection, version, id: String::new(), instance: None, generation: -1, session_timeout_ms: 60_000 }
    }

    async fn try_join(&self) -> JoinGroupResponse {
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: subscription() }],
            ..Default::default()
        };
        self.connection.send(&request, self.version).await.unwrap()
    }

    /// Joins, with the id that it is given if it needs one.
    async fn join(&mut self) -> JoinGroupResponse {
        let mut response = self.try_join().await;
        if response.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            assert!(self.version >= 4 && self.id.is_empty());
            self.id = response.member_id;
            response = self.try_join().await;
        }
        assert_eq!(response.error_code, ErrorCode::NONE);
        (self.id, self.generation) = (response.member_id.clone(), response.generation_id);
        response
    }

    /// Asks for its part; the leader brings what each member gets.
    async fn sync(&self, assignments: &[(&str, &'static str)]) -> Result<Bytes, ErrorCode> {
        let assignment = |(id, part): &(&str, &'static str)| SyncGroupRequestAssignment {
            member_id: (*id).into(),
            assignment: Bytes::from_static(part.as_bytes()),
        };
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assignments.iter().map(assignment).collect(),
        };
        let version = (self.version / 2).min(5);
        let response = self.connection.send(&request, version).await.unwrap();
        if response.error_code == ErrorCode::NONE { Ok(response.assignment) } else { Err(response.error_code) }
    }

    async fn heartbeat(&self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
        };
        let version = (self.version / 2).min(4);
        self.connection.send(&request, version).await.unwrap().error_code
    }

    /// Sends heartbeats until one says something else than `NONE`.
    async fn heartbeats(&self) -> ErrorCode {
        within(async {
            loop {
                let error_code = self.heartbeat().await;
                if error_code != ErrorCode::NONE {
                    return error_code;
                }
            }
        })
        .await
    }

    async fn leave(&self) -> ErrorCode {
        let version = (self.version / 2).min(5);
        let identity = MemberIdentity { member_id: self.id.clone(), ..Default::default() };
        let request = match version {
            3.. => LeaveGroupRequest { group_id: GROUP.into(), members: vec![identity], ..Default::default() },
            _ => LeaveGroupRequest { group_id: GROUP.into(), member_id: self.id.clone(), ..Default::default() },
        };
        let response = self.connection.send(&request, version).await.unwrap();
        response.members.first().map_or(response.error_code, |member| member.error_code)
    }

    async fn commit(&self, offset: i64) -> ErrorCode {
        let partitions = vec![OffsetCommitRequestPartition { committed_offset: offset, ..Default::default() }];
        let topics = vec![OffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() }];
        let request = OffsetCommitRequest {
            group_id: GROUP.into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            topics,
            ..Default::default()
        };
        let response = self.connection.send(&request, 8).await.unwrap();
        response.topics[0].partitions[0].error_code
    }
}

/// What the group has committed for the first partition.
fn committed(store: &Store) -> i64 {
    store.committed_offset(GROUP, ("t", 0)).unwrap().unwrap().offset
}

/// A group with one member that leads it, and reads all.
async fn lone_member(server: &Server, version: i16) -> Member {
    let mut member = Member::new(server.connect(), version);
    let joined = member.join().await;
    assert_eq!((&joined.leader, joined.members.len()), (&member.id, 1));
    assert_eq!(joined.members[0].metadata, subscription());
    assert_eq!(member.sync(&[(&member.id, "0 1")]).await, Ok("0 1".into()));
    member
}

#[tokio::test]
async fn two_members_share_partitions_in_every_version() {
    let (_store, server) = serve().await;
    for version in 0..=9 {
        let mut first = lone_member(&server, version).await;
        let [tcp, _] = connections(&server).await;
        let mut second = Member::new(tcp, version);
        // The second one waits until the first has heard of it.
        let joining = async {
            assert_eq!(first.heartbeats().await, ErrorCode::REBALANCE_IN_PROGRESS, "version {version}");
            first.join().await
        };
        let (led, followed) = tokio::join!(joining, second.join());
        assert_eq!((led.generation_id, &led.leader), (followed.generation_id, &followed.leader));
        assert_eq!((led.members.len(), followed.members.len()), (2, 0));
        assert_eq!(led.protocol_name.as_deref(), Some("range"));

        let parts = [(&*first.id, "0"), (&*second.id, "1")];
        let synced = tokio::join!(second.sync(&[]), first.sync(&parts));
        assert_eq!(synced, (Ok("1".into()), Ok("0".into())));
        assert_eq!((first.heartbeat().await, second.heartbeat().await), (ErrorCode::NONE, ErrorCode::NONE));

        assert_eq!(second.leave().await, ErrorCode::NONE);
        assert_eq!(second.leave().await, ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(first.heartbeat().await, ErrorCode::REBALANCE_IN_PROGRESS);
        assert_eq!(first.leave().await, ErrorCode::NONE);
        assert_eq!(first.heartbeat().await, ErrorCode::UNKNOWN_MEMBER_ID);
    }
}

#[tokio::test]
async fn a_member_that_falls_silent_is_dropped() {
    let (_store, server) = serve().await;
    let mut first = lone_member(&server, 9).await;
    let mut second = Member { session_timeout_ms: 50, ..Member::new(server.connect(), 9) };
    let joining = async {
        assert_eq!(first.heartbeats().await, ErrorCode::REBALANCE_IN_PROGRESS);
        first.join().await
    };
    tokio::join!(joining, second.join());
    // It asks for its part and is not heard of again.
    let parts = [(&*first.id, "0"), (&*second.id, "1")];
    let (synced, _) = tokio::join!(first.sync(&parts), second.sync(&[]));
    // So slow a machine that it is dropped before it has its part is conceivable.
    assert!(matches!(synced, Ok(_) | Err(ErrorCode::REBALANCE_IN_PROGRESS)));
    assert_eq!(first.heartbeats().await, ErrorCode::REBALANCE_IN_PROGRESS);
    let alone = first.join().await;
    assert_eq!(alone.members.len(), 1);
    assert_eq!(second.heartbeat().await, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn a_member_that_hangs_up_while_it_waits_is_forgotten() {
    let (_store, server) = serve().await;
    let mut first = lone_member(&server, 3).await;
    let second = Member { session_timeout_ms: 50, ..Member::new(server.connect(), 3) };
    // It is taken in once the first one has heard of it; then its client is gone.
    let hang_up = async {
        tokio::select! {
            _ = second.try_join() => unreachable!("it waits for the first one"),
            error_code = first.heartbeats() => error_code,
        }
    };
    assert_eq!(hang_up.await, ErrorCode::REBALANCE_IN_PROGRESS);
    drop(second);
    loop {
        let joined = first.join().await;
        let _ = first.sync(&[(&first.id, "0 1")]).await;
        if joined.members.len() == 1 {
            break;
        }
        assert_eq!(first.heartbeats().await, ErrorCode::REBALANCE_IN_PROGRESS);
    }
    assert_eq!(first.heartbeat().await, ErrorCode::NONE);
}

/// A clock for the store's maintenance.
#[derive(Debug, Default)]
struct StoreClock(AtomicI64);

impl Clock for StoreClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A store with a topic "t" that keeps offsets for a minute, its clock, and a server of it whose groups begin at once.
fn serve_for_a_minute() -> (Arc<StoreClock>, Store, Server) {
    let clock = Arc::new(StoreClock::default());
    let config = StoreConfig {
        group_initial_rebalance_delay_ms: 0,
        offsets_retention_minutes: 1,
        offsets_retention_check_interval_ms: 1,
        ..StoreConfig::default()
    };
    let options = Store::options().config(config).clock(clock.clone()).maintenance(Maintenance::Manual);
    let store = options.open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store.clone()).in_memory().unwrap();
    (clock, store, server)
}

#[tokio::test]
async fn offsets_of_members_do_not_expire_and_groups_without_any_are_forgotten() {
    let (clock, store, server) = serve_for_a_minute();
    let (partition, unread) = (TopicPartition::new("t", 0), TopicPartition::new("u", 0));
    store.create_topic("u", TopicConfig::new()).unwrap();
    store.commit_offsets("idle", [(partition.clone(), CommittedOffset::new(1))], Acks::All).unwrap();
    let mut member = Member { session_timeout_ms: 120_000, ..Member::new(server.connect(), 9) };
    member.join().await;
    assert_eq!(member.sync(&[]).await, Ok("".into()));
    assert_eq!(member.commit(1).await, ErrorCode::NONE);
    store.commit_offsets(GROUP, [(unread.clone(), CommittedOffset::new(1))], Acks::All).unwrap();
    let offset_of = |partition| store.committed_offset(GROUP, partition).unwrap().map(|committed| committed.offset);

    clock.0.fetch_add(90_000, Ordering::SeqCst);
    store.tick().unwrap();
    assert_eq!(store.groups().unwrap(), [GROUP], "the one that nobody is in has expired");
    assert_eq!((offset_of(&partition), offset_of(&unread)), (Some(1), None), "and what no member reads");
    assert_eq!(member.leave().await, ErrorCode::NONE);
    store.tick().unwrap();
    assert_eq!(store.groups().unwrap(), [GROUP], "nobody has been in it for a moment only");

    store.delete_offsets(GROUP, [partition]).unwrap();
    let tool = server.connect();
    let describe = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    assert_eq!(tool.send(&describe, 5).await.unwrap().groups[0].group_state, "Empty");
    clock.0.fetch_add(1, Ordering::SeqCst);
    store.tick().unwrap();
    assert_eq!(tool.send(&describe, 5).await.unwrap().groups[0].group_state, "Dead");
}

/// Kafka counts from there, and not from the commit (KIP-211).
#[tokio::test]
async fn offsets_expire_when_their_group_has_been_empty_for_so_long() {
    let (clock, store, server) = serve_for_a_minute();
    let mut member = Member { session_timeout_ms: 120_000, ..Member::new(server.connect(), 9) };
    member.join().await;
    assert_eq!(member.sync(&[]).await, Ok("".into()));
    assert_eq!(member.commit(1).await, ErrorCode::NONE);
    let after = |ms| {
        clock.0.fetch_add(ms, Ordering::SeqCst);
        // One lets the group go, and the next its offsets.
        (0..2).for_each(|_| store.tick().unwrap());
        store.groups().unwrap()
    };
    assert_eq!(after(90_000), [GROUP]);
    assert_eq!(member.leave().await, ErrorCode::NONE);
    assert_eq!(after(59_999), [GROUP]);
    assert_eq!(after(1), [""; 0]);
}

#[tokio::test]
async fn offsets_of_a_consumer_group_do_not_expire_while_members_of_the_classic_protocol_take_over() {
    let (clock, store, server) = serve_for_a_minute();
    let connection = server.connect();
    let heartbeat = |member_epoch: i32| ConsumerGroupHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: "newer".into(),
        member_epoch,
        rebalance_timeout_ms: if member_epoch == 0 { 60_000 } else { -1 },
        subscribed_topic_names: (member_epoch == 0).then(|| vec!["t".into()]),
        topic_partitions: (member_epoch == 0).then(Vec::new),
        ..Default::default()
    };
    let generation = connection.send(&heartbeat(0), 1).await.unwrap().member_epoch;
    store.commit_offsets(GROUP, [(TopicPartition::new("t", 0), CommittedOffset::new(7))], Acks::All).unwrap();
    // There is nothing to read for longer than that, and the member is there all the while.
    for _ in 0..4 {
        clock.0.fetch_add(30_000, Ordering::SeqCst);
        assert_eq!(connection.send(&heartbeat(generation), 1).await.unwrap().error_code, ErrorCode::NONE);
    }
    assert_eq!(connection.send(&heartbeat(-1), 1).await.unwrap().error_code, ErrorCode::NONE);
    let older = Member::new(server.connect(), 9);
    let unknown = Member { id: "who".into(), ..Member::new(server.connect(), 9) };
    for (member, error_code) in [(unknown, ErrorCode::UNKNOWN_MEMBER_ID), (older, ErrorCode::MEMBER_ID_REQUIRED)] {
        assert_eq!(member.try_join().await.error_code, error_code);
        clock.0.fetch_add(1, Ordering::SeqCst);
        store.tick().unwrap();
        assert_eq!(committed(&store), 7, "the group had a member a moment ago");
    }
}

#[tokio::test]
async fn a_commit_of_an_old_client_expires_when_it_says() {
    let clock = Arc::new(StoreClock::default());
    let config =
        StoreConfig { offsets_retention_minutes: 1, offsets_retention_check_interval_ms: 1, ..StoreConfig::default() };
    let options = Store::options().config(config.clone()).clock(clock.clone()).maintenance(Maintenance::Manual);
    let dir = tempfile::tempdir().unwrap();
    let store = options.open(dir.path()).unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let server = Server::builder(store.clone()).in_memory().unwrap();
    let connection = server.connect();
    let cases = [("early", 1_000, 4), ("late", 120_000, 2), ("as others", -1, 3), ("as later ones", 1_000, 5)];
    for (group, retention_time_ms, version) in cases {
        let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
        let topics =
            vec![OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() }];
        let request =
            OffsetCommitRequest { group_id: group.into(), retention_time_ms, topics, ..OffsetCommitRequest::default() };
        let response = connection.send(&request, version).await.unwrap();
        assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE, "{group}");
    }
    drop(server);
    store.close().unwrap();
    let options = Store::options().config(config).clock(clock.clone()).maintenance(Maintenance::Manual);
    let store = options.open(dir.path()).unwrap();
    for (passes_ms, left) in [
        (999, &["as later ones", "as others", "early", "late"][..]),
        (1, &["as later ones", "as others", "late"]),
        (59_000, &["late"]),
        (59_999, &["late"]),
        (1, &[]),
    ] {
        clock.0.fetch_add(passes_ms, Ordering::SeqCst);
        store.tick().unwrap();
        assert_eq!(store.groups().unwrap(), left);
    }
}

#[tokio::test]
async fn members_go_on_after_a_restart() {
    let (store, server) = serve().await;
    let first = lone_member(&server, 9).await;
    assert_eq!(first.commit(3).await, ErrorCode::NONE);
    server.shutdown().await;

    let server = Server::builder(store.clone()).bind("127.0.0.1:0").await.unwrap();
    let again = Member { connection: server.connect(), ..first };
    assert_eq!(again.heartbeat().await, ErrorCode::NONE);
    assert_eq!(again.sync(&[]).await, Ok("0 1".into()));
    assert_eq!(again.commit(4).await, ErrorCode::NONE);
    assert_eq!(committed(&store), 4);
}

#[tokio::test]
async fn a_record_of_a_group_counts_only_in_the_partition_of_its_group() {
    let config = StoreConfig { offsets_topic_num_partitions: 2, ..StoreConfig::default() };
    let store = Store::options().config(config).open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    store.commit_offsets("h", [(TopicPartition::new("t", 0), CommittedOffset::new(1))], Acks::All).unwrap();
    // That is partition 1 for "g", as Java counts, and 0 for "h".
    let value = GroupMetadata { protocol_type: "consumer".into(), generation: 1, ..Default::default() }.encode();
    for group in ["g", "h"] {
        let mut batch = BatchBuilder::new(1000);
        batch.push(&RecordData::new(Some(&GroupMetadata::encode_key(group)), Some(&value))).unwrap();
        store.partition("__consumer_offsets", 0).unwrap().append(batch.build().unwrap(), Acks::All).unwrap();
    }
    let server = Server::builder(store).in_memory().unwrap();
    let describe = DescribeGroupsRequest { groups: vec!["g".into(), "h".into()], ..Default::default() };
    let described = server.connect().send(&describe, 5).await.unwrap().groups;
    assert_eq!(described.iter().map(|group| &*group.group_state).collect::<Vec<_>>(), ["Dead", "Empty"]);
}

#[tokio::test]
async fn members_alone_commit_and_only_in_their_generation() {
    let (store, server) = serve().await;
    let outsider = Member::new(server.connect(), 9);
    assert_eq!(outsider.commit(1).await, ErrorCode::NONE, "there is no group yet");
    let mut first = lone_member(&server, 9).await;
    assert_eq!(first.commit(2).await, ErrorCode::NONE);
    assert_eq!(outsider.commit(3).await, ErrorCode::UNKNOWN_MEMBER_ID);
    let stale = Member { connection: server.connect(), id: first.id.clone(), ..Member::new(server.connect(), 9) };
    assert_eq!(stale.commit(3).await, ErrorCode::ILLEGAL_GENERATION);
    let unknown = Member { id: "who".into(), generation: first.generation, ..Member::new(server.connect(), 9) };
    assert_eq!(unknown.commit(3).await, ErrorCode::UNKNOWN_MEMBER_ID);
    // The leader joins again: the generation that follows is not assigned yet.
    first.join().await;
    assert_eq!(first.commit(3).await, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(committed(&store), 2);
    assert_eq!(first.sync(&[(&first.id, "0 1")]).await, Ok("0 1".into()));
    assert_eq!(first.commit(3).await, ErrorCode::NONE);
}

#[tokio::test]
async fn a_static_member_comes_back_to_its_part() {
    let (_store, server) = serve().await;
    let mut first = Member { instance: Some("one".into()), ..Member::new(server.connect(), 9) };
    first.join().await;
    assert_eq!(first.sync(&[(&first.id, "0 1")]).await, Ok("0 1".into()));
    let mut back = Member { instance: Some("one".into()), ..Member::new(server.connect(), 9) };
    let joined = back.join().await;
    assert_eq!(joined.generation_id, first.generation, "nothing was disturbed");
    assert!(joined.skip_assignment && joined.members.len() == 1);
    assert_eq!(back.sync(&[]).await, Ok("0 1".into()));
    assert_eq!(first.heartbeat().await, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(first.commit(1).await, ErrorCode::FENCED_INSTANCE_ID);
    // By its name alone it is taken out by an administrator.
    let members = vec![MemberIdentity { group_instance_id: back.instance.clone(), ..Default::default() }];
    let request = LeaveGroupRequest { group_id: GROUP.into(), members, ..Default::default() };
    let response = server.connect().send(&request, 5).await.unwrap();
    assert_eq!(response.members[0].error_code, ErrorCode::NONE);
    assert_eq!(back.heartbeat().await, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[tokio::test]
async fn tools_see_members_and_may_not_take_away_what_they_read() {
    let (store, server) = serve().await;
    let member = lone_member(&server, 9).await;
    assert_eq!(member.commit(1).await, ErrorCode::NONE);
    let tool = server.connect();
    let list = |state: &str| ListGroupsRequest { states_filter: vec![state.into()], ..Default::default() };
    let stable = tool.send(&list("stable"), 5).await.unwrap().groups;
    assert_eq!(
        (&*stable[0].group_id, &*stable[0].protocol_type, &*stable[0].group_state),
        (GROUP, "consumer", "Stable")
    );
    assert_eq!(tool.send(&list("Empty"), 5).await.unwrap().groups, []);

    let describe = DescribeGroupsRequest { groups: vec![GROUP.into()], ..Default::default() };
    let described = tool.send(&describe, 6).await.unwrap().groups.remove(0);
    assert_eq!(described.authorized_operations, i32::MIN, "nobody asked for them");
    let asking =
        DescribeGroupsRequest { groups: vec![GROUP.into(), "nobody".into()], include_authorized_operations: true };
    let told = tool.send(&asking, 6).await.unwrap().groups;
    // Read, delete, describe, and describe and alter configs.
    let told: Vec<_> = told.iter().map(|group| group.authorized_operations).collect();
    assert_eq!(told, [1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11, i32::MIN]);
    assert_eq!((&*described.group_state, &*described.protocol_data), ("Stable", "range"));
    let seen = &described.members[0];
    assert_eq!((&seen.member_id, &*seen.client_host), (&member.id, "in-process"));
    assert_eq!((&seen.member_metadata, &*seen.member_assignment), (&subscription(), &b"0 1"[..]));

    let delete = DeleteGroupsRequest { groups_names: vec![GROUP.into()] };
    let deleted = tool.send(&delete, 2).await.unwrap().results.remove(0);
    assert_eq!(deleted.error_code, ErrorCode::NON_EMPTY_GROUP);
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: "t".into(), partitions }];
    let delete_offset = OffsetDeleteRequest { group_id: GROUP.into(), topics };
    let response = tool.send(&delete_offset, 0).await.unwrap();
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);

    assert_eq!(member.leave().await, ErrorCode::NONE);
    let response = tool.send(&delete_offset, 0).await.unwrap();
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(store.groups().unwrap(), [""; 0]);
    let deleted = tool.send(&delete, 2).await.unwrap().results.remove(0);
    assert_eq!(deleted.error_code, ErrorCode::NONE, "it is still known, without offsets");
    let deleted = tool.send(&delete, 2).await.unwrap().results.remove(0);
    assert_eq!(deleted.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    server.shutdown().await;
    let server = Server::builder(store).in_memory().unwrap();
    assert_eq!(server.connect().send(&list("empty"), 5).await.unwrap().groups, [], "also after a restart");
}

#[tokio::test]
async fn a_server_stops_although_members_wait() {
    let (_store, server) = serve().await;
    let first = lone_member(&server, 9).await;
    // It waits for the first one, which never comes.
    let mut second = Member::new(server.connect(), 9);
    let required = second.try_join().await;
    assert_eq!(required.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    second.id = required.member_id;
    let stop = async {
        assert_eq!(first.heartbeats().await, ErrorCode::REBALANCE_IN_PROGRESS);
        server.shutdown().await;
    };
    let (waiting, ()) = tokio::join!(second.try_join(), stop);
    assert_eq!(waiting.error_code, ErrorCode::NOT_COORDINATOR);
}

#[tokio::test]
async fn who_may_not_join_is_told_why() {
    let (_store, server) = serve().await;
    let member = lone_member(&server, 9).await;
    let unknown = Member { id: "who".into(), ..Member::new(server.connect(), 9) };
    assert_eq!(unknown.try_join().await.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
    let hasty = Member { session_timeout_ms: 0, ..Member::new(server.connect(), 0) };
    assert_eq!(hasty.try_join().await.error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    let request = |group: &str, protocol: &str| JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 60_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: protocol.into(), metadata: subscription() }],
        ..Default::default()
    };
    for version in 0..=9 {
        let response = member.connection.send(&request(GROUP, "sticky"), version).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        let response = member.connection.send(&request("", "range"), version).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::INVALID_GROUP_ID);
    }
    let sync = SyncGroupRequest { group_id: GROUP.into(), member_id: member.id.clone(), ..Default::default() };
    let response = member.connection.send(&sync, 5).await.unwrap();
    assert_eq!(response.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL, "it must say what it goes by");
    assert_eq!(member.sync(&[]).await, Ok("0 1".into()));
}
