//! Ten thousand idle connections and a thousand at work, which are often killed: nothing that was acknowledged is lost,
//! and once they are gone the server has what it had before. In a binary of its own, for it counts what the process
//! has; the clients are in another process.
//!
//! Two rounds of it, or as many as begin within so many seconds: `ESKER_LOAD_SECONDS=180` makes it a soak of minutes.
//! `cargo bench --bench load` shows what all of it takes.
#![cfg(all(feature = "prometheus", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/allocator.rs"]
mod allocator;
mod clients;
#[path = "../common/random.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod random;
#[path = "../common/within.rs"]
mod within;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use esker::io::raise_open_files_limit;
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::{JoinGroupRequest, request_frame};
use esker::net::{ApiKey, RequestHeader};
use esker::server::{Server, ServerConfig};
use esker::{Offset, ReadLimits, Store, TopicConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use clients::PARTITIONS;
use within::within;

const IDLE: usize = 10_000;
const ACTIVE: usize = 1000;
const REQUESTS: usize = 40;
/// What may stay behind of the first round: tables, series of metrics, files. And of all others together: free places
/// in the buffers and tables that all connections share.
const HEAP_KEPT_MAX: usize = 4 << 20;
const HEAP_LEFT_MAX: usize = 1 << 20;

/// For how long clients come and go.
const SECONDS: &str = "ESKER_LOAD_SECONDS";
const ADDRESS: &str = "ESKER_LOAD_ADDRESS";
const SEED: &str = "ESKER_LOAD_SEED";

fn runtime() -> Runtime {
    raise_open_files_limit().unwrap();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Not a test of its own: all clients of a round. What was acknowledged is printed; then they stay until standard input
/// ends.
#[test]
fn child() {
    let Ok(address) = env::var(ADDRESS) else { return };
    let (address, seed) = (address.parse().unwrap(), env::var(SEED).unwrap().parse::<u64>().unwrap());
    runtime().block_on(async {
        let mut idle = Vec::new();
        for _ in 0..IDLE {
            idle.push(clients::idle(address).await);
        }
        let active = (0..ACTIVE as u64).map(|client| {
            let partition = (client % PARTITIONS as u64) as i32;
            tokio::spawn(clients::active(address, partition, seed << 32 | client, REQUESTS))
        });
        println!();
        for client in active.collect::<Vec<_>>() {
            for (partition, offset, value) in client.await.unwrap() {
                println!("{partition} {offset} {value}");
            }
        }
        println!("done");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        for client in &idle {
            assert!(clients::is_served(client).await, "an idle one is still there");
        }
    });
}

/// The clients of a round.
struct Clients {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Clients {
    fn start(server: &Server, seed: u64) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["child", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(ADDRESS, server.local_addr().unwrap().to_string()).env(SEED, seed.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What was acknowledged, once those at work are done.
    fn acknowledged(&mut self) -> Vec<(i32, Offset, String)> {
        let mut acknowledged = Vec::new();
        for line in self.lines.by_ref().map(Result::unwrap).take_while(|line| line != "done") {
            let mut parts = line.splitn(3, ' ');
            let mut number = || parts.next().and_then(|part| part.parse::<i64>().ok());
            // The test harness speaks first.
            if let (Some(partition), Some(offset), Some(value)) = (number(), number(), parts.next()) {
                acknowledged.push((partition as i32, offset, value.to_owned()));
            }
        }
        acknowledged
    }

    fn go(mut self) {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The values of gauges that the server shows.
async fn gauges<const N: usize>(server: &Server, names: [&str; N]) -> [f64; N] {
    let mut stream = TcpStream::connect(server.metrics_addr().unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    names.map(|name| {
        let line = answer.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
        line.split(' ').next_back().unwrap().parse().unwrap()
    })
}

const CONNECTIONS: &str = "esker_connections";
const IN_FLIGHT: &str = "esker_request_bytes_in_flight";

/// Connections come, work, are killed and go. Returns how much was acknowledged, all of which is there.
fn round(runtime: &Runtime, server: &Server, store: &Store, seed: u64) -> usize {
    let mut clients = Clients::start(server, seed);
    let acknowledged = clients.acknowledged();
    let [connections] = runtime.block_on(gauges(server, [CONNECTIONS]));
    assert!(connections >= IDLE as f64, "{connections}");
    clients.go();
    // The server learns of it in its own time.
    let are_gone = async || gauges(server, [CONNECTIONS, IN_FLIGHT]).await == [0.0, 0.0];
    runtime.block_on(within(async { while !are_gone().await {} }));
    let count = acknowledged.len();
    find_all(store, acknowledged);
    count
}

#[test]
fn what_connections_take_comes_back() {
    let (began, soak) = (Instant::now(), env::var(SECONDS).map_or(0, |seconds| seconds.parse().unwrap()));
    let runtime = runtime();
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new().partitions(PARTITIONS + 1)).unwrap();
    let config = ServerConfig { queued_max_request_bytes: 1 << 20, ..ServerConfig::default() };
    let builder = Server::builder(store.clone()).config(config).metrics_listener("0");
    let server = runtime.block_on(builder.bind("127.0.0.1:0")).unwrap();
    let before = allocator::allocated();
    let mut count = round(&runtime, &server, &store, 1);
    let (files, heap) = (open_files(), allocator::allocated());
    let kept = heap.saturating_sub(before);
    assert!(kept < HEAP_KEPT_MAX, "{kept} bytes are left of the first round");
    let mut rounds = 1;
    while rounds < 2 || began.elapsed() < Duration::from_secs(soak) {
        rounds += 1;
        count += round(&runtime, &server, &store, rounds as u64);
        runtime.block_on(within(async {
            while open_files() > files {
                tokio::task::yield_now().await;
            }
        }));
        let left = allocator::allocated().saturating_sub(heap);
        assert!(left < HEAP_LEFT_MAX, "{left} bytes are left after round {rounds}");
    }
    assert!(count > rounds * ACTIVE * REQUESTS / 4, "{count} records in {rounds} rounds");
    println!("{rounds} rounds: {count} records of {ACTIVE} clients beside {IDLE} idle ones");
    runtime.block_on(join_with_much(&server));
    runtime.block_on(server.shutdown());
    store.close().unwrap();
}

/// Members of groups whose requests are large, and bring little.
async fn join_with_much(server: &Server) {
    let heap = allocator::allocated();
    let mut joining = Vec::new();
    for group in 0..10 {
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"\0\0") };
        let request = JoinGroupRequest {
            group_id: format!("g{group}"),
            session_timeout_ms: 1_800_000,
            rebalance_timeout_ms: 1_800_000,
            group_instance_id: Some("static".into()),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        let header = RequestHeader { api_key: ApiKey::JoinGroup, api_version: 5, correlation_id: 1, client_id: None };
        let mut frame = request_frame(&header, &request).unwrap().to_bytes().to_vec();
        // Bytes behind a request are ignored, as in Kafka.
        frame.resize(10 << 20, 0);
        let size = frame.len() as u32 - 4;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        let mut stream = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        stream.write_all(&frame).await.unwrap();
        joining.push(stream);
    }
    // A new group gives others some seconds to come too.
    for mut stream in joining {
        stream.read_i32().await.unwrap();
    }
    within(async { while gauges(server, [CONNECTIONS]).await != [0.0] {} }).await;
    let left = allocator::allocated().saturating_sub(heap);
    assert!(left < HEAP_LEFT_MAX, "{left} bytes are left of members who brought two each");
}

/// Each value that was acknowledged is where the client was told.
fn find_all(store: &Store, acknowledged: Vec<(i32, Offset, String)>) {
    for (partition, offset, value) in acknowledged {
        let fetched = store.partition("t", partition).unwrap().read(offset, ReadLimits::new()).unwrap();
        let batch = fetched.batches().next().unwrap().unwrap();
        let records = batch.records().unwrap();
        let found = records.iter().map(Result::unwrap).find(|record| record.offset == offset).unwrap();
        assert_eq!(found.value, Some(value.as_bytes()));
    }
}
