//! Transactional producers and a store on a simulated disk, beside what is known of each transaction: what was sent in
//! it, and what its producer was told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use esker::clock::Clock;
use esker::record::{BatchBuilder, RecordData, TransactionResult};
use esker::sim::{Crash, FaultStorage, Lie, ManualClock};
use esker::{
    Acks, AutoOffsetReset, ConsumerConfig, Error, IsolationLevel, Maintenance, Offset, ProducerIdAndEpoch, Store,
    StoreConfig, SyncPolicy, TopicConfig, TopicPartition,
};

use crate::common::random::Random;

const DIR: &str = "/data/store";
const START_MS: i64 = 1_700_000_000_000;
pub const PARTITIONS: i32 = 2;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often open transactions are looked at.
const CHECK_MS: i32 = 1_000;
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Op {
    Create {
        topic: &'static str,
    },
    Delete {
        topic: &'static str,
    },
    /// A producer comes anew, and fences the one before.
    Init {
        client: usize,
    },
    /// A record of a producer's transaction, which begins with it if there is none.
    Send {
        client: usize,
        topic: &'static str,
        partition: i32,
        acks: Acks,
    },
    /// The offsets of a group take part.
    AddOffsets {
        client: usize,
    },
    End {
        client: usize,
        commit: bool,
    },
    /// Whoever had the id before tries to go on.
    Zombie {
        client: usize,
    },
    /// A record outside of any transaction.
    Plain {
        topic: &'static str,
        partition: i32,
    },
    /// Time passes, and the maintenance runs.
    Tick {
        ms: u64,
    },
    Reopen,
}

/// A bug to plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Partitions are told of an end that is not on the device.
    UnsyncedDecision,
    /// A transaction is complete, and its markers are not on the device.
    UnsyncedMarkers,
    /// A transaction is committed, and its records are not on the device.
    UnsyncedRecords,
    /// Syncs succeed and do nothing.
    Lie,
    /// Not a bug but a choice, which gives up the promise all the same.
    NobodySyncs,
}

/// What became of a transaction, as far as its producer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    /// It was to be committed, and a crash came before the answer.
    MayBeCommitted,
    Committed,
    Aborted,
}

#[derive(Clone, Debug)]
struct Transaction {
    fate: Fate,
    /// What was sent, by where it went.
    records: Vec<(TopicPartition, u64)>,
    partitions: BTreeSet<TopicPartition>,
    begun_ms: i64,
}

#[derive(Clone, Debug, Default)]
struct Client {
    producer: Option<ProducerIdAndEpoch>,
    /// Who had the id before.
    zombie: Option<ProducerIdAndEpoch>,
    sequences: BTreeMap<TopicPartition, i32>,
    /// Its open transaction, or the one whose end it has had no answer to.
    transaction: Option<usize>,
    /// Whether everything it was told of survives the loss of power.
    is_durable: bool,
}

pub struct World {
    pub disk: FaultStorage,
    clock: ManualClock,
    store: Option<Store>,
    config: StoreConfig,
    bug: Option<Bug>,
    random: Random,
    clients: Vec<Client>,
    transactions: Vec<Transaction>,
    sent: u64,
}

/// Where the ids of these are in different partitions of `__transaction_state`, and in the same.
const IDS: [&str; 3] = ["tx-a", "tx-b", "tx-c"];
pub const CLIENTS: usize = IDS.len();
const GROUP: &str = "group";

type Findings<T = ()> = Result<T, String>;

