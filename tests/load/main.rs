//! Many connections, most of them idle, some at work and often killed: nothing that was acknowledged is lost, and once
//! they are gone the server has what it had before. In a binary of its own, for it counts what the process has.
//!
//! `cargo bench --bench load` does the same with ten times as many, for minutes.
#![cfg(all(feature = "prometheus", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/allocator.rs"]
mod allocator;
mod clients;
#[path = "../common/random.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod random;

use std::fs;

use esker::server::{Server, ServerConfig};
use esker::{ReadLimits, Store, TopicConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use clients::{Acknowledged, PARTITIONS};

const IDLE: usize = 1000;
const ACTIVE: usize = 100;
const REQUESTS: usize = 40;
/// What may stay behind: free places in the buffers and tables that all connections share.
const HEAP_LEFT_MAX: usize = 1 << 20;

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

/// Connections come, work, are killed and go. Returns what was acknowledged.
async fn round(server: &Server, seed: u64) -> Vec<Acknowledged> {
    let address = server.local_addr().unwrap();
    let coming: Vec<_> = (0..IDLE).map(|_| tokio::spawn(clients::idle(address))).collect();
    let mut idle = Vec::new();
    for client in coming {
        idle.push(client.await.unwrap());
    }
    let active = (0..ACTIVE as u64).map(|client| {
        let partition = (client % PARTITIONS as u64) as i32;
        tokio::spawn(clients::active(address, partition, seed * 1000 + client, REQUESTS))
    });
    let active: Vec<_> = active.collect();
    let mut acknowledged = Vec::new();
    for client in active {
        acknowledged.push(client.await.unwrap());
    }
    let [connections] = gauges(server, [CONNECTIONS]).await;
    assert!(connections >= IDLE as f64, "{connections}");
    for client in &idle {
        assert!(clients::is_served(client).await, "an idle one is still there");
    }
    drop(idle);
    // The server learns of it in its own time.
    while gauges(server, [CONNECTIONS, IN_FLIGHT]).await != [0.0, 0.0] {}
    acknowledged
}

#[test]
fn what_connections_take_comes_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new().partitions(PARTITIONS + 1)).unwrap();
        let config = ServerConfig { queued_max_request_bytes: 1 << 20, ..ServerConfig::default() };
        let builder = Server::builder(store.clone()).config(config).metrics_listener("0");
        let server = builder.bind("127.0.0.1:0").await.unwrap();
        // The first one fills what is kept: tables, series of metrics, threads.
        let mut acknowledged = round(&server, 1).await;
        let (files, heap) = (open_files(), allocator::allocated());
        acknowledged.extend(round(&server, 2).await);
        while open_files() > files {
            tokio::task::yield_now().await;
        }
        let left = allocator::allocated().saturating_sub(heap);
        assert!(left < HEAP_LEFT_MAX, "{left} bytes are left of the second round");
        find_all(&store, acknowledged);
        server.shutdown().await;
        store.close().unwrap();
    });
}

/// Each value that was acknowledged is where the client was told.
fn find_all(store: &Store, acknowledged: Vec<Acknowledged>) {
    let mut count = 0;
    for (partition, offset, value) in acknowledged.into_iter().flatten() {
        let fetched = store.partition("t", partition).unwrap().read(offset, ReadLimits::new()).unwrap();
        let batch = fetched.batches().next().unwrap().unwrap();
        let records = batch.records().unwrap();
        let found = records.iter().map(Result::unwrap).find(|record| record.offset == offset).unwrap();
        assert_eq!(found.value, Some(value.as_bytes()));
        count += 1;
    }
    assert!(count > ACTIVE * REQUESTS / 4, "{count} records");
}
