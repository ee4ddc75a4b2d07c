//! A queue of jobs that survives restarts: workers share the partitions of a topic, commit as they finish, and go on
//! after a crash where they left off.
//!
//! ```sh
//! cargo run --example work_queue
//! ```
//!
//! Each partition has one worker, so that its jobs are done in order and no lock is needed. A job counts as done when
//! its offset is committed. A worker that dies between doing and committing does the job again after the restart: at
//! least once, never not at all. Jobs should bear that, say by having a key under which their result is stored.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use esker::{AutoOffsetReset, ConsumerConfig, Error, Maintenance, ProducerConfig, Record, Store, TopicConfig};

const PARTITIONS: i32 = 6;
const WORKERS: i32 = 3;
const JOBS: usize = 60;
/// The last record of each partition. Whoever has read it goes home.
const CLOSING_TIME: &[u8] = b"closing time";

/// How often each job was done.
type Done = Mutex<BTreeMap<String, usize>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let done = Done::default();

    // In the first shift the jobs come in while the workers work, and everybody stops halfway.
    shift(dir.path(), &done, Some(8))?;
    println!("— the process ends, and starts again —");
    // In the second shift the same workers, as far as the log knows, do what is left.
    shift(dir.path(), &done, None)?;

    let done = done.into_inner()?;
    let twice = done.values().filter(|count| **count == 2).count();
    println!("{} jobs done, {twice} of them twice: done, but not committed when their worker stopped", done.len());
    assert_eq!(done.len(), JOBS, "every job was done");
    assert_eq!(twice, WORKERS as usize, "and only what was not committed was done again");
    Ok(())
}

/// Opens the store, has all workers work until closing time, or until each has done `jobs_max` jobs, and closes it.
fn shift(dir: &Path, done: &Done, jobs_max: Option<usize>) -> esker::Result<()> {
    // Nothing here lingers or waits without a thread, so the store needs none of its own.
    let store = Store::options().maintenance(Maintenance::Manual).open(dir)?;
    let is_first = match store.create_topic("jobs", TopicConfig::new().partitions(PARTITIONS)) {
        Ok(_) => true,
        Err(Error::TopicAlreadyExists { .. }) => false,
        Err(error) => return Err(error),
    };
    thread::scope(|scope| {
        let store = &store;
        let mut threads = Vec::new();
        if is_first {
            threads.push(scope.spawn(|| feed(store)));
        }
        for worker in 0..WORKERS {
            threads.push(scope.spawn(move || work(store, worker, done, jobs_max)));
        }
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    store.close()
}

/// Puts jobs into the queue, and after the last one a note that it was the last.
fn feed(store: &Store) -> esker::Result<()> {
    let producer = store.producer(ProducerConfig::new())?;
    for job in 0..JOBS {
        // The producer would pick one too, but stays with it until a batch is full: these are too few for that.
        let partition = job as i32 % PARTITIONS;
        producer.send(Record::to("jobs").partition(partition).value(format!("job {job}")))?;
    }
    for partition in 0..PARTITIONS {
        producer.send(Record::to("jobs").partition(partition).value(CLOSING_TIME))?;
    }
    Ok(())
}

/// Does the jobs of this worker's partitions.
fn work(store: &Store, worker: i32, done: &Done, jobs_max: Option<usize>) -> esker::Result<()> {
    // Few at a time: what was polled and not committed is what a crash repeats.
    let config = ConsumerConfig::from("workers").auto_offset_reset(AutoOffsetReset::Earliest).max_poll_records(1);
    let mut consumer = store.consumer(config)?;
    let mine: Vec<i32> = (0..PARTITIONS).filter(|partition| partition % WORKERS == worker).collect();
    consumer.assign(mine.iter().map(|partition| ("jobs", *partition)))?;

    let (mut finished, mut closed) = (0, 0);
    while closed < mine.len() {
        for record in consumer.poll(Duration::from_secs(1))? {
            let value = record.value.unwrap_or_default();
            if value == CLOSING_TIME {
                closed += 1;
                continue;
            }
            let job = String::from_utf8_lossy(&value).into_owned();
            println!("worker {worker} does {job}, offset {} of partition {}", record.offset, record.partition);
            *done.lock().expect("no thread panics").entry(job).or_default() += 1;
            finished += 1;
            if jobs_max == Some(finished) {
                println!("worker {worker} stops, and this job is not committed");
                return Ok(());
            }
        }
        consumer.commit()?;
    }
    println!("worker {worker} has seen the last of its jobs");
    Ok(())
}
