//! Two workers share a topic of four partitions. One gets stuck, and the other takes over what it had.
//!
//! ```sh
//! cargo run --example consumer_group --features coordinator
//! ```
//!
//! A worker counts as alive as long as it polls. The one that gets stuck in a job does not, and after
//! `max.poll.interval.ms` the group goes on without it; when it wakes up it may not commit, and what it had begun has
//! been done by the other. With `esker serve`, or a `Server` in this process, workers in other processes could be in
//! the same group.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use esker::{
    AutoOffsetReset, Consumer, ConsumerConfig, Error, GroupError, ProducerConfig, Record, Store, StoreConfig,
    TopicConfig,
};

const JOBS: usize = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Kafka's 3 seconds in which a new group waits for more members are a lot for two threads.
    let config = StoreConfig { group_initial_rebalance_delay_ms: 50, ..StoreConfig::default() };
    let store = Store::options().config(config).open_temporary()?;
    store.create_topic("jobs", TopicConfig::new().partitions(4))?;

    let (mut alice, mut bob) = (worker(&store)?, worker(&store)?);
    share(&mut alice, &mut bob)?;
    println!("before: alice has {:?}, bob has {:?}", alice.assignment(), bob.assignment());
    assert_eq!((alice.assignment().len(), bob.assignment().len()), (2, 2));

    let producer = store.producer(ProducerConfig::new())?;
    for job in 0..JOBS {
        producer.send(Record::to("jobs").partition(job as i32 % 4).value(format!("job {job}")))?;
    }

    // Bob takes jobs, and gets stuck in the first of them until he is told that he may go on.
    let (go_on, stuck) = mpsc::channel::<()>();
    let bob = thread::spawn(move || {
        let begun = bob.poll(Duration::from_secs(10))?.len();
        println!("bob begins {begun} jobs, and gets stuck");
        let _ = stuck.recv();
        // Others have his partitions by now.
        Ok::<_, Error>(bob.commit())
    });

    let mut done = BTreeSet::new();
    while done.len() < JOBS || alice.assignment().len() < 4 {
        let jobs = alice.poll(Duration::from_millis(100))?;
        match alice.commit() {
            Ok(()) => done.extend(jobs.iter().map(|job| (job.partition, job.offset))),
            // She was too slow herself: others may do these again.
            Err(Error::Group { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    println!("after: alice has {:?}, and has done {} jobs", alice.assignment(), done.len());
    for member in store.group_membership("workers")?.members {
        println!("the group knows {} with {} partitions", member.client_id, member.assignment.len());
    }

    go_on.send(())?;
    let refused = bob.join().expect("he does not panic")?;
    println!("bob wakes up, and his commit is refused: {}", refused.as_ref().expect_err("he was replaced"));
    assert!(matches!(refused, Err(Error::Group { error: GroupError::UnknownMemberId, .. })));
    Ok(())
}

fn worker(store: &Store) -> esker::Result<Consumer> {
    let config = ConsumerConfig::from("workers").auto_offset_reset(AutoOffsetReset::Earliest);
    // 5 minutes by default. Alice polls all the time.
    let mut worker = store.consumer(config.max_poll_interval(Duration::from_secs(1)))?;
    worker.subscribe(["jobs"])?;
    Ok(worker)
}

/// Polls until both have something.
fn share(alice: &mut Consumer, bob: &mut Consumer) -> esker::Result<()> {
    while alice.assignment().len() != 2 || bob.assignment().len() != 2 {
        alice.poll(Duration::from_millis(10))?;
        bob.poll(Duration::from_millis(10))?;
    }
    Ok(())
}
