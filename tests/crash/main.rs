//! Durability: whatever was acknowledged is there after a crash, wherever the crash hits.
//!
//! Scripted workloads are crashed at every operation that changes the disk, random ones at random operations, time
//! and again, with the death of the process and with the loss of power; [`model`] says what must be left. That the
//! tests notice when it is not is proven with planted bugs.
//!
//! `ESKER_SEEDS=100000` tries that many random workloads instead of the default, `ESKER_SEED=17` that one alone.
#![cfg(feature = "sim")]

#[path = "../common/mod.rs"]
mod common;
mod model;
mod producers;
mod world;

use std::env;

use esker::record::TransactionResult;
use esker::sim::{Crash, Lie};
use esker::{Acks, CleanupPolicy, TopicConfig};

use common::cases::{catching, env_number, try_all, try_seeds};
use common::random::Random;
use world::{Bug, Op, World, topic_config};

const TOPICS: [&str; 2] = ["a", "b"];
const GROUPS: [&str; 3] = ["group-x", "group-y", "group-z"];
const CRASHES: [Crash; 2] = [Crash::Process, Crash::Power];

/// How many random workloads a run tries by default.
const SEEDS: u64 = 3_000;
/// Within how many a planted bug must be found.
const SEEDS_WITH_BUG: u64 = 500;

/// The choices of the scripted workloads' worlds.
const SCRIPT_SEED: u64 = 1;
/// How many images of each crash of a script are looked at.
const IMAGES: u64 = 2;
/// How many are looked at where a script has a bug in it.
const IMAGES_WITH_BUG: u64 = 12;
/// At every how many points of a script its recovery is crashed everywhere too.
const RECOVERY_CRASHED_EVERY: u64 = 23;

/// A configuration that makes for many small segments, chosen.
fn random_config(random: &mut Random, is_compacted: bool) -> TopicConfig {
    let config = topic_config(random);
    if is_compacted { config.cleanup_policy(CleanupPolicy::COMPACT) } else { config }
}

/// Operations, of which those that create a topic may always make it a compacted one.
fn random_ops(random: &mut Random, are_compacted: bool) -> Vec<Op> {
    let codecs = common::codecs();
    // The fewer syncs, the more there is to lose, and to find torn.
    let acks = *random.pick(&[
        [Acks::None, Acks::Leader, Acks::Leader, Acks::All],
        [Acks::All, Acks::Leader, Acks::All, Acks::None],
        [Acks::Leader, Acks::Leader, Acks::Leader, Acks::None],
    ]);
    let count = 5 + random.below(40);
    let mut ops: Vec<Op> = TOPICS.map(|topic| Op::create(topic, random_config(random, are_compacted))).into();
    ops.extend((0..count).map(|_| {
        let (topic, partition) = (TOPICS[usize::from(random.one_in(4))], random.below(2) as i32);
        let producer = random.below(producers::PRODUCERS as u64) as usize;
        match random.below(58) {
            46..=54 => Op::Send { topic, partition, producer, acks: *random.pick(&acks) },
            55..=57 => {
                let result = *random.pick(&[TransactionResult::Abort, TransactionResult::Commit]);
                Op::End { topic, partition, producer: 2 + producer % 2, result, acks: *random.pick(&acks) }
            }
            0..=23 => {
                let records = 1 + if random.one_in(3) { random.below(6) as usize } else { 0 };
                Op::Append { topic, partition, records, codec: *random.pick(&codecs), acks: *random.pick(&acks) }
            }
            24 => Op::Flush { topic, partition },
            25..=28 => {
                Op::Commit { group: GROUPS[random.below(3) as usize], topic, partition, acks: *random.pick(&acks) }
            }
            29 if random.one_in(2) => Op::Compact { topic },
            29 => Op::SetEpoch { topic, partition },
            30..=34 => Op::Tick { ms: *random.pick(&[1, 700, 2_500, 12_000]) },
            35 => Op::create(topic, random_config(random, are_compacted)),
            36 | 37 if random.one_in(2) => Op::Delete { topic },
            40 | 41 => Op::Truncate { topic, partition, thousandths: *random.pick(&[1, 100, 400, 1_000]) },
            42 => Op::DeleteRecords { topic, partition, thousandths: *random.pick(&[0, 300, 1_000]) },
            44 => Op::DeleteGroup { group: GROUPS[random.below(3) as usize] },
            45 => Op::ResetOffsets { group: GROUPS[random.below(3) as usize], topic, partition },
            43 if random.one_in(3) => Op::StartAnew { topic, partition, offset: random.below(60) as i64 },
            38 if random.one_in(2) => Op::Alter { topic, changes: config_changes(random) },
            38 if random.one_in(4) => Op::AddPartitions { topic, added: 1 + random.below(3) as usize },
            _ => Op::Reopen,
        }
    }));
    ops
}

