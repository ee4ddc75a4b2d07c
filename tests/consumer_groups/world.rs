//! A coordinator, its log, topics and members, all by one seed: heartbeats that are late, lost or come twice, members that
//! crash, fall silent, come back or do not let go, topics that come, grow and go, records that can't be written,
//! coordinators that crash and read again what they have written.
//!
//! After each step must hold:
//! - a partition is one member's at most, also while it is on its way from one to another;
//! - what a member reads is its own in the eyes of the coordinator;
//! - epochs go up: the group's, the target's, and a member's as far as it was told of it, also over a crash;
//! - no commit is taken of somebody who isn't a member, or is in another epoch;
//! - every heartbeat is answered once at most, and exactly once as long as the coordinator lives.
//!
//! And in the end, when nothing goes wrong any more, every member has all of its target, and every partition that somebody
//! is subscribed to has a reader.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use esker::coordinator::{
    Action, ConsumerHeartbeat, ConsumerHeartbeatRequest, GroupCoordinator, GroupError, GroupRecord, GroupState,
    Partitions, Response, WriteId,
};
use esker::{StoreConfig, Uuid};

use crate::client::{Client, fresh_id};
use crate::common::random::Random;

const GROUPS: [&str; 2] = ["a", "b"];

/// What is done wrong on purpose, by whoever drives the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Commits are taken without asking.
    UncheckedCommits,
    /// Records count as written before they are durable.
    EarlyWrites,
    /// Nobody looks at the clock.
    ForgottenTime,
    /// A crash loses the last batch although it was durable.
    LostRecords,
    /// What members have is read by the wrong ones.
    SwappedMembers,
    /// Nobody tells that topics have changed.
    ForgottenTopics,
    /// Members are told to read what is still somebody else's.
    HastyAssignments,
}

impl Bug {
    pub const ALL: [Self; 7] = [
        Self::UncheckedCommits,
        Self::EarlyWrites,
        Self::ForgottenTime,
        Self::LostRecords,
        Self::SwappedMembers,
        Self::ForgottenTopics,
        Self::HastyAssignments,
    ];
}

pub struct World {
    random: Random,
    bug: Option<Bug>,
    config: StoreConfig,
    coordinator: GroupCoordinator<u64>,
    now_ms: i64,
    topics: BTreeMap<String, (Uuid, i32)>,
    log: Vec<(String, Vec<GroupRecord>)>,
    /// How many batches would survive a crash.
    durable: usize,
    /// What the coordinator waits for: where the batch is, or None if it could not be appended.
    writing: Vec<(WriteId, Option<usize>)>,
    clients: Vec<Client>,
    /// On their way to the coordinator, with the client that waits for an answer.
    sent: Vec<(Option<usize>, ConsumerHeartbeatRequest)>,
    /// What was sent before, and may come again.
    past: Vec<ConsumerHeartbeatRequest>,
    next_token: u64,
    /// Whether requests and answers may be lost.
    may_be_lost: bool,
    /// Heartbeats that the coordinator has not answered, and who made them.
    unanswered: BTreeMap<u64, Option<usize>>,
    known: HashMap<String, Known>,
}