impl World {
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let clock = ManualClock::new(START_MS);
        let mut random = Random::new(seed);
        let mut config = StoreConfig {
            num_recovery_threads_per_data_dir: 1,
            offsets_topic_num_partitions: 1,
            transaction_state_log_num_partitions: 2,
            transaction_abort_timed_out_transaction_cleanup_interval_ms: CHECK_MS,
            log_flush_offset_checkpoint_interval_ms: *random.pick(&[1, 3_000, 60_000]),
            ..StoreConfig::default()
        };
        match bug {
            Some(Bug::UnsyncedDecision) => config.planted.unsynced_decision = true,
            Some(Bug::UnsyncedMarkers) => config.planted.unsynced_markers = true,
            Some(Bug::UnsyncedRecords) => config.planted.unsynced_records = true,
            Some(Bug::NobodySyncs) => config.sync = SyncPolicy::OsManaged,
            Some(Bug::Lie) | None => {}
        }
        let world = Self {
            disk: FaultStorage::with_clock(random.next(), clock.clone()),
            clock,
            store: None,
            config,
            bug,
            random,
            clients: vec![Client::default(); CLIENTS],
            transactions: Vec::new(),
            sent: 0,
        };
        world.plant();
        world
    }

    fn plant(&self) {
        if self.bug == Some(Bug::Lie) {
            self.disk.lie_about(Lie::FileSync);
        }
    }

    /// Opens the store. False if the machine crashed before that was done.
    pub fn start(&mut self) -> Findings<bool> {
        let opened = Store::options()
            .storage(Arc::new(self.disk.clone()))
            .clock(Arc::new(self.clock.clone()))
            .config(self.config.clone())
            .maintenance(Maintenance::Manual)
            .open(DIR);
        if self.disk.has_crashed() {
            return Ok(false);
        }
        let store = opened.map_err(|error| format!("the store does not open: {error}"))?;
        if let Some(error) = store.take_maintenance_error() {
            return Err(format!("a transaction is not finished: {error}"));
        }
        self.store = Some(store);
        self.check()?;
        Ok(true)
    }

    pub fn crash(&mut self, crash: Crash, seed: u64) {
        self.disk.crash();
        self.store = None;
        self.disk = self.disk.after_crash(crash, seed);
        self.plant();
        for client in &mut self.clients {
            // Whoever has lost something can't go on with it, and some die of other reasons.
            if (crash == Crash::Power && !client.is_durable) || self.random.one_in(3) {
                client.die();
            }
        }
    }

    /// The same state once more, with a store that is yet to be opened.
    pub fn fork(&self) -> Self {
        Self {
            disk: self.disk.after_crash(Crash::Process, 0),
            clock: ManualClock::new(self.clock.now_ms()),
            store: None,
            config: self.config.clone(),
            bug: self.bug,
            random: self.random.clone(),
            clients: self.clients.clone(),
            transactions: self.transactions.clone(),
            sent: self.sent,
        }
    }

    pub fn run(&mut self, ops: &[Op]) -> Findings {
        for op in ops {
            if self.disk.has_crashed() {
                return Ok(());
            }
            self.apply(op).map_err(|reason| format!("{op:?}: {reason}"))?;
        }
        Ok(())
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("it is open")
    }

    fn apply(&mut self, op: &Op) -> Findings {
        match *op {
            Op::Create { topic } => {
                let created = self.store().create_topic(topic, TopicConfig::new().partitions(PARTITIONS));
                match created {
                    Err(Error::TopicAlreadyExists { .. }) => Ok(()),
                    created => self.unless_crashed(created).map(drop),
                }
            }
            Op::Delete { topic } => self.delete(topic),
            Op::Init { client } => self.init(client).map(drop),
            Op::Send { client, topic, partition, acks } => {
                self.send(client, &TopicPartition::new(topic, partition), acks)
            }
            Op::AddOffsets { client } => self.add_offsets(client),
            Op::End { client, commit } => self.end(client, commit),
            Op::Zombie { client } => self.zombie(client),
            Op::Plain { topic, partition } => self.plain(topic, partition),
            Op::Tick { ms } => {
                self.clock.advance(Duration::from_millis(ms));
                let ticked = self.store().tick();
                self.unless_crashed(ticked).map(drop)
            }
            Op::Reopen => self.reopen(),
        }
    }

    /// What a call returned; None if it failed because of the crash.
    fn unless_crashed<T>(&self, returned: esker::Result<T>) -> Findings<Option<T>> {
        match returned {
            // Whatever it says: nobody hears it.
            _ if self.disk.has_crashed() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn reopen(&mut self) -> Findings {
        let closed = self.store().close();
        self.store = None;
        match self.unless_crashed(closed)? {
            Some(()) => self.start().map(drop),
            None => Ok(()),
        }
    }

    fn delete(&mut self, topic: &str) -> Findings {
        // From here on nobody knows what is left of it.
        for transaction in &mut self.transactions {
            transaction.records.retain(|(partition, _)| &*partition.topic != topic);
            transaction.partitions.retain(|partition| &*partition.topic != topic);
        }
        for client in &mut self.clients {
            client.sequences.retain(|partition, _| &*partition.topic != topic);
        }
        match self.store().delete_topic(topic) {
            Err(Error::UnknownTopicOrPartition { .. }) => Ok(()),
            deleted => self.unless_crashed(deleted).map(drop),
        }
    }

    /// The producer of a client, which comes anew if there is none. None if there was a crash.
    fn producer(&mut self, client: usize) -> Findings<Option<ProducerIdAndEpoch>> {
        match self.clients[client].producer {
            None => self.init(client),
            producer => Ok(producer),
        }
    }

    fn init(&mut self, client: usize) -> Findings<Option<ProducerIdAndEpoch>> {
        self.clients[client].die();
        let initialized = self.store().init_transactional_id(IDS[client], TIMEOUT);
        let Some(producer) = self.unless_crashed(initialized)? else { return Ok(None) };
        if self.clients[client].zombie >= Some(producer) {
            return Err(format!("{producer} is given out after {:?}", self.clients[client].zombie));
        }
        if let Some(transaction) = self.clients[client].transaction.take() {
            let fate = self.fate_by_looks(transaction)?;
            self.transactions[transaction].fate = fate;
        }
        self.clients[client].producer = Some(producer);
        Ok(Some(producer))
    }

    /// Whether a transaction that its producer does not know the end of was committed. It is not open any more.
    fn fate_by_looks(&self, transaction: usize) -> Findings<Fate> {
        let Transaction { fate, records, .. } = &self.transactions[transaction];
        if *fate == Fate::Open {
            return Ok(Fate::Aborted);
        }
        // What others leave open hides it; so only a part of it may be seen, but none of it that was aborted.
        let seen = self.committed()?;
        let is_seen = records.iter().any(|(partition, number)| seen.contains(&(partition.clone(), *number)));
        let open = records.iter().any(|(partition, _)| self.is_hidden(partition));
        match (is_seen, open) {
            (true, _) => Ok(Fate::Committed),
            (false, false) => Ok(Fate::Aborted),
            (false, true) => Ok(Fate::MayBeCommitted),
        }
    }

    fn is_hidden(&self, partition: &TopicPartition) -> bool {
        let log = self.store().partition(&partition.topic, partition.partition);
        log.is_ok_and(|log| log.last_stable_offset() < log.high_watermark())
    }

    /// Sees to it that the partition takes part in the client's transaction. None if it can't.
    fn join(&mut self, client: usize, partition: &TopicPartition) -> Findings<Option<(ProducerIdAndEpoch, usize)>> {
        let Some(producer) = self.producer(client)? else { return Ok(None) };
        self.decide_pending(client)?;
        let now_ms = self.clock.now_ms();
        if self.clients[client].producer.is_none() || self.disk.has_crashed() {
            return Ok(None);
        }
        let index = *self.clients[client].transaction.get_or_insert_with(|| {
            self.transactions.push(Transaction {
                fate: Fate::Open,
                records: Vec::new(),
                partitions: BTreeSet::new(),
                begun_ms: now_ms,
            });
            self.transactions.len() - 1
        });
        if !self.transactions[index].partitions.contains(partition) {
            let added = self.store().add_partitions_to_transaction(IDS[client], producer, [partition.clone()]);
            match added {
                Err(Error::UnknownTopicOrPartition { .. }) => return Ok(None),
                Err(Error::ProducerFenced { .. }) if self.is_over(index) => return self.give_up(client, index),
                added => match self.unless_crashed(added)? {
                    None => return Ok(None),
                    Some(()) => drop(self.transactions[index].partitions.insert(partition.clone())),
                },
            }
        }
        Ok(Some((producer, index)))
    }

    /// A client that had no answer to its commit asks again, before it goes on.
    fn decide_pending(&mut self, client: usize) -> Findings {
        match self.clients[client].transaction {
            Some(index) if self.transactions[index].fate == Fate::MayBeCommitted => self.end(client, true),
            _ => Ok(()),
        }
    }

    fn is_over(&self, transaction: usize) -> bool {
        self.clock.now_ms() - self.transactions[transaction].begun_ms > TIMEOUT.as_millis() as i64
    }

    /// It took too long.
    fn give_up<T>(&mut self, client: usize, transaction: usize) -> Findings<Option<T>> {
        if self.transactions[transaction].fate == Fate::MayBeCommitted {
            return Err("what was to be committed has timed out".to_owned());
        }
        self.transactions[transaction].fate = Fate::Aborted;
        self.clients[client].transaction = None;
        self.clients[client].die();
        Ok(None)
    }

    fn send(&mut self, client: usize, partition: &TopicPartition, acks: Acks) -> Findings {
        let Some((producer, index)) = self.join(client, partition)? else { return Ok(()) };
        let number = self.sent;
        self.sent += 1;
        let sequence = self.clients[client].sequences.entry(partition.clone()).or_default();
        let mut batch = BatchBuilder::new(1 << 20)
            .producer(producer.producer_id, producer.producer_epoch, *sequence)
            .transactional(true);
        *sequence += 1;
        let value = format!("{number} {}", "x".repeat(self.random.below(600) as usize));
        batch
            .push(&RecordData::new(None, Some(value.as_bytes())).at(self.clock.now_ms()))
            .map_err(|error| error.to_string())?;
        let log = self.store().partition(&partition.topic, partition.partition);
        let appended = log.and_then(|log| {
            log.append(batch.build()?, acks).inspect(|_| assert!(log.last_stable_offset() < log.log_end()))
        });
        match appended {
            Err(Error::UnknownTopicOrPartition { .. }) => return Ok(()),
            Err(Error::InvalidProducerEpoch { .. }) if self.is_over(index) => {
                return self.give_up::<()>(client, index).map(drop);
            }
            appended => {
                if self.unless_crashed(appended)?.is_none() {
                    // It does not know whether the record is there, and does not go on.
                    self.clients[client].die();
                    self.transactions[index].records.push((partition.clone(), number));
                    return Ok(());
                }
            }
        }
        self.clients[client].is_durable &= acks == Acks::All;
        self.transactions[index].records.push((partition.clone(), number));
        Ok(())
    }

    fn add_offsets(&mut self, client: usize) -> Findings {
        let Some(index) = self.clients[client].transaction else { return Ok(()) };
        let Some(producer) = self.clients[client].producer else { return Ok(()) };
        if self.transactions[index].fate != Fate::Open {
            return Ok(());
        }
        match self.store().add_offsets_to_transaction(IDS[client], producer, GROUP) {
            Err(Error::ProducerFenced { .. }) if self.is_over(index) => self.give_up::<()>(client, index).map(drop),
            added => self.unless_crashed(added).map(drop),
        }
    }

    fn end(&mut self, client: usize, commit: bool) -> Findings {
        let (Some(producer), Some(index)) = (self.clients[client].producer, self.clients[client].transaction) else {
            return Ok(());
        };
        // Whoever has asked for a commit asks for that again.
        let commit = commit || self.transactions[index].fate == Fate::MayBeCommitted;
        if self.transactions[index].partitions.is_empty() && self.transactions[index].fate == Fate::Open {
            // It may not have begun, for all that the client knows.
            self.clients[client].die();
            return Ok(());
        }
        let had_asked = self.transactions[index].fate == Fate::MayBeCommitted;
        let result = if commit { TransactionResult::Commit } else { TransactionResult::Abort };
        match self.store().end_transaction(IDS[client], producer, result) {
            Err(Error::ProducerFenced { .. }) if self.is_over(index) && !had_asked => {
                return self.give_up::<()>(client, index).map(drop);
            }
            // It had asked before the crash, and the transaction was still open after that, until its time was up.
            Err(Error::ProducerFenced { .. }) if self.is_over(index) => {
                self.transactions[index].fate = Fate::Aborted;
                self.clients[client].transaction = None;
                self.clients[client].die();
                return Ok(());
            }
            ended => {
                self.transactions[index].fate = match (self.unless_crashed(ended)?, commit) {
                    (None, true) => Fate::MayBeCommitted,
                    (None, false) => Fate::Open,
                    (Some(()), true) => Fate::Committed,
                    (Some(()), false) => Fate::Aborted,
                };
            }
        }
        if self.disk.has_crashed() {
            return Ok(());
        }
        self.clients[client].transaction = None;
        if let Some(error) = self.store().take_maintenance_error() {
            return Err(format!("not all markers were appended: {error}"));
        }
        self.check()
    }

    fn zombie(&mut self, client: usize) -> Findings {
        let Some(zombie) = self.clients[client].zombie.filter(|_| self.clients[client].producer.is_some()) else {
            return Ok(());
        };
        let (store, id) = (self.store(), IDS[client]);
        let ended = store.end_transaction(id, zombie, TransactionResult::Commit);
        let added = store.add_offsets_to_transaction(id, zombie, GROUP);
        for refused in [ended, added] {
            match refused {
                Err(Error::ProducerFenced { .. }) => {}
                _ if self.disk.has_crashed() => {}
                other => return Err(format!("{zombie} was answered {other:?}")),
            }
        }
        Ok(())
    }

    fn plain(&mut self, topic: &str, partition: i32) -> Findings {
        let Ok(log) = self.store().partition(topic, partition) else { return Ok(()) };
        let mut batch = BatchBuilder::new(1000);
        let appended = batch
            .push(&RecordData::new(None, Some(b"plain")).at(self.clock.now_ms()))
            .and_then(|()| log.append(batch.build()?, Acks::Leader));
        self.unless_crashed(appended).map(drop)
    }

    /// What a consumer of committed records gets.
    fn committed(&self) -> Findings<BTreeSet<(TopicPartition, u64)>> {
        let text = |error: Error| error.to_string();
        let config = ConsumerConfig::new()
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .isolation_level(IsolationLevel::ReadCommitted);
        let topics = self.store().topics();
        let topics = topics.iter().map(String::as_str).filter(|topic| !INTERNAL.contains(topic));
        let mut consumer = self.store().consumer(config).map_err(text)?;
        consumer.assign_topics(topics).map_err(text)?;
        let mut seen = BTreeSet::new();
        if consumer.assignment().is_empty() {
            return Ok(seen);
        }
        loop {
            let records = consumer.poll(Duration::ZERO).map_err(text)?;
            if records.is_empty() {
                return Ok(seen);
            }
            for record in records {
                let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).map_err(|e| e.to_string())?;
                let Some(number) = value.split(' ').next().and_then(|number| number.parse().ok()) else { continue };
                let at = TopicPartition::new(&*record.topic, record.partition);
                if !seen.insert((at, number)) {
                    return Err(format!("record {number} is there twice"));
                }
            }
        }
    }

    /// Holds what can be read to what is known.
    fn check(&self) -> Findings {
        let seen = self.committed()?;
        for (index, transaction) in self.transactions.iter().enumerate() {
            for (partition, number) in &transaction.records {
                let is_seen = seen.contains(&(partition.clone(), *number));
                match transaction.fate {
                    Fate::Committed if !is_seen && !self.is_hidden(partition) => {
                        return Err(format!("transaction {index} is committed without record {number} of {partition}"));
                    }
                    Fate::Open | Fate::Aborted if is_seen => {
                        return Err(format!("record {number} of transaction {index} is read, which is not committed"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Everybody comes back, or comes anew. After that nothing is open, and each transaction counts as a whole or not
    /// at all; and all goes on.
    pub fn finish(&mut self) -> Findings {
        for client in 0..CLIENTS {
            if self.clients[client].producer.is_some() && self.random.one_in(2) {
                self.decide_pending(client)?;
            }
        }
        for client in 0..CLIENTS {
            self.init(client)?;
        }
        if self.disk.has_crashed() {
            return Ok(());
        }
        self.check_nothing_is_open()?;
        for index in 0..self.transactions.len() {
            if self.transactions[index].fate == Fate::MayBeCommitted {
                self.transactions[index].fate = self.fate_by_looks(index)?;
            }
        }
        self.check()?;
        let topics = self.store().topics();
        for client in 0..CLIENTS {
            for topic in topics.iter().filter(|topic| !INTERNAL.contains(&&***topic)) {
                for partition in 0..PARTITIONS {
                    self.send(client, &TopicPartition::new(topic.as_str(), partition), Acks::Leader)?;
                }
            }
            self.end(client, true)?;
        }
        self.reopen()?;
        if self.disk.has_crashed() {
            return Ok(());
        }
        self.check_nothing_is_open()
    }

    fn check_nothing_is_open(&self) -> Findings {
        for topic in self.store().topics() {
            for partition in 0..self.store().partition_count(&topic).map_err(|error| error.to_string())? {
                let log = self.store().partition(&topic, partition).map_err(|error| error.to_string())?;
                let (stable, end): (Offset, Offset) = (log.last_stable_offset(), log.log_end());
                if stable != end {
                    return Err(format!("{topic}-{partition} is stable up to {stable} of {end}"));
                }
            }
        }
        Ok(())
    }
}

impl Client {
    /// The producer is gone; what it has left is somebody else's to clear away.
    fn die(&mut self) {
        self.zombie = self.producer.take().or(self.zombie);
        self.sequences.clear();
        self.is_durable = true;
    }
}