/// What can be changed of a topic whose segments are small, chosen.
fn config_changes(random: &mut Random) -> Vec<(&'static str, Option<&'static str>)> {
    let size = random.pick(&[Some("700"), Some("2500"), Some("20000")]);
    let age = random.pick(&[None, Some("-1"), Some("3000")]);
    let interval = random.pick(&[None, Some("0"), Some("300")]);
    let mut changes =
        vec![("internal.segment.bytes", *size), ("retention.ms", *age), ("index.interval.bytes", *interval)];
    changes.truncate(1 + random.below(3) as usize);
    changes
}

/// One random workload: rounds of operations, a crash somewhere in each.
fn try_seed(seed: u64, bug: Option<Bug>, are_compacted: bool) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut world = World::new(seed, bug);
    if env::var("ESKER_SEED").is_ok() {
        world.narrate();
    }
    let mut story = Vec::new();
    let rounds = 1 + random.below(4);
    let outcome = catching(|| {
        for _ in 0..rounds {
            let within = *random.pick(&[30, 150, 400]);
            let crash_at = random.below(within);
            world.disk.crash_at(crash_at);
            let ops = random_ops(&mut random, are_compacted);
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
fn what_is_acknowledged_survives_random_crashes() {
    try_seeds(SEEDS, |seed| try_seed(seed, None, false));
}

/// Runs a script without a crash, and counts the points where the machine can.
fn rehearse(name: &str, script: &[Op], bug: Option<Bug>) -> u64 {
    let mut rehearsal = World::new(SCRIPT_SEED, bug);
    let rehearsed = rehearsal.start().and_then(|_| rehearsal.run(script)).and_then(|()| rehearsal.finish());
    rehearsed.unwrap_or_else(|finding| panic!("{name} without a crash: {finding}"));
    rehearsal.disk.mutations()
}

/// Runs a script once to count the points where the machine can crash, and then once for each.
fn crash_everywhere(name: &str, script: &[Op]) {
    let points = rehearse(name, script, None);
    let only = env_number("ESKER_POINT");
    let found = try_all(points, |point| {
        if only.is_some_and(|only| only != point) {
            return Ok(());
        }
        for crash in CRASHES {
            for image in 0..IMAGES {
                let mut crashed_in_recovery = None;
                catching(|| crash_at(script, None, point, crash, image, &mut crashed_in_recovery)).map_err(
                    |reason| {
                        let again =
                            crashed_in_recovery.map_or(String::new(), |at| format!(", then at {at} of recovery"));
                        format!(
                            "{name}: {reason}\n  after a {crash:?} crash at mutation {point}, image {image}{again}\n  \
                         again with ESKER_POINT={point}"
                        )
                    },
                )?;
            }
        }
        Ok(())
    });
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

fn crash_at(
    script: &[Op],
    bug: Option<Bug>,
    point: u64,
    crash: Crash,
    image: u64,
    crashed_in_recovery: &mut Option<u64>,
) -> Result<(), String> {
    let mut world = World::new(SCRIPT_SEED, bug);
    if env::var("ESKER_POINT").is_ok() {
        world.narrate();
    }
    world.disk.crash_at(point);
    if world.start()? {
        world.run(script)?;
        if !world.disk.has_crashed() {
            world.finish()?;
        }
    }
    world.crash(crash, image);
    // Recovery is work like any other: for some of the points it is crashed everywhere too.
    if point % RECOVERY_CRASHED_EVERY == image {
        for at in 0.. {
            *crashed_in_recovery = Some(at);
            let mut recovering = world.fork();
            recovering.disk.crash_at(at);
            if recovering.start()? {
                break;
            }
            recovering.crash(CRASHES[(at % 2) as usize], at);
            recovering.start()?;
            recovering.finish()?;
        }
        *crashed_in_recovery = None;
    }
    recover_twice(&mut world)
}

/// What one recovery leaves, the next one finds right.
fn recover_twice(world: &mut World) -> Result<(), String> {
    world.start()?;
    let first = world.contents()?;
    world.crash(Crash::Process, 0);
    world.start()?;
    if world.contents()? != first {
        return Err("a second recovery gives other contents than the first".to_owned());
    }
    if let Some(cut) = world.cuts().first() {
        return Err(format!("a second recovery finds more to cut: {cut}"));
    }
    world.finish()
}

fn append_to(topic: &'static str, partition: i32, records: usize, acks: Acks) -> Op {
    let codecs = common::codecs();
    let codec = codecs[(records + partition as usize) % codecs.len()];
    Op::Append { topic, partition, records, codec, acks }
}

fn small_segments() -> TopicConfig {
    TopicConfig::new().partitions(2).internal_segment_bytes(900).index_interval_bytes(100).file_delete_delay_ms(0)
}

#[test]
fn appends_survive_a_crash_at_any_operation() {
    let mut script = vec![Op::create("a", small_segments())];
    let acks = [Acks::Leader, Acks::None, Acks::All, Acks::Leader, Acks::Leader, Acks::None, Acks::Leader];
    for index in 0..28 {
        script.push(append_to("a", i32::from(index % 4 == 3), 1 + index % 3, acks[index % acks.len()]));
    }
    script.push(Op::Flush { topic: "a", partition: 0 });
    script.push(append_to("a", 0, 2, Acks::Leader));
    script.push(Op::SetEpoch { topic: "a", partition: 0 });
    script.push(append_to("a", 0, 2, Acks::All));
    crash_everywhere("appends", &script);
}

#[test]
fn truncations_survive_a_crash_at_any_operation() {
    let mut script = vec![Op::Create { topic: "a", config: Box::new(small_segments()) }];
    let cut = |thousandths| Op::Truncate { topic: "a", partition: 0, thousandths };
    for (round, op) in [
        cut(50),
        cut(600),
        Op::DeleteRecords { topic: "a", partition: 0, thousandths: 500 },
        cut(1_000),
        Op::StartAnew { topic: "a", partition: 0, offset: 3 },
        Op::SetEpoch { topic: "a", partition: 0 },
        Op::StartAnew { topic: "a", partition: 0, offset: 90 },
        Op::Reopen,
        cut(300),
    ]
    .into_iter()
    .enumerate()
    {
        script.extend((0..5).map(|index| append_to("a", 0, 1 + (round + index) % 3, Acks::Leader)));
        script.push(append_to("a", 0, 1, if round % 2 == 0 { Acks::All } else { Acks::Leader }));
        script.extend([Op::Tick { ms: 10_001 }, op]);
    }
    script.push(append_to("a", 0, 2, Acks::All));
    crash_everywhere("truncations", &script);
}

#[test]
fn retention_and_checkpoints_survive_a_crash_at_any_operation() {
    let config = small_segments().retention_bytes(1_500).retention_ms(20_000);
    let mut script = vec![Op::create("a", config.file_delete_delay_ms(3_000))];
    for index in 0..24 {
        script.push(append_to(
            "a",
            i32::from(index % 5 == 4),
            2,
            if index % 4 == 1 { Acks::All } else { Acks::Leader },
        ));
        if index % 4 == 3 {
            script.push(Op::Tick { ms: 10_001 });
        }
    }
    // Everything grows too old, the active segments included.
    script.extend([Op::Tick { ms: 40_000 }, append_to("a", 0, 2, Acks::All), Op::Tick { ms: 40_000 }]);
    script.extend([append_to("a", 0, 1, Acks::Leader), Op::Reopen, Op::Tick { ms: 40_000 }]);
    crash_everywhere("retention", &script);
}

fn compaction_script() -> Vec<Op> {
    let config = small_segments().cleanup_policy(CleanupPolicy::COMPACT).delete_retention_ms(2_000);
    let mut script = vec![Op::create("a", config.file_delete_delay_ms(3_000))];
    for index in 0..18 {
        script.push(append_to(
            "a",
            i32::from(index % 5 == 4),
            2,
            if index % 4 == 1 { Acks::All } else { Acks::Leader },
        ));
        if index % 6 == 5 {
            script.push(Op::Tick { ms: 2_500 });
        }
    }
    script.extend([Op::Compact { topic: "a" }, Op::Tick { ms: 4_000 }, append_to("a", 0, 2, Acks::All)]);
    script.extend([Op::Compact { topic: "a" }, append_to("a", 0, 3, Acks::Leader), Op::Reopen]);
    script.push(Op::Compact { topic: "a" });
    script
}

#[test]
fn compaction_survives_a_crash_at_any_operation() {
    crash_everywhere("compaction", &compaction_script());
}

#[test]
fn topics_and_commits_survive_a_crash_at_any_operation() {
    let commit = |group, topic, acks| Op::Commit { group, topic, partition: 0, acks };
    let script = [
        Op::create("a", small_segments()),
        append_to("a", 0, 2, Acks::All),
        append_to("a", 1, 2, Acks::Leader),
        commit("group-x", "a", Acks::Leader),
        commit("group-x", "a", Acks::All),
        Op::create("b", TopicConfig::new().partitions(2)),
        append_to("b", 0, 3, Acks::All),
        commit("group-x", "b", Acks::All),
        commit("group-y", "b", Acks::Leader),
        Op::Tick { ms: 60_001 },
        Op::Delete { topic: "a" },
        // A topic of the same name is another one.
        Op::create("a", small_segments().segment_ms(1)),
        append_to("a", 0, 1, Acks::All),
        Op::Reopen,
        append_to("a", 0, 1, Acks::Leader),
        commit("group-y", "a", Acks::All),
        Op::Delete { topic: "b" },
        Op::Tick { ms: 60_001 },
        Op::Tick { ms: 1 },
        Op::create("b", TopicConfig::new().partitions(2)),
        append_to("b", 1, 1, Acks::All),
        Op::Reopen,
    ];
    crash_everywhere("topics", &script);
}

#[test]
fn transactions_survive_a_crash_at_any_operation() {
    let send = |partition, producer, acks| Op::Send { topic: "a", partition, producer, acks };
    let end = |producer, result, acks| Op::End { topic: "a", partition: 0, producer, result, acks };
    let (abort, commit) = (TransactionResult::Abort, TransactionResult::Commit);
    let mut script = vec![Op::create("a", small_segments())];
    for round in 0..4 {
        script.extend([
            send(0, 2, Acks::Leader),
            send(0, 0, Acks::Leader),
            send(0, 3, if round == 1 { Acks::All } else { Acks::Leader }),
            send(0, 2, Acks::Leader),
            append_to("a", 0, 1, Acks::Leader),
            end(2, if round % 2 == 0 { abort } else { commit }, if round == 2 { Acks::All } else { Acks::Leader }),
        ]);
        match round {
            1 => script.extend([end(3, abort, Acks::All), send(1, 1, Acks::All)]),
            2 => script.push(Op::Reopen),
            _ => {}
        }
    }
    script.extend([end(3, commit, Acks::Leader), send(0, 0, Acks::All)]);
    crash_everywhere("transactions", &script);
}

/// Producers and transactions in a topic that is compacted, and cut, meanwhile.
fn compacted_transactions_script() -> Vec<Op> {
    let send = |producer, acks| Op::Send { topic: "a", partition: 0, producer, acks };
    let end = |producer, result, acks| Op::End { topic: "a", partition: 0, producer, result, acks };
    let (abort, commit) = (TransactionResult::Abort, TransactionResult::Commit);
    let config = small_segments().cleanup_policy(CleanupPolicy::COMPACT).delete_retention_ms(2_000);
    let mut script = vec![Op::create("a", config.internal_segment_bytes(700))];
    for round in 0..4 {
        script.extend([
            send(2, Acks::Leader),
            send(0, Acks::Leader),
            send(3, if round == 1 { Acks::All } else { Acks::Leader }),
            append_to("a", 0, 2, Acks::Leader),
            send(2, Acks::Leader),
            end(2, if round % 2 == 0 { abort } else { commit }, Acks::Leader),
        ]);
        match round {
            1 => script.extend([end(3, abort, Acks::All), Op::Compact { topic: "a" }, Op::Tick { ms: 2_500 }]),
            2 => script.extend([Op::Compact { topic: "a" }, Op::Reopen]),
            3 => script.extend([Op::Truncate { topic: "a", partition: 0, thousandths: 20 }, end(3, commit, Acks::All)]),
            _ => script.push(Op::Compact { topic: "a" }),
        }
    }
    script.extend([Op::Compact { topic: "a" }, send(1, Acks::Leader), send(0, Acks::All), Op::Compact { topic: "a" }]);
    script.extend([Op::Truncate { topic: "a", partition: 0, thousandths: 600 }, append_to("a", 0, 2, Acks::All)]);
    script
}

#[test]
fn transactions_in_a_compacted_topic_survive_a_crash_at_any_operation() {
    crash_everywhere("compacted transactions", &compacted_transactions_script());
}

#[test]
fn changes_of_topics_survive_a_crash_at_any_operation() {
    let alter = |topic, changes: &[_]| Op::Alter { topic, changes: changes.to_vec() };
    let script = [
        Op::create("a", small_segments()),
        append_to("a", 0, 2, Acks::All),
        alter(
            "a",
            &[("internal.segment.bytes", Some("300")), ("cleanup.policy", Some("")), ("retention.ms", Some("1"))],
        ),
        append_to("a", 0, 2, Acks::Leader),
        Op::AddPartitions { topic: "a", added: 3 },
        append_to("a", 4, 2, Acks::All),
        append_to("a", 0, 3, Acks::All),
        Op::Tick { ms: 60_001 },
        alter("a", &[("cleanup.policy", None), ("internal.segment.bytes", Some("5000"))]),
        append_to("a", 3, 3, Acks::Leader),
        append_to("a", 0, 3, Acks::All),
        Op::Tick { ms: 60_001 },
        Op::Reopen,
        Op::AddPartitions { topic: "a", added: 1 },
        append_to("a", 5, 1, Acks::All),
        Op::Delete { topic: "a" },
        // Its partitions are fewer, and their checkpoints those of new ones.
        Op::create("a", small_segments()),
        append_to("a", 1, 1, Acks::All),
        Op::AddPartitions { topic: "a", added: 4 },
        append_to("a", 5, 2, Acks::All),
        alter("a", &[("retention.ms", None)]),
        Op::Reopen,
    ];
    crash_everywhere("changes", &script);
}

#[test]
fn deleted_reset_and_expired_offsets_survive_a_crash_at_any_operation() {
    let commit = |group, partition, acks| Op::Commit { group, topic: "a", partition, acks };
    let reset = |group| Op::ResetOffsets { group, topic: "a", partition: 0 };
    let script = [
        Op::create("a", small_segments()),
        append_to("a", 0, 5, Acks::Leader),
        commit("group-x", 0, Acks::All),
        commit("group-x", 1, Acks::Leader),
        reset("group-x"),
        commit("group-y", 0, Acks::All),
        Op::DeleteGroup { group: "group-y" },
        Op::Tick { ms: 30_000 },
        commit("group-y", 0, Acks::Leader),
        reset("group-y"),
        Op::Reopen,
        // What the first group committed expires, and what the second did not yet.
        Op::Tick { ms: 30_001 },
        commit("group-x", 0, Acks::Leader),
        Op::Tick { ms: 30_000 },
        Op::DeleteGroup { group: "group-x" },
        Op::DeleteGroup { group: "group-x" },
        commit("group-x", 1, Acks::All),
        Op::Reopen,
        Op::Tick { ms: 60_000 },
    ];
    crash_everywhere("offsets", &script);
}

/// Asserts that the random workloads notice a bug, before they have tried many.
fn assert_noticed(bug: Bug) {
    let found = try_all(SEEDS_WITH_BUG, |seed| try_seed(seed, Some(bug), false));
    assert!(found.is_some(), "{SEEDS_WITH_BUG} seeds pass with {bug:?}");
}

/// The same where all topics are compacted.
fn assert_noticed_in_compacted_topics(bug: Bug) {
    let found = try_all(SEEDS_WITH_BUG, |seed| try_seed(seed, Some(bug), true));
    assert!(found.is_some(), "{SEEDS_WITH_BUG} seeds with compacted topics pass with {bug:?}");
}

#[test]
fn an_acknowledgement_before_the_sync_is_noticed() {
    assert_noticed(Bug::Lie(Lie::FileSync));
}

#[test]
fn a_directory_that_is_not_synced_is_noticed() {
    assert_noticed(Bug::Lie(Lie::DirSync));
}

#[test]
fn a_crc_that_recovery_skips_is_noticed() {
    assert_noticed(Bug::SkippedCrc);
}

#[test]
fn producers_that_recovery_forgets_are_noticed() {
    assert_noticed(Bug::SkippedReplay);
    assert_noticed_in_compacted_topics(Bug::SkippedReplay);
}

#[test]
fn a_swap_that_is_not_synced_step_by_step_is_noticed() {
    // A random workload seldom crashes just there: one in thousands notices.
    for (name, script) in [("compaction", compaction_script()), ("transactions", compacted_transactions_script())] {
        assert_noticed_in_script(name, &script, Bug::UnsyncedSwap);
    }
}

#[test]
fn commits_that_are_not_synced_are_noticed() {
    // Nothing else is appended that could be missed.
    let commit = || Op::Commit { group: "group-x", topic: "a", partition: 0, acks: Acks::All };
    let script = [Op::create("a", small_segments()), commit(), commit()];
    assert_noticed_in_script("commits", &script, Bug::NobodySyncs);
}

/// Crashes a script with a bug in it everywhere, which must show.
fn assert_noticed_in_script(name: &str, script: &[Op], bug: Bug) {
    let points = rehearse(name, script, Some(bug));
    let found = try_all(IMAGES_WITH_BUG * points, |index| {
        let (image, point) = (index / points, index % points);
        catching(|| crash_at(script, Some(bug), point, Crash::Power, image, &mut None))
    });
    assert!(found.is_some(), "{name}: {IMAGES_WITH_BUG} images of each crash pass with {bug:?}");
}

#[test]
fn a_truncation_that_is_not_written_down_first_is_noticed() {
    assert_noticed(Bug::UnwrittenTruncation);
    assert_noticed_in_compacted_topics(Bug::UnwrittenTruncation);
}

#[test]
fn leaving_syncs_to_the_operating_system_keeps_less() {
    assert_noticed(Bug::NobodySyncs);
}
