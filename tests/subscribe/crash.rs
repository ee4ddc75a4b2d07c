//! A group on a disk that crashes at every write: what was committed is kept, and members that come back under their
//! names go on in the generation that they were in.

use esker::sim::{Crash, FaultStorage, ManualClock};
use esker::{Acks, Consumer, Error, ProducerConfig, Record, Result, Store, TopicConfig};

use super::{GROUP, config, open, partitions};
use crate::common::cases::{catching, try_all};

const PARTITIONS: i32 = 3;
const NAMES: [&str; 2] = ["a", "b"];

/// What the outside world knows for certain.
#[derive(Default)]
struct Known {
    /// The last generation in which both members had been told their parts, and these.
    settled: Option<(i32, Vec<Vec<i32>>)>,
    committed: Vec<i64>,
}

fn member(store: &Store, name: &str) -> Result<Consumer> {
    let mut consumer = store.consumer(config().group_instance_id(name))?;
    consumer.subscribe(["t"])?;
    Ok(consumer)
}

fn settle(consumers: &mut [Consumer]) -> Result<()> {
    for _ in 0..8 {
        for consumer in &mut *consumers {
            consumer.poll(std::time::Duration::ZERO)?;
        }
    }
    Ok(())
}

/// Two members, and another that comes and goes; records and commits.
fn work(store: &Store, known: &mut Known) -> Result<()> {
    store.create_topic("t", TopicConfig::new().partitions(PARTITIONS))?;
    let producer = store.producer(ProducerConfig::new())?;
    let mut members = vec![member(store, NAMES[0])?, member(store, NAMES[1])?];
    known.committed = vec![0; PARTITIONS as usize];
    for round in 0..2 {
        settle(&mut members)?;
        let generation = store.group_membership(GROUP)?.generation;
        known.settled = Some((generation, members.iter().map(partitions).collect()));
        for partition in 0..PARTITIONS {
            producer.send(Record::to("t").partition(partition).value("x"))?;
        }
        for consumer in &mut members {
            consumer.poll(std::time::Duration::ZERO)?;
            let offsets = consumer.positions();
            consumer.commit_offsets(offsets.clone(), Acks::All)?;
            for (at, committed) in offsets {
                known.committed[at.partition as usize] = committed.offset;
            }
        }
        // From here on nobody knows which generation is the last that was written down.
        known.settled = None;
        if round == 0 {
            let mut guest = store.consumer(config())?;
            guest.subscribe(["t"])?;
            members.push(guest);
            settle(&mut members)?;
            members.truncate(2);
        }
    }
    Ok(())
}

/// The store after a crash: what is known holds, and the group goes on.
fn check(disk: &FaultStorage, clock: &ManualClock, known: &Known) -> std::result::Result<(), String> {
    let store = open(disk, clock).map_err(|error| format!("it does not open: {error}"))?;
    for (partition, expected) in (0..).zip(&known.committed) {
        let committed = store.committed_offset(GROUP, ("t", partition)).map_err(|e| e.to_string())?;
        let committed = committed.map_or(0, |committed| committed.offset);
        if committed < *expected {
            return Err(format!("{expected} of {partition} was committed, and {committed} is left"));
        }
    }
    if let Some((generation, shares)) = &known.settled {
        let back = || -> Result<_> {
            let mut members: Vec<Consumer> = NAMES.iter().map(|name| member(&store, name)).collect::<Result<_>>()?;
            settle(&mut members)?;
            Ok((store.group_membership(GROUP)?.generation, members.iter().map(partitions).collect::<Vec<_>>()))
        };
        let (now, have) = back().map_err(|error| format!("members do not come back: {error}"))?;
        if now != *generation || have != *shares {
            return Err(format!("in {generation} they had {shares:?}, and in {now} {have:?}"));
        }
    }
    store.close().map_err(|error| format!("it does not close: {error}"))
}

#[test]
fn a_crash_anywhere_loses_no_commit_and_no_generation() {
    let clock = ManualClock::new(1_700_000_000_000);
    let run = |crash_at: Option<u64>| {
        let disk = FaultStorage::with_clock(1, clock.clone());
        if let Some(point) = crash_at {
            disk.crash_at(point);
        }
        let mut known = Known::default();
        let worked = open(&disk, &clock).and_then(|store| work(&store, &mut known));
        (disk, known, worked)
    };
    let (rehearsal, known, worked) = run(None);
    worked.unwrap();
    assert_eq!(known.committed, vec![2; PARTITIONS as usize]);
    let points = rehearsal.mutations();
    let finding = try_all(points, |point| {
        let crashed = || {
            let (disk, known, worked) = run(Some(point));
            match worked {
                Err(Error::Io { .. } | Error::LogOffline { .. } | Error::Group { .. } | Error::Closed { .. }) => {}
                // In a write that nobody waits for, or while the store was closed.
                Ok(()) => {}
                Err(error) => return Err(format!("{error:?}")),
            }
            for (crash, image) in [(Crash::Process, 0), (Crash::Power, 1), (Crash::Power, 2)] {
                let located = |reason| format!("{reason}, after a {crash:?} crash, image {image}");
                check(&disk.after_crash(crash, image), &clock, &known).map_err(located)?;
            }
            Ok(())
        };
        catching(crashed).map_err(|reason| format!("mutation {point}: {reason}"))
    });
    assert!(finding.is_none(), "{}", finding.unwrap_or_default());
}
