//! One group of a consumer in the process and clients of a server on its store, of either protocol.

use std::time::Duration;

use esker::coordinator::{Assignment, Members, PartitionAssignor, RangeAssignor, Subscription};
use esker::net::messages::consumer_group_heartbeat::TopicPartitions;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::sync_group::SyncGroupRequestAssignment;
use esker::net::messages::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    SyncGroupRequest,
};
use esker::net::{Connection, ErrorCode};
use esker::server::Server;
use esker::sim::Crash;
use esker::{Consumer, Store, StoreConfig, TopicConfig};
use tokio::task::JoinHandle;

use super::{Fixture, GROUP, config, cooperative, open, partitions};

/// A member on the other side of a connection.
struct Client {
    connection: Connection,
    id: String,
    generation: i32,
}

impl Client {
    /// Joins, and gets its part, or assigns if it leads.
    async fn join(mut self) -> (Self, Vec<i32>) {
        let mut joined = self.ask_to_join().await;
        if joined.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            self.id = joined.member_id;
            joined = self.ask_to_join().await;
        }
        assert_eq!(joined.error_code, ErrorCode::NONE);
        (self.id, self.generation) = (joined.member_id, joined.generation_id);
        let subscription = |bytes: &[u8]| Subscription::decode(bytes).unwrap();
        let members: Members =
            joined.members.iter().map(|member| (member.member_id.clone(), subscription(&member.metadata))).collect();
        let assigned = RangeAssignor.assign(&[("t".to_owned(), 4)].into(), &members);
        let assignment = |(member_id, partitions)| SyncGroupRequestAssignment {
            member_id,
            assignment: Assignment { partitions, user_data: None }.encode(),
        };
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: assigned.into_iter().map(assignment).collect(),
            ..Default::default()
        };
        let synced = self.connection.send(&request, 5).await.unwrap();
        assert_eq!(synced.error_code, ErrorCode::NONE);
        let assignment = Assignment::decode(&synced.assignment).unwrap();
        (self, assignment.partitions.iter().map(|at| at.partition).collect())
    }

    async fn ask_to_join(&self) -> JoinGroupResponse {
        let subscription = Subscription { topics: vec!["t".into()], ..Subscription::default() };
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: subscription.encode() }],
            ..Default::default()
        };
        self.connection.send(&request, 9).await.unwrap()
    }

    async fn heartbeat(&self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..Default::default()
        };
        self.connection.send(&request, 4).await.unwrap().error_code
    }

    async fn leave(self) {
        let request = LeaveGroupRequest { group_id: GROUP.into(), member_id: self.id, ..Default::default() };
        assert_eq!(self.connection.send(&request, 2).await.unwrap().error_code, ErrorCode::NONE);
    }
}

/// Lets the consumer poll until the client has its part, and it its own.
async fn meet(consumer: &mut Consumer, joining: JoinHandle<(Client, Vec<i32>)>) -> (Client, Vec<i32>) {
    while !joining.is_finished() {
        consumer.poll(Duration::ZERO).unwrap();
        tokio::task::yield_now().await;
    }
    joining.await.unwrap()
}

async fn settle(consumer: &mut Consumer, expected: &[i32]) {
    while partitions(consumer) != expected {
        consumer.poll(Duration::ZERO).unwrap();
        tokio::task::yield_now().await;
    }
}

fn serve() -> (Store, Server) {
    let store_config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
    let store = Store::options().config(store_config).open_temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(4)).unwrap();
    let server = Server::builder(store.clone()).in_memory().unwrap();
    (store, server)
}

#[tokio::test]
async fn a_thread_and_a_client_share_a_topic_whoever_comes_first() {
    for client_first in [true, false] {
        let (store, server) = serve();
        let client = Client { connection: server.connect(), id: String::new(), generation: -1 };
        let mut consumer = store.consumer(config()).unwrap();
        consumer.subscribe(["t"]).unwrap();
        let client = if client_first {
            let (client, all) = client.join().await;
            assert_eq!(all, [0, 1, 2, 3], "it leads");
            // It learns that somebody else wants in.
            while client.heartbeat().await != ErrorCode::REBALANCE_IN_PROGRESS {
                consumer.poll(Duration::ZERO).unwrap();
            }
            client
        } else {
            settle(&mut consumer, &[0, 1, 2, 3]).await;
            client
        };
        let (client, theirs) = meet(&mut consumer, tokio::spawn(client.join())).await;
        let ours: Vec<i32> = (0..4).filter(|partition| !theirs.contains(partition)).collect();
        assert_eq!(theirs.len(), 2);
        settle(&mut consumer, &ours).await;
        consumer.commit().unwrap();
        assert_eq!(client.heartbeat().await, ErrorCode::NONE);
        client.leave().await;
        settle(&mut consumer, &[0, 1, 2, 3]).await;
        // Its place outlives the server, which is but a door.
        server.shutdown().await;
        consumer.poll(Duration::ZERO).unwrap();
        assert_eq!(partitions(&consumer), [0, 1, 2, 3]);
        consumer.commit().unwrap();
    }
}

