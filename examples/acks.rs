//! The three ack levels: what each costs, and what each survives. Both are measured, not told.
//!
//! ```sh
//! cargo run --release --example acks --features sim
//! ```
//!
//! Time is taken on the real disk, in the directory for temporary files: how long it takes until a record is
//! acknowledged, for one caller who sends one after the other, in multiples of `acks=0`. Many callers share syncs, and
//! pay far less for `acks=all`.
//!
//! Survival is tried on a simulated disk: records are sent until all are acknowledged, the process dies or power is
//! lost, and the store is opened again on what is left. What that is after the loss of power is decided by a seed.
//! Records with `acks=0` linger in the process for others to share their batch, so they don't even survive its death.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use esker::sim::{Crash, FaultStorage};
use esker::{Acks, Maintenance, Producer, ProducerConfig, Record, Store, TopicConfig};

const SEEDS: u64 = 100;
const RECORDS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:<10}{:>16}{:>24}{:>24}", "", "time per record", "the process dies", "power is lost");
    let mut acks_0_time = None;
    for (name, acks) in [("acks=0", Acks::None), ("acks=1", Acks::Leader), ("acks=all", Acks::All)] {
        let time = time_per_record(acks)?;
        let ratio = time.as_secs_f64() / acks_0_time.get_or_insert(time).as_secs_f64();
        let after_death = survivals(acks, Crash::Process)?;
        let after_power_loss = survivals(acks, Crash::Power)?;
        println!("{name:<10}{:>16}{:>24}{:>24}", format!("{ratio:.1} ×"), told(after_death), told(after_power_loss));
    }
    Ok(())
}

/// Sends a record and returns when it is acknowledged.
fn send(producer: &Producer, acks: Acks, value: &str) -> esker::Result<()> {
    let pending = producer.send_async(Record::to("events").value(value.to_owned()))?;
    match acks {
        // Nothing is waited for. That the handle exists is all the acknowledgement there is.
        Acks::None => drop(pending),
        // Who waits for one record at a time does better with `Producer::send`, which does not linger.
        Acks::Leader | Acks::All => drop(pending.wait()?),
    }
    Ok(())
}

fn config(acks: Acks) -> ProducerConfig {
    // Only where nobody waits is there a point in letting records linger for others.
    let linger = if acks == Acks::None { Duration::from_millis(5) } else { Duration::ZERO };
    ProducerConfig::new().acks(acks).linger(linger)
}

fn time_per_record(acks: Acks) -> esker::Result<Duration> {
    let store = Store::temporary()?;
    store.create_topic("events", TopicConfig::new())?;
    let producer = store.producer(config(acks))?;
    let value = "x".repeat(100);
    let count = if acks == Acks::All { 500 } else { 500_000 };
    send(&producer, acks, &value)?; // which creates the files
    let start = Instant::now();
    for _ in 0..count {
        send(&producer, acks, &value)?;
    }
    Ok(start.elapsed() / count)
}

/// With how many seeds everything that was acknowledged survived the crash.
fn survivals(acks: Acks, crash: Crash) -> esker::Result<u64> {
    let mut survivals = 0;
    for seed in 0..SEEDS {
        survivals += u64::from(records_after_crash(acks, crash, seed)? == RECORDS);
    }
    Ok(survivals)
}

/// How many of the records that were acknowledged can be read after a crash.
fn records_after_crash(acks: Acks, crash: Crash, seed: u64) -> esker::Result<usize> {
    let disk = FaultStorage::new(seed);
    let store = open(&disk)?;
    store.create_topic("events", TopicConfig::new())?;
    let producer = store.producer(config(acks))?;
    for _ in 0..RECORDS {
        send(&producer, acks, "it happened")?;
    }
    // From here on the disk refuses everything, so that what is still in memory can't reach it any more.
    disk.crash();
    drop((producer, store));

    let store = open(&disk.after_crash(crash, seed))?;
    Ok(store.partition("events", 0)?.log_end() as usize)
}

/// Without a thread, so that what happens depends on the seed alone.
fn open(disk: &FaultStorage) -> esker::Result<Store> {
    Store::options().storage(Arc::new(disk.clone())).maintenance(Maintenance::Manual).open("data")
}

fn told(survivals: u64) -> String {
    match survivals {
        SEEDS => format!("kept, {SEEDS} of {SEEDS}"),
        0 => format!("lost, {SEEDS} of {SEEDS}"),
        some => format!("kept {some}, lost {}", SEEDS - some),
    }
}
