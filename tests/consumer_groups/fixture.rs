//! A coordinator, topics and the time, for the protocol's rules one by one.

use esker::coordinator::{
    Action, ConsumerHeartbeat, ConsumerHeartbeatRequest, DescribedConsumerGroup, GroupCoordinator, GroupError,
    GroupMetadata, GroupRecord, Partitions, Response, WriteId,
};
use esker::{StoreConfig, Uuid};

pub const SESSION_MS: i64 = 45_000;
pub const REBALANCE_MS: i32 = 60_000;

pub struct Fixture {
    pub groups: GroupCoordinator<&'static str>,
    pub now_ms: i64,
    topics: Vec<(String, Uuid, i32)>,
    /// All records of the group "g" that are durable.
    pub log: Vec<GroupRecord>,
}

pub fn topic(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

/// Partitions of the topic "t".
pub fn part<const COUNT: usize>(partitions: [i32; COUNT]) -> Partitions {
    if COUNT == 0 { Partitions::new() } else { [(topic(1), partitions.into())].into() }
}

/// A member joins, and reads "t".
pub fn join(member_id: &str) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        group: "g".into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: REBALANCE_MS,
        topic_names: Some(vec!["t".into()]),
        owned: Some(Partitions::new()),
        ..ConsumerHeartbeatRequest::default()
    }
}

pub fn join_static(member_id: &str, instance: &str) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { instance_id: Some(instance.into()), ..join(member_id) }
}

/// A member is alive, or leaves.
pub fn heartbeat(member_id: &str, member_epoch: i32) -> ConsumerHeartbeatRequest {
    let (group, member_id) = ("g".into(), member_id.into());
    ConsumerHeartbeatRequest { group, member_id, member_epoch, ..ConsumerHeartbeatRequest::default() }
}

pub fn owning<const COUNT: usize>(member_id: &str, epoch: i32, partitions: [i32; COUNT]) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { owned: Some(part(partitions)), ..heartbeat(member_id, epoch) }
}

impl Fixture {
    /// With a topic "t" of that many partitions.
    pub fn new(partitions: i32) -> Self {
        Self::with(StoreConfig::default(), partitions)
    }

    pub fn with(config: StoreConfig, partitions: i32) -> Self {
        let groups = GroupCoordinator::new(&config);
        let mut fixture = Self { groups, now_ms: 0, topics: Vec::new(), log: Vec::new() };
        fixture.set_topics(&[("t", topic(1), partitions)]);
        fixture
    }

    pub fn set_topics(&mut self, topics: &[(&str, Uuid, i32)]) {
        self.topics = topics.iter().map(|(name, id, count)| ((*name).to_owned(), *id, *count)).collect();
        self.groups.set_topics(self.topics.clone());
    }

    /// As if a coordinator had written that about the group, and died.
    pub fn with_record(&mut self, metadata: GroupMetadata) {
        let record = GroupRecord::Classic(Some(metadata));
        self.log.push(record.clone());
        self.groups.replay("g", record);
        self.groups.loaded(self.now_ms);
    }

    /// Says it, and lets what is written be written.
    pub fn say(&mut self, request: ConsumerHeartbeatRequest) -> Result<ConsumerHeartbeat, GroupError> {
        self.groups.consumer_heartbeat(request, "heartbeat", self.now_ms);
        match self.answer() {
            Response::ConsumerHeartbeat(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    /// The answer, when what is written before is written.
    pub fn answer(&mut self) -> Response {
        loop {
            match self.groups.next_action() {
                Some(Action::Respond { response, .. }) => return response,
                Some(Action::Write { write, records, .. }) => self.written(write, records),
                None => panic!("no answer"),
            }
        }
    }

    /// Writes what is to be written, where nobody is answered.
    pub fn write_all(&mut self) {
        while let Some(action) = self.groups.next_action() {
            let Action::Write { write, records, .. } = action else { panic!("{action:?}") };
            self.written(write, records);
        }
    }

    /// What a member has then, in which epoch.
    pub fn gets(&mut self, request: ConsumerHeartbeatRequest) -> (i32, Option<Partitions>) {
        let answer = self.say(request).unwrap();
        (answer.member_epoch, answer.assignment)
    }

    pub fn written(&mut self, write: Option<WriteId>, records: Vec<GroupRecord>) {
        self.log.extend(records);
        if let Some(write) = write {
            self.groups.written(write, Ok(()), self.now_ms);
        }
    }

    /// So much time passes, and nothing happens but what is due.
    pub fn pass(&mut self, ms: i64) {
        let until = self.now_ms + ms;
        while let Some(deadline) = self.groups.next_deadline().filter(|deadline| *deadline <= until) {
            self.now_ms = self.now_ms.max(deadline);
            self.groups.tick(deadline);
            self.write_all();
        }
        self.now_ms = until;
    }

    /// The coordinator dies, and another reads what it has written.
    pub fn restart(&mut self) {
        self.groups = GroupCoordinator::new(&StoreConfig::default());
        self.groups.set_topics(self.topics.clone());
        for record in &self.log {
            self.groups.replay("g", record.clone());
        }
        self.groups.loaded(self.now_ms);
    }

    pub fn group(&self) -> DescribedConsumerGroup {
        self.groups.describe_consumer_group("g").unwrap()
    }

    /// Those that have the consumer protocol, and the epochs that they are in.
    pub fn consumer_members(&self) -> Vec<(String, i32)> {
        let members = self.group().members.into_iter().filter(|member| !member.is_classic);
        members.map(|member| (member.member_id, member.epoch)).collect()
    }

    pub fn member_ids(&self) -> Vec<String> {
        self.group().members.into_iter().map(|member| member.member_id).collect()
    }
}
