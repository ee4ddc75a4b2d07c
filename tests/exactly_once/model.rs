//! Transactions in any order, of producers that are fenced and go on as zombies, beside plain records and plain
//! commits, with crashes: what is read as committed is what the model has, after every step.

use std::collections::BTreeMap;
use std::time::Duration;

use esker::clock::Clock;
use esker::sim::{Crash, FaultStorage, Lie, ManualClock};
use esker::{
    Acks, CommittedOffset, Error, IsolationLevel, Offset, Pending, Producer, ProducerConfig, Record, Result, Store,
    TopicConfig, TopicPartition, Transaction,
};

use crate::common::cases::{catching, try_all, try_seeds};
use crate::common::random::Random;
use crate::{START_MS, open, read};

/// How many random orders a run tries by default.
const SEEDS: u64 = 600;
/// Within how many a planted bug must be found.
const SEEDS_WITH_BUG: u64 = 200;

const NAMES: [&str; 2] = ["one", "other"];
const TOPIC: &str = "t";
const PARTITIONS: usize = 2;
const GROUP: &str = "g";
const TIMEOUT_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// Syncs that make nothing durable.
    Lie(Lie),
    /// Whoever reads does not care what was committed.
    DirtyReader,
    /// The model takes an abort for a commit.
    AbortsCount,
    /// The model takes no notice of those that are fenced.
    ZombiesCount,
}

/// A transaction in the model, by its number.
type Number = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Committed,
    Aborted,
    /// A crash came while it was being committed.
    Unknown,
}

/// What must be there.
#[derive(Debug, Default)]
struct Model {
    outcomes: Vec<Outcome>,
    /// The records of each partition, with the transaction that they belong to.
    records: [BTreeMap<Offset, (String, Option<Number>)>; PARTITIONS],
    /// What the group has committed for each partition, in the order of time.
    commits: [Vec<(Offset, Option<Number>)>; PARTITIONS],
    /// A plain record or commit that a crash came in the middle of.
    unknown_record: Option<String>,
    unknown_commit: Option<(usize, Offset)>,
}

impl Model {
    fn counts(&self, transaction: Option<Number>) -> bool {
        transaction.is_none_or(|number| self.outcomes[number] == Outcome::Committed)
    }

    fn is_open(&self, transaction: Option<Number>) -> bool {
        transaction.is_some_and(|number| self.outcomes[number] == Outcome::Open)
    }

    fn readable(&self, partition: usize) -> Vec<(Offset, String)> {
        let records = &self.records[partition];
        let last_stable = records.iter().find(|(_, (_, transaction))| self.is_open(*transaction));
        let last_stable = last_stable.map_or(Offset::MAX, |(offset, _)| *offset);
        let counting = records.range(..last_stable).filter(|(_, (_, transaction))| self.counts(*transaction));
        counting.map(|(offset, (value, _))| (*offset, value.clone())).collect()
    }

    fn committed(&self, partition: usize) -> Option<Offset> {
        self.commits[partition].iter().rfind(|(_, transaction)| self.counts(*transaction)).map(|(offset, _)| *offset)
    }

    fn is_unstable(&self, partition: usize) -> bool {
        self.commits[partition].iter().any(|(_, transaction)| self.is_open(*transaction))
    }

    /// Looks whether a store has what it must have.
    fn check(&self, store: &Store, bug: Option<Bug>) -> Result<(), String> {
        let dirty = bug == Some(Bug::DirtyReader);
        let isolation = if dirty { IsolationLevel::ReadUncommitted } else { IsolationLevel::ReadCommitted };
        for index in 0..PARTITIONS {
            let (at, expected) = (partition(index), self.readable(index));
            let found = read(store, &at, isolation).map_err(|error| error.to_string())?;
            if found != expected {
                return Err(format!("{found:?} can be read of {at}, and {expected:?} should"));
            }
            let (stable, expected) = (store.stable_committed_offset(GROUP, &at), self.committed(index));
            let agrees = match &stable {
                Ok(found) => !self.is_unstable(index) && found.as_ref().map(|found| found.offset) == expected,
                Err(Error::UnstableOffsetCommit { .. }) => self.is_unstable(index),
                Err(_) => false,
            };
            let found = store.committed_offset(GROUP, &at).unwrap().map(|found| found.offset);
            if !agrees || found != expected {
                return Err(format!("{found:?} is committed for {at}, {stable:?}, and {expected:?} should be"));
            }
        }
        Ok(())
    }

