//! The coordinator of consumer groups (KIP-848) as a state machine: what Kafka's consumer protocol lays down, and what
//! must hold whatever happens to members, heartbeats, topics, records and the coordinator itself.
#![cfg(feature = "coordinator")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;

mod behaviour;
mod checks;
mod classic;
mod client;
mod conversion;
mod fixture;
mod world;

use common::cases::{catching, try_all, try_seeds};
use world::{Bug, World};

/// One history: things happen, and go wrong; then they go right, and the groups must come to rest.
fn history(seed: u64, bug: Option<Bug>) -> Result<(), String> {
    let located = |error: String| format!("ESKER_SEED={seed}: {error}");
    let run = || {
        let mut world = World::new(seed, bug);
        for _ in 0..world.steps() {
            world.step()?;
        }
        world.settle()
    };
    catching(run).map_err(located)
}

#[test]
fn consumer_groups_hold_together_whatever_happens() {
    try_seeds(10_000, |seed| history(seed, None));
}

#[test]
fn planted_bugs_are_found() {
    for bug in Bug::ALL {
        let finding = try_all(1000, |seed| history(seed, Some(bug)));
        assert!(finding.is_some(), "{bug:?} goes unnoticed");
    }
}

#[test]
fn the_same_seed_is_the_same_history() {
    for seed in 0..20 {
        let trace = || {
            let mut world = World::new(seed, None);
            for _ in 0..world.steps() {
                world.step().unwrap();
            }
            format!("{:?}", world.log())
        };
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}
