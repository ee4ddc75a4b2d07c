//! Ten thousand idle connections and a thousand at work, some of which are killed now and then: what the server has
//! before, with and after them. It is a process of its own, so that what is measured is its alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use esker::server::Server;
use esker::{Store, TopicConfig};

use crate::clients::{self, PARTITIONS};

/// What the bench calls itself with to be the server.
pub const SERVER: &str = "soak-server";

const IDLE: usize = 10_000;
const ACTIVE: u64 = 1000;
/// How many requests a client sends between two looks at the time.
const STEP: usize = 20;

/// Serves until its standard input ends.
pub fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new().partitions(PARTITIONS + 1)).unwrap();
        let server = Server::builder(store).bind("127.0.0.1:0").await.unwrap();
        println!("{}", server.local_addr().unwrap());
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
        server.shutdown().await;
    });
}

pub fn run(seconds: u64) {
    esker::io::raise_open_files_limit().unwrap();
    let mut server = Command::new(std::env::current_exe().unwrap());
    let mut server = server.arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().parse().unwrap();
    println!("{:<60} {:>12} {:>12} {:>10}", "a server with", "memory", "its heap", "files");
    let before = show("nobody", &server);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(load(address, seconds, &server, before));
    server.stdin.take().unwrap().flush().unwrap();
    server.wait().unwrap();
}

async fn load(address: SocketAddr, seconds: u64, server: &Child, before: Taken) {
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(clients::idle(address).await);
    }
    let with_idle = show(&format!("{IDLE} idle connections"), server);
    println!("{:<60} {:>9} KiB", "    each of them", (with_idle.heap_kib - before.heap_kib) / IDLE as u64);
    let stop = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let active = (0..ACTIVE).map(|client| {
        let stop = stop.clone();
        tokio::spawn(async move {
            let mut count = 0;
            for step in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let partition = (client % PARTITIONS as u64) as i32;
                clients::active(address, partition, client << 32 | step, STEP).await;
                count += STEP;
            }
            count
        })
    });
    let active: Vec<_> = active.collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    show(&format!("and {ACTIVE} at work, after {seconds} s"), server);
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    for client in active {
        count += client.await.unwrap();
    }
    println!("{:<60} {:>12.0}", "    requests a second", count as f64 / began.elapsed().as_secs_f64());
    for client in &idle {
        assert!(clients::is_served(client).await);
    }
    drop(idle);
    // The server learns of it in its own time.
    let connections = || Taken::by(server).files > before.files + 100;
    while connections() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    show("nobody again", server);
}

/// What a process has.
#[derive(Clone, Copy)]
struct Taken {
    resident_kib: u64,
    /// Memory that is no file's.
    heap_kib: u64,
    files: usize,
}

impl Taken {
    fn by(process: &Child) -> Self {
        let proc = format!("/proc/{}", process.id());
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
        let number = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir(format!("{proc}/fd")).unwrap().count();
        Self { resident_kib: number("VmRSS"), heap_kib: number("RssAnon"), files }
    }
}

fn show(name: &str, server: &Child) -> Taken {
    let taken = Taken::by(server);
    println!("{name:<60} {:>8} KiB {:>8} KiB {:>10}", taken.resident_kib, taken.heap_kib, taken.files);
    taken
}
