//! Transactions count as a whole or not at all, wherever a crash hits.
//!
//! A scripted workload is crashed at every operation that changes the disk, with the death of the process and with the
//! loss of power. After each, [`world`] knows what a reader of committed records may see.
//!
//! `ESKER_POINT=17` tries that crash alone.
#![cfg(feature = "sim")]

#[path = "../common/mod.rs"]
mod common;
mod world;

use esker::Acks;
use esker::sim::Crash;

use common::cases::{catching, env_number, try_all};
use world::{Bug, Op, World};

const CRASHES: [Crash; 2] = [Crash::Process, Crash::Power];
/// How each point of a script is crashed at, and which image of the disk is looked at then.
const IMAGES: [(Crash, u64); 3] = [(Crash::Process, 0), (Crash::Power, 0), (Crash::Power, 1)];
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