/// A member of the consumer protocol (KIP-848), that lets go at once of what it is not to have.
struct NewerClient {
    connection: Connection,
    epoch: i32,
    partitions: Vec<i32>,
}

impl NewerClient {
    async fn heartbeat(&mut self, store: &Store) {
        let joins = self.epoch == 0;
        let topic_id = store.describe_topic("t").unwrap().id;
        let owned = TopicPartitions { topic_id, partitions: self.partitions.clone() };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP.into(),
            member_id: "newer".into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec!["t".into()]),
            topic_partitions: Some(if self.partitions.is_empty() { Vec::new() } else { vec![owned] }),
            ..Default::default()
        };
        let response = self.connection.send(&request, 1).await.unwrap();
        assert_eq!(response.error_code, ErrorCode::NONE);
        self.epoch = response.member_epoch;
        if let Some(assignment) = response.assignment {
            self.partitions = assignment.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        }
    }
}

#[tokio::test]
async fn members_of_both_protocols_share_a_topic() {
    for config in [config(), cooperative()] {
        let (store, server) = serve();
        let mut consumers = [store.consumer(config.clone()).unwrap(), store.consumer(config.clone()).unwrap()];
        consumers.iter_mut().for_each(|consumer| consumer.subscribe(["t"]).unwrap());
        let all = |parts: &[Vec<i32>]| {
            let mut all: Vec<i32> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            all == [0, 1, 2, 3] && parts.iter().all(|part| !part.is_empty())
        };
        let poll = |consumers: &mut [Consumer; 2]| {
            consumers.iter_mut().for_each(|consumer| drop(consumer.poll(Duration::ZERO).unwrap()));
            consumers.each_ref().map(partitions)
        };
        while !all(&poll(&mut consumers)) {}
        let before = store.group_membership(GROUP).unwrap().generation;
        let mut newer = NewerClient { connection: server.connect(), epoch: 0, partitions: Vec::new() };
        loop {
            newer.heartbeat(&store).await;
            let [one, two] = poll(&mut consumers);
            if all(&[one, two, newer.partitions.clone()]) {
                break;
            }
        }
        let group = store.group_membership(GROUP).unwrap();
        assert_eq!((group.members.len(), &*group.protocol), (3, "uniform"), "the coordinator assigns");
        assert_eq!(store.group_memberships_written_down().unwrap(), [group]);
        consumers.iter_mut().for_each(|consumer| consumer.commit().unwrap());
        // The last of the consumer protocol goes, and the others assign by themselves.
        newer.epoch = -1;
        newer.heartbeat(&store).await;
        while !all(&poll(&mut consumers)) {}
        let group = store.group_membership(GROUP).unwrap();
        assert!(group.generation > before + 1 && group.members.len() == 2 && group.protocol != "uniform", "{group:?}");
        consumers.iter_mut().for_each(|consumer| consumer.commit().unwrap());
    }
}

#[tokio::test]
async fn members_of_a_process_that_died_are_gone_from_a_group_of_both_protocols() {
    let fixture = Fixture::new(2);
    let server = Server::builder(fixture.store.clone()).in_memory().unwrap();
    let mut newer = NewerClient { connection: server.connect(), epoch: 0, partitions: Vec::new() };
    let mut consumer = fixture.consumer();
    while newer.partitions.len() != 1 || partitions(&consumer).len() != 1 {
        newer.heartbeat(&fixture.store).await;
        consumer.poll(Duration::ZERO).unwrap();
    }
    let disk = fixture.disk.after_crash(Crash::Process, 0);
    let store = open(&disk, &fixture.clock).unwrap();
    let members = store.group_membership(GROUP).unwrap().members;
    assert_eq!(members.iter().map(|member| &*member.member_id).collect::<Vec<_>>(), ["newer"]);
    server.shutdown().await;
}
