//! Transactions count as a whole or not at all, wherever a crash hits.
//!
//! Scripted workloads are crashed at every operation that changes the disk, random ones at random operations, time and
//! again, with the death of the process and with the loss of power. After each, [`world`](super::world) knows what a
//! reader of committed records may see. That the tests notice when it is something else is proven with planted bugs.
//!
//! `ESKER_SEEDS=100000` tries that many random workloads instead of the default, `ESKER_SEED=17` that one alone, and
//! `ESKER_POINT=17` that crash of the scripts.

use esker::Acks;
use esker::sim::Crash;

use super::world::{Bug, CLIENTS, Op, PARTITIONS, World};
use crate::common::cases::{catching, env_number, try_all, try_seeds};
use crate::common::random::Random;

const CRASHES: [Crash; 2] = [Crash::Process, Crash::Power];
/// How each point of a script is crashed at, and which image of the disk is looked at then.
const IMAGES: [(Crash, u64); 3] = [(Crash::Process, 0), (Crash::Power, 0), (Crash::Power, 1)];
/// How many random workloads a run tries by default.
const SEEDS: u64 = 1_000;
/// Within how many a planted bug must be found.
const SEEDS_WITH_BUG: u64 = 2_000;
/// The choices of the scripted workloads' worlds.
const SCRIPT_SEED: u64 = 1;
/// At every how many points of a script its recovery is crashed everywhere too.
const RECOVERY_CRASHED_EVERY: u64 = 61;

/// Runs a script without a crash, and counts the points where the machine can.
fn rehearse(name: &str, script: &[Op]) -> u64 {
    let mut rehearsal = World::new(SCRIPT_SEED, None);
    let rehearsed = rehearsal.start().and_then(|_| rehearsal.run(script)).and_then(|()| rehearsal.finish());
    rehearsed.unwrap_or_else(|finding| panic!("{name} without a crash: {finding}"));
    rehearsal.disk.mutations()
}

fn crash_everywhere(name: &str, script: &[Op], bug: Option<Bug>) -> Option<String> {
    let points = rehearse(name, script);
    let only = env_number("ESKER_POINT");
    try_all(points, |point| {
        if only.is_some_and(|only| only != point) {
            return Ok(());
        }
        for (crash, image) in IMAGES {
            catching(|| crash_at(script, bug, point, crash, image)).map_err(|reason| {
                format!(
                    "{name}: {reason}\n  after a {crash:?} crash at mutation {point}, image {image}\n  again with \
                     ESKER_POINT={point}"
                )
            })?;
        }
        Ok(())
    })
}

fn crash_at(script: &[Op], bug: Option<Bug>, point: u64, crash: Crash, image: u64) -> Result<(), String> {
    let mut world = World::new(SCRIPT_SEED, bug);
    world.disk.crash_at(point);
    if world.start()? {
        world.run(script)?;
        if !world.disk.has_crashed() {
            world.finish()?;
        }
    }
    world.crash(crash, image);
    // Recovery, which ends transactions, is work like any other: for some of the points it is crashed everywhere too.
    if point % RECOVERY_CRASHED_EVERY == image {
        for at in 0.. {
            let mut recovering = world.fork();
            recovering.disk.crash_at(at);
            if recovering.start()? {
                break;
            }
            recovering.crash(CRASHES[(at % 2) as usize], at);
            recovering.start()?;
            recovering.finish()?;
        }
    }
    world.start()?;
    world.finish()
}

fn random_ops(random: &mut Random) -> Vec<Op> {
    let acks = *random.pick(&[Acks::All, Acks::Leader]);
    let count = 5 + random.below(40);
    let mut ops = vec![Op::Create { topic: "a" }, Op::Create { topic: "b" }];
    ops.extend((0..count).map(|_| {
        let (client, partition) = (random.below(CLIENTS as u64) as usize, random.below(PARTITIONS as u64) as i32);
        let topic = *random.pick(&["a", "a", "b"]);
        match random.below(40) {
            0..=17 => Op::Send { client, topic, partition, acks: *random.pick(&[acks, Acks::All]) },
            18..=25 => Op::End { client, commit: !random.one_in(3) },
            26 => Op::Init { client },
            27 => Op::Zombie { client },
            28..=29 => Op::AddOffsets { client },
            30..=31 => Op::Plain { topic, partition },
            32..=34 => Op::Tick { ms: *random.pick(&[1, 900, 3_000, 6_000]) },
            35 if random.one_in(3) => Op::Delete { topic },
            36 => Op::Create { topic },
            37 => Op::Reopen,
            _ => Op::Send { client, topic, partition, acks },
        }
    }));
    ops
}

