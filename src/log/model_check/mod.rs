//! What threads can do to a log in any order: the code of `log`, run by model checkers that take the place of threads
//! and locks (see [`crate::sync`]).
//!
//! - `--cfg esker_loom`: small scenes under every order of two or three threads and everything that weak memory lets
//!   them see, up to a number of preemptions.
//! - `--cfg esker_shuttle`: a whole log, with appends, reads, waits, rolls and maintenance at once, under thousands of
//!   random orders.
//!
//! `tests/model_check/run` builds and runs both. With `--planted` it also shows that each check can fail: it plants
//! the bugs listed in `tests/model_check/planted`, one after the other, in a copy of the sources, and wants each found.

mod device;
#[cfg(esker_loom)]
mod group_commit;
#[cfg(esker_loom)]
mod publishing;
#[cfg(esker_loom)]
mod segment_files;
#[cfg(esker_loom)]
mod waiting;
#[cfg(esker_shuttle)]
mod whole_log;

use device::Device;

use super::{Appended, Log, LogContext};
use crate::clock::Clock;
use crate::config::{LogConfig, SyncPolicy, TopicConfig};
use crate::error::Result;
use crate::record::{BatchBuilder, RecordData};
use crate::types::{Acks, Offset, TopicPartition};

/// The size of a batch that [`append`] appends.
#[cfg(not(esker_shuttle))]
const BATCH_BYTES: u64 = 69;
/// How large a segment may get that takes one such batch and no other.
const ONE_BATCH: &str = "80";

/// Runs a scene under every order of its threads with up to `preemptions` of them: switches that no thread asked for.
#[cfg(esker_loom)]
fn explore(preemptions: usize, scene: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 20_000;
    model.check(scene);
}

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now_ms(&self) -> i64 {
        1_000
    }
}

/// An empty log on `device`.
fn log_on(device: &Device, configs: &[(&str, &str)]) -> Log {
    let mut config = TopicConfig::new();
    for (key, value) in configs {
        config.set(key, value).expect("a config of Kafka's");
    }
    let config = LogConfig::from(&config);
    let known = super::LastKnown {
        clean: true,
        recovery_point: 0,
        log_start: 0,
        first_dirty: 0,
        checks_crc: true,
        replays_producers: true,
    };
    let load = super::load(device.home(TopicPartition::new("scene", 0)), &config, known).expect("an empty directory");
    let clock = std::sync::Arc::new(StoppedClock);
    let (sync, helper, checkpoints, open_files) = (SyncPolicy::Always, None, None, device.open_files().clone());
    Log::new(load, LogContext { config, clock, sync, helper, checkpoints, syncs_swaps: true, open_files })
}

/// Appends a batch of one record of one byte. All are [`BATCH_BYTES`] long.
fn append(log: &Log, value: u8, acks: Acks) -> Result<Appended> {
    let mut builder = BatchBuilder::new(128);
    builder.push(&RecordData::new(None, Some(&[value])).at(1))?;
    log.append(builder.build()?, acks)
}

/// The offsets and values of what a read at `offset` returns, and where to read next.
fn read(log: &Log, offset: Offset) -> Result<(Vec<(Offset, u8)>, Offset)> {
    let fetched = log.read(offset, super::ReadLimits::new())?;
    let mut records = Vec::new();
    for batch in fetched.batches() {
        for record in &batch?.records()? {
            let record = record?;
            records.push((record.offset, record.value.expect("it has a value")[0]));
        }
    }
    Ok((records, fetched.next_offset()))
}

/// One thread, no checker: so that every build of the tests builds what the scenes share.
#[cfg(not(any(esker_loom, esker_shuttle)))]
#[test]
fn the_scenes_are_set() {
    let device = Device::new(usize::MAX);
    let log = log_on(&device, &[("internal.segment.bytes", ONE_BATCH)]);
    for value in 0..2 {
        append(&log, value, Acks::All).expect("there is room");
        let offset = Offset::from(value);
        assert_eq!(read(&log, offset).expect("it is there"), (vec![(offset, value)], offset + 1));
    }
    assert_eq!((log.segment_count(), device.synced_log_bytes()), (2, 2 * BATCH_BYTES));
}
