//! A group through a history by seed: members poll, process, commit, come, go, stall and come back; topics grow.
//! Whatever happens,
//!
//! - no two members that are not overdue have the same partition;
//! - nobody is handed a record that was committed, nor one out of order: what comes twice is the uncommitted tail;
//! - who is overdue may not commit;
//!
//! and in the end every record has been handed out, and committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use esker::{Acks, Consumer, ConsumerRecord, Error, TopicPartition};

use super::{Fixture, GROUP, MAX_POLL_INTERVAL, config, send};
use crate::common::cases::{catching, try_seeds};
use crate::common::random::Random;

const STRATEGIES: [&str; 5] = ["range", "roundrobin", "sticky", "cooperative-sticky", "range,cooperative-sticky"];

struct Member {
    consumer: Consumer,
    polled_ms: i64,
    /// The next offset of each partition that it reads, since it got it.
    next: BTreeMap<i32, i64>,
}

struct World {
    fixture: Fixture,
    random: Random,
    strategy: &'static str,
    now_ms: i64,
    members: Vec<Member>,
    partitions: i32,
    sent: BTreeSet<(i32, i64)>,
    seen: BTreeSet<(i32, i64)>,
    ends: BTreeMap<i32, i64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let partitions = 1 + random.below(4) as i32;
        let strategy = *random.pick(&STRATEGIES);
        Self {
            fixture: Fixture::new(partitions),
            random,
            strategy,
            now_ms: 0,
            members: Vec::new(),
            partitions,
            sent: BTreeSet::new(),
            seen: BTreeSet::new(),
            ends: BTreeMap::new(),
        }
    }

    fn join(&mut self) {
        let mut config = config().max_poll_records(1 + self.random.below(3) as usize);
        config.set("partition.assignment.strategy", self.strategy).unwrap();
        let (consumer, polled_ms) = (self.fixture.consumer_with(config), self.now_ms);
        self.members.push(Member { consumer, polled_ms, next: BTreeMap::new() });
    }

    fn is_overdue(&self, member: &Member) -> bool {
        self.now_ms - member.polled_ms >= MAX_POLL_INTERVAL.as_millis() as i64
    }

    fn committed(&self, partition: i32) -> i64 {
        let committed = self.fixture.store.committed_offset(GROUP, ("t", partition)).unwrap();
        committed.map_or(0, |committed| committed.offset)
    }

    fn poll(&mut self, index: usize) -> Result<(), String> {
        let was_overdue = self.is_overdue(&self.members[index]);
        let member = &mut self.members[index];
        let had = member.consumer.assignment();
        let records = member.consumer.poll(Duration::ZERO).map_err(|error| format!("a poll fails: {error}"))?;
        member.polled_ms = self.now_ms;
        let has = member.consumer.assignment();
        member.next.retain(|partition, _| {
            let at = TopicPartition::new("t", *partition);
            !was_overdue && had.contains(&at) && has.contains(&at)
        });
        for ConsumerRecord { partition, offset, .. } in records {
            let committed = self.committed(partition);
            if offset < committed {
                return Err(format!("{partition}@{offset} comes although {committed} is committed"));
            }
            let next = self.members[index].next.insert(partition, offset + 1);
            // After a rebalance, which may have come and gone within the poll, it goes on from what is committed.
            if next.is_some_and(|next| next != offset) && offset != committed {
                return Err(format!("{partition}@{offset} comes after {next:?}"));
            }
            self.seen.insert((partition, offset));
        }
        self.check_owners()
    }

    fn check_owners(&self) -> Result<(), String> {
        let mut owned = BTreeSet::new();
        for member in self.members.iter().filter(|member| !self.is_overdue(member)) {
            for partition in member.consumer.assignment() {
                if !owned.insert(partition.clone()) {
                    return Err(format!("{partition} has two readers"));
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, index: usize) -> Result<(), String> {
        let is_overdue = self.is_overdue(&self.members[index]);
        let has_something = !self.members[index].consumer.positions().is_empty();
        let consumer = &mut self.members[index].consumer;
        match consumer.commit_offsets(consumer.positions(), Acks::Leader) {
            Ok(()) if is_overdue && has_something => Err("one that is overdue commits".into()),
            Ok(()) | Err(Error::Group { .. }) => Ok(()),
            Err(error) => Err(format!("a commit fails: {error}")),
        }
    }

    fn step(&mut self) -> Result<(), String> {
        let some = self.random.below(self.members.len().max(1) as u64) as usize;
        match self.random.below(30) {
            0..=1 if self.members.len() < 5 => self.join(),
            2 if !self.members.is_empty() => drop(self.members.swap_remove(some)),
            3 => self.pass(Duration::from_secs(*self.random.clone().pick(&[1, 40, 200, 301]))),
            4 if self.partitions < 6 => {
                self.partitions += 1;
                self.fixture.store.create_partitions("t", self.partitions).unwrap();
            }
            5..=9 => {
                let partition = self.random.below(self.partitions as u64) as i32;
                let end = self.ends.entry(partition).or_default();
                self.sent.insert((partition, *end));
                *end += 1;
                send(&self.fixture.store, partition, "x");
            }
            10..=15 if !self.members.is_empty() => self.commit(some)?,
            _ if !self.members.is_empty() => self.poll(some)?,
            _ => self.join(),
        }
        Ok(())
    }

    fn pass(&mut self, time: Duration) {
        self.now_ms += time.as_millis() as i64;
        self.fixture.clock.advance(time);
        if self.random.one_in(2) {
            self.fixture.store.tick().unwrap();
        }
    }

    /// Nothing goes wrong any more.
    fn settle(&mut self) -> Result<(), String> {
        if self.members.is_empty() {
            self.join();
        }
        let mut missing = String::new();
        for _ in 0..60 {
            for index in 0..self.members.len() {
                self.poll(index)?;
                self.commit(index)?;
            }
            match self.missing() {
                Some(still) => missing = still,
                None => return Ok(()),
            }
        }
        Err(missing)
    }

    /// What keeps the group from being at rest.
    fn missing(&self) -> Option<String> {
        let read: usize = self.members.iter().map(|member| member.consumer.assignment().len()).sum();
        if read != self.partitions as usize {
            return Some(format!("{read} of {} partitions are read", self.partitions));
        }
        if let Some(lost) = self.sent.difference(&self.seen).next() {
            return Some(format!("nobody has seen {lost:?}"));
        }
        let behind = self.ends.iter().find(|(partition, end)| self.committed(**partition) != **end);
        behind.map(|(partition, end)| format!("{end} of {partition} is not committed"))
    }
}

#[test]
fn whatever_members_do_each_record_is_read_and_only_the_uncommitted_again() {
    try_seeds(150, |seed| {
        let run = || {
            let mut world = World::new(seed);
            for _ in 0..80 {
                world.step()?;
            }
            world.settle()
        };
        catching(run).map_err(|error| format!("ESKER_SEED={seed}: {error}"))
    });
}
