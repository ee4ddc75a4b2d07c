//! A member as it behaves, if it has the consumer protocol: it joins, sends heartbeats, takes what it is given and lets
//! go of what it is not, unless it is slow, and leaves.

use esker::Uuid;
use esker::coordinator::{
    ConsumerHeartbeat, ConsumerHeartbeatRequest, GroupError, JoinRequest, LeaveRequest, Partitions, SyncRequest,
};

use crate::classic::{Phase, Seat, Topics};
use crate::common::random::Random;

/// What a client sends.
#[derive(Clone, Debug)]
pub enum Request {
    Heartbeat(ConsumerHeartbeatRequest),
    Join(JoinRequest),
    Sync(SyncRequest),
    /// A heartbeat of the classic protocol.
    Alive {
        member_id: String,
        instance: Option<String>,
        generation: i32,
    },
    Leave(LeaveRequest),
}

#[derive(Clone, Debug)]
pub struct Client {
    pub group: &'static str,
    pub member_id: String,
    pub instance: Option<String>,
    /// 0 if it is to join.
    pub epoch: i32,
    /// What it reads.
    pub owned: Partitions,
    /// What it was told to read.
    told: Partitions,
    pub is_alive: bool,
    /// It does not let go of anything.
    pub is_slow: bool,
    /// The request that it waits for.
    pub waits_for: Option<u64>,
    /// If it has the classic protocol.
    pub seat: Option<Seat>,
    /// It does not say what it has when it joins by that. A bug.
    pub forgets_owned: bool,
    pub topics: Vec<String>,
    regex: Option<String>,
    assignor: Option<String>,
    pub rebalance_timeout_ms: i32,
    /// It is to say everything with the next heartbeat: the last may have been lost, or something has changed.
    says_all: bool,
    /// It wants something else than what it has said last.
    has_changed: bool,
}

const TOPICS: [&str; 3] = ["t0", "t1", "u0"];

impl Client {
    pub fn new(group: &'static str, instance: Option<String>, random: &mut Random) -> Self {
        let mut client = Self {
            group,
            member_id: fresh_id(random).to_string(),
            instance,
            epoch: 0,
            owned: Partitions::new(),
            told: Partitions::new(),
            is_alive: true,
            is_slow: false,
            waits_for: None,
            seat: None,
            forgets_owned: false,
            topics: Vec::new(),
            regex: None,
            assignor: random.one_in(4).then(|| (*random.pick(&["uniform", "range"])).to_owned()),
            rebalance_timeout_ms: *random.pick(&[5_000, 20_000, 60_000]),
            says_all: true,
            has_changed: false,
        };
        client.change_subscription(random);
        client
    }

    pub fn change_subscription(&mut self, random: &mut Random) {
        (self.topics, self.regex) = match random.below(5) {
            0 => (Vec::new(), Some((*random.pick(&["t.*", "t0|u0", ".*"])).to_owned())),
            1 => (vec![(*random.pick(&TOPICS)).to_owned()], None),
            _ => (vec!["t0".to_owned(), "t1".to_owned()], None),
        };
        (self.says_all, self.has_changed) = (true, true);
        if let Some(seat) = &mut self.seat {
            seat.must_rejoin = true;
            if self.regex.take().is_some() {
                self.topics = vec!["t0".to_owned(), "u0".to_owned()];
            }
        }
    }

    /// Whether it reads a topic of that name.
    pub fn reads(&self, topic: &str) -> bool {
        match self.regex.as_deref() {
            Some("t.*") => topic.starts_with('t'),
            Some("t0|u0") => topic == "t0" || topic == "u0",
            Some(_) => true,
            None => self.topics.iter().any(|name| name == topic),
        }
    }

    /// Starts again, as another member, with the same name if it has one, and that protocol.
    pub fn restart(&mut self, seat: Option<Seat>, random: &mut Random) {
        self.member_id = if seat.is_some() { String::new() } else { fresh_id(random).to_string() };
        self.seat = seat;
        self.change_subscription(random);
        (self.is_alive, self.is_slow, self.waits_for) = (true, false, None);
        self.lose_all();
    }

    pub fn next_request(&mut self, topics: &Topics, random: &mut Random) -> Request {
        if let Some(seat) = self.seat.clone() {
            return self.next_classic_request(&seat, topics, random);
        }
        let joins = self.epoch == 0;
        self.has_changed = false;
        let says_all = joins || self.says_all;
        Request::Heartbeat(ConsumerHeartbeatRequest {
            group: self.group.to_owned(),
            member_id: self.member_id.clone(),
            member_epoch: self.epoch,
            instance_id: self.instance.clone(),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: if says_all { self.rebalance_timeout_ms } else { -1 },
            topic_names: says_all.then(|| self.topics.clone()),
            topic_regex: says_all.then(|| self.regex.clone().unwrap_or_default()),
            server_assignor: self.assignor.clone(),
            owned: (says_all || !random.one_in(3)).then(|| self.owned.clone()),
            ..ConsumerHeartbeatRequest::default()
        })
    }

    pub fn leave(&self, epoch: i32) -> ConsumerHeartbeatRequest {
        ConsumerHeartbeatRequest {
            group: self.group.to_owned(),
            member_id: self.member_id.clone(),
            member_epoch: epoch,
            instance_id: self.instance.clone(),
            ..ConsumerHeartbeatRequest::default()
        }
    }

    /// It does not wait for an answer any more.
    pub fn give_up(&mut self) {
        (self.waits_for, self.says_all) = (None, true);
    }

    /// Takes in the answer that it has waited for.
    pub fn take_in(&mut self, answer: Result<ConsumerHeartbeat, GroupError>) {
        self.waits_for = None;
        match answer {
            Ok(heartbeat) => {
                (self.epoch, self.says_all) = (heartbeat.member_epoch, self.has_changed);
                if let Some(assignment) = heartbeat.assignment {
                    self.told = assignment;
                    self.take_part();
                }
            }
            // The group has more members of the classic protocol than a consumer group may have.
            Err(GroupError::NotUpgradable) if self.epoch == 0 => self.is_alive = false,
            Err(GroupError::FencedMemberEpoch | GroupError::UnknownMemberId | GroupError::GroupIdNotFound) => {
                self.lose_all();
            }
            Err(GroupError::CoordinatorNotAvailable | GroupError::UnreleasedInstanceId) => self.says_all = true,
            Err(GroupError::GroupMaxSizeReached | GroupError::FencedInstanceId) => {
                self.lose_all();
                self.is_alive = false;
            }
            Err(other) => panic!("{self:?} is told {other:?}"),
        }
    }

    /// Reads what it was told to. One that is slow goes on with what it had, too.
    pub fn take_part(&mut self) {
        if self.seat.is_some() {
            return;
        }
        if !self.is_slow {
            self.owned.clear();
        }
        for (topic, partitions) in &self.told {
            self.owned.entry(*topic).or_default().extend(partitions);
        }
    }

    pub fn lose_all(&mut self) {
        (self.epoch, self.says_all) = (0, true);
        if let Some(seat) = &mut self.seat {
            seat.phase = Phase::Out;
        }
        self.owned.clear();
        self.told.clear();
    }
}

pub fn fresh_id(random: &mut Random) -> Uuid {
    Uuid::from_bytes((u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes())
}