/// One random workload: rounds of operations, a crash somewhere in each.
fn try_seed(seed: u64, bug: Option<Bug>) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut world = World::new(seed, bug);
    let mut story = Vec::new();
    let outcome = catching(|| {
        for _ in 0..1 + random.below(4) {
            let within = *random.pick(&[40, 120, 300]);
            let crash_at = random.below(within);
            world.disk.crash_at(crash_at);
            let ops = random_ops(&mut random);
            let (crash, image) = (*random.pick(&CRASHES), random.next());
            story.push(format!("{} operations, {crash:?} crash at mutation {crash_at}", ops.len()));
            if world.start()? {
                world.run(&ops)?;
            }
            world.crash(crash, image);
        }
        story.push("recovery".to_owned());
        world.start()?;
        world.finish()
    });
    outcome.map_err(|reason| {
        format!("seed {seed}: {reason}\n  after {}\n  again with ESKER_SEED={seed}", story.join("; "))
    })
}

#[test]
fn transactions_are_whole_after_random_crashes() {
    try_seeds(SEEDS, |seed| try_seed(seed, None));
}

/// Asserts that the random workloads notice a bug, before they have tried many.
fn assert_noticed(bug: Bug) {
    let found = try_all(SEEDS_WITH_BUG, |seed| try_seed(seed, Some(bug)));
    assert!(found.is_some(), "{SEEDS_WITH_BUG} seeds pass with {bug:?}");
}

#[test]
fn markers_of_an_end_that_is_not_durable_are_noticed() {
    assert_noticed(Bug::UnsyncedDecision);
}

#[test]
fn markers_that_are_not_durable_are_noticed() {
    assert_noticed(Bug::UnsyncedMarkers);
}

#[test]
fn records_that_a_commit_leaves_in_the_cache_are_noticed() {
    assert_noticed(Bug::UnsyncedRecords);
}

#[test]
fn a_sync_that_does_nothing_is_noticed() {
    assert_noticed(Bug::Lie);
}

#[test]
fn leaving_syncs_to_the_operating_system_keeps_less() {
    assert_noticed(Bug::NobodySyncs);
}

fn send(client: usize, topic: &'static str, partition: i32, acks: Acks) -> Op {
    Op::Send { client, topic, partition, acks }
}

fn end(client: usize, commit: bool) -> Op {
    Op::End { client, commit }
}

#[test]
fn transactions_are_whole_after_a_crash_at_any_operation() {
    let script = [
        Op::Create { topic: "a" },
        Op::Create { topic: "b" },
        Op::Init { client: 0 },
        send(0, "a", 0, Acks::All),
        Op::Plain { topic: "a", partition: 0 },
        send(0, "a", 1, Acks::Leader),
        send(1, "a", 0, Acks::All),
        end(0, true),
        send(0, "b", 0, Acks::All),
        Op::AddOffsets { client: 0 },
        send(1, "b", 0, Acks::Leader),
        end(0, false),
        end(1, true),
        // Another takes over, and what was open is void.
        send(1, "b", 1, Acks::All),
        send(1, "a", 1, Acks::All),
        Op::Init { client: 1 },
        Op::Zombie { client: 1 },
        send(1, "a", 1, Acks::All),
        Op::Reopen,
        send(1, "b", 1, Acks::All),
        end(1, true),
    ];
    let found = crash_everywhere("transactions", &script, None);
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

#[test]
fn transactions_that_time_out_or_lose_a_topic_are_whole_after_a_crash_at_any_operation() {
    let script = [
        Op::Create { topic: "a" },
        Op::Create { topic: "b" },
        send(0, "a", 0, Acks::All),
        send(0, "b", 1, Acks::All),
        send(2, "b", 1, Acks::All),
        Op::Tick { ms: 3_000 },
        send(1, "b", 1, Acks::All),
        Op::Tick { ms: 3_000 },
        // The time of the first and the third is up.
        end(0, true),
        send(2, "a", 0, Acks::All),
        Op::Delete { topic: "b" },
        end(1, true),
        Op::Create { topic: "b" },
        send(2, "b", 1, Acks::Leader),
        send(0, "b", 1, Acks::All),
        end(2, true),
        Op::Tick { ms: 6_000 },
    ];
    let found = crash_everywhere("timeouts", &script, None);
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}
