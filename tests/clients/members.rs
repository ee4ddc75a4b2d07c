//! A server with members of groups in its own process, for the tests with stock clients. It is told on standard input
//! who comes and goes, a line each: `start NAME TOPIC LOG key=value…` and `stop NAME`. See `python/member_log.py` for
//! what members say in their logs.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use esker::clock::{Clock, SystemClock};
use esker::server::{Server, ServerProperties};
use esker::{AutoOffsetReset, Consumer, ConsumerConfig, RebalanceListener, Store, TopicPartition};
use tokio::signal::unix::{SignalKind, signal};

type Anything = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Anything> {
    let mut properties = ServerProperties::new();
    for pair in std::env::args().skip(1).filter(|argument| argument != "--override") {
        let (key, value) = pair.split_once('=').ok_or("key=value is wanted")?;
        properties.set(key, value)?;
    }
    let dir = properties.log_dir.as_deref().unwrap_or(Path::new("data"));
    let store = properties.open_store(dir)?;
    let server = Server::builder(store.clone()).config(properties.server.clone()).start().await?;
    println!("serving {} at {:?}", dir.display(), server.local_addrs());
    let (of_members, mut terminated) = (store.clone(), signal(SignalKind::terminate())?);
    // A member that did not do well ends it all. Otherwise it goes on while there are orders, and until it is told to
    // end.
    tokio::task::spawn_blocking(move || follow_orders(&of_members)).await??;
    terminated.recv().await;
    server.shutdown().await;
    Ok(store.close()?)
}

fn follow_orders(store: &Store) -> Result<(), Anything> {
    let mut members = BTreeMap::<String, Member>::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["start", name, topic, log, configs @ ..] => {
                members.insert((*name).to_owned(), Member::start(store, topic, log, configs)?);
            }
            ["stop", name] => members.remove(*name).ok_or("nobody has that name")?.stop()?,
            _ => return Err(format!("{line} is no order").into()),
        }
    }
    Ok(())
}

/// A thread that works until it is told to end.
struct Member {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Anything>>,
}

impl Member {
    fn start(store: &Store, topic: &str, log: &str, configs: &[&str]) -> Result<Self, Anything> {
        let mut config = ConsumerConfig::new().auto_offset_reset(AutoOffsetReset::Earliest).max_poll_records(20);
        for (key, value) in configs.iter().filter_map(|pair| pair.split_once('=')) {
            config.set(key, value)?;
        }
        let mut consumer = store.consumer(config)?;
        let log = Log(OpenOptions::new().create(true).append(true).open(log)?);
        consumer.set_rebalance_listener(Owned { partitions: BTreeSet::new(), log: log.another()? });
        consumer.subscribe([topic])?;
        let ending = Arc::new(AtomicBool::new(false));
        let is_ending = ending.clone();
        Ok(Self { ending, thread: std::thread::spawn(move || work(consumer, log, &is_ending)) })
    }

    fn stop(self) -> Result<(), Anything> {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "it panicked")?
    }
}

fn work(mut consumer: Consumer, mut log: Log, is_ending: &AtomicBool) -> Result<(), Anything> {
    while !is_ending.load(Ordering::Relaxed) {
        let records = consumer.poll(Duration::from_millis(100))?;
        if records.is_empty() {
            continue;
        }
        log.write(records.iter().map(|record| ("processed", format!("{}\t{}", record.partition, record.offset))))?;
        match consumer.commit() {
            Ok(()) => log.write([("committed", String::new())])?,
            Err(error) => log.write([("refused", error.to_string())])?,
        }
    }
    Ok(())
}

struct Log(File);

impl Log {
    fn another(&self) -> std::io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// At once, so that whoever kills the process finds what it has done.
    fn write(&mut self, events: impl IntoIterator<Item = (&'static str, String)>) -> std::io::Result<()> {
        let now_ms = SystemClock.now_ms();
        let lines: String =
            events.into_iter().map(|(event, details)| format!("{now_ms}\t{event}\t{details}\n")).collect();
        self.0.write_all(lines.as_bytes())
    }
}

/// Keeps account of what a member owns.
struct Owned {
    partitions: BTreeSet<i32>,
    log: Log,
}

impl Owned {
    fn tell(&mut self) -> esker::Result<()> {
        let owned: Vec<String> = self.partitions.iter().map(i32::to_string).collect();
        // A test without its log fails.
        let _ = self.log.write([("owned", owned.join(","))]);
        Ok(())
    }
}

impl RebalanceListener for Owned {
    fn on_partitions_assigned(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) -> esker::Result<()> {
        self.partitions.extend(partitions.iter().map(|at| at.partition));
        self.tell()
    }

    fn on_partitions_revoked(&mut self, _: &mut Consumer, partitions: &[TopicPartition]) -> esker::Result<()> {
        self.partitions.retain(|partition| !partitions.iter().any(|at| at.partition == *partition));
        self.tell()
    }
}