    /// After a crash, of what was under way either all counts or nothing. Settles which.
    fn settle(&mut self, store: &Store, bug: Option<Bug>) -> Result<(), String> {
        self.outcomes.iter_mut().filter(|outcome| **outcome == Outcome::Open).for_each(|open| *open = Outcome::Aborted);
        if let Some(value) = self.unknown_record.take() {
            // Where it is, is for the store to say.
            for index in 0..PARTITIONS {
                let found = read(store, &partition(index), IsolationLevel::ReadUncommitted).map_err(text)?;
                let it = found.into_iter().find(|(_, found)| *found == value);
                self.records[index].extend(it.map(|(offset, value)| (offset, (value, None))));
            }
        }
        let unknown = self.outcomes.iter().position(|outcome| *outcome == Outcome::Unknown);
        let unknown_commit = self.unknown_commit.take();
        let mut findings = Vec::new();
        for outcome in [Outcome::Committed, Outcome::Aborted] {
            if let Some(number) = unknown {
                self.outcomes[number] = outcome;
            }
            if let (Some((index, offset)), Outcome::Committed) = (unknown_commit, outcome) {
                self.commits[index].push((offset, None));
            } else if let Some((index, _)) = unknown_commit {
                self.commits[index].pop();
            }
            match self.check(store, bug) {
                Ok(()) => return Ok(()),
                Err(finding) => findings.push(finding),
            }
        }
        findings.dedup();
        Err(findings.join("; or else "))
    }
}

fn partition(index: usize) -> TopicPartition {
    (TOPIC, index as i32).into()
}

fn text(error: Error) -> String {
    error.to_string()
}

/// A transaction that is open, as far as its producer knows.
struct Open {
    transaction: Transaction,
    number: Number,
    lingering: Vec<(usize, String, Pending)>,
    /// When the coordinator got to know of it.
    begun_ms: Option<i64>,
}

/// A transactional id, with its producer and one that it was taken from.
struct Id {
    name: &'static str,
    producer: Producer,
    open: Option<Open>,
    zombie: Option<(Producer, Option<Open>)>,
}

struct World {
    bug: Option<Bug>,
    random: Random,
    disk: FaultStorage,
    clock: ManualClock,
    model: Model,
    written: u64,
}

/// What there is between two crashes.
struct Session {
    store: Store,
    plain: Producer,
    ids: Vec<Id>,
}

/// A step was not finished.
enum Stop {
    Crashed,
    Finding(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Finding(format!("refused: {error:?}"))
    }
}

impl From<String> for Stop {
    fn from(finding: String) -> Self {
        Self::Finding(finding)
    }
}

type Step = Result<(), Stop>;

impl Session {
    fn begin(world: &World) -> Result<Self> {
        let store = open(&world.disk, &world.clock)?;
        if store.topics().iter().all(|topic| topic != TOPIC) {
            store.create_topic(TOPIC, TopicConfig::new().partitions(PARTITIONS as i32))?;
        }
        let id = |name| Ok(Id { name, producer: producer(&store, name)?, open: None, zombie: None });
        let ids = NAMES.into_iter().map(id).collect::<Result<_>>()?;
        Ok(Self { plain: store.producer(ProducerConfig::new())?, store, ids })
    }
}

