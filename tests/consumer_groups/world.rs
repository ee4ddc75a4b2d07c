//! A coordinator, its log, topics and members of both protocols, all by one seed: requests that are late, lost or come
//! twice, members that crash, fall silent, come back, perhaps with the other protocol, or do not let go, topics that
//! come, grow and go, records that can't be written, coordinators that crash and read again what they have written.
//!
//! After each step must hold:
//! - a partition is one member's at most, also while it is on its way from one to another;
//! - what a member reads is its own in the eyes of the coordinator, or, where members assign, nobody else's;
//! - epochs go up: the group's, the target's, and a member's as far as it was told of it, also over a crash;
//! - no commit is taken of somebody who isn't a member, or is in another epoch;
//! - every heartbeat is answered once at most, and exactly once as long as the coordinator lives.
//!
//! And in the end, when nothing goes wrong any more, every member has all of its target, every partition that somebody
//! is subscribed to has a reader, and a group goes by the consumer protocol if any of its members has that.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::slice;

use esker::coordinator::{Action, Committer, GroupCoordinator, GroupError, GroupRecord, GroupState, Response};
use esker::{StoreConfig, Uuid};

use crate::checks::pairs;
use crate::classic::{Seat, Topics, identified, named};
use crate::client::{Client, Request, fresh_id};
use crate::common::offsets_log::{Batch, OffsetsLog};
use crate::common::random::Random;

pub const GROUPS: [&str; 2] = ["a", "b"];

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
    /// A crash loses the batches that made groups go over to the other protocol, although they were durable.
    LostConversions,
    /// Members of the classic protocol don't say what they have.
    ForgottenPartitions,
}

impl Bug {
    pub const ALL: [Self; 9] = [
        Self::UncheckedCommits,
        Self::EarlyWrites,
        Self::ForgottenTime,
        Self::LostRecords,
        Self::SwappedMembers,
        Self::ForgottenTopics,
        Self::HastyAssignments,
        Self::LostConversions,
        Self::ForgottenPartitions,
    ];
}

pub struct World {
    random: Random,
    bug: Option<Bug>,
    config: StoreConfig,
    pub coordinator: GroupCoordinator<u64>,
    now_ms: i64,
    pub topics: Topics,
    log: OffsetsLog,
    pub clients: Vec<Client>,
    /// On their way to the coordinator, with the client that waits for an answer.
    sent: Vec<Sent>,
    /// What was sent before, and may come again.
    past: Vec<Sent>,
    pub next_token: u64,
    /// Whether requests and answers may be lost.
    may_be_lost: bool,
    /// Requests that the coordinator has not answered, and who made them.
    unanswered: BTreeMap<u64, Option<usize>>,
    pub known: HashMap<&'static str, Known>,
    /// Whether the coordinator has done nothing since it was checked.
    pub is_checked: bool,
    /// Whether members of the classic protocol keep what they have while their group rebalances.
    is_cooperative: bool,
    /// One in so many members has the classic protocol.
    classic_in: u64,
}

/// A request, with the client that waits for an answer.
#[derive(Clone, Debug)]
struct Sent {
    from: Option<usize>,
    group: &'static str,
    request: Rc<Request>,
}

