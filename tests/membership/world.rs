//! A coordinator, its log, and clients, all by one seed: requests that are late, lost or come twice, clients that
//! crash, fall silent or come back, records that can't be written, coordinators that crash and read again what they
//! have written.
//!
//! After each step must hold:
//! - every request is answered once at most, and exactly once as long as the coordinator lives;
//! - generations go up, also over a crash as far as anybody has been assigned anything;
//! - in a generation a partition is given to one member, or one static member, alone;
//! - no commit is taken by somebody who isn't a member, is of an older generation, or was replaced;
//! - the coordinator keeps no more timers than there are members.
//!
//! And in the end, when nothing goes wrong any more, every client is a member, and every partition has a reader.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::rc::Rc;

use esker::coordinator::{Action, GroupCoordinator, GroupError, GroupRecord, GroupState, Response};
use esker::{StoreConfig, Uuid};

use crate::client::{Client, Identity, PARTITIONS, Phase, Request};
use crate::common::offsets_log::{Batch, OffsetsLog};
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
    /// A crash loses the last record although it was durable.
    LostRecords,
    /// A group's record is read by the wrong member ids.
    SwappedAssignments,
}

impl Bug {
    pub const ALL: [Self; 5] =
        [Self::UncheckedCommits, Self::EarlyWrites, Self::ForgottenTime, Self::LostRecords, Self::SwappedAssignments];
}

pub struct World {
    random: Random,
    bug: Option<Bug>,
    config: StoreConfig,
    coordinator: GroupCoordinator<u64>,
    now_ms: i64,
    log: OffsetsLog,
    clients: Vec<Client>,
    /// On their way to the coordinator, with the client that waits for an answer.
    sent: Vec<(Option<usize>, Rc<Request>)>,
    /// What was sent before, and may come again.
    past: Vec<Rc<Request>>,
    next_token: u64,
    /// Whether requests and answers may be lost.
    may_be_lost: bool,
    /// Requests that the coordinator has not answered, and who made them.
    unanswered: BTreeMap<u64, (Option<usize>, Rc<Request>)>,
    known: HashMap<String, Known>,
    /// Whether the coordinator has done nothing since it was checked.
    is_checked: bool,
}