fn producer(store: &Store, name: &str) -> Result<Producer> {
    let timeout = Duration::from_millis(TIMEOUT_MS);
    let config = ProducerConfig::new().transactional_id(name).transaction_timeout(timeout);
    store.producer(config.linger(Duration::from_secs(3600)).batch_size(150))
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let (mut random, clock) = (Random::new(seed), ManualClock::new(START_MS));
        let disk = FaultStorage::new(random.next());
        if let Some(Bug::Lie(lie)) = bug {
            disk.lie_about(lie);
        }
        Self { bug, random, disk, clock, model: Model::default(), written: 0 }
    }

    fn run(mut self) -> Result<(), String> {
        let mut session = Session::begin(&self).map_err(text)?;
        for _ in 0..30 + self.random.below(50) {
            if self.random.one_in(12) {
                self.disk.crash_at(self.disk.mutations() + self.random.below(25));
            }
            let step = self.step(&mut session);
            let step = if self.disk.has_crashed() { Err(Stop::Crashed) } else { step };
            let checked = step.and_then(|()| Ok(self.model.check(&session.store, self.bug)?));
            match checked {
                Ok(()) => {}
                _ if self.disk.has_crashed() => session = self.restart(session)?,
                Err(Stop::Finding(finding)) => return Err(finding),
                Err(Stop::Crashed) => return Err("nothing has crashed".to_owned()),
            }
        }
        Ok(())
    }

    /// Opens what a crash has left, perhaps after more crashes.
    fn restart(&mut self, session: Session) -> Result<Session, String> {
        drop(session);
        loop {
            let crash = *self.random.pick(&[Crash::Process, Crash::Power]);
            self.disk = self.disk.after_crash(crash, self.random.next());
            if let Some(Bug::Lie(lie)) = self.bug {
                self.disk.lie_about(lie);
            }
            if self.random.one_in(3) {
                self.disk.crash_at(self.random.below(25));
            }
            match Session::begin(self) {
                Ok(session) if !self.disk.has_crashed() => {
                    self.model.settle(&session.store, self.bug)?;
                    return Ok(session);
                }
                Err(error) if !self.disk.has_crashed() => return Err(text(error)),
                _ => {}
            }
        }
    }

    fn step(&mut self, session: &mut Session) -> Step {
        let index = self.random.below(NAMES.len() as u64) as usize;
        match self.random.below(24) {
            0..=8 => self.send(session, index),
            9..=11 => self.send_offset(session, index),
            12..=14 => self.commit(session, index),
            15 | 16 => self.abort(session, index),
            17 => self.take_over(session, index),
            18 => self.zombie(session, index),
            19 | 20 => self.send_plain(session),
            21 => self.commit_plain(session),
            22 => self.tick(session),
            _ if self.random.one_in(2) => self.compact(session),
            _ => self.reopen(session),
        }
    }

    fn value(&mut self) -> String {
        self.written += 1;
        format!("value {}", self.written)
    }

    /// The transaction that is open, or a new one.
    fn open<'a>(&mut self, id: &'a mut Id) -> Result<&'a mut Open, Stop> {
        match &mut id.open {
            Some(open) => Ok(open),
            none => {
                let transaction = id.producer.begin_transaction()?;
                self.model.outcomes.push(Outcome::Open);
                let number = self.model.outcomes.len() - 1;
                Ok(none.insert(Open { transaction, number, lingering: Vec::new(), begun_ms: None }))
            }
        }
    }

    fn send(&mut self, session: &mut Session, index: usize) -> Step {
        let (value, at, lingers) = (self.value(), self.random.below(PARTITIONS as u64) as usize, self.random.one_in(2));
        let now_ms = self.clock.now_ms();
        let open = self.open(&mut session.ids[index])?;
        let pending = open.transaction.send_async(Record::to(TOPIC).partition(at as i32).value(value.clone()))?;
        open.begun_ms.get_or_insert(now_ms);
        open.lingering.push((at, value, pending));
        let number = open.number;
        if !lingers {
            open.transaction.producer().flush()?;
        }
        self.note_appended(open_of(session, index), number)
    }

    /// Notes what was appended of what lingered.
    fn note_appended(&mut self, open: &mut Open, number: Number) -> Step {
        let appended = |(_, _, pending): &mut (usize, String, Pending)| pending.is_appended();
        for (at, value, pending) in open.lingering.extract_if(.., appended) {
            let offset = pending.wait()?.offset.unwrap();
            self.model.records[at].insert(offset, (value, Some(number)));
        }
        Ok(())
    }

    fn send_offset(&mut self, session: &mut Session, index: usize) -> Step {
        let (at, offset) = (self.random.below(PARTITIONS as u64) as usize, self.random.below(1000) as Offset);
        let now_ms = self.clock.now_ms();
        let open = self.open(&mut session.ids[index])?;
        open.transaction.send_offsets(GROUP, [(partition(at), CommittedOffset::new(offset))])?;
        open.begun_ms.get_or_insert(now_ms);
        self.model.commits[at].push((offset, Some(open.number)));
        Ok(())
    }

    fn commit(&mut self, session: &mut Session, index: usize) -> Step {
        let Some(Open { transaction, number, lingering, .. }) = session.ids[index].open.take() else { return Ok(()) };
        let committed = transaction.commit();
        self.model.outcomes[number] = if committed.is_ok() { Outcome::Committed } else { Outcome::Unknown };
        for (at, value, pending) in lingering {
            // What was not appended is part of no commit.
            if let Ok(appended) = pending.wait() {
                self.model.records[at].insert(appended.offset.unwrap(), (value, Some(number)));
            }
        }
        Ok(committed?)
    }

    fn abort(&mut self, session: &mut Session, index: usize) -> Step {
        let Some(Open { transaction, number, lingering, .. }) = session.ids[index].open.take() else { return Ok(()) };
        self.model.outcomes[number] =
            if self.bug == Some(Bug::AbortsCount) { Outcome::Committed } else { Outcome::Aborted };
        match self.random.one_in(2) {
            true => drop(transaction),
            false => transaction.abort()?,
        }
        match lingering.into_iter().map(|(_, _, pending)| pending.wait()).find(|waited| waited.is_ok()) {
            Some(_) => Err("what lingered was appended".to_owned().into()),
            None => Ok(()),
        }
    }

    /// Another producer of the same name begins.
    fn take_over(&mut self, session: &mut Session, index: usize) -> Step {
        let successor = producer(&session.store, session.ids[index].name);
        let id = &mut session.ids[index];
        let open = id.open.take();
        if let Some(open) = &open {
            self.model.outcomes[open.number] = Outcome::Aborted;
        }
        id.zombie = Some((std::mem::replace(&mut id.producer, successor?), open));
        Ok(())
    }

    /// One that was taken over from goes on.
    fn zombie(&mut self, session: &mut Session, index: usize) -> Step {
        let Some((producer, open)) = &mut session.ids[index].zombie else { return Ok(()) };
        let begun = match open.take() {
            Some(open) => {
                Ok((open.transaction, Some(open.number), !open.lingering.is_empty() || open.begun_ms.is_some()))
            }
            None => producer.begin_transaction().map(|transaction| (transaction, None, false)),
        };
        let (transaction, number, has_begun) = match begun {
            Ok(begun) => begun,
            Err(Error::ProducerFenced { .. }) => return Ok(()),
            Err(other) => return Err(other.into()),
        };
        if let (Some(Bug::ZombiesCount), Some(number)) = (self.bug, number) {
            self.model.outcomes[number] = Outcome::Committed;
        }
        let record = Record::to(TOPIC).partition(self.random.below(PARTITIONS as u64) as i32).value("of a zombie");
        let refused = match self.random.below(4) {
            0 => transaction.send(record).map(drop),
            1 => transaction.send_offsets(GROUP, [(partition(0), CommittedOffset::new(-1))]),
            2 => transaction.send_async(record).map(drop).and_then(|()| transaction.commit()),
            _ if has_begun => transaction.commit(),
            _ => return Ok(()),
        };
        match refused {
            Err(Error::ProducerFenced { .. }) => Ok(()),
            other => Err(format!("a zombie was answered {other:?}").into()),
        }
    }

    fn send_plain(&mut self, session: &mut Session) -> Step {
        let (value, at) = (self.value(), self.random.below(PARTITIONS as u64) as usize);
        match session.plain.send(Record::to(TOPIC).partition(at as i32).value(value.clone())) {
            Ok(sent) => {
                self.model.records[at].insert(sent.offset.unwrap(), (value, None));
                Ok(())
            }
            Err(error) => {
                self.model.unknown_record = Some(value);
                Err(error.into())
            }
        }
    }

    fn commit_plain(&mut self, session: &mut Session) -> Step {
        let (at, offset) = (self.random.below(PARTITIONS as u64) as usize, self.random.below(1000) as Offset);
        let committed = session.store.commit_offsets(GROUP, [(partition(at), CommittedOffset::new(offset))], Acks::All);
        match committed {
            Ok(()) => self.model.commits[at].push((offset, None)),
            Err(_) => self.model.unknown_commit = Some((at, offset)),
        }
        Ok(committed?)
    }

    /// Time passes, and transactions that take too long are aborted.
    fn tick(&mut self, session: &mut Session) -> Step {
        self.clock.advance(Duration::from_millis(*self.random.pick(&[1, TIMEOUT_MS / 3, TIMEOUT_MS + 1])));
        session.store.tick()?;
        let now_ms = self.clock.now_ms();
        for index in 0..session.ids.len() {
            let id = &mut session.ids[index];
            let is_over = |open: &Open| open.begun_ms.is_some_and(|begun_ms| now_ms - begun_ms > TIMEOUT_MS as i64);
            if id.open.as_ref().is_some_and(is_over) {
                // The producer is fenced as if another had taken over; and then one does.
                self.take_over(session, index)?;
            }
        }
        // What lingered in a transaction that goes on may have been appended now.
        for index in 0..session.ids.len() {
            if let Some(number) = session.ids[index].open.as_ref().map(|open| open.number) {
                self.note_appended(open_of(session, index), number)?;
            }
        }
        Ok(())
    }

    fn compact(&mut self, session: &mut Session) -> Step {
        for topic in ["__consumer_offsets", "__transaction_state"] {
            if session.store.topics().iter().any(|known| known == topic) {
                session.store.compact(topic)?;
            }
        }
        Ok(())
    }

    /// Closes the store over whatever is open, and opens it again.
    fn reopen(&mut self, session: &mut Session) -> Step {
        session.store.close()?;
        // The handles outlive the store, and can do nothing more.
        let next = Session::begin(self)?;
        drop(std::mem::replace(session, next));
        if self.disk.has_crashed() {
            return Err(Stop::Crashed);
        }
        Ok(self.model.settle(&session.store, self.bug)?)
    }
}

fn open_of(session: &mut Session, index: usize) -> &mut Open {
    session.ids[index].open.as_mut().unwrap()
}

fn try_seed(seed: u64, bug: Option<Bug>) -> Result<(), String> {
    catching(|| World::new(seed, bug).run()).map_err(|finding| format!("{finding}\n  again with ESKER_SEED={seed}"))
}

#[test]
fn what_is_read_as_committed_is_what_was_committed() {
    try_seeds(SEEDS, |seed| try_seed(seed, None));
}

#[test]
fn what_is_wrong_is_found() {
    for bug in [Bug::Lie(Lie::FileSync), Bug::Lie(Lie::DirSync), Bug::DirtyReader, Bug::AbortsCount, Bug::ZombiesCount]
    {
        assert!(try_all(SEEDS_WITH_BUG, |seed| try_seed(seed, Some(bug))).is_some(), "{bug:?} goes unnoticed");
    }
}