/// What was seen of a group.
#[derive(Default)]
pub struct Known {
    pub epoch: i32,
    pub assignment_epoch: i32,
    pub is_consumer_group: bool,
    pub is_empty: bool,
    /// Who has each partition in a consumer group, and since which epoch.
    pub owners: HashMap<(Uuid, i32), (String, i32)>,
    /// The epoch that a member was told last.
    told: HashMap<String, i32>,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let config = StoreConfig {
            group_consumer_max_size: *random.pick(&[4, i32::MAX, i32::MAX]),
            group_consumer_session_timeout_ms: *random.pick(&[10_000, 45_000]),
            group_initial_rebalance_delay_ms: *random.pick(&[0, 3000]),
            group_consumer_assignment_interval_ms: *random.pick(&[0, 0, 1000, 5000]),
            ..StoreConfig::default()
        };
        let groups = 1 + random.below(2) as usize;
        let count = 2 + random.below(4) as usize;
        let (is_cooperative, classic_in) = (random.one_in(2), *random.pick(&[2, 3, u64::MAX]));
        let topics = [("t0", 3), ("t1", 2)].map(|(name, count)| (name.to_owned(), (fresh_id(&mut random), count)));
        let mut world = Self {
            clients: Vec::new(),
            coordinator: GroupCoordinator::new(&config),
            config,
            random,
            bug,
            now_ms: 1_000_000,
            topics: topics.into(),
            log: OffsetsLog::default(),
            sent: Vec::new(),
            past: Vec::new(),
            next_token: 0,
            may_be_lost: true,
            unanswered: BTreeMap::new(),
            known: HashMap::new(),
            is_checked: false,
            is_cooperative,
            classic_in,
        };
        world.tell_topics();
        for index in 0..count {
            let instance = world.random.one_in(3).then(|| format!("static {index}"));
            world.start(GROUPS[index % groups], instance);
        }
        world
    }

    /// A client starts, with either protocol.
    fn start(&mut self, group: &'static str, instance: Option<String>) {
        let mut client = Client::new(group, instance, &mut self.random);
        client.forgets_owned = self.bug == Some(Bug::ForgottenPartitions);
        client.restart(self.seat(), &mut self.random);
        self.clients.push(client);
    }

    fn seat(&mut self) -> Option<Seat> {
        self.random.one_in(self.classic_in).then(|| Seat::new(self.is_cooperative, &mut self.random))
    }

    pub fn steps(&mut self) -> u64 {
        60 + self.random.below(200)
    }

    pub fn log(&self) -> &OffsetsLog {
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
                self.check()?;
            }
            while self.log.is_writing() {
                self.finish_write()?;
                self.check()?;
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
        let groups: Vec<_> = GROUPS.iter().map(|group| self.view(group)).collect();
        Err(format!("the groups never come to rest: {groups:#?} of {:#?}", self.clients))
    }

    fn act(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if !client.is_alive || client.waits_for.is_some() || self.sent.iter().any(|sent| sent.from == Some(index)) {
            return;
        }
        let request = Rc::new(client.next_request(&self.topics, &mut self.random));
        let sent = Sent { from: Some(index), group: client.group, request };
        self.past.push(Sent { from: None, ..sent.clone() });
        self.sent.push(sent);
    }

    /// A request comes to the coordinator, or is lost if it may be.
    fn deliver(&mut self) -> Result<(), String> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let sent = self.sent.swap_remove(self.random.below(self.sent.len() as u64) as usize);
        if !self.is_lost() {
            return self.receive(sent);
        }
        if let Some(index) = sent.from {
            self.clients[index].give_up();
        }
        Ok(())
    }

    fn is_lost(&mut self) -> bool {
        self.may_be_lost && self.random.one_in(12)
    }

    /// A request from the past comes once more. Its answer goes nowhere.
    fn repeat(&mut self) -> Result<(), String> {
        if self.past.is_empty() {
            return Ok(());
        }
        let sent = self.random.pick(&self.past).clone();
        let id = match &*sent.request {
            Request::Heartbeat(heartbeat) => &heartbeat.member_id,
            Request::Join(join) => &join.member_id,
            Request::Sync(sync) => &sync.member_id,
            Request::Alive { member_id, .. } => member_id,
            Request::Leave(leave) => &leave.member_id,
        };
        // What a member wants, and what it has in its epoch, it says in order, or it could not be believed; nor does it
        // join twice.
        let is_late = |client: &Client| match &*sent.request {
            Request::Heartbeat(heartbeat) => {
                let epoch = heartbeat.member_epoch;
                client.epoch > epoch && epoch > 0 && heartbeat.topic_names.is_none()
            }
            Request::Sync(_) | Request::Alive { .. } => true,
            Request::Join(_) | Request::Leave(_) => false,
        };
        let misleads = self.clients.iter().any(|client| client.member_id == *id && !is_late(client));
        let joins_twice = matches!(&*sent.request, Request::Join(join) if join.member_id.is_empty());
        if misleads || joins_twice { Ok(()) } else { self.receive(sent) }
    }

    fn receive(&mut self, Sent { from, group, request }: Sent) -> Result<(), String> {
        // Of a client that was killed meanwhile.
        let client = from.filter(|index| self.clients[*index].is_alive);
        let (token, now_ms) = (self.next_token, self.now_ms);
        self.next_token += 1;
        let waits = !matches!(&*request, Request::Alive { .. } | Request::Leave(_));
        if waits {
            if let Some(index) = client {
                self.clients[index].waits_for = Some(token);
            }
            self.unanswered.insert(token, client);
        }
        match &*request {
            Request::Heartbeat(heartbeat) => self.coordinator.consumer_heartbeat(heartbeat.clone(), token, now_ms),
            Request::Join(join) => self.coordinator.join(join.clone(), token, now_ms),
            Request::Sync(sync) => self.coordinator.sync(sync.clone(), token, now_ms),
            Request::Alive { member_id, instance, generation } => {
                let alive = self.coordinator.heartbeat(group, member_id, instance.as_deref(), *generation, now_ms);
                if let (Some(index), Err(error)) = (client, alive) {
                    self.clients[index].refused(error);
                }
            }
            Request::Leave(leave) => drop(self.coordinator.leave(group, slice::from_ref(leave), now_ms)),
        }
        self.take_actions()
    }

    fn take_actions(&mut self) -> Result<(), String> {
        self.is_checked = false;
        while let Some(action) = self.coordinator.next_action() {
            match action {
                Action::Respond { to, response } => self.respond(to, response)?,
                Action::Write { write, group, records } => {
                    let is_gone = self.log.append(write, Batch { group: group.clone(), records }, &mut self.random);
                    if is_gone {
                        self.known.remove(&*group);
                    }
                }
            }
        }
        Ok(())
    }

    fn respond(&mut self, token: u64, response: Response) -> Result<(), String> {
        let Some(client) = self.unanswered.remove(&token) else {
            return Err(format!("a request is answered that does not wait: {response:?}"));
        };
        let Some(index) = client.filter(|index| self.clients[*index].waits_for == Some(token)) else { return Ok(()) };
        if self.is_lost() {
            self.clients[index].give_up();
            return Ok(());
        }
        let client = &mut self.clients[index];
        let known = self.known.entry(client.group).or_default();
        match response {
            Response::ConsumerHeartbeat(mut answer) => {
                if let Ok(heartbeat) = &mut answer {
                    known.told.insert(heartbeat.member_id.clone(), heartbeat.member_epoch);
                    if self.bug == Some(Bug::HastyAssignments) && heartbeat.assignment.is_some() {
                        let group = self.coordinator.describe_consumer_group(client.group);
                        let members = group.map(|group| group.members).unwrap_or_default();
                        let target = members.into_iter().find(|member| member.member_id == heartbeat.member_id);
                        heartbeat.assignment = target.map(|member| member.target);
                    }
                }
                client.take_in(answer);
            }
            response => {
                // What others join is durable when it is assigned.
                if let Response::Sync(Ok(_)) = &response {
                    known.told.insert(client.member_id.clone(), client.epoch);
                }
                client.take_in_classic(response, &self.topics);
            }
        }
        Ok(())
    }

    /// A member commits what it has read, in its epoch or in one before.
    fn commit(&mut self) -> Result<(), String> {
        let client = self.random.pick(&self.clients).clone();
        let epoch = client.epoch - self.random.below(3) as i32;
        let committer = Committer {
            group: client.group,
            member_id: &client.member_id,
            group_instance_id: None,
            generation: epoch,
            is_transactional: false,
        };
        let owned = named(&client.owned, &self.topics);
        let mut taken = self.coordinator.check_commit_of(&committer, &owned, self.now_ms);
        if self.bug == Some(Bug::UncheckedCommits) {
            taken = Ok(());
        }
        let view = self.view(client.group);
        let is_welcome = view.members.get(&client.member_id).is_some_and(|member| member.epoch == epoch);
        // From outside, of a group without members.
        let is_alone = view.state == GroupState::Empty && epoch < 0;
        // In an earlier epoch, what it has had since then.
        let owners = self.known.get(client.group).map(|known| &known.owners);
        let has_had = |partition: (Uuid, i32)| {
            let owner = owners.and_then(|owners| owners.get(&partition));
            owner.is_some_and(|(owner, since)| *owner == client.member_id && *since <= epoch)
        };
        let has_had = view.is_consumer_group && epoch >= 0 && pairs(&identified(&owned, &self.topics)).all(has_had);
        let is_late = has_had && view.members.get(&client.member_id).is_some_and(|member| epoch < member.epoch);
        // While members assign, nobody may commit.
        let is_refused = taken == Err(GroupError::RebalanceInProgress) && !view.is_consumer_group;
        match taken.is_ok() == (is_welcome || is_alone) || is_refused || is_late {
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
        let Some(write) = self.log.finish(&mut self.random) else { return Ok(()) };
        if let Some(end) = write.end.filter(|_| self.bug != Some(Bug::EarlyWrites)) {
            self.log.sync(end);
        }
        let result = write.end.map(drop).ok_or(GroupError::CoordinatorNotAvailable);
        self.coordinator.written(write.id, result, self.now_ms);
        self.take_actions()?;
        // What a group has become must hold from the first moment on.
        let is_conversion = write.end.is_some_and(|end| converts(&self.log.batches()[end - 1]));
        if is_conversion && self.may_be_lost && self.random.one_in(3) { self.crash() } else { Ok(()) }
    }

    /// The coordinator dies, and another reads what is in the log.
    fn crash(&mut self) -> Result<(), String> {
        self.log.crash(self.bug == Some(Bug::LostRecords), &mut self.random);
        if self.bug == Some(Bug::LostConversions) {
            self.log.lose(converts);
        }
        for client in std::mem::take(&mut self.unanswered).into_values().flatten() {
            self.clients[client].give_up();
        }
        self.coordinator = GroupCoordinator::new(&self.config);
        self.tell_topics();
        for Batch { group, records } in self.log.batches() {
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
        let groups: Vec<_> = self.known.keys().copied().collect();
        for group in groups {
            let view = self.view(group);
            let known = self.known.entry(group).or_default();
            (known.epoch, known.assignment_epoch) = (0, 0);
            for (id, member) in view.members {
                let told = known.told.get(&id).copied().unwrap_or(0);
                if member.epoch < told && member.epoch >= 0 {
                    return Err(format!("{id} was told that it is in epoch {told}: {member:?}"));
                }
            }
        }
        self.take_actions()
    }

    fn delete_groups(&mut self) -> Result<(), String> {
        for group in GROUPS {
            let is_empty = self.view(group).members.is_empty();
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
            let request = match &client.seat {
                Some(_) => Request::Leave(client.classic_leave()),
                None => Request::Heartbeat(client.leave(epoch)),
            };
            self.sent.push(Sent { from: None, group: client.group, request: Rc::new(request) });
        }
        (client.is_alive, client.waits_for) = (false, None);
        client.owned.clear();
        // What it has sent may still come, and nobody waits for the answer.
        self.sent.iter_mut().filter(|sent| sent.from == Some(index)).for_each(|sent| sent.from = None);
    }

    fn revive(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        let seat = self.seat();
        if !self.clients[index].is_alive {
            self.clients[index].restart(seat, &mut self.random);
        } else if self.clients.len() < 7 {
            self.start(self.clients[index].group, None);
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
        // Those that may lead look at the topics, too.
        self.clients.iter_mut().filter_map(|client| client.seat.as_mut()).for_each(|seat| seat.must_rejoin = true);
        if self.bug != Some(Bug::ForgottenTopics) {
            self.tell_topics();
        }
    }

    fn tell_topics(&mut self) {
        self.coordinator.set_topics(self.topics.iter().map(|(name, (id, count))| (name.clone(), *id, *count)));
    }
}

/// Whether a batch makes a group go over to the other protocol.
fn converts(batch: &Batch) -> bool {
    batch.records.len() > 1 && batch.records.iter().any(|record| matches!(record, GroupRecord::Classic(_)))
}