/// What was seen of a group.
#[derive(Default)]
struct Known {
    epoch: i32,
    assignment_epoch: i32,
    /// The epoch that a member was told last.
    told: HashMap<String, i32>,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let config = StoreConfig {
            group_consumer_max_size: *random.pick(&[4, i32::MAX, i32::MAX]),
            group_consumer_session_timeout_ms: *random.pick(&[10_000, 45_000]),
            ..StoreConfig::default()
        };
        let groups = 1 + random.below(2) as usize;
        let count = 2 + random.below(4) as usize;
        let mut clients = Vec::new();
        for index in 0..count {
            let instance = random.one_in(3).then(|| format!("static {index}"));
            clients.push(Client::new(GROUPS[index % groups], instance, &mut random));
        }
        let topics = [("t0", 3), ("t1", 2)].map(|(name, count)| (name.to_owned(), (fresh_id(&mut random), count)));
        let mut world = Self {
            clients,
            coordinator: GroupCoordinator::new(&config),
            config,
            random,
            bug,
            now_ms: 1_000_000,
            topics: topics.into(),
            log: Vec::new(),
            durable: 0,
            writing: Vec::new(),
            sent: Vec::new(),
            past: Vec::new(),
            next_token: 0,
            may_be_lost: true,
            unanswered: BTreeMap::new(),
            known: HashMap::new(),
        };
        world.tell_topics();
        world
    }

    pub fn steps(&mut self) -> u64 {
        60 + self.random.below(200)
    }

    pub fn log(&self) -> &[(String, Vec<GroupRecord>)] {
        &self.log
    }

    /// Something happens.
    pub fn step(&mut self) -> Result<(), String> {
        match self.random.below(40) {
            0..14 => self.act(),
            14..25 => self.deliver()?,
            25..28 => {
                let ms = *self.random.pick(&[1, 100, 3000, 11_000, 61_000]);
                self.pass(ms)?;
            }
            28..33 => self.finish_write()?,
            33 => self.repeat()?,
            34 => self.kill(),
            35 => self.revive(),
            36 => self.change_client(),
            37 => self.change_topics(),
            38 => self.commit()?,
            _ => match self.random.below(3) {
                0 => self.crash()?,
                1 => self.delete_groups()?,
                _ => {}
            },
        }
        self.check()
    }

    /// From now on nothing goes wrong, and time passes, until the groups have come to rest.
    pub fn settle(&mut self) -> Result<(), String> {
        self.may_be_lost = false;
        for client in self.clients.iter_mut().filter(|client| client.is_alive) {
            client.is_slow = false;
            client.take_part();
        }
        for _ in 0..200 {
            (0..self.clients.len()).for_each(|index| self.send(index));
            while !self.sent.is_empty() {
                self.deliver()?;
            }
            while !self.writing.is_empty() {
                self.finish_write()?;
            }
            self.pass(3000)?;
            self.check()?;
            if self.is_at_rest() {
                return match self.unanswered.is_empty() && self.coordinator.bookkeeping().1 == 0 {
                    true => Ok(()),
                    false => Err(format!("never answered: {:?}", self.unanswered)),
                };
            }
        }
        let groups: Vec<_> = GROUPS.iter().map(|group| self.coordinator.describe_consumer_group(group)).collect();
        Err(format!("the groups never come to rest: {groups:#?} of {:#?}", self.clients))
    }

    fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| {
            let clients: Vec<_> =
                self.clients.iter().filter(|client| client.group == *group && client.is_alive).collect();
            let Some(described) = self.coordinator.describe_consumer_group(group) else { return clients.is_empty() };
            if clients.is_empty() || described.state != GroupState::Stable {
                return clients.is_empty() && described.state == GroupState::Empty;
            }
            let mut read = BTreeSet::new();
            let agrees = described.members.iter().all(|member| {
                let client = clients.iter().find(|client| client.member_id == member.member_id);
                read.extend(pairs(&member.assigned));
                client.is_some_and(|client| client.owned == member.assigned && client.epoch == member.epoch)
                    && member.assigned == member.target
            });
            let wanted = self.topics.iter().filter(|(name, _)| clients.iter().any(|client| client.reads(name)));
            let wanted = wanted.flat_map(|(_, (id, count))| (0..*count).map(|partition| (*id, partition)));
            agrees && described.members.len() == clients.len() && read == wanted.collect()
        })
    }

    fn act(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !client.is_alive || client.waits_for.is_some() || self.sent.iter().any(|(from, _)| *from == Some(index)) {
            return;
        }
        let request = client.next_request(&mut self.random);
        self.past.push(request.clone());
        self.sent.push((Some(index), request));
    }

    /// A heartbeat comes to the coordinator, or is lost if it may be.
    fn deliver(&mut self) -> Result<(), String> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let (client, request) = self.sent.swap_remove(self.random.below(self.sent.len() as u64) as usize);
        if !self.is_lost() {
            return self.receive(client, request);
        }
        if let Some(index) = client {
            self.clients[index].give_up();
        }
        Ok(())
    }

    fn is_lost(&mut self) -> bool {
        self.may_be_lost && self.random.one_in(12)
    }

    /// A heartbeat from the past comes once more. Its answer goes nowhere.
    fn repeat(&mut self) -> Result<(), String> {
        if self.past.is_empty() {
            return Ok(());
        }
        let request = self.random.pick(&self.past).clone();
        // What a member wants, and what it has in its epoch, it says in order, or it could not be believed; nor does it
        // join twice.
        let is_late = |client: &Client| client.epoch > request.member_epoch && request.member_epoch > 0;
        let misleads = |client: &Client| {
            client.member_id == request.member_id && (request.topic_names.is_some() || !is_late(client))
        };
        let misleads = self.clients.iter().any(misleads);
        if misleads { Ok(()) } else { self.receive(None, request) }
    }

    fn receive(&mut self, client: Option<usize>, request: ConsumerHeartbeatRequest) -> Result<(), String> {
        // Of a client that was killed meanwhile.
        let client = client.filter(|index| self.clients[*index].is_alive);
        let token = self.next_token;
        self.next_token += 1;
        if let Some(index) = client {
            self.clients[index].waits_for = Some(token);
        }
        self.unanswered.insert(token, client);
        self.coordinator.consumer_heartbeat(request, token, self.now_ms);
        self.take_actions()
    }

    fn take_actions(&mut self) -> Result<(), String> {
        while let Some(action) = self.coordinator.next_action() {
            match action {
                Action::Respond { to, response: Response::ConsumerHeartbeat(answer) } => self.respond(to, answer)?,
                Action::Respond { response, .. } => return Err(format!("an answer of another kind: {response:?}")),
                Action::Write { write, group, records } => {
                    let is_deleted = records.contains(&GroupRecord::ConsumerGroup(None));
                    let appends = is_deleted || !self.random.one_in(10);
                    if appends {
                        self.log.push((group.clone(), records));
                    }
                    if is_deleted {
                        self.known.remove(&group);
                    }
                    self.writing.extend(write.map(|write| (write, appends.then_some(self.log.len()))));
                }
            }
        }
        Ok(())
    }

    fn respond(&mut self, token: u64, answer: Result<ConsumerHeartbeat, GroupError>) -> Result<(), String> {
        let Some(client) = self.unanswered.remove(&token) else {
            return Err(format!("a heartbeat is answered that does not wait: {answer:?}"));
        };
        let Some(index) = client.filter(|index| self.clients[*index].waits_for == Some(token)) else { return Ok(()) };
        if self.is_lost() {
            self.clients[index].give_up();
            return Ok(());
        }
        let client = &mut self.clients[index];
        let mut answer = answer;
        if let Ok(heartbeat) = &mut answer {
            let known = self.known.entry(client.group.clone()).or_default();
            known.told.insert(heartbeat.member_id.clone(), heartbeat.member_epoch);
            if self.bug == Some(Bug::HastyAssignments) && heartbeat.assignment.is_some() {
                let group = self.coordinator.describe_consumer_group(&client.group);
                let members = group.map(|group| group.members).unwrap_or_default();
                let target = members.into_iter().find(|member| member.member_id == heartbeat.member_id);
                heartbeat.assignment = target.map(|member| member.target);
            }
        }
        client.take_in(answer);
        Ok(())
    }

    /// A member commits what it has read, in its epoch or in one before.
    fn commit(&mut self) -> Result<(), String> {
        let client = self.random.pick(&self.clients).clone();
        let epoch = client.epoch - self.random.below(2) as i32;
        let mut taken = self.coordinator.check_commit(&client.group, &client.member_id, None, epoch, self.now_ms);
        if self.bug == Some(Bug::UncheckedCommits) {
            taken = Ok(());
        }
        let group = self.coordinator.describe_consumer_group(&client.group);
        let members = group.map(|group| group.members).unwrap_or_default();
        let is_welcome = members.iter().any(|member| member.member_id == client.member_id && member.epoch == epoch);
        // From outside, of a group without members.
        let is_alone = members.is_empty() && epoch < 0;
        match taken.is_ok() == (is_welcome || is_alone) {
            true => Ok(()),
            false => Err(format!("{client:?} commits in epoch {epoch}, and is told {taken:?}")),
        }
    }

    fn pass(&mut self, ms: i64) -> Result<(), String> {
        let until = self.now_ms + ms;
        if self.bug == Some(Bug::ForgottenTime) {
            self.now_ms = until;
            return Ok(());
        }
        while let Some(deadline) = self.coordinator.next_deadline().filter(|deadline| *deadline <= until) {
            self.now_ms = self.now_ms.max(deadline);
            self.coordinator.tick(self.now_ms);
            self.take_actions()?;
        }
        self.now_ms = until;
        Ok(())
    }

    /// A batch becomes durable, and all before it; or it is told that it could not be appended.
    fn finish_write(&mut self) -> Result<(), String> {
        if self.writing.is_empty() {
            return Ok(());
        }
        let (write, position) = self.writing.swap_remove(self.random.below(self.writing.len() as u64) as usize);
        let is_early = self.bug == Some(Bug::EarlyWrites);
        let result = position.ok_or(GroupError::CoordinatorNotAvailable).map(|position| {
            self.durable = if is_early { self.durable } else { self.durable.max(position) };
        });
        self.coordinator.written(write, result, self.now_ms);
        self.take_actions()
    }

    /// The coordinator dies. Some of what was not durable is there all the same, and is made durable before anybody is told.
    fn crash(&mut self) -> Result<(), String> {
        let undecided = (self.log.len() - self.durable) as u64;
        self.log.truncate(self.durable + self.random.below(undecided + 1) as usize);
        if self.bug == Some(Bug::LostRecords) {
            self.log.pop();
        }
        self.durable = self.log.len();
        self.writing.clear();
        for client in std::mem::take(&mut self.unanswered).into_values().flatten() {
            self.clients[client].give_up();
        }
        self.coordinator = GroupCoordinator::new(&self.config);
        self.tell_topics();
        for (group, records) in &self.log {
            for record in records {
                let (key, value) = (record.encode_key(group), record.encode_value());
                let Ok(Some((group, mut record))) = GroupRecord::decode(&key, value.as_deref()) else {
                    return Err(format!("{record:?} can't be read"));
                };
                if let (Some(Bug::SwappedMembers), GroupRecord::Current(id, Some(_))) = (self.bug, &mut record) {
                    let of_group = self.clients.iter().filter(|client| client.group == group);
                    if let Some(other) = of_group.map(|client| &client.member_id).find(|other| *other != id) {
                        id.clone_from(other);
                    }
                }
                self.coordinator.replay(&group, record);
            }
        }
        self.coordinator.loaded(self.now_ms);
        for (group, known) in &mut self.known {
            let described = self.coordinator.describe_consumer_group(group);
            (known.epoch, known.assignment_epoch) = (0, 0);
            for member in described.iter().flat_map(|group| &group.members) {
                let told = known.told.get(&member.member_id).copied().unwrap_or(0);
                if member.epoch < told && member.epoch >= 0 {
                    return Err(format!("{group}: {member:?} was told that it is in epoch {told}"));
                }
            }
        }
        self.take_actions()
    }

    fn delete_groups(&mut self) -> Result<(), String> {
        for group in GROUPS {
            let described = self.coordinator.describe_consumer_group(group);
            let is_empty = described.is_none_or(|group| group.members.is_empty());
            if self.coordinator.delete(group).is_ok() && !is_empty {
                return Err(format!("{group} is deleted although it has members"));
            }
        }
        self.take_actions()
    }

    /// A client ends: all of a sudden, or it leaves, perhaps to come back.
    fn kill(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        let client = &mut self.clients[index];
        if client.is_alive && client.epoch > 0 && self.random.one_in(2) {
            let epoch = if client.instance.is_some() && self.random.one_in(2) { -2 } else { -1 };
            self.sent.push((None, client.leave(epoch)));
        }
        (client.is_alive, client.waits_for) = (false, None);
        client.owned.clear();
        // What it has sent may still come, and nobody waits for the answer.
        self.sent.iter_mut().filter(|(from, _)| *from == Some(index)).for_each(|(from, _)| *from = None);
    }

    fn revive(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        if !self.clients[index].is_alive {
            self.clients[index].restart(&mut self.random);
        } else if self.clients.len() < 7 {
            let group = self.clients[index].group.clone();
            let client = Client::new(&group, None, &mut self.random);
            self.clients.push(client);
        }
    }

    fn change_client(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        match self.random.below(3) {
            0 => self.clients[index].is_slow = true,
            _ => self.clients[index].change_subscription(&mut self.random),
        }
    }

    /// A topic is created, grows or is deleted.
    fn change_topics(&mut self) {
        let name = (*self.random.pick(&["t0", "t1", "u0"])).to_owned();
        let id = fresh_id(&mut self.random);
        match self.topics.get_mut(&name) {
            None => drop(self.topics.insert(name, (id, 1 + self.random.below(3) as i32))),
            Some((_, count)) if *count < 5 && !self.random.one_in(3) => *count += 1,
            Some(_) => drop(self.topics.remove(&name)),
        }
        if self.bug != Some(Bug::ForgottenTopics) {
            self.tell_topics();
        }
    }

    fn tell_topics(&mut self) {
        self.coordinator.set_topics(self.topics.iter().map(|(name, (id, count))| (name.clone(), *id, *count)));
    }

    fn check(&mut self) -> Result<(), String> {
        let mut members = 0;
        for group in GROUPS {
            let Some(described) = self.coordinator.describe_consumer_group(group) else { continue };
            members += described.members.len();
            let known = self.known.entry(group.to_owned()).or_default();
            let goes_back = described.epoch < known.epoch || described.assignment_epoch < known.assignment_epoch;
            if goes_back || described.assignment_epoch > described.epoch {
                return Err(format!("{group} was in epoch {}, and is {described:?}", known.epoch));
            }
            (known.epoch, known.assignment_epoch) = (described.epoch, described.assignment_epoch);
            let mut owners = BTreeMap::new();
            for member in &described.members {
                let its_own: BTreeSet<_> = pairs(&member.assigned).chain(pairs(&member.revoking)).collect();
                for partition in &its_own {
                    if let Some(other) = owners.insert(*partition, &member.member_id) {
                        return Err(format!("{partition:?} is {other}'s and {}'s: {described:#?}", member.member_id));
                    }
                }
                let client = self.clients.iter().find(|client| client.member_id == member.member_id);
                if let Some(client) = client.filter(|client| client.is_alive && client.epoch > 0)
                    && !pairs(&client.owned).all(|partition| its_own.contains(&partition))
                {
                    return Err(format!("{client:#?} reads what is not its own: {described:#?}"));
                }
                if member.epoch > described.epoch {
                    return Err(format!("{member:?} of {group}, which is in epoch {}", described.epoch));
                }
            }
        }
        // Two for each member, and one for each that was heard of while it was taken out.
        let (timers, _) = self.coordinator.bookkeeping();
        let most = 2 * members + self.next_token as usize;
        if timers > most { Err(format!("{timers} timers")) } else { Ok(()) }
    }
}

fn pairs(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}