/// What clients of a group have been told.
#[derive(Default)]
struct Known {
    generation: i32,
    /// The last generation in which anybody was assigned anything, and who has which partition in it.
    assigned: i32,
    owners: BTreeMap<u8, String>,
    /// The member id that a static member has joined with last, and in which generation.
    instances: HashMap<String, (String, i32)>,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut random = Random::new(seed);
        let config = StoreConfig {
            group_initial_rebalance_delay_ms: *random.pick(&[0, 3000]),
            group_max_size: *random.pick(&[3, i32::MAX, i32::MAX]),
            ..StoreConfig::default()
        };
        let groups = 1 + random.below(2) as usize;
        let count = 2 + random.below(4);
        let clients = (0..count).map(|index| {
            let instance = random.one_in(3).then(|| format!("static {index}"));
            Client::new(GROUPS[index as usize % groups].into(), instance, &mut random)
        });
        Self {
            clients: clients.collect(),
            coordinator: GroupCoordinator::new(&config),
            config,
            random,
            bug,
            now_ms: 1_000_000,
            log: OffsetsLog::default(),
            sent: Vec::new(),
            past: Vec::new(),
            next_token: 0,
            may_be_lost: true,
            unanswered: BTreeMap::new(),
            known: HashMap::new(),
            is_checked: false,
        }
    }

    pub fn steps(&mut self) -> u64 {
        40 + self.random.below(160)
    }

    pub fn log(&self) -> &OffsetsLog {
        &self.log
    }

    /// Something happens.
    pub fn step(&mut self) -> Result<(), String> {
        match self.random.below(40) {
            0..15 => self.act(),
            15..27 => self.deliver()?,
            27..31 => {
                let ms = *self.random.pick(&[1, 100, 3000, 7000, 61_000]);
                self.pass(ms)?;
            }
            31..35 => self.finish_write()?,
            35 => self.repeat()?,
            36 => self.kill(),
            37 => self.revive(),
            38 => self.change(),
            _ => match self.random.below(4) {
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
        for _ in 0..400 {
            (0..self.clients.len()).for_each(|index| self.send(index));
            while !self.sent.is_empty() {
                self.deliver()?;
            }
            while self.log.is_writing() {
                self.finish_write()?;
            }
            self.pass(3000)?;
            self.check()?;
            if self.is_at_rest() {
                return self.check_answered();
            }
        }
        let groups: Vec<_> = GROUPS.iter().filter_map(|group| self.coordinator.describe(group)).collect();
        Err(format!("the groups never come to rest: {groups:#?} of {:#?}", self.clients))
    }

    fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| {
            let clients = self.clients.iter().filter(|client| client.identity.group == *group && client.is_alive());
            let mut parts = Vec::new();
            let mut ids = BTreeSet::new();
            for client in clients {
                let Phase::Member { part } = &client.phase else { return false };
                parts.extend_from_slice(part);
                ids.insert(client.identity.member_id.clone());
            }
            parts.sort_unstable();
            let described = self.coordinator.describe(group);
            let members =
                described.iter().flat_map(|group| group.members.iter().map(|member| member.member_id.clone()));
            let is_read = ids.is_empty() || parts == (0..PARTITIONS).collect::<Vec<_>>();
            let is_stable = described.as_ref().is_none_or(|group| group.state != GroupState::PreparingRebalance);
            is_read && is_stable && members.collect::<BTreeSet<_>>() == ids
        })
    }

    fn check_answered(&self) -> Result<(), String> {
        // Those whose answers nobody waits for are among them: a member that fell silent is told, too.
        match self.unanswered.is_empty() && self.coordinator.bookkeeping().1 == 0 {
            true => Ok(()),
            false => Err(format!("never answered: {:?}", self.unanswered)),
        }
    }

    fn act(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        // What is under way is waited for.
        if self.sent.iter().any(|(from, _)| *from == Some(index)) {
            return;
        }
        let fresh_id = self.fresh_id();
        if let Some(request) = self.clients[index].next_request(fresh_id, &mut self.random) {
            let request = Rc::new(request);
            self.past.push(request.clone());
            self.sent.push((Some(index), request));
        }
    }

    /// A request comes to the coordinator, or is lost if it may be.
    fn deliver(&mut self) -> Result<(), String> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let (client, request) = self.sent.swap_remove(self.random.below(self.sent.len() as u64) as usize);
        if self.is_lost() { Ok(()) } else { self.receive(client, request) }
    }

    fn is_lost(&mut self) -> bool {
        self.may_be_lost && self.random.one_in(12)
    }

    /// A request from the past comes once more. Its answer goes nowhere.
    fn repeat(&mut self) -> Result<(), String> {
        if self.past.is_empty() {
            return Ok(());
        }
        let mut request = self.random.pick(&self.past).clone();
        if let Request::Join(join) = Rc::make_mut(&mut request) {
            join.fresh_id = self.fresh_id();
        }
        self.receive(None, request)
    }

    fn fresh_id(&mut self) -> Uuid {
        Uuid::from_bytes(u128::from(self.random.next()).to_be_bytes())
    }

    fn receive(&mut self, client: Option<usize>, request: Rc<Request>) -> Result<(), String> {
        // Of a client that was killed meanwhile.
        let client = client.filter(|index| self.clients[*index].is_alive());
        let now_ms = self.now_ms;
        match &*request {
            Request::Join(_) | Request::Sync(_) => {
                let token = self.next_token;
                self.next_token += 1;
                if let Some(index) = client {
                    self.clients[index].waits_for = Some(token);
                }
                self.unanswered.insert(token, (client, request.clone()));
                match &*request {
                    Request::Join(join) => self.coordinator.join(join.clone(), token, now_ms),
                    Request::Sync(sync) => self.coordinator.sync(sync.clone(), token, now_ms),
                    _ => unreachable!(),
                }
            }
            Request::Heartbeat(Identity { group, member_id, instance, generation }) => {
                let alive = self.coordinator.heartbeat(group, member_id, instance.as_deref(), *generation, now_ms);
                self.tell(client, alive);
            }
            Request::Commit(identity) => {
                let Identity { group, member_id, instance, generation } = identity;
                let mut taken =
                    self.coordinator.check_commit(group, member_id, instance.as_deref(), *generation, now_ms);
                if self.bug == Some(Bug::UncheckedCommits) {
                    taken = Ok(());
                }
                // A commit of a group that is gone says so.
                let taken = taken.map_err(|error| match error {
                    GroupError::GroupIdNotFound => GroupError::UnknownMemberId,
                    error => error,
                });
                if taken.is_ok() {
                    self.check_committer(identity)?;
                }
                self.tell(client, taken);
            }
            Request::Leave(identity) => {
                drop(self.coordinator.leave(&identity.group, &[identity.leave()], now_ms));
            }
        }
        self.take_actions()
    }

    fn tell(&mut self, client: Option<usize>, result: Result<(), GroupError>) {
        if let (Some(index), Err(error)) = (client, result) {
            self.clients[index].refused(error);
        }
    }

    fn take_actions(&mut self) -> Result<(), String> {
        self.is_checked = false;
        while let Some(action) = self.coordinator.next_action() {
            match action {
                Action::Respond { to, response } => self.respond(to, response)?,
                Action::Write { write, group, records } => {
                    let is_gone = self.log.append(write, Batch { group: group.clone(), records }, &mut self.random);
                    if is_gone {
                        self.known.remove(&group);
                    }
                }
            }
        }
        Ok(())
    }

    fn respond(&mut self, token: u64, response: Response) -> Result<(), String> {
        let Some((client, request)) = self.unanswered.remove(&token) else {
            return Err(format!("a request is answered that does not wait: {response:?}"));
        };
        match (&*request, &response) {
            (Request::Join(join), Response::Join(Ok(joined))) => {
                if let Some(instance) = &join.group_instance_id {
                    let known = self.known.entry(join.group.clone()).or_default();
                    known.instances.insert(instance.clone(), (joined.member_id.clone(), joined.generation));
                }
            }
            (Request::Sync(sync), Response::Sync(Ok(synced))) => {
                let owner = sync.group_instance_id.as_ref().unwrap_or(&sync.member_id);
                let known = self.known.entry(sync.group.clone()).or_default();
                if sync.generation < known.assigned {
                    return Err(format!("{sync:?} is assigned something after generation {}", known.assigned));
                }
                if sync.generation > known.assigned {
                    (known.assigned, known.owners) = (sync.generation, BTreeMap::new());
                }
                for partition in &synced.assignment {
                    let before = known.owners.insert(*partition, owner.clone());
                    if let Some(other) = before.filter(|other| other != owner) {
                        let generation = sync.generation;
                        return Err(format!("{partition} is {other}'s and {owner}'s in generation {generation}"));
                    }
                }
            }
            (Request::Join(_), Response::Join(Err(_))) | (Request::Sync(_), Response::Sync(Err(_))) => {}
            mixed_up => return Err(format!("an answer of another kind: {mixed_up:?}")),
        }
        if let Some(index) = client.filter(|index| self.clients[*index].waits_for == Some(token)) {
            match self.is_lost() {
                true => self.clients[index].waits_for = None,
                false => self.clients[index].take_in(response),
            }
        }
        Ok(())
    }

    /// A commit was taken: by whom it may be.
    fn check_committer(&self, identity: &Identity) -> Result<(), String> {
        let Some(known) = self.known.get(&identity.group) else {
            return Err(format!("{identity:?} commits for a group that nobody is in"));
        };
        let group = self.coordinator.describe(&identity.group);
        let group = group.filter(|group| group.members.iter().any(|member| member.member_id == identity.member_id));
        let is_member = group.is_some_and(|group| group.generation == identity.generation);
        let is_outdated = identity.generation < known.assigned;
        let latest = identity.instance.as_ref().and_then(|instance| known.instances.get(instance));
        match is_member && !is_outdated && latest.is_none_or(|(latest, _)| *latest == identity.member_id) {
            true => Ok(()),
            false => Err(format!("{identity:?} commits, after generation {} was assigned", known.assigned)),
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

    /// A record becomes durable, and all before it; or it is told that it could not be appended.
    fn finish_write(&mut self) -> Result<(), String> {
        let Some(write) = self.log.finish(&mut self.random) else { return Ok(()) };
        if let Some(end) = write.end.filter(|_| self.bug != Some(Bug::EarlyWrites)) {
            self.log.sync(end);
        }
        let result = write.end.map(drop).ok_or(GroupError::CoordinatorNotAvailable);
        self.coordinator.written(write.id, result, self.now_ms);
        self.take_actions()
    }

    /// The coordinator dies, and another reads the last record of each group.
    fn crash(&mut self) -> Result<(), String> {
        self.log.crash(self.bug == Some(Bug::LostRecords), &mut self.random);
        for (client, _) in mem::take(&mut self.unanswered).into_values() {
            if let Some(index) = client {
                self.clients[index].waits_for = None;
            }
        }
        self.coordinator = GroupCoordinator::new(&self.config);
        let last: BTreeMap<_, _> = self.log.batches().iter().map(|batch| (&batch.group, &batch.records)).collect();
        for (group, records) in last {
            let [GroupRecord::Classic(metadata)] = &**records else {
                return Err(format!("{records:?} of a classic group"));
            };
            let Some(mut metadata) = metadata.clone() else { continue };
            if self.bug == Some(Bug::SwappedAssignments) {
                let mut assignments: Vec<_> = metadata.members.iter().map(|one| one.assignment.clone()).collect();
                assignments.reverse();
                let members = metadata.members.iter_mut();
                members.zip(assignments).for_each(|(member, assignment)| member.assignment = assignment);
            }
            self.coordinator.replay(group, GroupRecord::Classic(Some(metadata)));
        }
        self.coordinator.loaded(self.now_ms);
        for (group, known) in &mut self.known {
            // What was only being joined may be joined once more, by others.
            known.instances.retain(|_, (_, generation)| *generation <= known.assigned);
            known.generation = self.coordinator.describe(group).map_or(0, |group| group.generation);
            if known.generation < known.assigned {
                return Err(format!("{group} was assigned in {} and is in {}", known.assigned, known.generation));
            }
        }
        self.take_actions()
    }

    /// What an administrator does, and the store when nobody needs a group any more.
    fn delete_groups(&mut self) -> Result<(), String> {
        for group in GROUPS {
            let is_empty = self.coordinator.describe(group).is_none_or(|group| group.members.is_empty());
            if self.coordinator.delete(group).is_ok() && !is_empty {
                return Err(format!("{group} is deleted although it has members"));
            }
        }
        self.take_actions()
    }

    fn kill(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        if self.clients[index].is_alive() && self.random.one_in(2) {
            let identity = self.clients[index].identity.clone();
            self.sent.push((None, Rc::new(Request::Leave(identity))));
        }
        (self.clients[index].phase, self.clients[index].waits_for) = (Phase::Dead, None);
        // What it has sent may still come, and nobody waits for the answer.
        let its_own = self.sent.iter_mut().filter(|(from, _)| *from == Some(index));
        its_own.for_each(|(from, _)| *from = None);
    }

    /// A client comes back, or comes twice: the old one of a static member does not know yet.
    fn revive(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        if !self.clients[index].is_alive() {
            self.clients[index].restart();
        } else if self.clients[index].identity.instance.is_some() && self.clients.len() < 8 {
            let mut twin = self.clients[index].clone();
            twin.restart();
            self.clients.push(twin);
        }
    }

    fn change(&mut self) {
        let index = self.random.below(self.clients.len() as u64) as usize;
        if matches!(self.clients[index].phase, Phase::Member { .. }) {
            self.clients[index].change_subscription(&mut self.random);
        }
    }

    fn check(&mut self) -> Result<(), String> {
        if mem::replace(&mut self.is_checked, true) {
            return Ok(());
        }
        let mut members = 0;
        for group in GROUPS {
            let Some(described) = self.coordinator.describe(group) else { continue };
            members += described.members.len();
            let known = self.known.entry(group.to_owned()).or_default();
            if described.generation < known.generation {
                return Err(format!("{group} goes from {} back to {}", known.generation, described.generation));
            }
            known.generation = described.generation;
            if described.members.is_empty() != (described.state == GroupState::Empty)
                && described.state != GroupState::PreparingRebalance
            {
                return Err(format!("{group} is {} with {} members", described.state, described.members.len()));
            }
        }
        // One for each member and each id that was given out, two for each group.
        let given_out = self.next_token as usize;
        let (timers, _) = self.coordinator.bookkeeping();
        if timers > members + given_out + 2 * GROUPS.len() { Err(format!("{timers} timers")) } else { Ok(()) }
    }
}
