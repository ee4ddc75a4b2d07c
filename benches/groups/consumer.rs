//! The protocol of KIP-848: the coordinator assigns, and members send heartbeats until each has its part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use esker::Uuid;
use esker::net::messages::consumer_group_heartbeat::TopicPartitions;
use esker::net::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use esker::net::{Connection, ErrorCode};
use tokio::task::JoinSet;

use super::line;
use super::wire::{Broker, is_not_ready};

const LEAVES: i32 = -1;
const HEARTBEATS: usize = 20_000;

pub async fn run(broker: &Broker, size: usize) {
    let (group, topic) = (format!("consumer-{size}"), format!("topic-{size}"));
    broker.create_topic(&topic, size).await;
    let mut members = Vec::new();
    for number in 0..size {
        let id = Uuid::from_bytes((number as u128 + 1).to_be_bytes());
        members.push(Member::new(broker, &group, &topic, id).await);
    }
    let began = Instant::now();
    let mut members = settle(members, size).await;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    line(&format!("consumer protocol, {size} members: all join"), took, "ms");
    let began = Instant::now();
    members.pop().unwrap().leave().await;
    let members = settle(members, size).await;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    line(&format!("consumer protocol, {size} members: one leaves"), took, "ms");
    let each = HEARTBEATS.div_ceil(size);
    let began = Instant::now();
    let count = members.len() * each;
    let beat = |mut member: Member| async move {
        for _ in 0..each {
            member.heartbeat().await;
        }
    };
    members.into_iter().map(beat).collect::<JoinSet<()>>().join_all().await;
    let heartbeats = count as f64 / began.elapsed().as_secs_f64();
    line(&format!("consumer protocol, {size} members: heartbeats"), heartbeats, "1/s");
}

/// Lets all send heartbeats until each has a partition, and nothing is left.
async fn settle(members: Vec<Member>, partitions: usize) -> Vec<Member> {
    let (count, progress) = (members.len(), Arc::new(Progress::default()));
    for member in &members {
        progress.assigned.fetch_add(member.owned(), Ordering::Relaxed);
        progress.served.fetch_add(usize::from(member.owned() > 0), Ordering::Relaxed);
    }
    let work = |mut member: Member| {
        let progress = progress.clone();
        async move {
            while !progress.is_done.load(Ordering::Relaxed) {
                let before = member.owned();
                member.heartbeat().await;
                progress.note(before, member.owned());
                if progress.is(partitions, count) {
                    progress.is_done.store(true, Ordering::Relaxed);
                }
            }
            member
        }
    };
    members.into_iter().map(work).collect::<JoinSet<Member>>().join_all().await
}

/// How many partitions are assigned, and how many members have any.
#[derive(Default)]
struct Progress {
    assigned: AtomicUsize,
    served: AtomicUsize,
    is_done: AtomicBool,
}

impl Progress {
    fn note(&self, before: usize, after: usize) {
        // In wrapping numbers, so that less is more of a large one.
        self.assigned.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
        self.served.fetch_add(usize::from(after > 0).wrapping_sub(usize::from(before > 0)), Ordering::Relaxed);
    }

    fn is(&self, assigned: usize, served: usize) -> bool {
        self.assigned.load(Ordering::Relaxed) == assigned && self.served.load(Ordering::Relaxed) == served
    }
}

struct Member {
    connection: Connection,
    group: String,
    topic: String,
    id: String,
    epoch: i32,
    owned: Vec<TopicPartitions>,
    /// It has not told yet what it owns.
    has_news: bool,
}

impl Member {
    async fn new(broker: &Broker, group: &str, topic: &str, id: Uuid) -> Self {
        Self {
            connection: broker.connect().await,
            group: group.to_owned(),
            topic: topic.to_owned(),
            id: id.to_string(),
            epoch: 0,
            owned: Vec::new(),
            has_news: true,
        }
    }

    fn owned(&self) -> usize {
        self.owned.iter().map(|topic| topic.partitions.len()).sum()
    }

    async fn heartbeat(&mut self) {
        let joins = self.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: if joins { 300_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec![self.topic.clone()]),
            topic_partitions: self.has_news.then(|| self.owned.clone()),
            ..self.request(self.epoch)
        };
        let response = self.send(&request).await;
        self.epoch = response.member_epoch;
        self.has_news = response.assignment.is_some();
        if let Some(assignment) = response.assignment {
            self.owned = assignment.topic_partitions;
        }
    }

    async fn leave(self) {
        self.send(&self.request(LEAVES)).await;
    }

    fn request(&self, member_epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            member_epoch,
            rebalance_timeout_ms: -1,
            ..Default::default()
        }
    }

    async fn send(&self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        loop {
            let response = self.connection.send(request, 1).await.unwrap();
            if !is_not_ready(response.error_code) {
                assert_eq!(response.error_code, ErrorCode::NONE, "{:?}", response.error_message);
                return response;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
