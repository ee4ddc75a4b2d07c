//! The classic protocol: all members join again, the leader assigns, and all get their part; and heartbeats.

use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::TopicPartition;
use esker::coordinator::{Assignment, Subscription};
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::sync_group::SyncGroupRequestAssignment;
use esker::net::messages::{HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use esker::net::{Connection, ErrorCode};
use tokio::task::JoinSet;

use super::wire::{Broker, is_not_ready};
use super::{line, median};

const REBALANCES: u32 = 7;
const HEARTBEATS: usize = 20_000;
/// Nobody is to be thrown out meanwhile.
const FOREVER_MS: i32 = 300_000;

pub async fn run(broker: &Broker, size: usize) {
    let mut members = Vec::new();
    for _ in 0..size {
        members.push(Member::new(broker, format!("classic-{size}")).await);
    }
    // The first rebalance waits for members to come.
    let mut members = rebalance(members, 0).await;
    let mut took = Vec::new();
    for round in 1..=REBALANCES {
        let began = Instant::now();
        members = rebalance(members, round).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    line(&format!("classic protocol, {size} members: a rebalance"), median(took), "ms");
    let began = Instant::now();
    let each = HEARTBEATS.div_ceil(size);
    all(members, move |member| async move {
        for _ in 0..each {
            assert_eq!(member.heartbeat().await, ErrorCode::NONE);
        }
        member
    })
    .await;
    let heartbeats = (each * size) as f64 / began.elapsed().as_secs_f64();
    line(&format!("classic protocol, {size} members: heartbeats"), heartbeats, "1/s");
}

async fn rebalance(members: Vec<Member>, round: u32) -> Vec<Member> {
    all(members, move |member| member.rejoin(round)).await
}

/// Lets all members do something at once.
async fn all<F>(members: Vec<Member>, act: impl Fn(Member) -> F) -> Vec<Member>
where
    F: Future<Output = Member> + Send + 'static,
{
    let tasks: JoinSet<Member> = members.into_iter().map(act).collect();
    tasks.join_all().await
}

struct Member {
    connection: Connection,
    group: String,
    id: String,
    generation: i32,
}

impl Member {
    async fn new(broker: &Broker, group: String) -> Self {
        Self { connection: broker.connect().await, group, id: String::new(), generation: -1 }
    }

    /// Joins, and gets its part. What it says differs from round to round, so that whoever comes first makes it a
    /// rebalance.
    async fn rejoin(mut self, round: u32) -> Self {
        loop {
            let joined = self.join(round).await;
            let error = joined.error_code;
            if error == ErrorCode::MEMBER_ID_REQUIRED {
                self.id = joined.member_id;
                continue;
            }
            if is_not_ready(error) {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            assert_eq!(error, ErrorCode::NONE);
            (self.id, self.generation) = (joined.member_id.clone(), joined.generation_id);
            match self.sync(&joined).await {
                ErrorCode::NONE => return self,
                // Another has come.
                error => assert_eq!(error, ErrorCode::REBALANCE_IN_PROGRESS),
            }
        }
    }

    async fn join(&self, round: u32) -> JoinGroupResponse {
        let user_data = Some(Bytes::copy_from_slice(&round.to_be_bytes()));
        let subscription = Subscription { topics: vec!["none".into()], user_data, ..Subscription::default() };
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: FOREVER_MS,
            rebalance_timeout_ms: FOREVER_MS,
            member_id: self.id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: subscription.encode() }],
            ..Default::default()
        };
        self.connection.send(&request, 9).await.unwrap()
    }

    /// A partition for each member, if it leads.
    async fn sync(&self, joined: &JoinGroupResponse) -> ErrorCode {
        let assign = |(partition, member_id): (usize, String)| SyncGroupRequestAssignment {
            member_id,
            assignment: Assignment { partitions: vec![TopicPartition::new("none", partition as i32)], user_data: None }
                .encode(),
        };
        let members = joined.members.iter().map(|member| member.member_id.clone());
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: members.enumerate().map(assign).collect(),
            ..Default::default()
        };
        self.connection.send(&request, 5).await.unwrap().error_code
    }

    async fn heartbeat(&self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..Default::default()
        };
        self.connection.send(&request, 4).await.unwrap().error_code
    }
}
