//! From nothing to the first acknowledged record, and from `exec` to listening.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::net::messages::ProduceRequest;
use esker::net::messages::produce::{PartitionProduceData, TopicProduceData};
use esker::record::{BatchBuilder, RecordData};
use esker::server::Server;
use esker::{Store, TopicConfig};

const ROUNDS: usize = 51;
const FIRST_RECORD_GOAL: Duration = Duration::from_millis(5);
const LISTENING_GOAL: Duration = Duration::from_millis(100);

/// Whether the goals are met, by the best of many rounds: in the others the machine did something else besides.
pub fn run() -> bool {
    println!("{:<60} {:>12} {:>12} {:>12} {:>10}", "", "best", "median", "worst", "goal");
    let mut are_met = true;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (name, acks) in [("acks=1", 1), ("acks=all, a sync with it", -1)] {
        let times = (0..ROUNDS).map(|_| runtime.block_on(first_record(acks)));
        let name = format!("Server::builder to the first record, {name}");
        are_met &= line(&name, times.collect(), Some(FIRST_RECORD_GOAL));
    }
    let times = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        drop(store());
        began.elapsed()
    });
    line("a new directory, opened, with a topic, and closed", times.collect(), None);
    match example() {
        Some(path) => {
            let times = (0..ROUNDS).map(|_| to_listening(&path));
            are_met &= line("exec of the example `server` to listening", times.collect(), Some(LISTENING_GOAL));
        }
        None => println!("exec of the example: cargo build --release --example server --features net, and again"),
    }
    are_met
}

/// Prints how long something took, and tells whether it can be done within the goal.
fn line(name: &str, mut times: Vec<Duration>, goal: Option<Duration>) -> bool {
    times.sort_unstable();
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    let [best, median, worst] = [0, times.len() / 2, times.len() - 1].map(|at| times[at]);
    let [best_ms, median_ms, worst_ms] = [best, median, worst].map(ms);
    println!("{name:<60} {best_ms:>12} {median_ms:>12} {worst_ms:>12} {:>10}", goal.map(ms).unwrap_or_default());
    goal.is_none_or(|goal| best <= goal)
}

fn store() -> Store {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    store
}

async fn first_record(acks: i16) -> Duration {
    let store = store();
    let mut batch = BatchBuilder::new(1 << 10);
    batch.push(&RecordData::of(b"first").at(1)).unwrap();
    let records = Some(Bytes::copy_from_slice(batch.build().unwrap().bytes()));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks, timeout_ms: 1000, topic_data, ..Default::default() };
    let began = Instant::now();
    let server = Server::builder(store.clone()).bind("127.0.0.1:0").await.unwrap();
    let response = server.connect().send(&request, 9).await.unwrap();
    let took = began.elapsed();
    assert_eq!(response.responses[0].partition_responses[0].base_offset, 0);
    server.shutdown().await;
    took
}

/// The example, if it is built beside this.
fn example() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent()?.parent()?.join("examples/server");
    path.exists().then_some(path)
}

fn to_listening(example: &PathBuf) -> Duration {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(example);
    command.args(["--override", "listeners=PLAINTEXT://127.0.0.1:0", "--override"]);
    command.arg(format!("log.dirs={}", dir.path().join("data").display()));
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let took = began.elapsed();
    assert!(line.starts_with("serving "), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    took
}
